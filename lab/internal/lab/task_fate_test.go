package lab

import (
	"context"
	"slices"
	"testing"
	"time"

	faults "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
)

func (r *running) arm(rule chaos.Rule) {
	r.t.Helper()
	if _, err := r.Lab().Rules.Add(rule); err != nil {
		r.t.Fatal(err)
	}
}

// taskState is what a client reads of a task.
func (r *running) taskState(s *client, t *object.Task) (mo.Task, error) {
	var out mo.Task
	return out, s.RetrieveOne(context.Background(), t.Reference(), []string{"info"}, &out)
}

func TestATaskThatHangs(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	vm := r.machine(r.source, "test02")
	r.arm(chaos.Rule{Method: "PowerOnVM_Task", Object: "test02", Count: 1, Action: chaos.TaskHang})
	hung, err := vm.PowerOn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the VM is busy", func() bool { return r.state("source", "test02").Busy })
	fails[*types.TaskInProgress](r)(vm.Rename(ctx, "other"))
	if s := r.state("source", "test02"); s.Power != "poweredOff" || !s.Busy {
		t.Errorf("%+v", s)
	}
	if err := hung.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	fails[*types.RequestCanceled](r)(hung, nil)
	r.arm(chaos.Rule{Method: "*", Action: chaos.TaskHang, Count: 1})
	hung, err = vm.PowerOn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the VM is busy again", func() bool { return r.state("source", "test02").Busy })
	r.Lab().Rules.Clear()
	r.ok(hung, nil)
	r.arm(chaos.Rule{Method: "PowerOffVM_Task", Action: chaos.TaskHang, Seconds: 0.05, Count: 1})
	began := time.Now()
	r.ok(vm.PowerOff(ctx))
	if time.Since(began) < 50*time.Millisecond {
		t.Error("it did not hang")
	}
	r.clean()
}

func TestATaskThatIsLost(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	vm := r.machine(r.source, "test02")
	r.arm(chaos.Rule{Method: "PowerOnVM_Task", Count: 1, Action: chaos.TaskLost})
	task, err := vm.PowerOn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the work is done", func() bool { return r.state("source", "test02").Power == "poweredOn" })
	r.eventually("the task is gone", func() bool {
		_, err := r.taskState(r.source, task)
		return faults.Is(err, &types.ManagedObjectNotFound{})
	})
	if recent := r.props(vm, "recentTask").RecentTask; slices.Contains(recent, task.Reference()) {
		t.Error("it is still a recent task of the VM")
	}
	var tm mo.TaskManager
	if err := r.source.RetrieveOne(ctx, *r.source.ServiceContent.TaskManager, []string{"recentTask"}, &tm); err != nil || slices.Contains(tm.RecentTask, task.Reference()) {
		t.Errorf("%v %v", tm.RecentTask, err)
	}
	if s := r.state("source", "test02"); s.Busy {
		t.Error("the VM is still busy")
	}
	r.clean()
}

func TestATaskThatFailsAfterItsWork(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	vm, ds := r.machine(r.source, "app01"), r.datastore(r.source, "old-fc-02")
	r.arm(chaos.Rule{Method: "RelocateVM_Task", Object: "app01", Count: 1, Action: chaos.TaskAfter, Fault: "Timedout", Message: "no answer from the host"})
	f := fails[*types.Timedout](r)(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, normal))
	if describe(f) == "Timedout." {
		t.Errorf("the message is lost: %s", describe(f))
	}
	if s := r.state("source", "app01"); s.VMX != "[old-fc-02] app01/app01.vmx" {
		t.Errorf("the work is not done: %s", s.VMX)
	}
	r.clean()
}

// TestOnlyTheTaskOfTheCall has its fate, whatever else begins at the same time.
func TestOnlyTheTaskOfTheCall(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	r.arm(chaos.Rule{Method: "PowerOnVM_Task", Object: "test02", Action: chaos.TaskAfter, Fault: "Timedout"})
	other := r.machine(r.source, "archive01")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			r.ok(other.PowerOn(ctx))
			r.ok(other.PowerOff(ctx))
		}
	}()
	vm := r.machine(r.source, "test02")
	for range 20 {
		fails[*types.Timedout](r)(vm.PowerOn(ctx))
		r.ok(vm.PowerOff(ctx))
	}
	<-done
	r.clean()
}
