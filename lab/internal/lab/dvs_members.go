package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// configureMembers adds, changes and removes hosts of a switch. cfg is changed; a host that is refused stops everything, with the
// bulk fault of vSphere that names it.
func (vc *VC) configureMembers(s *distributedSwitch, cfg *types.VMwareDVSConfigInfo, specs []types.DistributedVirtualSwitchHostMemberConfigSpec) types.BaseMethodFault {
	var dc *simulator.Datacenter
	for _, spec := range specs {
		h, ok := get[*simulator.HostSystem](vc, spec.Host)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: spec.Host}
		}
		if dc == nil {
			dc = vc.datacenterOf(s.Self)
		}
		if problem := vc.configureMember(s, cfg, h, &spec, vc.datacenterOf(h.Self) == dc); problem != nil {
			return &types.DvsOperationBulkFault{
				DvsFault: types.DvsFault{VimFault: types.VimFault{MethodFault: types.MethodFault{
					FaultMessage: []types.LocalizableMessage{{Key: "lab.reason", Message: h.Name + ": " + describe(problem)}},
				}}},
				HostFault: []types.DvsOperationBulkFaultFaultOnHost{{Host: h.Self, Fault: types.LocalizedMethodFault{Fault: problem, LocalizedMessage: describe(problem)}}},
			}
		}
	}
	return nil
}

func (vc *VC) configureMember(s *distributedSwitch, cfg *types.VMwareDVSConfigInfo, h *simulator.HostSystem, spec *types.DistributedVirtualSwitchHostMemberConfigSpec, here bool) types.BaseMethodFault {
	i := slices.IndexFunc(cfg.Host, func(m types.DistributedVirtualSwitchHostMember) bool { return *m.Config.Host == h.Self })
	op := types.ConfigSpecOperation(spec.Operation)
	switch {
	case op == types.ConfigSpecOperationAdd && i >= 0:
		return &types.AlreadyExists{Name: h.Name}
	case op != types.ConfigSpecOperationAdd && i < 0:
		return because(new(types.NotFound), "Host '%s' is no member of the switch.", h.Name)
	case !here:
		return because(&types.InvalidArgument{InvalidProperty: "spec.host"}, "Host '%s' is in another datacenter.", h.Name)
	}
	if on, _ := vc.hostState(h); !on && op != types.ConfigSpecOperationRemove {
		return because(new(types.HostNotConnected), "Host '%s' is not connected.", h.Name)
	}
	if v := vc.lab.servers[h.Name].spec.Version; scenario.Compare(v, cfg.ProductInfo.Version) < 0 {
		return because(&types.NotSupportedHostInDvs{NotSupportedHost: types.NotSupportedHost{ProductName: "VMware ESXi", ProductVersion: v}},
			"A distributed switch of version %s needs ESXi %s or later.", cfg.ProductInfo.Version, cfg.ProductInfo.Version)
	}
	if op == types.ConfigSpecOperationRemove {
		if problem := vc.memberInUse(s, h); problem != nil {
			return problem
		}
		cfg.Host = slices.Delete(cfg.Host, i, i+1)
		return vc.setProxy(s, cfg, h, nil)
	}
	m := types.DistributedVirtualSwitchHostMember{
		Status: string(types.DistributedVirtualSwitchHostMemberHostComponentStateUp), ProductInfo: pointer(cfg.ProductInfo),
		Config: types.DistributedVirtualSwitchHostMemberConfigInfo{Host: pointer(h.Self), MaxProxySwitchPorts: max(spec.MaxProxySwitchPorts, 512)},
	}
	if i >= 0 {
		m = cfg.Host[i]
	}
	backing, ok := spec.Backing.(*types.DistributedVirtualSwitchHostMemberPnicBacking)
	if !ok {
		backing = &types.DistributedVirtualSwitchHostMemberPnicBacking{}
		if b, same := m.Config.Backing.(*types.DistributedVirtualSwitchHostMemberPnicBacking); same && spec.Backing == nil {
			backing = b
		}
	}
	names := uplinkNames(cfg.UplinkPortPolicy, nil)
	if len(backing.PnicSpec) > len(names) {
		return because(&types.ResourceNotAvailable{ContainerType: "DistributedVirtualSwitch", ContainerName: cfg.Name, Type: "uplink port"},
			"The switch has %d uplinks.", len(names))
	}
	complete := &types.DistributedVirtualSwitchHostMemberPnicBacking{}
	for n, p := range backing.PnicSpec {
		if p.UplinkPortKey == "" {
			p.UplinkPortKey = fmt.Sprint(n)
		}
		if len(cfg.UplinkPortgroup) > 0 && p.UplinkPortgroupKey == "" {
			p.UplinkPortgroupKey = cfg.UplinkPortgroup[0].Value
		}
		complete.PnicSpec = append(complete.PnicSpec, p)
	}
	m.Config.Backing = complete
	if problem := vc.setProxy(s, cfg, h, complete); problem != nil {
		return problem
	}
	if i >= 0 {
		cfg.Host[i] = m
	} else {
		cfg.Host = append(cfg.Host, m)
	}
	return nil
}

// setProxy writes a host's side of the switch, or removes it. Afterwards publishDVS makes the membership known; the host's list of
// networks follows from both.
func (vc *VC) setProxy(s *distributedSwitch, cfg *types.VMwareDVSConfigInfo, h *simulator.HostSystem, backing *types.DistributedVirtualSwitchHostMemberPnicBacking) types.BaseMethodFault {
	problem := vc.editNetwork(h, func(n *types.HostNetworkInfo) types.BaseMethodFault {
		rest := slices.DeleteFunc(n.ProxySwitch, func(p types.HostProxySwitch) bool { return p.DvsUuid == s.Uuid })
		if backing == nil {
			n.ProxySwitch = rest
			return nil
		}
		p := types.HostProxySwitch{
			DvsUuid: s.Uuid, DvsName: cfg.Name, Key: "key-vim.host.HostProxySwitch-" + s.Uuid, NumPorts: 1536, ConfigNumPorts: 512, NumPortsAvailable: 1500,
			Mtu: cfg.MaxMtu, Spec: types.HostProxySwitchSpec{Backing: backing},
		}
		var devices []string
		for i, x := range backing.PnicSpec {
			devices = append(devices, x.PnicDevice)
			p.Pnic = append(p.Pnic, pnicKey(x.PnicDevice))
			p.UplinkPort = append(p.UplinkPort, types.KeyValue{Key: x.UplinkPortKey, Value: uplinkNames(cfg.UplinkPortPolicy, nil)[i]})
		}
		n.ProxySwitch = rest
		if problem := freePnics(n, cfg.Name, devices); problem != nil {
			return problem
		}
		n.ProxySwitch = append(n.ProxySwitch, p)
		return nil
	})
	if problem != nil {
		return problem
	}
	var members []types.ManagedObjectReference
	vc.read(s, func() { members = without(s.Summary.HostMember, h.Self) })
	if backing != nil {
		members = append(members, h.Self)
	}
	vc.update(s, types.PropertyChange{Name: "summary.hostMember", Val: members})
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	vc.syncNetwork(h)
	return nil
}

// memberInUse refuses to take a host from a switch that machines on it, or its own adapters, are connected to.
func (vc *VC) memberInUse(s *distributedSwitch, h *simulator.HostSystem) types.BaseMethodFault {
	var groups []types.ManagedObjectReference
	vc.read(s, func() { groups = s.Portgroup })
	for _, vm := range vc.machinesOn(h) {
		used := false
		vc.read(vm, func() {
			used = slices.ContainsFunc(vm.Network, func(n types.ManagedObjectReference) bool { return slices.Contains(groups, n) })
		})
		if used {
			return because(&types.ResourceInUse{Type: "DistributedVirtualSwitch", Name: vc.nameOf(s)}, "Virtual machine '%s' is connected to it.", vc.nameOf(vm))
		}
	}
	var nics []types.HostVirtualNic
	vc.read(h, func() { nics = h.Config.Network.Vnic })
	for _, n := range nics {
		if p := n.Spec.DistributedVirtualPort; p != nil && p.SwitchUuid == s.Uuid {
			return because(&types.ResourceInUse{Type: "DistributedVirtualSwitch", Name: vc.nameOf(s)}, "%s of host '%s' is connected to it.", n.Device, h.Name)
		}
	}
	return nil
}

// leaveSwitches takes a host that is removed from the inventory out of its distributed switches.
func (vc *VC) leaveSwitches(h *simulator.HostSystem) {
	for _, s := range all[*distributedSwitch](vc, dvsType) {
		cfg := vc.dvsConfig(s)
		n := len(cfg.Host)
		cfg.Host = slices.DeleteFunc(cfg.Host, func(m types.DistributedVirtualSwitchHostMember) bool { return *m.Config.Host == h.Self })
		if len(cfg.Host) < n && vc.setProxy(s, &cfg, h, nil) == nil {
			vc.publishDVS(s, &cfg)
		}
	}
}

// syncAllNetworks brings every host of a datacenter up to date.
func (vc *VC) syncAllNetworks(dc *simulator.Datacenter) {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	for _, h := range vc.site.hosts {
		if vc.datacenterOf(h.Self) == dc {
			vc.syncNetwork(h)
		}
	}
	vc.syncParents(dc)
}
