package lab

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RebootHostTask restarts a host: its task ends when the host has begun to go down. vCenter hears nothing of it until it is up again,
// with the image that was installed beside, and in maintenance mode if it was.
func (o *host) RebootHostTask(req *types.RebootHost_Task) soap.HasFault {
	body := &methods.RebootHost_TaskBody{}
	down := make(chan string, 1)
	ref, refused := o.run(req.This, "HostSystem.reboot", func(h *simulator.HostSystem, j *job) types.BaseMethodFault {
		connected, maintenance := o.vc.hostState(h)
		switch {
		case !connected:
			return because(new(types.InvalidState), "Host '%s' is not connected.", h.Name)
		case !maintenance && !req.Force:
			return because(new(types.InvalidState), "Host '%s' is not in maintenance mode.", h.Name)
		}
		if problem := j.sleep(o.vc.lab.Scenario.Durations.Other); problem != nil {
			return problem
		}
		down <- h.Name
		return nil
	})
	if body.Fault_ = refused; refused != nil {
		return body
	}
	body.Res = &types.RebootHost_TaskResponse{Returnval: ref}
	go func() {
		if o.vc.await(ref) == nil {
			select { // a task that a fault rule holds up, or that it ends, does nothing
			case name := <-down:
				o.vc.lab.restart(name)
			default:
			}
		}
	}()
	return body
}

// restart takes a host down and, after the time that a reboot takes, up again with the image that is to be booted next.
func (l *Lab) restart(name string) {
	d := l.Scenario.Durations
	if !l.sleep(d.Other) || l.HostDown(name) != nil || !l.sleep(d.Reboot) {
		return
	}
	l.boot(name)
	_ = l.HostUp(name)
}

// boot makes the image that is installed beside the one that runs, unless the host does not boot it.
func (l *Lab) boot(name string) {
	s := l.servers[name]
	s.mu.Lock()
	if next := s.beside; next != nil && !slices.Contains(next.RevertedBy, name) {
		s.runs = image{next.Version, next.Build}
	}
	s.beside = nil
	s.mu.Unlock()
	l.Fabric.Opens(name, s.oldestVMFS(), s.vmfs())
	product, now := s.product(), time.Now()
	for _, vc := range l.VCenters {
		h := vc.HostNamed(name)
		if h == nil {
			continue
		}
		versions := []int32{5, 6}
		if s.vmfs() < 6 {
			versions = []int32{3, 4, 5}
		}
		vc.update(h,
			types.PropertyChange{Name: "config.product", Val: product},
			types.PropertyChange{Name: "summary.config.product", Val: pointer(product)},
			types.PropertyChange{Name: "capability.supportedVmfsMajorVersion", Val: versions},
			types.PropertyChange{Name: "runtime.bootTime", Val: pointer(now)},
		)
	}
}
