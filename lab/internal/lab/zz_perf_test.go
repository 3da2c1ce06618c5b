package lab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestPerf(t *testing.T) {
	t0 := time.Now()
	r := start(t, func(sc *scenario.Scenario) {
		model := sc.VMs[0]
		sc.VMs = nil
		for i := range 1000 {
			vm := model
			vm.Name = fmt.Sprintf("vm%04d", i)
			vm.Disks = []scenario.Disk{model.Disks[0]}
			vm.Disks[0].Size, vm.Disks[0].Used = 1, 1
			sc.VMs = append(sc.VMs, vm)
		}
	})
	t.Logf("start %s", time.Since(t0))
	ctx := context.Background()
	c := r.source.Client.Client
	v, err := view.NewManager(c).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		t.Fatal(err)
	}
	props := []string{"name", "config.uuid", "config.instanceUuid", "config.annotation", "config.extraConfig", "config.hardware.device", "runtime", "guest.toolsRunningStatus", "summary.config", "datastore", "network", "parent"}
	t0 = time.Now()
	var out []mo.VirtualMachine
	if err := v.Retrieve(ctx, []string{"VirtualMachine"}, props, &out); err != nil {
		t.Fatal(err)
	}
	t.Logf("retrieve %d: %s", len(out), time.Since(t0))
	pc, err := property.DefaultCollector(c).Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f := new(property.WaitFilter)
	f.Add(v.Reference(), "VirtualMachine", props, v.TraversalSpec())
	t0 = time.Now()
	first := true
	n := 0
	err = property.WaitForUpdates(ctx, pc, f, func(u []types.ObjectUpdate) bool {
		n += len(u)
		if n >= 1000 && first {
			first = false
			t.Logf("first wait: %d in %s", n, time.Since(t0))
			t0 = time.Now()
			n = 1000
			for i := range 20 {
				vm := r.machine(r.source, fmt.Sprintf("vm%04d", i))
				_, _ = vm.PowerOff(ctx)
			}
			return false
		}
		if !first && len(u) > 0 {
			t.Logf("%d updates after %s", len(u), time.Since(t0))
			return time.Since(t0) > 500*time.Millisecond || n > 1020
		}
		return false
	})
	t.Log(err, n)
}
