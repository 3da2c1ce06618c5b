package lab

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/mo"

	"esxodus/lab/internal/scenario"
)

func TestZZPerf(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("N"))
	if n == 0 {
		t.Skip()
	}
	t0 := time.Now()
	r := start(t, func(s *scenario.Scenario) {
		v := s.VMs[0]
		v.CustomAttributes = nil
		s.VMs = nil
		for i := range n {
			x := v
			x.Name = fmt.Sprintf("vm%05d", i)
			s.VMs = append(s.VMs, x)
		}
		for i := range s.Arrays[0].LUNs {
			s.Arrays[0].LUNs[i].Size = 1 << 20
		}
	})
	t.Log("seed", time.Since(t0))
	ctx := context.Background()
	c := r.source.Client.Client
	m := view.NewManager(c)
	v, err := m.CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{"VirtualMachine"}, true)
	if err != nil {
		t.Fatal(err)
	}
	props := []string{"name", "runtime.powerState", "config.hardware.device", "config.extraConfig", "config.uuid", "config.instanceUuid", "guest.toolsStatus", "summary.config", "resourcePool", "parent", "network", "datastore"}
	for range 2 {
		t0 = time.Now()
		var vms []mo.VirtualMachine
		if err := v.Retrieve(ctx, []string{"VirtualMachine"}, props, &vms); err != nil {
			t.Fatal(err)
		}
		t.Log("retrieve", len(vms), time.Since(t0))
	}
	_ = property.Match{}
}
