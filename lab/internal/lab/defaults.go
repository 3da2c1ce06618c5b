package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// defaults sees every object that enters the registry and fills in what the simulator leaves empty and strict clients ask for. It
// also sees an object that is only moved, so that what it does must bear repetition. It runs with locks held: it takes none.
type defaults struct{ shadow }

func installDefaults(vc *VC) { vc.Map().AddHandler(&defaults{vc.shadow("Defaults")}) }

// PutObject completes a new object.
func (d *defaults) PutObject(_ *simulator.Context, o mo.Reference) {
	if e, ok := o.(mo.Entity); ok && d.vc.access.login != 0 {
		e.Entity().EffectiveRole = []int32{d.vc.access.login}
	}
	switch x := o.(type) {
	case *simulator.VirtualMachine:
		completeVM(x)
	case *simulator.StoragePod:
		completePod(x)
	}
}

// UpdateObject does nothing.
func (*defaults) UpdateObject(*simulator.Context, mo.Reference, []types.PropertyChange) {}

// RemoveObject does nothing.
func (*defaults) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

// completeVM fills in the enumerations of a virtual machine that may not be empty: a client that knows the type refuses them.
func completeVM(vm *simulator.VirtualMachine) {
	for _, r := range []*types.VirtualMachineRuntimeInfo{&vm.Runtime, &vm.Summary.Runtime} {
		if r.FaultToleranceState == "" {
			r.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
		}
		if r.RecordReplayState == "" {
			r.RecordReplayState = types.VirtualMachineRecordReplayStateInactive
		}
		if r.ConnectionState == "" {
			r.ConnectionState = types.VirtualMachineConnectionStateConnected
		}
	}
	if vm.GuestHeartbeatStatus == "" {
		vm.GuestHeartbeatStatus = types.ManagedEntityStatusGray
	}
	if vm.Summary.OverallStatus == "" {
		vm.Summary.OverallStatus = types.ManagedEntityStatusGreen
	}
}
