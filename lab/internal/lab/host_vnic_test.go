package lab

import (
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// adapter is a VMkernel adapter on the stack for vMotion.
func adapter(change func(*types.HostVirtualNicSpec)) types.HostVirtualNicSpec {
	s := types.HostVirtualNicSpec{Ip: &types.HostIpConfig{IpAddress: "10.40.0.71", SubnetMask: "255.255.255.0"}, NetStackInstanceKey: "vmotion"}
	if change != nil {
		change(&s)
	}
	return s
}

func TestAnAdapterForVMotion(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) { s.VCenters[1].Hosts[0].VMotion = types.NewBool(true) }).site("esx70-1.lab")
	ns, err := b.hosts[0].ConfigManager().NetworkSystem(b.ctx)
	b.must(err)
	refuses[*types.InvalidArgument](t, ns.AddVirtualSwitch(b.ctx, "a-name-that-is-longer-than-31-chars", nil))
	refuses[*types.InvalidArgument](t, ns.AddVirtualSwitch(b.ctx, "vSwitch1", &types.HostVirtualSwitchSpec{Mtu: 9001}))
	b.must(ns.AddVirtualSwitch(b.ctx, "vSwitch1", &types.HostVirtualSwitchSpec{Mtu: 4000}))
	for _, name := range []string{"vmotion", "other"} {
		b.must(ns.AddPortGroup(b.ctx, types.HostPortGroupSpec{Name: name, VswitchName: "vSwitch1"}))
	}
	add := func(portgroup string, change func(*types.HostVirtualNicSpec)) error {
		_, err := ns.AddVirtualNic(b.ctx, portgroup, adapter(change))
		return err
	}
	route := func(gateway string) func(*types.HostVirtualNicSpec) {
		return func(s *types.HostVirtualNicSpec) {
			s.IpRouteSpec = &types.HostVirtualNicIpRouteSpec{IpRouteConfig: &types.HostIpRouteConfig{DefaultGateway: gateway}}
		}
	}
	refuses[*types.InvalidArgument](t, add("vmotion", func(s *types.HostVirtualNicSpec) { s.Mtu = 9000 }))
	refuses[*types.InvalidArgument](t, add("vmotion", func(s *types.HostVirtualNicSpec) { s.Ip.IpAddress = "10.40.0.255" }))
	refuses[*types.InvalidArgument](t, add("vmotion", func(s *types.HostVirtualNicSpec) { s.Ip.SubnetMask = "255.0.255.0" }))
	refuses[*types.InvalidArgument](t, add("vmotion", route("10.41.0.1")))
	b.must(add("vmotion", route("10.40.0.1")))
	refuses[*types.AlreadyExists](t, add("vmotion", func(s *types.HostVirtualNicSpec) { s.Ip.IpAddress = "10.40.0.72" }))
	refuses[*types.HostConfigFault](t, add("other", nil))

	nics, err := b.hosts[0].ConfigManager().VirtualNicManager(b.ctx)
	b.must(err)
	refuses[*types.HostConfigFault](t, nics.SelectVnic(b.ctx, "vmotion", "vmk0"))
	var h mo.HostSystem
	b.must(b.hosts[0].Properties(b.ctx, b.hosts[0].Reference(), []string{"config.virtualNicManagerInfo", "summary.config.vmotionEnabled"}, &h))
	for _, c := range h.Config.VirtualNicManagerInfo.NetConfig {
		if c.NicType == "vmotion" && (len(c.SelectedVnic) != 1 || c.SelectedVnic[0] != "vmotion.key-vim.host.VirtualNic-vmk1") {
			t.Errorf("vMotion uses %v", c.SelectedVnic)
		}
	}
	if !h.Summary.Config.VmotionEnabled {
		t.Error("vMotion is not enabled")
	}
	if len(h.Config.VirtualNicManagerInfo.NetConfig) == 0 {
		t.Error("no kinds of traffic")
	}
}
