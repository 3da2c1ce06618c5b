package lab

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func (r *running) paths(volume string, hosts []string, down bool) {
	r.t.Helper()
	if err := r.Lab().SetPaths(volume, hosts, down); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) volumeState(site, name string) DatastoreState {
	for _, d := range r.Lab().State().VCenters[site].Datastores {
		if d.Name == name {
			return d
		}
	}
	r.t.Fatalf("there is no datastore %s", name)
	return DatastoreState{}
}

// copying starts a copy of 5 GiB at 800 MB/s from old-fc-04 to old-fc-02, slowed down to 0.6 s, and waits until it is under way.
func (r *running) copying(vm string) *object.Task {
	r.t.Helper()
	ds := r.datastore(r.source, "old-fc-02")
	task, err := r.machine(r.source, vm).Relocate(context.Background(), types.VirtualMachineRelocateSpec{Datastore: &ds}, normal)
	if err != nil {
		r.t.Fatal(err)
	}
	r.eventually("progress", func() bool {
		tasks := r.Lab().State().VCenters["source"].Tasks
		return len(tasks) == 1 && tasks[0].Progress > 0 && tasks[0].Progress < 100
	})
	return task
}

func (r *running) unmoved(vm string) {
	r.t.Helper()
	if s := r.state("source", vm); s.VMX != "[old-fc-04] "+vm+"/"+vm+".vmx" {
		r.t.Errorf("%+v", s)
	}
	if left := r.Lab().entries(place{r.source.vc.volumeOf(r.datastore(r.source, "old-fc-02")).uuid, vm}); len(left) > 0 {
		r.t.Errorf("left: %v", left)
	}
	r.clean()
}

func TestAllPathsDown(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	off, runs := r.machine(r.source, "test02"), r.machine(r.source, "test01") // both on esx60-4 and old-fc-04
	r.paths("old-fc-04", []string{"esx60-4.lab"}, true)
	if d := r.volumeState("source", "old-fc-04"); slices.Contains(d.Hosts, "esx60-4.lab") || len(d.Hosts) != 3 {
		t.Errorf("%+v", d)
	}
	if p := r.props(runs, "runtime").Runtime; p.PowerState != on {
		t.Errorf("the guest stopped: %s", p.PowerState)
	}
	fails[*types.CannotAccessFile](r)(off.PowerOn(ctx))
	fails[*types.CannotAccessFile](r)(runs.CreateSnapshot(ctx, "s", "", false, false))
	r.ok(runs.PowerOff(ctx))
	fails[*types.CannotAccessFile](r)(runs.PowerOn(ctx))
	r.paths("old-fc-04", nil, true)
	var ds mo.Datastore
	if err := r.source.RetrieveOne(ctx, r.datastore(r.source, "old-fc-04"), []string{"summary", "host"}, &ds); err != nil {
		t.Fatal(err)
	}
	if i := ds.Host[0].MountInfo; ds.Summary.Accessible || isTrue(i.Accessible) || !isTrue(i.Mounted) || i.InaccessibleReason != "AllPathsDown_Start" {
		t.Errorf("%+v %+v", ds.Summary, i)
	}
	r.paths("old-fc-04", nil, false)
	if d := r.volumeState("source", "old-fc-04"); len(d.Hosts) != 4 {
		t.Errorf("%+v", d)
	}
	r.ok(runs.PowerOn(ctx))
	r.ok(off.PowerOn(ctx))
	for _, err := range []error{r.Lab().SetPaths("nothing", nil, true), r.Lab().SetPaths("old-fc-04", []string{"nobody"}, true)} {
		if err == nil {
			t.Error("nonsense was accepted")
		}
	}
	r.clean()
}

func TestACopyStallsWithoutPaths(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 10 })
	task := r.copying("test01")
	r.paths("old-fc-02", []string{"esx60-4.lab"}, true)
	time.Sleep(time.Second) // it would have ended
	if tasks := r.Lab().State().VCenters["source"].Tasks; len(tasks) != 1 || tasks[0].Progress > 90 {
		t.Errorf("%+v", tasks)
	}
	r.paths("old-fc-02", nil, false)
	r.ok(task, nil)
	if s := r.state("source", "test01"); s.VMX != "[old-fc-02] test01/test01.vmx" {
		t.Errorf("%+v", s)
	}
	r.clean()
}

func TestACopyFailsWithoutPaths(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) {
		sc.Timescale = 200
		sc.Arrays[0].Bandwidth = 40
	})
	task := r.copying("test01")
	began := time.Now()
	r.paths("old-fc-02", nil, true)
	f := fails[*types.InaccessibleDatastore](r)(task, nil)
	if f.Name != "old-fc-02" || time.Since(began) < 500*time.Millisecond {
		t.Errorf("%s after %s", f.Name, time.Since(began))
	}
	r.unmoved("test01")
}

func TestAnotherTenantFillsAVolume(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 10 })
	before := r.volumeState("source", "old-fc-02").Free
	task := r.copying("test01")
	free, err := r.Lab().Fill("old-fc-02", 2)
	if err != nil || free < 2 || free > 4 { // what the copy writes meanwhile is no loss
		t.Errorf("%v GiB are free, %v", free, err)
	}
	f := fails[*types.NoDiskSpace](r)(task, nil)
	if f.Datastore != "old-fc-02" {
		t.Errorf("%+v", f)
	}
	r.unmoved("test01")
	ds := r.datastore(r.source, "old-fc-02")
	fails[*types.NoDiskSpace](r)(r.machine(r.source, "file01").Relocate(context.Background(), types.VirtualMachineRelocateSpec{Datastore: &ds}, normal))
	if free, err = r.Lab().Fill("old-fc-02", 1e6); err != nil || int64(free*gib) != before || r.volumeState("source", "old-fc-02").Free != before {
		t.Errorf("%v GiB, %v; before there were %d bytes", free, err, before)
	}
	r.ok(r.copying("test01"), nil)
	if _, err := r.Lab().Fill("old-fc-02", -1); err == nil {
		t.Error("less than nothing is free")
	}
	r.clean()
}
