package lab

import (
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ended is what a task that was stopped ends with.
func (j *job) ended() types.BaseMethodFault {
	select {
	case <-j.cancel:
		return j.why
	default:
		return new(types.RequestCanceled) // the lab ended
	}
}

// stop makes the task end with a fault at its next safe point; one past the point of no return goes on.
func (j *job) stop(why types.BaseMethodFault) {
	j.locked(func(func(...types.PropertyChange)) {
		if j.Info.State == types.TaskInfoStateRunning && j.Info.Cancelable && j.why == nil {
			j.why = why
			close(j.cancel)
		}
	})
}

// cancelled reports whether the task is to stop, or the lab ended.
func (j *job) cancelled() bool {
	select {
	case <-j.cancel:
		return true
	case <-j.vc.lab.ctx.Done():
		return true
	default:
		return false
	}
}

// sleep waits for a duration of the real site, scaled; it ends early, with the fault to return, on a cancellation.
func (j *job) sleep(d time.Duration) types.BaseMethodFault {
	t := time.NewTimer(j.vc.lab.scale(d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-j.cancel:
	case <-j.vc.lab.ctx.Done():
	}
	return j.ended()
}

// commit is called before the part of a task that cannot be stopped: from here on CancelTask is refused, and an outage comes
// after the task. It returns the fault to end with if a cancellation or an outage came first.
func (j *job) commit() (fault types.BaseMethodFault) {
	if !j.committed {
		j.vc.lab.outages.RLock()
		j.committed = true
	}
	j.locked(func(tell func(...types.PropertyChange)) {
		if j.cancelled() {
			fault = j.ended()
			return
		}
		tell(types.PropertyChange{Name: "info.cancelable", Val: false})
	})
	return fault
}

// taskObject is Task with a CancelTask that knows our jobs.
type taskObject struct{ shadow }

func installTask(vc *VC) { vc.redirect("Task", &taskObject{vc.shadow("Task")}, "CancelTask") }

// CancelTask asks a task to stop. As at vSphere it ends with RequestCanceled at its next safe point; one that has ended is
// refused with InvalidState, one past the point of no return with NotSupported.
func (o *taskObject) CancelTask(req *types.CancelTask) soap.HasFault {
	body := new(methods.CancelTaskBody)
	j := o.vc.tasks.find(req.This)
	if j == nil {
		body.Fault_ = fault(new(types.InvalidState))
		return body
	}
	j.locked(func(tell func(...types.PropertyChange)) {
		switch {
		case j.Info.State != types.TaskInfoStateRunning:
			body.Fault_ = fault(new(types.InvalidState))
		case !j.Info.Cancelable:
			body.Fault_ = fault(new(types.NotSupported))
		default:
			if j.why == nil {
				j.why = new(types.RequestCanceled)
				close(j.cancel)
			}
			tell(types.PropertyChange{Name: "info.cancelled", Val: true})
			body.Res = new(types.CancelTaskResponse)
		}
	})
	return body
}
