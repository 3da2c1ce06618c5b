package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// netStacks are the TCP/IP stacks of ESXi.
var netStacks = []string{"defaultTcpipStack", "vmotion", "vSphereProvisioning"}

// checkVnic completes and checks a VMkernel adapter: it is on a standard port group of the host or on a distributed port. device is its
// name, or nothing for a new one.
func (vc *VC) checkVnic(h *simulator.HostSystem, n *types.HostNetworkInfo, device, portgroup string, s *types.HostVirtualNicSpec) types.BaseMethodFault {
	switch {
	case s.DistributedVirtualPort != nil:
		if !slices.ContainsFunc(n.ProxySwitch, func(p types.HostProxySwitch) bool { return p.DvsUuid == s.DistributedVirtualPort.SwitchUuid }) {
			return because(new(types.NotFound), "Host '%s' is no member of the distributed switch %s.", h.Name, s.DistributedVirtualPort.SwitchUuid)
		}
	case !slices.ContainsFunc(n.Portgroup, func(p types.HostPortGroup) bool { return p.Spec.Name == portgroup }):
		return because(new(types.NotFound), "The host has no port group %s.", portgroup)
	}
	s.Portgroup = portgroup
	if s.Mtu == 0 {
		s.Mtu = 1500
	}
	if s.NetStackInstanceKey == "default" || s.NetStackInstanceKey == "" {
		s.NetStackInstanceKey = netStacks[0]
	}
	if !slices.Contains(netStacks, s.NetStackInstanceKey) {
		return &types.InvalidArgument{InvalidProperty: "nic.netStackInstanceKey"}
	}
	if s.TsoEnabled == nil {
		s.TsoEnabled = types.NewBool(true)
	}
	return freeVnic(n, device, portgroup, s)
}

// AddVirtualNic adds a VMkernel adapter and returns its name.
func (o *hostNetwork) AddVirtualNic(req *types.AddVirtualNic) soap.HasFault {
	body, device := &methods.AddVirtualNicBody{}, ""
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		s := req.Nic
		if problem := o.vc.checkVnic(h, n, "", req.Portgroup, &s); problem != nil {
			return problem
		}
		device = nextVnic(n)
		if s.Mac == "" {
			s.Mac = o.vc.lab.hostMAC(h.Name, device)
		}
		n.Vnic = append(n.Vnic, types.HostVirtualNic{Device: device, Key: "key-vim.host.VirtualNic-" + device, Portgroup: req.Portgroup, Spec: s})
		return nil
	})
	if body.Fault_ == nil {
		body.Res = &types.AddVirtualNicResponse{Returnval: device}
	}
	return body
}

// UpdateVirtualNic replaces the properties of a VMkernel adapter.
func (o *hostNetwork) UpdateVirtualNic(req *types.UpdateVirtualNic) soap.HasFault {
	body := &methods.UpdateVirtualNicBody{}
	body.Fault_ = o.edit(req.This, func(h *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		i := slices.IndexFunc(n.Vnic, func(v types.HostVirtualNic) bool { return v.Device == req.Device })
		if i < 0 {
			return because(new(types.NotFound), "The host has no adapter %s.", req.Device)
		}
		v, s := &n.Vnic[i], req.Nic
		if s.NetStackInstanceKey != "" && s.NetStackInstanceKey != v.Spec.NetStackInstanceKey {
			return because(&types.InvalidArgument{InvalidProperty: "nic.netStackInstanceKey"}, "The stack of an adapter cannot be changed.")
		}
		portgroup := v.Portgroup
		if s.Portgroup != "" {
			portgroup = s.Portgroup
		} else if s.DistributedVirtualPort != nil {
			portgroup = ""
		}
		n.Vnic[i].Portgroup = portgroup
		n.Vnic[i].Spec = *merged(&v.Spec, &s)
		return o.vc.checkVnic(h, n, req.Device, portgroup, &n.Vnic[i].Spec)
	})
	if body.Fault_ == nil {
		body.Res = new(types.UpdateVirtualNicResponse)
	}
	return body
}

// RemoveVirtualNic removes a VMkernel adapter; the one that vCenter talks to stays.
func (o *hostNetwork) RemoveVirtualNic(req *types.RemoveVirtualNic) soap.HasFault {
	body := &methods.RemoveVirtualNicBody{}
	body.Fault_ = o.edit(req.This, func(_ *simulator.HostSystem, n *types.HostNetworkInfo) types.BaseMethodFault {
		i := slices.IndexFunc(n.Vnic, func(v types.HostVirtualNic) bool { return v.Device == req.Device })
		switch {
		case i < 0:
			return because(new(types.NotFound), "The host has no adapter %s.", req.Device)
		case req.Device == managementVnic:
			return because(&types.ResourceInUse{Type: "VirtualNic", Name: req.Device}, "vCenter manages the host through it.")
		}
		n.Vnic = slices.Delete(n.Vnic, i, i+1)
		return nil
	})
	if body.Fault_ == nil {
		body.Res = new(types.RemoveVirtualNicResponse)
	}
	return body
}

// managementVnic is the adapter that vCenter talks to.
const managementVnic = "vmk0"

func (l *Lab) hostMAC(host, device string) string {
	b := l.ID.Bytes(3, "host mac", host, device)
	return fmt.Sprintf("00:50:56:6%x:%02x:%02x", b[0]&0xf, b[1], b[2])
}

// virtualNics is HostVirtualNicManager: which VMkernel adapter carries which traffic.
type virtualNics struct{ shadow }

func installVirtualNics(vc *VC) {
	vc.redirect("HostVirtualNicManager", &virtualNics{vc.shadow("HostVirtualNicManager")}, "SelectVnicForNicType", "DeselectVnicForNicType", "QueryNetConfig")
}

// vnicTypes are the kinds of traffic, with whether several adapters may carry one.
var vnicTypes = []struct {
	key   string
	multi bool
}{{"management", true}, {"vmotion", true}, {"faultToleranceLogging", true}, {"vSphereReplication", true}, {"vSphereReplicationNFC", true}, {"vsan", true}, {"vSphereProvisioning", true}}

// syncVnics rebuilds the candidates of each kind of traffic. An adapter on the stack "vmotion" carries vMotion and nothing else, and
// takes it from all that are on the default stack.
// site.mu is held.
func (vc *VC) syncVnics(h *simulator.HostSystem) {
	m, ok := get[*simulator.HostVirtualNicManager](vc, *h.ConfigManager.VirtualNicManager)
	if !ok {
		return
	}
	var nics []types.HostVirtualNic
	selected := map[string][]string{}
	vc.read(h, func() {
		nics = h.Config.Network.Vnic
		for _, c := range h.Config.VirtualNicManagerInfo.NetConfig {
			selected[c.NicType] = c.SelectedVnic
		}
	})
	own := hasMotionStack(nics)
	info := types.HostVirtualNicManagerInfo{}
	for _, t := range vnicTypes {
		c := types.VirtualNicManagerNetConfig{NicType: t.key, MultiSelectAllowed: t.multi}
		for _, n := range nics {
			stack := n.Spec.NetStackInstanceKey
			if stack == netStacks[1] && t.key != "vmotion" || stack == netStacks[2] && t.key != "vSphereProvisioning" {
				continue
			}
			n.Key = t.key + "." + n.Key
			c.CandidateVnic = append(c.CandidateVnic, n)
			if slices.Contains(selected[t.key], n.Key) && !(own && t.key == "vmotion") || stack == netStacks[1] || stack == netStacks[2] {
				c.SelectedVnic = append(c.SelectedVnic, n.Key)
			}
		}
		info.NetConfig = append(info.NetConfig, c)
	}
	vc.publishVnics(h, m, info)
}

func (vc *VC) publishVnics(h *simulator.HostSystem, m *simulator.HostVirtualNicManager, info types.HostVirtualNicManagerInfo) {
	vmotion := false
	for _, c := range info.NetConfig {
		vmotion = vmotion || c.NicType == "vmotion" && len(c.SelectedVnic) > 0
	}
	vc.update(m, types.PropertyChange{Name: "info", Val: info})
	vc.update(h, types.PropertyChange{Name: "config.virtualNicManagerInfo", Val: &info}, types.PropertyChange{Name: "summary.config.vmotionEnabled", Val: vmotion})
}

// selectVnic marks an adapter as the carrier of a kind of traffic, or no longer so.
func (vc *VC) selectVnic(h *simulator.HostSystem, kind, device string, on bool) types.BaseMethodFault {
	m, ok := get[*simulator.HostVirtualNicManager](vc, *h.ConfigManager.VirtualNicManager)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *h.ConfigManager.VirtualNicManager}
	}
	var info types.HostVirtualNicManagerInfo
	vc.read(m, func() { info.NetConfig = slices.Clone(m.Info.NetConfig) })
	for i := range info.NetConfig {
		c := &info.NetConfig[i]
		if c.NicType != kind {
			continue
		}
		for _, n := range c.CandidateVnic {
			if n.Device != device {
				continue
			}
			c.SelectedVnic = slices.DeleteFunc(slices.Clone(c.SelectedVnic), func(k string) bool { return k == n.Key })
			if on && kind == "vmotion" && n.Spec.NetStackInstanceKey == netStacks[0] && hasMotionStack(c.CandidateVnic) {
				return because(new(types.HostConfigFault), "An adapter on the stack for vMotion carries it; those on the default stack cannot.")
			}
			if on {
				c.SelectedVnic = append(c.SelectedVnic, n.Key)
			}
			vc.publishVnics(h, m, info)
			return nil
		}
		return because(&types.InvalidArgument{InvalidProperty: "device"}, "The host has no adapter %s that could carry %s.", device, kind)
	}
	return &types.InvalidArgument{InvalidProperty: "nicType"}
}

func (o *virtualNics) choose(part types.ManagedObjectReference, kind, device string, on bool) *soap.Fault {
	h, refused := o.vc.connected(part)
	if refused != nil {
		return refused
	}
	o.vc.site.mu.Lock()
	defer o.vc.site.mu.Unlock()
	if problem := o.vc.selectVnic(h, kind, device, on); problem != nil {
		return fault(problem)
	}
	return nil
}

// SelectVnicForNicType lets an adapter carry a kind of traffic, such as vMotion.
func (o *virtualNics) SelectVnicForNicType(req *types.SelectVnicForNicType) soap.HasFault {
	body := &methods.SelectVnicForNicTypeBody{Fault_: o.choose(req.This, req.NicType, req.Device, true)}
	if body.Fault_ == nil {
		body.Res = new(types.SelectVnicForNicTypeResponse)
	}
	return body
}

// DeselectVnicForNicType takes a kind of traffic from an adapter.
func (o *virtualNics) DeselectVnicForNicType(req *types.DeselectVnicForNicType) soap.HasFault {
	body := &methods.DeselectVnicForNicTypeBody{Fault_: o.choose(req.This, req.NicType, req.Device, false)}
	if body.Fault_ == nil {
		body.Res = new(types.DeselectVnicForNicTypeResponse)
	}
	return body
}

// QueryNetConfig says which adapters could carry a kind of traffic, and which do.
func (o *virtualNics) QueryNetConfig(req *types.QueryNetConfig) soap.HasFault {
	body := &methods.QueryNetConfigBody{}
	m, ok := get[*simulator.HostVirtualNicManager](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "nicType"})
	o.vc.read(m, func() {
		for _, c := range m.Info.NetConfig {
			if c.NicType == req.NicType {
				body.Fault_, body.Res = nil, &types.QueryNetConfigResponse{Returnval: pointer(c)}
			}
		}
	})
	return body
}
