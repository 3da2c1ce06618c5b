package lab

import (
	"net/netip"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

// smallestMTU and largestMTU are what ESXi takes, of switches and of VMkernel adapters.
const (
	smallestMTU = 1280
	largestMTU  = 9000
)

func wrongMTU(mtu int32) bool { return mtu < smallestMTU || mtu > largestMTU }

// freePnics refuses physical adapters that the host lacks, or that another switch has.
func freePnics(n *types.HostNetworkInfo, name string, wanted []string) types.BaseMethodFault {
	for _, d := range wanted {
		if !slices.ContainsFunc(n.Pnic, func(p types.PhysicalNic) bool { return p.Device == d }) {
			return because(&types.NotFound{}, "The host has no physical adapter %s.", d)
		}
		for i := range n.Vswitch {
			if v := &n.Vswitch[i]; v.Name != name && slices.Contains(bridged(v), d) {
				return because(&types.ResourceInUse{Type: "PhysicalNic", Name: d}, "%s uses it.", v.Name)
			}
		}
		for _, p := range n.ProxySwitch {
			if p.DvsName != name && slices.Contains(p.Pnic, pnicKey(d)) {
				return because(&types.ResourceInUse{Type: "PhysicalNic", Name: d}, "%s uses it.", p.DvsName)
			}
		}
	}
	return nil
}

// checkSwitch refuses a standard switch that the host could not have.
func checkSwitch(n *types.HostNetworkInfo, v *types.HostVirtualSwitch) types.BaseMethodFault {
	switch {
	case v.Name == "" || len(v.Name) > 31:
		return because(&types.InvalidArgument{InvalidProperty: "vswitchName"}, "A switch has a name of 1 to 31 characters.")
	case v.Spec.Mtu != 0 && wrongMTU(v.Spec.Mtu):
		return because(&types.InvalidArgument{InvalidProperty: "spec.mtu"}, "A switch carries frames of %d to %d bytes.", smallestMTU, largestMTU)
	}
	return freePnics(n, v.Name, bridged(v))
}

func checkPortgroup(n *types.HostNetworkInfo, p *types.HostPortGroupSpec) types.BaseMethodFault {
	switch {
	case p.Name == "":
		return &types.InvalidArgument{InvalidProperty: "portgrp.name"}
	case p.VlanId < 0 || p.VlanId > 4095:
		return &types.InvalidArgument{InvalidProperty: "portgrp.vlanId"}
	case !slices.ContainsFunc(n.Vswitch, func(v types.HostVirtualSwitch) bool { return v.Name == p.VswitchName }):
		return because(new(types.NotFound), "The host has no switch %s.", p.VswitchName)
	}
	return nil
}

// freeVnic checks what an adapter shares with others of its host: a standard port group takes one adapter (AddVirtualNic: AlreadyExists),
// an address is there once, and frames are no larger than the switch carries them.
func freeVnic(n *types.HostNetworkInfo, device, portgroup string, s *types.HostVirtualNicSpec) types.BaseMethodFault {
	if most := mtuBelow(n, portgroup, s); wrongMTU(s.Mtu) || s.Mtu > most {
		return because(&types.InvalidArgument{InvalidProperty: "nic.mtu"}, "The switch carries frames of up to %d bytes.", most)
	}
	if problem := checkAddress(s); problem != nil {
		return problem
	}
	for _, other := range n.Vnic {
		switch {
		case other.Device == device:
		case portgroup != "" && other.Portgroup == portgroup:
			return because(&types.AlreadyExists{Name: portgroup}, "Port group '%s' has the adapter %s already.", portgroup, other.Device)
		case s.Ip != nil && s.Ip.IpAddress != "" && other.Spec.Ip != nil && other.Spec.Ip.IpAddress == s.Ip.IpAddress:
			return because(new(types.HostConfigFault), "%s has the address %s already.", other.Device, s.Ip.IpAddress)
		}
	}
	return nil
}

// checkAddress wants a fixed IPv4 address that a host can have, and a gateway that is reached from it.
func checkAddress(s *types.HostVirtualNicSpec) types.BaseMethodFault {
	if s.Ip == nil || s.Ip.Dhcp || s.Ip.IpAddress == "" {
		return nil
	}
	subnet, ok := subnetOf(s.Ip)
	if !ok {
		return because(&types.InvalidArgument{InvalidProperty: "nic.ip"}, "%s with netmask %s is no address of a host.", s.Ip.IpAddress, s.Ip.SubnetMask)
	}
	if s.IpRouteSpec == nil || s.IpRouteSpec.IpRouteConfig == nil {
		return nil
	}
	if gateway := s.IpRouteSpec.IpRouteConfig.GetHostIpRouteConfig().DefaultGateway; gateway != "" {
		if ip, err := netip.ParseAddr(gateway); err != nil || !subnet.Contains(ip) {
			return because(&types.InvalidArgument{InvalidProperty: "nic.ipRouteSpec"}, "The gateway %s is not in %s.", gateway, subnet)
		}
	}
	return nil
}

// subnetOf is the subnet of an address, unless that is no host's.
func subnetOf(c *types.HostIpConfig) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(c.IpAddress)
	mask, wrong := netip.ParseAddr(c.SubnetMask)
	if err != nil || wrong != nil || !ip.Is4() || !mask.Is4() {
		return netip.Prefix{}, false
	}
	b := mask.As4()
	bits, whole := 0, uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])
	for ; bits < 32 && whole&(1<<(31-bits)) != 0; bits++ {
	}
	if bits < 32 && whole<<bits != 0 || bits == 0 {
		return netip.Prefix{}, false
	}
	subnet := netip.PrefixFrom(ip, bits).Masked()
	a := ip.As4()
	host := (uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])) & ^whole
	return subnet, bits > 30 || host != 0 && host != ^whole
}

// mtuBelow is the size of frames that the switch under an adapter carries.
func mtuBelow(n *types.HostNetworkInfo, portgroup string, s *types.HostVirtualNicSpec) int32 {
	if s.DistributedVirtualPort != nil {
		for _, p := range n.ProxySwitch {
			if p.DvsUuid == s.DistributedVirtualPort.SwitchUuid {
				return p.Mtu
			}
		}
	}
	for _, p := range n.Portgroup {
		if p.Spec.Name != portgroup {
			continue
		}
		i := slices.IndexFunc(n.Vswitch, func(v types.HostVirtualSwitch) bool { return v.Name == p.Spec.VswitchName })
		if i >= 0 {
			return n.Vswitch[i].Mtu
		}
	}
	return 1500
}

// hasMotionStack tells whether an adapter is on the stack for vMotion: no other adapter carries it then.
func hasMotionStack(nics []types.HostVirtualNic) bool {
	return slices.ContainsFunc(nics, func(n types.HostVirtualNic) bool { return n.Spec.NetStackInstanceKey == netStacks[1] })
}
