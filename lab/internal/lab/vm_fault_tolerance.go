package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Fault tolerance: the primary VM of a pair. It is a fact of the vCenter and not of the .vmx. The secondary VM is named in
// config.ftInfo and not in the inventory.

// protect makes a VM the primary one of a pair.
func (m *machine) protect() {
	m.edit(func(vm *simulator.VirtualMachine) {
		c := *vm.Config
		c.FtInfo = &types.FaultTolerancePrimaryConfigInfo{FaultToleranceConfigInfo: types.FaultToleranceConfigInfo{
			Role: 1, InstanceUuids: []string{c.InstanceUuid, m.vc.lab.ID.UUID("secondary", c.InstanceUuid)}, ConfigPaths: []string{c.Files.VmPathName},
		}, Secondaries: []types.ManagedObjectReference{}}
		vm.Config = &c
		m.running(vm, vm.Runtime.PowerState == on)
		vm.Summary.Runtime = vm.Runtime
	})
}

func protected(c *types.VirtualMachineConfigInfo) bool { return c.FtInfo != nil }

// running writes what of the runtime follows from the configuration and the power state, under the VM's lock.
func (m *machine) running(vm *simulator.VirtualMachine, on bool) {
	vm.Runtime.ToolsInstallerMounted = on && installerMounted(vm.Config)
	vm.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
	if protected(vm.Config) {
		vm.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateEnabled
		if on {
			vm.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateRunning
		}
	}
}

// TurnOffFaultToleranceForVMTask makes the primary VM an ordinary one.
func (o *vmObject) TurnOffFaultToleranceForVMTask(req *types.TurnOffFaultToleranceForVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.TurnOffFaultToleranceForVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.turnOffFaultTolerance", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if !protected(m.config()) {
			return nil, because(new(types.NotSupported), "The virtual machine is not fault tolerant.")
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.Reconfigure); f != nil {
			return nil, f
		}
		m.edit(func(vm *simulator.VirtualMachine) {
			c := *vm.Config
			c.FtInfo = nil
			vm.Config = &c
			m.running(vm, vm.Runtime.PowerState == on)
			vm.Summary.Runtime = vm.Runtime
		})
		return nil, nil
	})
	return &methods.TurnOffFaultToleranceForVM_TaskBody{Res: &types.TurnOffFaultToleranceForVM_TaskResponse{Returnval: ref}}
}
