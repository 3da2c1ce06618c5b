package lab

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestALiveVMMovesWithItsFiles(t *testing.T) {
	l := land(t, nil)
	for name, networks := range map[string][]types.BaseVirtualDeviceBackingInfo{
		"app01":  nil, // by the network's name
		"web01":  {l.on(l.dmz), nil},
		"mail01": {l.on(l.dmz)}, // has a snapshot
		"ci01":   {standardNetwork("VM Network")},
	} {
		before, vm := l.state("source", name), l.machine(l.source, name)
		spec := l.spec("new-1")
		spec.DeviceChange = l.connect(vm, networks...)
		l.ok(l.move(vm, spec))
		after := l.arrived(&before)
		if after.VMX != "[new-1] "+name+"/"+name+".vmx" || after.Host != "esx70-1.lab" || after.Folder != "" || after.Pool != "" {
			t.Errorf("%+v", after)
		}
		for _, d := range after.Disks {
			if !strings.HasPrefix(d.Path, "[new-1] "+name+"/") {
				t.Errorf("%s has a disk %s", name, d.Path)
			}
		}
		for _, v := range []string{"old-fc-01", "old-fc-02"} {
			if left := l.Lab().entries(place{l.source.vc.volumeOf(l.datastore(l.source, v)).uuid, name}); len(left) > 0 {
				t.Errorf("left on %s: %v", v, left)
			}
		}
	}
	if n := l.state("target", "web01").NICs; n[0].Network != "pg-dvs7" || n[1].Network != "VM Network" || !n[0].Connected {
		t.Errorf("%+v", n)
	}
	// it is a VM of its new site in every respect: it can be changed, and no question is asked when it starts again
	vm := l.machine(l.target, "mail01")
	l.ok(vm.RemoveAllSnapshot(context.Background(), nil))
	l.off(vm)
	l.ok(vm.PowerOn(context.Background()))
	l.clean()
}

func TestALiveVMMovesWithoutItsFiles(t *testing.T) {
	l := land(t, nil)
	ctx := context.Background()
	before, vm := l.state("source", "db01"), l.machine(l.source, "db01")
	folder, err := l.root.CreateFolder(ctx, "databases")
	if err != nil {
		t.Fatal(err)
	}
	ref := folder.Reference()
	spec := l.spec("old-fc-03")
	spec.Folder = &ref
	spec.Disk = []types.VirtualMachineRelocateSpecDiskLocator{{DiskId: 2002, Datastore: l.datastore(l.target, "old-fc-04")}}
	l.ok(l.move(vm, spec))
	after := l.arrived(&before)
	if after.VMX != before.VMX || after.Disks[2] != before.Disks[2] || after.Folder != "databases" {
		t.Errorf("%+v", after)
	}
	m := l.target.vc.machines.get(l.machine(l.target, "db01").Reference())
	if h := l.Lab().locks.holder(m.place()); h != m.owner() {
		t.Errorf("its files are locked by %q", h)
	}
	o := l.Lab().Operations()
	if len(o.Operations) != 1 || o.Operations[0].Kind != kindVMotion || o.Peaks.Hosts["source/esx67-3.lab"] != 1 || o.Peaks.Hosts["target/esx70-1.lab"] != 1 ||
		o.Peaks.Networks["target/esx70-1.lab"] != 1 || len(o.Peaks.Volumes) != 2 || len(o.Over) > 0 {
		t.Errorf("%+v", o)
	}
	// and back again, with its files where they are
	l.ok(l.machine(l.target, "db01").Relocate(ctx, l.home("old-fc-03", "old-fc-04", 2002), normal))
	if s := l.state("source", "db01"); s.VMX != before.VMX || s.Host != "esx67-1.lab" || s.Clock.DownSeconds != 0 {
		t.Errorf("%+v", s)
	}
	l.clean()
}

func TestAPoweredOffVMMoves(t *testing.T) {
	l := land(t, nil)
	before := l.state("source", "archive01")
	l.ok(l.move(l.machine(l.source, "archive01"), l.spec("new-2")))
	if after := l.arrived(&before); after.VMX != "[new-2] archive01/archive01.vmx" || after.NICs[0].Connected {
		t.Errorf("%+v", after)
	}
	before = l.state("source", "test02")
	l.ok(l.move(l.machine(l.source, "test02"), l.spec("old-fc-04")))
	if after := l.arrived(&before); after.VMX != before.VMX {
		t.Errorf("%+v", after)
	}
	o := l.Lab().Operations().Operations
	if o[0].Kind != kindCold || o[0].Hosts["target/esx70-1.lab"] != 1 || len(o[0].Volumes) != 2 || len(o[0].Networks) != 0 || len(o[1].Volumes) != 0 {
		t.Errorf("%+v", o)
	}
	l.ok(l.machine(l.target, "test02").PowerOn(context.Background()))
	l.clean()
}

func TestWhatAGuestDoesItDoesAtItsNewSite(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) {
		sc.Timescale, sc.Durations = 50, scenario.Durations{VMotion: 4 * time.Second}
		for i := range sc.VMs {
			sc.VMs[i].Durations = scenario.GuestDurations{Boot: 60 * time.Second, Shutdown: 60 * time.Second}
		}
	})
	ctx := context.Background()
	down, boot := l.machine(l.source, "app01"), l.machine(l.source, "app02")
	if err := boot.RebootGuest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := down.ShutdownGuest(ctx); err != nil {
		t.Fatal(err)
	}
	l.ok(l.move(down, l.spec("old-fc-01")))
	l.ok(l.move(boot, l.spec("old-fc-01")))
	if a, b := l.state("target", "app01"), l.state("target", "app02"); a.Power != "poweredOn" || b.Tools != "guestToolsNotRunning" {
		t.Errorf("the move took longer than the guests: %+v %+v", a, b)
	}
	l.eventually("app01 shuts down", func() bool { return l.state("target", "app01").Power == "poweredOff" })
	l.eventually("app02 boots", func() bool { return l.state("target", "app02").Tools == "guestToolsRunning" })
	l.clean()
}

func TestAWholeSiteMovesLive(t *testing.T) {
	l := land(t, nil)
	names := make(chan string, 16)
	before := l.Lab().State().VCenters["source"].VMs
	for name, vm := range before {
		if !vm.Template {
			names <- name
		}
	}
	close(names)
	var movers sync.WaitGroup
	for i, host := range []string{"esx70-1.lab", "esx70-2.lab"} { // each VM costs 4 of the 8 that a host of the source bears
		movers.Go(func() {
			ref := l.host(l.target, host).Reference()
			for name := range names {
				spec := l.spec([]string{"new-1", "new-2"}[i])
				spec.Host = &ref
				vm := l.machine(l.source, name)
				spec.DeviceChange = l.connect(vm, l.on(l.dmz), l.on(l.dmz))
				l.ok(l.move(vm, spec))
			}
		})
	}
	movers.Wait()
	for name, vm := range before {
		if !vm.Template {
			l.arrived(&vm)
		} else if l.state("source", name).Name == "" {
			t.Error("the template is gone")
		}
	}
	if o := l.Lab().Operations(); len(o.Operations) != 15 || len(o.Over) > 0 {
		t.Errorf("%d operations, %v", len(o.Operations), o.Over)
	}
	l.clean()
}

func TestBothSitesHearOfAMove(t *testing.T) {
	l := land(t, nil)
	ref := l.machine(l.source, "app01").Reference()
	told := func(c *client, pc *property.Collector, version string) (out []types.ObjectUpdate, next string) {
		seconds := int32(5)
		res, err := methods.WaitForUpdatesEx(context.Background(), c.Client.Client, &types.WaitForUpdatesEx{
			This: pc.Reference(), Version: version, Options: &types.WaitOptions{MaxWaitSeconds: &seconds},
		})
		if err != nil || res.Returnval == nil {
			t.Fatal("no update", err)
		}
		for _, f := range res.Returnval.FilterSet {
			out = append(out, f.ObjectSet...)
		}
		return out, res.Returnval.Version
	}
	leaving, arriving := l.watch(l.source), l.watch(l.target)
	_, version := told(l.source, leaving, "")
	l.ok(l.move(l.machine(l.source, "app01"), l.spec("old-fc-01")))
	for gone := false; !gone; {
		var list []types.ObjectUpdate
		list, version = told(l.source, leaving, version)
		for _, o := range list {
			gone = gone || o.Kind == types.ObjectUpdateKindLeave && o.Obj == ref
		}
	}
	list, _ := told(l.target, arriving, "")
	seen := map[string]any{}
	for _, o := range list {
		for _, c := range o.ChangeSet {
			seen[c.Name] = c.Val
		}
	}
	if len(list) != 1 || list[0].Kind != types.ObjectUpdateKindEnter || seen["name"] != "app01" || seen["runtime.powerState"] != on || seen["guest.toolsRunningStatus"] != "guestToolsRunning" {
		t.Errorf("%+v", seen)
	}
	host, _ := get[*simulator.HostSystem](l.target.vc, l.host(l.target, "esx70-1.lab").Reference())
	if list := l.target.vc.machinesOn(host); len(list) != 1 || list[0].Name != "app01" {
		t.Errorf("%v", list)
	}
}

func TestACancelledMoveLeavesTheVMWhereItWas(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) { sc.Timescale, sc.Durations = 10, scenario.Durations{} })
	before := l.state("source", "app01")
	task, err := l.move(l.machine(l.source, "app01"), l.spec("new-1")) // 12 GiB at 800 MB/s: 1.5 s
	if err != nil {
		t.Fatal(err)
	}
	l.eventually("progress", func() bool {
		tasks := l.Lab().State().VCenters["source"].Tasks
		return len(tasks) == 1 && tasks[0].Progress > 0
	})
	fails[*types.TaskInProgress](l.running)(l.machine(l.source, "app01").PowerOff(context.Background()))
	if o := l.Lab().Operations().Operations; len(o) != 1 || o[0].Kind != kindUnshared || o[0].End != nil || o[0].Hosts["source/esx67-1.lab"] != 4 {
		t.Errorf("%+v", o)
	}
	if err := task.Cancel(context.Background()); err != nil {
		t.Fatal(err)
	}
	fails[*types.RequestCanceled](l.running)(task, nil)
	l.intact(&before)
	if o := l.Lab().Operations().Operations; o[0].End == nil {
		t.Errorf("%+v", o)
	}
	l.clean()
}

func TestWhatChangesDuringAMoveEndsIt(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) { sc.Timescale, sc.Durations = 20, scenario.Durations{} })
	before := l.state("source", "app01")
	task, err := l.move(l.machine(l.source, "app01"), l.spec("new-1"))
	if err != nil {
		t.Fatal(err)
	}
	host, _ := get[*simulator.HostSystem](l.target.vc, l.host(l.target, "esx70-1.lab").Reference())
	l.eventually("progress", func() bool { return len(l.Lab().Operations().Operations) == 1 })
	l.target.vc.setMaintenance(host, true)
	fails[*types.InvalidState](l.running)(task, nil)
	l.intact(&before)
	l.clean()
}
