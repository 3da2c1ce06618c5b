package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	pnics             = 4
	managementNetwork = "Management Network"
)

// hostNetwork gives a new HostSystem its network configuration: the one it was left with, or that of a fresh installation.
func (vc *VC) hostNetwork(h *simulator.HostSystem, s *server) {
	s.mu.Lock()
	n := s.network
	s.mu.Unlock()
	if n == nil {
		n = vc.freshNetwork(s, []types.HostPortGroupSpec{{Name: "VM Network", VswitchName: "vSwitch0"}})
	}
	h.Config.Network = n
	h.Config.VirtualNicManagerInfo = &types.HostVirtualNicManagerInfo{}
	for _, t := range vnicTypes {
		c := types.VirtualNicManagerNetConfig{NicType: t.key, MultiSelectAllowed: t.multi}
		if t.key == "management" || t.key == "vmotion" && isTrue(s.spec.VMotion) {
			c.SelectedVnic = []string{t.key + ".key-vim.host.VirtualNic-" + managementVnic}
		}
		h.Config.VirtualNicManagerInfo.NetConfig = append(h.Config.VirtualNicManagerInfo.NetConfig, c)
	}
	if hns, ok := get[*simulator.HostNetworkSystem](vc, *h.ConfigManager.NetworkSystem); ok {
		vc.read(hns, func() { hns.NetworkInfo = n })
	}
}

// freshNetwork is what the installation of ESXi makes: one switch on the first adapter, with a port group for virtual machines and
// the management network.
func (vc *VC) freshNetwork(s *server, groups []types.HostPortGroupSpec) *types.HostNetworkInfo {
	n := &types.HostNetworkInfo{
		DnsConfig:     &types.HostDnsConfig{HostName: s.spec.Name, DomainName: "", Address: []string{"10.99.0.1"}, SearchDomain: []string{}},
		IpRouteConfig: &types.HostIpRouteConfig{DefaultGateway: "10.99.0.1"}, IpV6Enabled: types.NewBool(false), AtBootIpV6Enabled: types.NewBool(false),
	}
	for _, k := range netStacks {
		n.NetStackInstance = append(n.NetStackInstance, types.HostNetStackInstance{
			Key: k, DnsConfig: &types.HostDnsConfig{}, IpRouteConfig: &types.HostIpRouteConfig{}, RequestedMaxNumberOfConnections: 11000,
			CongestionControlAlgorithm: "newreno", IpV6Enabled: types.NewBool(true),
		})
	}
	for i := range pnics {
		d := fmt.Sprintf("vmnic%d", i)
		speed := types.PhysicalNicLinkInfo{SpeedMb: int32(s.spec.NIC), Duplex: true}
		n.Pnic = append(n.Pnic, types.PhysicalNic{
			Key: pnicKey(d), Device: d, Pci: fmt.Sprintf("0000:%02x:00.%d", 4+i/2, i%2), Driver: "ixgben", LinkSpeed: &speed,
			ValidLinkSpecification: []types.PhysicalNicLinkInfo{speed}, Spec: types.PhysicalNicSpec{Ip: &types.HostIpConfig{}, LinkSpeed: &speed},
			WakeOnLanSupported: false, Mac: vc.lab.hostMAC(s.spec.Name, d), AutoNegotiateSupported: types.NewBool(false),
			VmDirectPathGen2Supported: types.NewBool(false), ResourcePoolSchedulerAllowed: types.NewBool(true),
		})
	}
	n.Vswitch = []types.HostVirtualSwitch{newSwitch("vSwitch0", &types.HostVirtualSwitchSpec{
		NumPorts: 128, Bridge: &types.HostVirtualSwitchBondBridge{
			NicDevice: []string{"vmnic0"}, Beacon: &types.HostVirtualSwitchBeaconConfig{Interval: 1},
			LinkDiscoveryProtocolConfig: &types.LinkDiscoveryProtocolConfig{Protocol: "cdp", Operation: "listen"},
		},
	})}
	for _, g := range append(groups, types.HostPortGroupSpec{Name: managementNetwork, VswitchName: "vSwitch0"}) {
		n.Portgroup = append(n.Portgroup, types.HostPortGroup{Spec: g})
	}
	n.Vnic = []types.HostVirtualNic{{
		Device: managementVnic, Key: "key-vim.host.VirtualNic-" + managementVnic, Portgroup: managementNetwork,
		Spec: types.HostVirtualNicSpec{
			Ip: &types.HostIpConfig{IpAddress: s.address(), SubnetMask: "255.255.0.0"}, Mac: vc.lab.hostMAC(s.spec.Name, managementVnic),
			Portgroup: managementNetwork, Mtu: 1500, TsoEnabled: types.NewBool(true), NetStackInstanceKey: netStacks[0],
		},
	}}
	completeNetwork(n)
	return n
}

// syncNetwork brings the networks of the inventory up to date with a host's configuration: its port groups, but for those of the
// VMkernel's own adapters, and the port groups of the distributed switches that it is a member of. site.mu is held.
func (vc *VC) syncNetwork(h *simulator.HostSystem) {
	dc := vc.datacenterOf(h.Self)
	if dc == nil {
		return
	}
	var n *types.HostNetworkInfo
	vc.read(h, func() { n = h.Config.Network })
	kernel := map[string]bool{}
	for _, v := range n.Vnic {
		kernel[v.Portgroup] = true
	}
	has := map[types.ManagedObjectReference]bool{}
	for _, p := range n.Portgroup {
		if !kernel[p.Spec.Name] {
			has[vc.standard(dc, p.Spec.Name)] = true
		}
	}
	for _, s := range all[*distributedSwitch](vc, dvsType) {
		vc.read(s, func() {
			if slices.Contains(s.Summary.HostMember, h.Self) {
				for _, pg := range s.Portgroup {
					has[pg] = true
				}
			}
		})
	}
	var refs []types.ManagedObjectReference
	for r := range has {
		refs = append(refs, r)
	}
	vc.setRefs(h, "network", &h.Network, refs)
	vc.syncNetworkHosts(dc, h.Self, has)
	vc.syncParents(dc)
}

// standard returns the Network of that name in a datacenter, a new one if there is none.
func (vc *VC) standard(dc *simulator.Datacenter, name string) types.ManagedObjectReference {
	for _, n := range all[*mo.Network](vc, "Network") {
		if vc.nameOf(n) == name && vc.datacenterOf(n.Self) == dc {
			return n.Self
		}
	}
	n := &mo.Network{}
	n.Name, n.ManagedEntity.Name = name, name
	folder, _ := get[*simulator.Folder](vc, dc.NetworkFolder)
	vc.insert(folder, n)
	self := n.Self
	vc.update(n, types.PropertyChange{Name: "summary", Val: &types.NetworkSummary{Network: &self, Name: name, Accessible: true}})
	return self
}

// syncNetworkHosts notes which networks a host has; a standard network that neither host nor virtual machine has is gone.
func (vc *VC) syncNetworkHosts(dc *simulator.Datacenter, host types.ManagedObjectReference, has map[types.ManagedObjectReference]bool) {
	for _, n := range all[*mo.Network](vc, "Network") {
		if vc.datacenterOf(n.Self) != dc {
			continue
		}
		hosts, used := vc.hostsOfNetwork(&n.Host, n, host, has[n.Self]), false
		vc.read(n, func() { used = len(n.Vm) > 0 })
		if len(hosts) == 0 && !used {
			vc.remove(n)
		}
	}
	for _, pg := range all[*simulator.DistributedVirtualPortgroup](vc, "DistributedVirtualPortgroup") {
		if vc.datacenterOf(pg.Self) == dc {
			vc.hostsOfNetwork(&pg.Host, pg, host, has[pg.Self])
		}
	}
}

func (vc *VC) hostsOfNetwork(list *[]types.ManagedObjectReference, n mo.Reference, host types.ManagedObjectReference, has bool) []types.ManagedObjectReference {
	var hosts []types.ManagedObjectReference
	vc.read(n, func() { hosts = without(*list, host) })
	if has {
		hosts = append(hosts, host)
	}
	vc.setRefs(n, "host", list, hosts)
	return hosts
}

// forgetNetworks takes a host that leaves from its networks. site.mu is held.
func (vc *VC) forgetNetworks(dc *simulator.Datacenter, h *simulator.HostSystem) {
	vc.setRefs(h, "network", &h.Network, nil)
	vc.syncNetworkHosts(dc, h.Self, nil)
}

// networksOf are all networks of a datacenter.
func (vc *VC) networksOf(dc *simulator.Datacenter) []types.ManagedObjectReference {
	var out []types.ManagedObjectReference
	for _, n := range all[*mo.Network](vc, "Network") {
		if vc.datacenterOf(n.Self) == dc {
			out = append(out, n.Self)
		}
	}
	for _, pg := range all[*simulator.DistributedVirtualPortgroup](vc, "DistributedVirtualPortgroup") {
		if vc.datacenterOf(pg.Self) == dc {
			out = append(out, pg.Self)
		}
	}
	return out
}
