package lab

import (
	"fmt"
	"log"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// tasks are those of one vCenter that are running.
type tasks struct {
	sequence atomic.Int64
	gate     sync.RWMutex // held while a rule chooses its task (see task_fate.go): no task begins meanwhile
	mu       sync.Mutex
	running  map[types.ManagedObjectReference]*job
}

func (t *tasks) remember(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = map[types.ManagedObjectReference]*job{}
	}
	t.running[j.Self] = j
}

func (t *tasks) forget(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, j.Self)
}

func (t *tasks) find(ref types.ManagedObjectReference) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running[ref]
}

func (t *tasks) all() []*job {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.running))
}

// job runs in the background as a vSphere task, without a lock of its entity: readers are never blocked by it.
type job struct {
	*simulator.Task
	vc        *VC
	cancel    chan struct{}         // closed when the task is to stop, by CancelTask or by an outage
	why       types.BaseMethodFault // that the task ends with then; written before
	fate      *fate                 // what a fault rule has in store for it
	committed bool                  // past the point of no return, and holding off outages
	reach     reach                 // what an outage may take from it
}

// run starts fn as a task on a managed entity. descriptionID is that of vSphere, such as "VirtualMachine.relocate"; name is
// the entity's name. A panic in fn fails the task and not the lab.
func (vc *VC) run(entity mo.Reference, descriptionID, name string, fn func(*job) (types.AnyType, types.BaseMethodFault)) types.ManagedObjectReference {
	return vc.launch(entity, descriptionID, name, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if f := j.hold(); f != nil {
			return nil, f
		}
		return fn(j)
	})
}

// launch is run for a task that calls hold itself.
func (vc *VC) launch(entity mo.Reference, descriptionID, name string, fn func(*job) (types.AnyType, types.BaseMethodFault)) types.ManagedObjectReference {
	t := simulator.CreateTask(entity, descriptionID, nil)
	t.Self = types.ManagedObjectReference{Type: "Task", Value: fmt.Sprintf("task-%d", vc.tasks.sequence.Add(1))}
	now := time.Now()
	i := &t.Info
	i.Key, i.Task, i.EntityName, i.DescriptionId = t.Self.Value, t.Self, name, descriptionID
	i.Name = methodName(descriptionID)
	i.Reason = &types.TaskReasonUser{UserName: vc.Spec.Username}
	i.StartTime, i.State, i.Cancelable = &now, types.TaskInfoStateRunning, true
	j := &job{Task: t, vc: vc, cancel: make(chan struct{})}
	vc.tasks.remember(j)
	// The simulator adds the task to the entity's recent ones without the lock.
	vc.newCtx().WithLock(entity, func() { vc.Map().Put(t) })
	go func() {
		vc.tasks.gate.RLock()
		vc.tasks.gate.RUnlock() //nolint:staticcheck // passing through is all
		res, fault := j.guard(fn)
		j.conclude(res, fault)
		if j.committed {
			vc.lab.outages.RUnlock()
		}
	}()
	return t.Self
}

func (j *job) guard(fn func(*job) (types.AnyType, types.BaseMethodFault)) (r types.AnyType, f types.BaseMethodFault) {
	defer func() {
		if p := recover(); p != nil {
			log.Printf("lab: task %s: %v\n%s", j.Info.DescriptionId, p, debug.Stack())
			f = &types.SystemError{Reason: fmt.Sprint(p)}
		}
	}()
	return fn(j)
}

// end writes the outcome of the task, if nothing else (a cancellation) ended it first.
func (j *job) end(res types.AnyType, fault types.BaseMethodFault) {
	ctx := j.vc.newCtx()
	ctx.WithLock(j.Task, func() {
		if j.Info.State != types.TaskInfoStateRunning {
			return
		}
		ch := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}, {Name: "info.cancelable", Val: false}}
		if fault != nil {
			ch = append(ch,
				types.PropertyChange{Name: "info.error", Val: &types.LocalizedMethodFault{Fault: fault, LocalizedMessage: describe(fault)}},
				types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
		} else {
			ch = append(ch,
				types.PropertyChange{Name: "info.progress", Val: int32(100)},
				types.PropertyChange{Name: "info.result", Val: res},
				types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
		}
		ctx.Update(j.Task, ch)
	})
	j.vc.tasks.forget(j)
}

// progress reports the percentage done.
func (j *job) progress(percent int32) {
	ctx := j.vc.newCtx()
	ctx.WithLock(j.Task, func() {
		if j.Info.State == types.TaskInfoStateRunning && j.Info.Progress != percent {
			ctx.Update(j.Task, []types.PropertyChange{{Name: "info.progress", Val: percent}})
		}
	})
}

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
	j.vc.newCtx().WithLock(j.Task, func() {
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
	ctx := j.vc.newCtx()
	ctx.WithLock(j.Task, func() {
		if j.cancelled() {
			fault = j.ended()
			return
		}
		ctx.Update(j.Task, []types.PropertyChange{{Name: "info.cancelable", Val: false}})
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
	ctx := o.vc.newCtx()
	ctx.WithLock(j.Task, func() {
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
			ctx.Update(j.Task, []types.PropertyChange{{Name: "info.cancelled", Val: true}})
			body.Res = new(types.CancelTaskResponse)
		}
	})
	return body
}

// await blocks until a task, ours or one of the simulator itself, has finished and returns its outcome.
func (vc *VC) await(ref types.ManagedObjectReference) (info types.TaskInfo) {
	t, ok := vc.Map().Get(ref).(*simulator.Task)
	if !ok {
		gone := &types.ManagedObjectNotFound{Obj: ref}
		return types.TaskInfo{State: types.TaskInfoStateError, Error: &types.LocalizedMethodFault{Fault: gone, LocalizedMessage: describe(gone)}}
	}
	for {
		vc.newCtx().WithLock(t, func() { info = t.Info })
		if info.State == types.TaskInfoStateSuccess || info.State == types.TaskInfoStateError {
			return info
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// methodName turns "VirtualMachine.powerOn" into "PowerOnVM_Task", the name that vSphere gives a task; where the API's name
// differs from the description it stands in methodNames.
func methodName(descriptionID string) string {
	if n, ok := methodNames[descriptionID]; ok {
		return n
	}
	_, m, _ := strings.Cut(descriptionID, ".")
	return strings.ToUpper(m[:1]) + m[1:] + "_Task"
}

var methodNames = map[string]string{
	"VirtualMachine.powerOn":                           "PowerOnVM_Task",
	"VirtualMachine.powerOff":                          "PowerOffVM_Task",
	"VirtualMachine.suspend":                           "SuspendVM_Task",
	"VirtualMachine.reset":                             "ResetVM_Task",
	"VirtualMachine.reconfigure":                       "ReconfigVM_Task",
	"VirtualMachine.migrate":                           "MigrateVM_Task",
	"VirtualMachine.relocate":                          "RelocateVM_Task",
	"VirtualMachine.createSnapshot":                    "CreateSnapshot_Task",
	"VirtualMachine.removeAllSnapshots":                "RemoveAllSnapshots_Task",
	"Folder.registerVm":                                "RegisterVM_Task",
	"Datastore.searchDatastore":                        "SearchDatastore_Task",
	"HostDatastoreBrowser.search":                      "SearchDatastore_Task",
	"HostDatastoreBrowser.searchSubFolders":            "SearchDatastoreSubFolders_Task",
	"ComputeResource.reconfigureEx":                    "ReconfigureComputeResource_Task",
	"ClusterComputeResource.addHost":                   "AddHost_Task",
	"HostSystem.enterMaintenanceMode":                  "EnterMaintenanceMode_Task",
	"HostSystem.exitMaintenanceMode":                   "ExitMaintenanceMode_Task",
	"DistributedVirtualSwitch.reconfigure":             "ReconfigureDvs_Task",
	"DistributedVirtualSwitch.addPortgroups":           "AddDVPortgroup_Task",
	"cluster.EVCManager.configureEvc":                  "ConfigureEvcMode_Task",
	"cluster.EVCManager.disableEvc":                    "DisableEvcMode_Task",
	"cluster.EVCManager.checkConfigureEvc":             "CheckConfigureEvcMode_Task",
	"StorageResourceManager.configureStorageDrsForPod": "ConfigureStorageDrsForPod_Task",
	"StorageResourceManager.configureDatastoreIORM":    "ConfigureDatastoreIORM_Task",
	"VirtualMachine.turnOffFaultTolerance":             "TurnOffFaultToleranceForVM_Task",
	"VirtualMachine.consolidateDisks":                  "ConsolidateVMDisks_Task",
}
