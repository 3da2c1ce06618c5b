package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// restart is what a restart of the vCenter's service takes: sessions with all that they hold, and every task. The inventory
// stays. What a host has begun for a VM it carries on with, and nobody is told; what has not reached a host, what vCenter does by
// itself and a migration to or from another vCenter ends.
func (vc *VC) restart() {
	l := vc.lab
	l.outages.Lock()
	defer l.outages.Unlock()
	for _, other := range l.VCenters {
		for _, j := range other.tasks.all() {
			if other == vc && !j.onHost() || j.leadsTo(vc) {
				j.stop(because(new(types.HostCommunication), "The vCenter '%s' was restarted.", vc.Spec.Name))
			}
			if other == vc {
				j.lose(nil)
			}
		}
	}
	for _, o := range vc.Map().AllReference("Task") {
		vc.Map().Remove(vc.newCtx(), o.Reference())
	}
	if o, ok := get[*simulator.TaskManager](vc, *vc.Model.ServiceContent.TaskManager); ok {
		vc.update(o, types.PropertyChange{Name: "recentTask", Val: []types.ManagedObjectReference(nil)})
	}
	for _, e := range vc.Map().All("") {
		vc.forgetTasks(e)
	}
	vc.rest.clear()
	for _, s := range vc.sessions() {
		vc.terminate(s.Key)
	}
}

func (vc *VC) forgetTasks(e mo.Entity) {
	ctx := vc.newCtx()
	ctx.WithLock(e, func() {
		if len(e.Entity().RecentTask) > 0 {
			ctx.Update(e, []types.PropertyChange{{Name: "recentTask", Val: []types.ManagedObjectReference(nil)}})
		}
	})
}

// onHost reports whether a host carries the task out: one of a VM, in this vCenter, that no rule holds back.
func (j *job) onHost() bool {
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	return strings.HasPrefix(j.Info.DescriptionId, "VirtualMachine") && !j.reach.held && j.reach.to == nil
}

func (j *job) leadsTo(vc *VC) bool {
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	return j.reach.to == vc
}
