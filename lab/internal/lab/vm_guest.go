package lab

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// guestReady checks what every request to the guest needs: power, and VMware Tools that run.
func (m *machine) guestReady() types.BaseMethodFault {
	if m.template() {
		return because(new(types.NotSupported), "A template has no running guest.")
	}
	if p := m.power(); p != on {
		return wrongPower(p, on)
	}
	var running bool
	m.read(func(vm *simulator.VirtualMachine) {
		running = vm.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	})
	if !running {
		return new(types.ToolsUnavailable)
	}
	return nil
}

// ShutdownGuest asks the guest to shut down and returns at once: whether and when it obeys is the guest's affair.
func (o *vmObject) ShutdownGuest(req *types.ShutdownGuest) soap.HasFault {
	body := new(methods.ShutdownGuestBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	if f := m.guestReady(); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.ShutdownGuestResponse)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest.IgnoresShutdown || m.stopping {
		return body
	}
	m.stopping = true
	era, g := m.era, m.guest
	m.vc.lab.guests.Stopping(g.ID, time.Now())
	m.later(g.Shutdown, era, (*machine).shutDown)
	return body
}

// guestShutdown stands for the task that has a VM while its guest powers it off; vCenter shows none.
var guestShutdown = types.ManagedObjectReference{Type: "Task", Value: "guest-shutdown"}

// shutDown powers a VM off when its guest has shut down; a task that has the VM ends first.
func (m *machine) shutDown(era int) {
	for m.vc.lab.ctx.Err() == nil {
		m.mu.Lock()
		same := m.era == era
		m.mu.Unlock()
		if !same || m.vm() == nil {
			return
		}
		if m.take(guestShutdown) == nil {
			m.stopped(true)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// RebootGuest asks the guest to reboot. The VM stays powered on; the Tools are away until it has booted.
func (o *vmObject) RebootGuest(req *types.RebootGuest) soap.HasFault {
	body := new(methods.RebootGuestBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	if f := m.guestReady(); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	if g := m.who(); !g.IgnoresShutdown {
		m.restart(g.Shutdown)
	}
	body.Res = new(types.RebootGuestResponse)
	return body
}
