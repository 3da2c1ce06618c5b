package lab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

var watchedPaths = []string{"name", "config.annotation", "config.hardware.device", "runtime.powerState", "runtime.question", "guest.toolsRunningStatus", "snapshot"}

// watch starts a collector over all VMs of a vCenter.
func (r *running) watch(c *client) *property.Collector {
	r.t.Helper()
	ctx := context.Background()
	v, err := view.NewManager(c.Client.Client).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		r.t.Fatal(err)
	}
	pc, err := property.DefaultCollector(c.Client.Client).Create(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	f := new(property.WaitFilter)
	f.Add(v.Reference(), "VirtualMachine", watchedPaths, v.TraversalSpec())
	if _, err := pc.CreateFilter(ctx, f.CreateFilter); err != nil {
		r.t.Fatal(err)
	}
	return pc
}

func (r *running) updates(pc *property.Collector, version string, seconds int32) *types.UpdateSet {
	r.t.Helper()
	res, err := methods.WaitForUpdatesEx(context.Background(), r.source.Client.Client, &types.WaitForUpdatesEx{
		This: pc.Reference(), Version: version, Options: &types.WaitOptions{MaxWaitSeconds: &seconds},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Returnval
}

func TestUpdates(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 500 })
	ctx := context.Background()
	pc := r.watch(r.source)
	set := r.updates(pc, "", 1)
	if n := len(set.FilterSet[0].ObjectSet); n != 16 || set.FilterSet[0].ObjectSet[0].Kind != types.ObjectUpdateKindEnter {
		t.Fatalf("%d VMs at first", n)
	}
	if u := r.updates(pc, set.Version, 0); u != nil {
		t.Errorf("updates without a change: %+v", u)
	}
	vm := r.machine(r.source, "test02")
	seen := map[string]any{}
	follow := func(what string, until func() bool) {
		t.Helper()
		r.eventually(what, func() bool {
			if u := r.updates(pc, set.Version, 1); u != nil {
				if again := r.updates(pc, set.Version, 1); again == nil || again.Version != u.Version {
					t.Errorf("an answer that was lost is not given again: %+v", again)
				}
				set = u
				for _, o := range u.FilterSet[0].ObjectSet {
					seen[string(o.Kind)+" "+o.Obj.Value] = true
					for _, c := range o.ChangeSet {
						seen[c.Name] = c.Val
					}
				}
			}
			return until()
		})
	}
	r.ok(vm.PowerOn(ctx))
	follow("power on is told", func() bool { return seen["guest.toolsRunningStatus"] == "guestToolsRunning" })
	if seen["runtime.powerState"] != types.VirtualMachinePowerStatePoweredOn {
		t.Errorf("%+v", seen)
	}
	if _, told := seen["name"]; told {
		t.Error("the name did not change, but was told")
	}
	r.ok(r.machine(r.source, "mail01").RemoveAllSnapshot(ctx, nil))
	follow("the snapshot is gone", func() bool { v, told := seen["snapshot"]; return told && v == nil })
	off := r.machine(r.source, "archive01")
	if err := off.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	follow("the VM is gone", func() bool { return seen["leave "+off.Reference().Value] == true })
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := methods.WaitForUpdatesEx(short, r.source.Client.Client, &types.WaitForUpdatesEx{This: pc.Reference(), Version: set.Version}); err == nil {
		t.Error("an answer without a change")
	}
	if u := r.updates(pc, set.Version, 0); u != nil { // the call of the client that went away does not stand in the way
		t.Errorf("%+v", u)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = pc.CancelWaitForUpdates(ctx)
	}()
	_, err := methods.WaitForUpdatesEx(ctx, r.source.Client.Client, &types.WaitForUpdatesEx{This: pc.Reference(), Version: set.Version})
	refused[*types.RequestCanceled](t, err)
	_, err = methods.WaitForUpdatesEx(ctx, r.source.Client.Client, &types.WaitForUpdatesEx{This: pc.Reference(), Version: "nonsense"})
	refused[*types.InvalidCollectorVersion](t, err)
}

// TestAThousandMachines: the lab's own speed must not decide what is measured on it.
func TestAThousandMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	began := time.Now()
	r := start(t, func(sc *scenario.Scenario) {
		model := sc.VMs[0]
		sc.VMs = nil
		for i := range 1000 {
			vm := model
			vm.Name = fmt.Sprintf("vm%04d", i)
			vm.Disks = []scenario.Disk{{Datastore: "old-fc-01", Size: 1, Used: 1, Mode: "persistent"}}
			sc.VMs = append(sc.VMs, vm)
		}
	})
	t.Logf("started in %s", time.Since(began))
	began = time.Now()
	pc := r.watch(r.source)
	version, n := "", 0
	for n < 1000 {
		set := r.updates(pc, version, 1)
		if set == nil {
			t.Fatalf("only %d VMs are told", n)
		}
		version = set.Version
		if len(set.FilterSet) != 1 || len(set.FilterSet[0].ObjectSet) > 100 {
			t.Fatalf("an answer of more than 100 objects")
		}
		n += len(set.FilterSet[0].ObjectSet)
	}
	t.Logf("all told in %s", time.Since(began))
	began = time.Now()
	for i := range 20 {
		vm := object.NewVirtualMachine(r.source.Client.Client, r.machine(r.source, fmt.Sprintf("vm%04d", i)).Reference())
		r.ok(vm.PowerOff(context.Background()))
	}
	off := map[string]bool{}
	for len(off) < 20 {
		set := r.updates(pc, version, 5)
		if set == nil {
			t.Fatalf("only %d changes are told", len(off))
		}
		version = set.Version
		for _, o := range set.FilterSet[0].ObjectSet {
			off[o.Obj.Value] = true
		}
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("20 changes took %s", d)
	} else {
		t.Logf("20 power-offs one after another, told in %s", d)
	}
}
