package lab

import (
	"context"
	"testing"
	"time"

	faults "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/scenario"
)

func TestARestart(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 10 })
	ctx := context.Background()
	vm, ds := r.machine(r.source, "test01"), r.datastore(r.source, "old-fc-02")
	ref := vm.Reference()
	moving, err := vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, normal) // 5 GiB at 800 MB/s: 0.6 s
	if err != nil {
		t.Fatal(err)
	}
	r.arm(chaos.Rule{Method: "PowerOnVM_Task", Count: 1, Action: chaos.TaskHang})
	if _, err := r.machine(r.source, "test02").PowerOn(ctx); err != nil {
		t.Fatal(err)
	}
	r.eventually("the copy runs", func() bool {
		tasks := r.Lab().State().VCenters["source"].Tasks
		return len(tasks) == 2 && tasks[0].Progress+tasks[1].Progress > 0
	})
	if err := r.Restart("source", 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := methods.GetCurrentTime(ctx, r.source.Client); err == nil {
		t.Error("it answers while it is away")
	}
	r.eventually("it is up", func() bool {
		_, err := methods.GetCurrentTime(ctx, r.source.Client)
		return faults.Is(err, &types.NotAuthenticated{})
	})
	r.source = r.login("source")
	if _, err := r.taskState(r.source, moving); !faults.Is(err, &types.ManagedObjectNotFound{}) {
		t.Errorf("the task is still known: %v", err)
	}
	var tm mo.TaskManager
	if err := r.source.RetrieveOne(ctx, *r.source.ServiceContent.TaskManager, []string{"recentTask"}, &tm); err != nil || len(tm.RecentTask) > 0 {
		t.Errorf("%v %v", tm.RecentTask, err)
	}
	r.eventually("the host has finished the copy", func() bool { return r.state("source", "test01").VMX == "[old-fc-02] test01/test01.vmx" })
	r.eventually("the task that had begun nowhere is dead", func() bool { return !r.state("source", "test02").Busy })
	if s := r.state("source", "test02"); s.Power != "poweredOff" {
		t.Errorf("%+v", s)
	}
	if s := r.state("source", "test01"); s.MoRef != ref.Value || s.Power != "poweredOn" {
		t.Errorf("%+v", s)
	}
	r.clean()
}

func TestARestartThatIsOvertaken(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	if err := r.Restart("source", 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := r.SetReachable("source", false); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond)
	if _, err := methods.GetCurrentTime(ctx, r.source.Client); err == nil {
		t.Error("it came up although it was taken down meanwhile")
	}
	if err := r.Restart("nowhere", 0); err == nil {
		t.Error("an unknown vCenter was restarted")
	}
}

func TestWhatIsLeftOpen(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	open := func() Open { return r.Counters().Open["source"] }
	before := open()
	if before.Sessions != 1 || before.Connections < 1 || before.Collectors+before.Filters+before.Views+before.RESTSessions > 0 {
		t.Errorf("before: %+v", before)
	}
	c := r.login("source")
	pc, err := property.DefaultCollector(c.Client.Client).Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	v, err := view.NewManager(c.Client.Client).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pc.CreateFilter(ctx, types.CreateFilter{Spec: types.PropertyFilterSpec{
		PropSet: []types.PropertySpec{{Type: "ContainerView", PathSet: []string{"view"}}}, ObjectSet: []types.ObjectSpec{{Obj: v.Reference()}},
	}}); err != nil {
		t.Fatal(err)
	}
	if o := open(); o.Sessions != 2 || o.Collectors != 1 || o.Filters != 1 || o.Views != 1 || o.Connections <= before.Connections {
		t.Errorf("open: %+v", o)
	}
	if err := v.Destroy(ctx); err != nil {
		t.Fatal(err)
	}
	if o := open(); o.Views != 0 {
		t.Errorf("after the end of the view: %+v", o)
	}
	if err := c.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	c.CloseIdleConnections()
	r.eventually("nothing is left", func() bool {
		o := open()
		return o.Sessions == 1 && o.Collectors+o.Filters+o.Views == 0 && o.Connections <= before.Connections
	})
}

func TestIdleSessionsEnd(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.SessionTimeout = 300 * time.Millisecond })
	ctx := context.Background()
	for range 8 {
		time.Sleep(60 * time.Millisecond)
		if _, err := methods.GetCurrentTime(ctx, r.source.Client); err != nil {
			t.Fatalf("a session that is in use ended: %v", err)
		}
	}
	time.Sleep(350 * time.Millisecond)
	if _, err := methods.GetCurrentTime(ctx, r.source.Client); !faults.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("an idle session: %v", err)
	}
	if n := r.Counters().Sessions["target"]; n != 0 {
		t.Errorf("%d sessions are open at the target", n)
	}
}
