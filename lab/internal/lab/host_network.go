package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// hostNetwork is HostNetworkSystem: standard switches, their port groups and the VMkernel's own adapters.
type hostNetwork struct{ shadow }

func installHostNetwork(vc *VC) {
	vc.redirect("HostNetworkSystem", &hostNetwork{vc.shadow("HostNetworkSystem")},
		"AddVirtualSwitch", "UpdateVirtualSwitch", "RemoveVirtualSwitch", "AddPortGroup", "UpdatePortGroup", "RemovePortGroup",
		"AddVirtualNic", "UpdateVirtualNic", "RemoveVirtualNic", "UpdateNetworkConfig", "RefreshNetworkSystem")
}

// edit changes a copy of a host's network configuration and publishes it. What f is given it may change freely.
func (o *hostNetwork) edit(part types.ManagedObjectReference, f func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault) *soap.Fault {
	h, refused := o.vc.connected(part)
	if refused != nil {
		return refused
	}
	if problem := o.vc.editNetwork(h, func(n *types.HostNetworkInfo) types.BaseMethodFault { return f(h, n) }); problem != nil {
		return fault(problem)
	}
	return nil
}

func (vc *VC) editNetwork(h *simulator.HostSystem, f func(n *types.HostNetworkInfo) types.BaseMethodFault) types.BaseMethodFault {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	var n types.HostNetworkInfo
	vc.read(h, func() { n = *h.Config.Network })
	n.Vswitch, n.Portgroup, n.Vnic, n.ProxySwitch = slices.Clone(n.Vswitch), slices.Clone(n.Portgroup), slices.Clone(n.Vnic), slices.Clone(n.ProxySwitch)
	if problem := f(&n); problem != nil {
		return problem
	}
	completeNetwork(&n)
	vc.update(h, types.PropertyChange{Name: "config.network", Val: &n})
	if hns, ok := get[*simulator.HostNetworkSystem](vc, *h.ConfigManager.NetworkSystem); ok {
		vc.update(hns, types.PropertyChange{Name: "networkInfo", Val: &n})
	}
	vc.syncNetwork(h)
	vc.syncVnics(h)
	return nil
}

func switchKey(name string) string    { return "key-vim.host.VirtualSwitch-" + name }
func portgroupKey(name string) string { return "key-vim.host.PortGroup-" + name }
func pnicKey(name string) string      { return "key-vim.host.PhysicalNic-" + name }

// completeNetwork fills in what follows from the rest of a network configuration.
func completeNetwork(n *types.HostNetworkInfo) {
	for i := range n.Vswitch {
		v := &n.Vswitch[i]
		v.Key, v.Portgroup, v.Pnic = switchKey(v.Name), nil, nil
		if v.Mtu = v.Spec.Mtu; v.Mtu == 0 {
			v.Mtu = 1500
		}
		v.NumPorts = max(v.Spec.NumPorts, 128)
		v.NumPortsAvailable = v.NumPorts - 8
		for _, d := range bridged(v) {
			v.Pnic = append(v.Pnic, pnicKey(d))
		}
		for k := range n.Portgroup {
			p := &n.Portgroup[k]
			if p.Spec.VswitchName != v.Name {
				continue
			}
			p.Key, p.Vswitch = portgroupKey(p.Spec.Name), v.Key
			v.Portgroup = append(v.Portgroup, p.Key)
			p.ComputedPolicy = p.Spec.Policy
			if v.Spec.Policy != nil {
				p.ComputedPolicy = *merged(v.Spec.Policy, &p.Spec.Policy)
			}
		}
	}
}

// bridged are the physical adapters of a switch.
func bridged(v *types.HostVirtualSwitch) []string {
	if b, ok := v.Spec.Bridge.(*types.HostVirtualSwitchBondBridge); ok {
		return b.NicDevice
	}
	return nil
}

// defaultPolicy is that of a new standard switch.
func defaultPolicy(nics []string) *types.HostNetworkPolicy {
	yes, no := types.NewBool(true), types.NewBool(false)
	return &types.HostNetworkPolicy{
		Security: &types.HostNetworkSecurityPolicy{AllowPromiscuous: no, MacChanges: yes, ForgedTransmits: yes},
		NicTeaming: &types.HostNicTeamingPolicy{
			Policy: "loadbalance_srcid", ReversePolicy: yes, NotifySwitches: yes, RollingOrder: no,
			FailureCriteria: &types.HostNicFailureCriteria{
				CheckSpeed: "minimum", Speed: 10, CheckDuplex: no, FullDuplex: no, CheckErrorPercent: no, CheckBeacon: no,
			},
			NicOrder: &types.HostNicOrderPolicy{ActiveNic: nics},
		},
		OffloadPolicy: &types.HostNetOffloadCapabilities{CsumOffload: yes, TcpSegmentation: yes, ZeroCopyXmit: yes},
		ShapingPolicy: &types.HostNetworkTrafficShapingPolicy{Enabled: no},
	}
}

func newSwitch(name string, spec *types.HostVirtualSwitchSpec) types.HostVirtualSwitch {
	v := types.HostVirtualSwitch{Name: name}
	if spec != nil {
		v.Spec = *spec
	}
	v.Spec.NumPorts = max(v.Spec.NumPorts, 128)
	v.Spec.Policy = merged(defaultPolicy(bridged(&v)), v.Spec.Policy)
	return v
}

// AddVirtualSwitch adds a standard switch.
func (o *hostNetwork) AddVirtualSwitch(req *types.AddVirtualSwitch) soap.HasFault {
	body := &methods.AddVirtualSwitchBody{}
	body.Fault_ = o.edit(req.This, func(_ *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		if slices.ContainsFunc(n.Vswitch, func(v types.HostVirtualSwitch) bool { return v.Name == req.VswitchName }) {
			return &types.AlreadyExists{Name: req.VswitchName}
		}
		v := newSwitch(req.VswitchName, req.Spec)
		if problem := checkSwitch(n, &v); problem != nil {
			return problem
		}
		n.Vswitch = append(n.Vswitch, v)
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.AddVirtualSwitchResponse)
	}
	return body
}

// UpdateVirtualSwitch replaces the properties of a standard switch.
func (o *hostNetwork) UpdateVirtualSwitch(req *types.UpdateVirtualSwitch) soap.HasFault {
	body := &methods.UpdateVirtualSwitchBody{}
	body.Fault_ = o.edit(req.This, func(_ *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		for i := range n.Vswitch {
			if n.Vswitch[i].Name != req.VswitchName {
				continue
			}
			v := newSwitch(req.VswitchName, &req.Spec)
			if problem := checkSwitch(n, &v); problem != nil {
				return problem
			}
			n.Vswitch[i] = v
			return nil
		}
		return because(new(types.NotFound), "The host has no switch %s.", req.VswitchName)
	})
	if body.Fault_ == nil {
		body.Res = new(types.UpdateVirtualSwitchResponse)
	}
	return body
}

// RemoveVirtualSwitch removes a standard switch and its port groups; one that is in use is refused.
func (o *hostNetwork) RemoveVirtualSwitch(req *types.RemoveVirtualSwitch) soap.HasFault {
	body := &methods.RemoveVirtualSwitchBody{}
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		i := slices.IndexFunc(n.Vswitch, func(v types.HostVirtualSwitch) bool { return v.Name == req.VswitchName })
		if i < 0 {
			return because(new(types.NotFound), "The host has no switch %s.", req.VswitchName)
		}
		var keep []types.HostPortGroup
		for _, p := range n.Portgroup {
			if p.Spec.VswitchName != req.VswitchName {
				keep = append(keep, p)
			} else if problem := o.vc.portgroupInUse(h, n, p.Spec.Name); problem != nil {
				return problem
			}
		}
		n.Portgroup, n.Vswitch = keep, slices.Delete(n.Vswitch, i, i+1)
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.RemoveVirtualSwitchResponse)
	}
	return body
}

// portgroupInUse refuses the removal of a port group with VMkernel adapters or virtual machines.
func (vc *VC) portgroupInUse(h *simulator.HostSystem, n *types.HostNetworkInfo, name string) types.BaseMethodFault {
	for _, v := range n.Vnic {
		if v.Portgroup == name {
			return because(&types.ResourceInUse{Type: "PortGroup", Name: name}, "%s is connected to it.", v.Device)
		}
	}
	var refs []types.ManagedObjectReference
	vc.read(h, func() { refs = h.Network })
	net, ok := vc.standardNetwork(refs, name)
	if !ok {
		return nil
	}
	for _, vm := range vc.machinesOn(h) {
		used := false
		vc.read(vm, func() { used = slices.Contains(vm.Network, net) })
		if used {
			return because(&types.ResourceInUse{Type: "PortGroup", Name: name}, "Virtual machine '%s' is connected to it.", vc.nameOf(vm))
		}
	}
	return nil
}

// AddPortGroup adds a port group; hosts of a datacenter that have one of the same name share one Network.
func (o *hostNetwork) AddPortGroup(req *types.AddPortGroup) soap.HasFault {
	body := &methods.AddPortGroupBody{}
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		if problem := checkPortgroup(n, &req.Portgrp); problem != nil {
			return problem
		}
		if slices.ContainsFunc(n.Portgroup, func(p types.HostPortGroup) bool { return p.Spec.Name == req.Portgrp.Name }) {
			return &types.AlreadyExists{Name: req.Portgrp.Name}
		}
		n.Portgroup = append(n.Portgroup, types.HostPortGroup{Spec: req.Portgrp})
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.AddPortGroupResponse)
	}
	return body
}

// UpdatePortGroup replaces the properties of a port group. With another name it becomes another network.
func (o *hostNetwork) UpdatePortGroup(req *types.UpdatePortGroup) soap.HasFault {
	body := &methods.UpdatePortGroupBody{}
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		if problem := checkPortgroup(n, &req.Portgrp); problem != nil {
			return problem
		}
		i := slices.IndexFunc(n.Portgroup, func(p types.HostPortGroup) bool { return p.Spec.Name == req.PgName })
		if i < 0 {
			return because(new(types.NotFound), "The host has no port group %s.", req.PgName)
		}
		if req.Portgrp.Name != req.PgName {
			if problem := o.vc.portgroupInUse(h, n, req.PgName); problem != nil {
				return problem
			}
		}
		n.Portgroup[i].Spec = req.Portgrp
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.UpdatePortGroupResponse)
	}
	return body
}

// RemovePortGroup removes a port group from the host.
func (o *hostNetwork) RemovePortGroup(req *types.RemovePortGroup) soap.HasFault {
	body := &methods.RemovePortGroupBody{}
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		i := slices.IndexFunc(n.Portgroup, func(p types.HostPortGroup) bool { return p.Spec.Name == req.PgName })
		if i < 0 {
			return because(new(types.NotFound), "The host has no port group %s.", req.PgName)
		}
		if problem := o.vc.portgroupInUse(h, n, req.PgName); problem != nil {
			return problem
		}
		n.Portgroup = slices.Delete(n.Portgroup, i, i+1)
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.RemovePortGroupResponse)
	}
	return body
}

// UpdateNetworkConfig would replace everything at once; the lab refuses it rather than ignore it.
func (o *hostNetwork) UpdateNetworkConfig(*types.UpdateNetworkConfig) soap.HasFault {
	return &methods.UpdateNetworkConfigBody{Fault_: fault(because(new(types.NotSupported), "The lab has no UpdateNetworkConfig."))}
}

// RefreshNetworkSystem has nothing to read again.
func (o *hostNetwork) RefreshNetworkSystem(*types.RefreshNetworkSystem) soap.HasFault {
	return &methods.RefreshNetworkSystemBody{Res: new(types.RefreshNetworkSystemResponse)}
}

// nextVnic is the first free name of a VMkernel adapter.
func nextVnic(n *types.HostNetworkInfo) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("vmk%d", i)
		if !slices.ContainsFunc(n.Vnic, func(v types.HostVirtualNic) bool { return v.Device == name }) {
			return name
		}
	}
}
