package lab

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// A suspended VM: its memory is in a .vmss file, which checkpoint.vmState in the .vmx names. The lab keeps in it the EVC mode whose
// features the guest has seen; a host without them does not resume it.

const suspendKey = "checkpoint.vmState"

// suspendFile is the file with the VM's memory: the one that is there, or where it is going to be.
func (m *machine) suspendFile() place {
	at := m.place()
	base := strings.TrimSuffix(path.Base(at.path), path.Ext(at.path))
	for _, name := range m.vc.lab.entries(place{at.uuid, at.dir()}) {
		if strings.HasPrefix(name, base+"-") && strings.HasSuffix(name, ".vmss") {
			return at.absolute(name)
		}
	}
	return at.absolute(fmt.Sprintf("%s-%08x.vmss", base, m.vc.lab.ID.Bytes(4, "vmss", at.String())))
}

// wake makes a VM in the inventory a suspended one, if its memory is there and its .vmx says so.
func (m *machine) wake() {
	text, err := os.ReadFile(m.vc.lab.on(m.suspendFile()))
	if err != nil {
		return
	}
	mode := string(text)
	if !slices.Contains(scenario.CPUs, mode) {
		mode = ""
	}
	shown := m.vc.inEVC(m.host())
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.PowerState, vm.Runtime.SuspendTime = suspended, now()
		m.runsWith(vm, mode, shown)
		m.report(vm, false)
	})
}

// resumable refuses a host that lacks features the suspended guest has seen.
func (m *machine) resumable() types.BaseMethodFault {
	if m.power() != suspended {
		return nil
	}
	if m.vc.lab.size(m.suspendFile()) < 0 {
		return &types.FileNotFound{FileFault: types.FileFault{File: path.Base(m.suspendFile().path)}}
	}
	return m.vc.compatible(m, m.host())
}

// SuspendVMTask writes the VM's memory to its directory and stops it.
func (o *vmObject) SuspendVMTask(req *types.SuspendVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.SuspendVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.suspend", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if p := m.power(); p != on {
			return nil, wrongPower(p, suspended)
		}
		if f := m.freezable(true, true); f != nil {
			return nil, f
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.PowerOff); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		at := m.place()
		if f := m.vc.lab.writeFile(m.suspendFile(), []byte(m.needs())); f != nil {
			return nil, f
		}
		m.mu.Lock()
		m.era++
		g := m.guest
		m.mu.Unlock()
		m.edit(func(vm *simulator.VirtualMachine) {
			vm.Runtime.PowerState, vm.Runtime.SuspendTime, vm.Runtime.MemoryOverhead = suspended, now(), 0
			m.running(vm, false)
			connect(vm, false)
			m.report(vm, false)
		})
		f := m.save()
		m.vc.lab.locks.unlock(m.owner())
		m.vc.lab.ledger.PowerOff(m.vc.Spec.Name, at.String())
		m.vc.lab.guests.Off(g.ID, time.Now())
		return nil, f
	})
	return &methods.SuspendVM_TaskBody{Res: &types.SuspendVM_TaskResponse{Returnval: ref}}
}
