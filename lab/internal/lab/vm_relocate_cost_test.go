package lab

import (
	"context"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/operations"
	"esxodus/lab/internal/scenario"
)

func TestRelocationsAreRecorded(t *testing.T) {
	r := startFrom(t, liveScenario, func(sc *scenario.Scenario) { sc.Timescale, sc.Durations = 20, scenario.Durations{} })
	ctx := context.Background()
	ds, host := r.datastore(r.source, "old-fc-04"), r.host(r.source, "esx67-2.lab").Reference()
	var tasks []*object.Task
	for i, name := range []string{"app01", "web01", "legacy01"} { // all on esx67-1.lab
		task, err := r.machine(r.source, name).Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, normal)
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
		r.eventually("it is recorded", func() bool { return len(r.Lab().Operations().Operations) == i+1 })
	}
	o := r.Lab().Operations()
	if len(o.Over) != 1 || o.Over[0] != "host source/esx67-1.lab bore 12 of 8 when legacy01 began, beside app01, web01" {
		t.Errorf("%q", o.Over)
	}
	for _, task := range tasks {
		r.ok(task, nil)
	}
	r.ok(r.machine(r.source, "test02").Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &host}, normal))
	folder, err := r.source.finder.Folder(ctx, "apps")
	if err != nil {
		t.Fatal(err)
	}
	into := folder.Reference()
	r.ok(r.machine(r.source, "test02").Relocate(ctx, types.VirtualMachineRelocateSpec{Folder: &into}, normal))
	var kinds []string
	for _, x := range r.Lab().Operations().Operations {
		if x.End == nil || x.VCenter != "source" {
			t.Errorf("%+v", x)
		}
		kinds = append(kinds, x.Kind)
	}
	if got := strings.Join(kinds, " "); got != "storageVMotion storageVMotion storageVMotion cold inventory" {
		t.Error(got)
	}
	v := r.source.vc.volumeOf(ds)
	if p := r.Lab().Operations().Peaks; p.Volumes[v.uuid] != 48 || p.Hosts["source/esx67-2.lab"] != 1 || p.Networks["source/esx67-1.lab"] != 0 {
		t.Errorf("%+v", p)
	}
	r.clean()
}

func TestSlowLinksBearLess(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.VCenters[0].Hosts[0].NIC = 1000 })
	if n := r.Lab().networkLimit("source/esx60-1.lab"); n != operations.SlowNetworkLimit {
		t.Error(n)
	}
	if n := r.Lab().networkLimit("source/esx60-2.lab"); n != operations.NetworkLimit {
		t.Error(n)
	}
	var h mo.HostSystem
	host := r.host(r.source, "esx60-1.lab")
	if err := host.Properties(context.Background(), host.Reference(), []string{"config.network.pnic", "summary.config.vmotionEnabled"}, &h); err != nil {
		t.Fatal(err)
	}
	if h.Config.Network.Pnic[0].LinkSpeed.SpeedMb != 1000 || !h.Summary.Config.VmotionEnabled {
		t.Errorf("%+v", h.Config.Network.Pnic[0].LinkSpeed)
	}
}

func TestTheLiveSiteHasADistributedSwitch(t *testing.T) {
	r := startFrom(t, liveScenario, nil)
	list := all[*distributedSwitch](r.source.vc, dvsType)
	if len(list) != 1 || list[0].Name != "dvs-prod67" || len(list[0].Summary.HostMember) != 4 || r.source.vc.dvsConfig(list[0]).ProductInfo.Version != "6.5.0" {
		t.Fatalf("%+v", list)
	}
	pg := all[*simulator.DistributedVirtualPortgroup](r.source.vc, "DistributedVirtualPortgroup")
	if len(pg) != 2 || pg[1].Name != "DMZ" || len(pg[1].Vm) != 3 || len(pg[1].Host) != 4 {
		t.Errorf("%+v", pg)
	}
	vlan, _ := pg[1].Config.DefaultPortConfig.(*types.VMwareDVSPortSetting).Vlan.(*types.VmwareDistributedVirtualSwitchVlanIdSpec)
	if vlan == nil || vlan.VlanId != 30 {
		t.Errorf("%+v", vlan)
	}
	s := r.state("source", "web01")
	if s.NICs[0].Network != "DMZ" || s.NICs[1].Network != "VM Network" || s.Power != "poweredOn" {
		t.Errorf("%+v", s.NICs)
	}
	host := r.host(r.source, "esx67-2.lab").Reference() // and its VMs move between its hosts
	r.ok(r.machine(r.source, "web01").Relocate(context.Background(), types.VirtualMachineRelocateSpec{Host: &host}, normal))
	r.clean()
}
