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
	"github.com/vmware/govmomi/vim25/mo"
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
	outcome   types.BaseMethodFault // of the work; read it when done is closed
	done      chan struct{}

	mu    sync.Mutex // taken before the lock of the task, which changes when vCenter loses the task
	lost  bool       // nobody sees it any more
	reach reach      // what an outage may take from it
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
	j := &job{Task: t, vc: vc, cancel: make(chan struct{}), done: make(chan struct{})}
	vc.tasks.remember(j)
	// The simulator adds the task to the entity's recent ones without the lock.
	vc.newCtx().WithLock(entity, func() { vc.Map().Put(t) })
	go func() {
		vc.tasks.gate.RLock()
		vc.tasks.gate.RUnlock() //nolint:staticcheck // passing through is all
		res, fault := j.guard(fn)
		j.conclude(res, fault)
		close(j.done)
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

// locked runs f with the task locked; a change of what clients see goes through tell.
func (j *job) locked(f func(tell func(...types.PropertyChange))) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ctx := j.vc.newCtx()
	ctx.WithLock(j.Task, func() {
		f(func(ch ...types.PropertyChange) {
			if !j.lost {
				ctx.Update(j.Task, ch)
			}
		})
	})
}

// end writes the outcome of the task.
func (j *job) end(res types.AnyType, fault types.BaseMethodFault) {
	j.outcome = fault
	j.locked(func(tell func(...types.PropertyChange)) { tell(outcome(res, fault)...) })
	j.vc.tasks.forget(j)
}

// outcome is what a task that has ended shows.
func outcome(res types.AnyType, fault types.BaseMethodFault) []types.PropertyChange {
	ch := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}, {Name: "info.cancelable", Val: false}}
	if fault != nil {
		return append(ch,
			types.PropertyChange{Name: "info.error", Val: &types.LocalizedMethodFault{Fault: fault, LocalizedMessage: describe(fault)}},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
	}
	return append(ch,
		types.PropertyChange{Name: "info.progress", Val: int32(100)},
		types.PropertyChange{Name: "info.result", Val: res},
		types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
}

// progress reports the percentage done.
func (j *job) progress(percent int32) {
	j.locked(func(tell func(...types.PropertyChange)) {
		if j.Info.State == types.TaskInfoStateRunning && j.Info.Progress != percent {
			tell(types.PropertyChange{Name: "info.progress", Val: percent})
		}
	})
}

// await blocks until a task, ours or one of the simulator itself, has finished, and returns the fault that it ended with.
func (vc *VC) await(ref types.ManagedObjectReference) types.BaseMethodFault {
	if j := vc.tasks.find(ref); j != nil {
		<-j.done
		return j.outcome
	}
	t, ok := vc.Map().Get(ref).(*simulator.Task)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	for {
		var info types.TaskInfo
		vc.newCtx().WithLock(t, func() { info = t.Info })
		switch info.State {
		case types.TaskInfoStateSuccess:
			return nil
		case types.TaskInfoStateError:
			return info.Error.Fault
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
