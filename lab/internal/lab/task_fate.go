package lab

import (
	"net/http"
	"regexp"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
)

// fate is what a fault rule has in store for one task.
type fate struct {
	rule    *chaos.Rule
	cleared <-chan struct{} // closed when the rules are
}

var soapTask = regexp.MustCompile(`type="Task"[^>]*>([^<]+)<`)

// doom passes a call on and gives the task that it starts its fate before the task begins. Which task that is the answer says:
// nothing else ties a task to its call. A task that the simulator runs itself has no fate.
func (vc *VC) doom(w http.ResponseWriter, r *http.Request, q request, x *fate) {
	b := &overheard{ResponseWriter: w}
	func() {
		vc.tasks.gate.Lock()
		defer vc.tasks.gate.Unlock()
		vc.route(b, r, q)
		if t := soapTask.FindSubmatch(b.body.Bytes()); t != nil {
			if j := vc.tasks.find(types.ManagedObjectReference{Type: "Task", Value: string(t[1])}); j != nil {
				j.fate = x
			}
		}
	}()
	_, _ = w.Write(b.body.Bytes())
}

// means reports whether the task has this fate.
func (j *job) means(action string) bool { return j.fate != nil && j.fate.rule.Action == action }

// hold lets a task hang that is to; one that is stopped meanwhile ends with the fault that it returns.
func (j *job) hold() types.BaseMethodFault {
	if !j.means(chaos.TaskHang) {
		return nil
	}
	var over <-chan time.Time
	if d := j.fate.rule.Wait(); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	j.reach.hangs(true)
	defer j.reach.hangs(false)
	select {
	case <-j.fate.cleared:
	case <-over:
	case <-j.cancel:
		return j.ended()
	case <-j.vc.lab.ctx.Done():
		return j.ended()
	}
	return nil
}

// conclude ends a task whose work is done, as its fate wants.
func (j *job) conclude(res types.AnyType, fault types.BaseMethodFault) {
	switch {
	case j.means(chaos.TaskLost):
		j.lose(outcome(res, fault))
	case j.means(chaos.TaskAfter) && fault == nil:
		f, _ := chaos.New(j.fate.rule.Fault)
		if m := j.fate.rule.Message; m != "" {
			f = because(f, "%s", m)
		}
		res, fault = nil, f
	}
	j.end(res, fault)
}

// lose takes the task from all who know it. Only collectors that read vCenter's history of tasks still show it, as last says.
func (j *job) lose(last []types.PropertyChange) {
	vc, self := j.vc, j.Self
	if o, ok := get[*simulator.TaskManager](vc, *vc.Model.ServiceContent.TaskManager); ok {
		vc.drops(o, &o.RecentTask, self)
	}
	if e, ok := vc.Map().Get(*j.Info.Entity).(mo.Entity); ok {
		vc.drops(e, &e.Entity().RecentTask, self)
	}
	j.locked(func(func(...types.PropertyChange)) {
		mo.ApplyPropertyChange(&j.Task.Task, last) // nobody is told
		j.lost = true
		vc.Map().Remove(vc.newCtx(), self)
	})
}

// drops takes a task from an object's list of recent ones.
func (vc *VC) drops(o mo.Reference, list *[]types.ManagedObjectReference, task types.ManagedObjectReference) {
	ctx := vc.newCtx()
	ctx.WithLock(o, func() {
		ctx.Update(o, []types.PropertyChange{{Name: "recentTask", Val: without(*list, task)}})
	})
}
