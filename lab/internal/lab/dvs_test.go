package lab

import (
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func (b *built) newDVS(uplinks, nics []string, hosts ...int) *object.DistributedVirtualSwitch {
	b.t.Helper()
	folders, err := b.dc.Folders(b.ctx)
	b.must(err)
	task, err := folders.NetworkFolder.CreateDVS(b.ctx, types.DVSCreateSpec{ConfigSpec: &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{
		Name: "dvs", UplinkPortPolicy: &types.DVSNameArrayUplinkPortPolicy{UplinkPortName: uplinks}, Host: b.members("add", nics, hosts...),
	}}})
	b.must(err)
	info, err := task.WaitForResult(b.ctx)
	b.must(err)
	return object.NewDistributedVirtualSwitch(b.target.Client.Client, info.Result.(types.ManagedObjectReference))
}

func (b *built) members(operation string, nics []string, hosts ...int) []types.DistributedVirtualSwitchHostMemberConfigSpec {
	var out []types.DistributedVirtualSwitchHostMemberConfigSpec
	for _, i := range hosts {
		backing := &types.DistributedVirtualSwitchHostMemberPnicBacking{}
		for _, n := range nics {
			backing.PnicSpec = append(backing.PnicSpec, types.DistributedVirtualSwitchHostMemberPnicSpec{PnicDevice: n})
		}
		out = append(out, types.DistributedVirtualSwitchHostMemberConfigSpec{Operation: operation, Host: b.hosts[i].Reference(), Backing: backing})
	}
	return out
}

func TestADistributedSwitch(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab", "esx70-2.lab")
	s := b.newDVS([]string{"up1", "up2"}, []string{"vmnic1", "vmnic2"}, 0)
	if s.Reference().Type != dvsType {
		t.Errorf("the switch is a %s", s.Reference().Type)
	}
	reconfigure := func(spec types.DVSConfigSpec) (*object.Task, error) {
		return s.Reconfigure(b.ctx, &types.VMwareDVSConfigSpec{DVSConfigSpec: spec})
	}
	task, err := reconfigure(types.DVSConfigSpec{ConfigVersion: "99"})
	fails[*types.ConcurrentAccess](b.running)(task, err)
	task, err = reconfigure(types.DVSConfigSpec{Host: b.members("add", []string{"vmnic0"}, 1)})
	fails[*types.DvsOperationBulkFault](b.running)(task, err) // vSwitch0 has it
	task, err = reconfigure(types.DVSConfigSpec{Host: b.members("add", []string{"vmnic1"}, 1)})
	b.ok(task, err)
	task, err = s.AddPortgroup(b.ctx, []types.DVPortgroupConfigSpec{{
		Name: "prod", NumPorts: 8, Type: "earlyBinding",
		DefaultPortConfig: &types.VMwareDVSPortSetting{
			Vlan: &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: 20},
			UplinkTeamingPolicy: &types.VmwareUplinkPortTeamingPolicy{
				UplinkPortOrder: &types.VMwareUplinkPortOrderPolicy{ActiveUplinkPort: []string{"up2"}, StandbyUplinkPort: []string{"up1"}},
			},
		},
	}})
	b.ok(task, err)
	task, err = s.AddPortgroup(b.ctx, []types.DVPortgroupConfigSpec{{Name: "prod"}})
	fails[*types.DuplicateName](b.running)(task, err)
	net, err := b.target.finder.Network(b.ctx, "prod")
	b.must(err)
	pg := object.NewDistributedVirtualPortgroup(b.target.Client.Client, net.Reference())
	var p mo.DistributedVirtualPortgroup
	b.must(pg.Properties(b.ctx, pg.Reference(), nil, &p))
	port := p.Config.DefaultPortConfig.(*types.VMwareDVSPortSetting)
	order := port.UplinkTeamingPolicy.UplinkPortOrder
	if port.Vlan.(*types.VmwareDistributedVirtualSwitchVlanIdSpec).VlanId != 20 || !slices.Equal(order.ActiveUplinkPort, []string{"up2"}) || order.Inherited {
		t.Errorf("the port group has %+v, uplinks %+v", port.Vlan, order)
	}
	if sec := port.SecurityPolicy; !sec.Inherited || isTrue(sec.MacChanges.Value) {
		t.Errorf("the security policy is not the switch's: %+v", sec)
	}
	if len(p.Host) != 2 || len(p.PortKeys) != 8 {
		t.Errorf("hosts %v, ports %v", p.Host, p.PortKeys)
	}
	var h mo.HostSystem
	b.must(b.hosts[1].Properties(b.ctx, b.hosts[1].Reference(), []string{"network", "config.network.proxySwitch"}, &h))
	if !slices.Contains(h.Network, pg.Reference()) || len(h.Config.Network.ProxySwitch) != 1 {
		t.Errorf("networks %v, proxy switches %v", h.Network, h.Config.Network.ProxySwitch)
	}
	var x mo.VmwareDistributedVirtualSwitch
	b.must(s.Properties(b.ctx, s.Reference(), []string{"summary", "config", "portgroup"}, &x))
	if len(x.Summary.HostMember) != 2 || len(x.Portgroup) != 2 || x.Config.GetDVSConfigInfo().NumPorts != 10 {
		t.Errorf("summary %+v, port groups %v", x.Summary, x.Portgroup)
	}
	task, err = reconfigure(types.DVSConfigSpec{Host: b.members("remove", nil, 0)})
	b.ok(task, err)
	task, err = s.Destroy(b.ctx)
	b.ok(task, err)
	b.must(b.hosts[1].Properties(b.ctx, b.hosts[1].Reference(), []string{"network"}, &h))
	if len(h.Network) != 1 {
		t.Errorf("networks %v are left", h.Network)
	}
}

func TestATooNewSwitchIsRefused(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	folders, err := b.dc.Folders(b.ctx)
	b.must(err)
	task, err := folders.NetworkFolder.CreateDVS(b.ctx, types.DVSCreateSpec{
		ConfigSpec: &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: "dvs"}}, ProductInfo: &types.DistributedVirtualSwitchProductSpec{Version: "8.0.0"},
	})
	fails[*types.InvalidArgument](b.running)(task, err)
}
