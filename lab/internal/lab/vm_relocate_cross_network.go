package lab

import (
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// networks connects every NIC to a network of the new host: the one that the spec names, or for a NIC on a standard port group the
// one of the same name. vCenter compares the two networks: docs/vsphere-facts.md, "Network checks in cross-vCenter vMotion".
func (x *crossing) networks() types.BaseMethodFault {
	c := *x.m.config()
	c.Hardware.Device = slices.Clone(c.Hardware.Device)
	x.config = &c
	wanted := map[int32]types.BaseVirtualDeviceBackingInfo{}
	index := map[int32]int{}
	for i, change := range x.spec.DeviceChange {
		s := change.GetVirtualDeviceConfigSpec()
		card, ok := s.Device.(types.BaseVirtualEthernetCard)
		if !ok || s.Operation != types.VirtualDeviceConfigSpecOperationEdit || card.GetVirtualEthernetCard().Backing == nil {
			return because(&types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "spec.deviceChange"}, DeviceIndex: int32(i)},
				"A relocation gives NICs another network, and changes nothing else.")
		}
		key := card.GetVirtualEthernetCard().Key
		if _, ok := object.VirtualDeviceList(c.Hardware.Device).FindByKey(key).(types.BaseVirtualEthernetCard); !ok {
			return because(&types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "spec.deviceChange"}, DeviceIndex: int32(i)},
				"The virtual machine has no NIC with the key %d.", key)
		}
		wanted[key], index[key] = card.GetVirtualEthernetCard().Backing, i
	}
	for i, old := range c.Hardware.Device {
		if _, ok := old.(types.BaseVirtualEthernetCard); !ok {
			continue
		}
		d := clone(old)
		card := d.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
		b, mapped := wanted[card.Key]
		if !mapped {
			if b, mapped = card.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); !mapped {
				return because(&types.CannotAccessNetwork{CannotAccessVmDevice: x.device(card, card.Backing)}, "The spec names no network for it.")
			}
		}
		if _, f := x.vc.networkFor(x.host, label(card), b); f != nil {
			return f
		}
		if f := x.alike(card, b); f != nil {
			return f
		}
		if f := x.vc.plug(x.host, card, b, index[card.Key]); f != nil {
			return f
		}
		c.Hardware.Device[i] = d
	}
	return nil
}

func label(card *types.VirtualEthernetCard) string { return card.DeviceInfo.GetDescription().Label }

func (x *crossing) device(card *types.VirtualEthernetCard, b types.BaseVirtualDeviceBackingInfo) types.CannotAccessVmDevice {
	name := x.m.vc.networkName(b)
	return types.CannotAccessVmDevice{Device: label(card), Backing: name, Connected: card.Connectable != nil && card.Connectable.Connected}
}

// alike compares the network that a NIC has with the one that it gets.
func (x *crossing) alike(card *types.VirtualEthernetCard, to types.BaseVirtualDeviceBackingInfo) types.BaseMethodFault {
	name := x.vc.networkName(to)
	refuse := func(reason types.CannotUseNetworkReason, format string, args ...any) types.BaseMethodFault {
		return because(&types.CannotUseNetwork{Device: label(card), Backing: name, Connected: true, Reason: string(reason)}, format, args...)
	}
	from, distributed := x.m.vc.switchOf(card.Backing)
	switch target, ok := x.vc.switchOf(to); {
	case distributed && !ok:
		return refuse(types.CannotUseNetworkReasonVMotionToUnsupportedNetworkType, "Its network is on a distributed switch, '%s' is on a standard one.", name)
	case distributed && from != target:
		return refuse(types.CannotUseNetworkReasonMismatchedDvsVersionOrVendor, "Its distributed switch is of version %s, that of '%s' of version %s.", from, name, target)
	}
	if !x.vc.uplinked(x.host, to) {
		return because(&types.VMOnVirtualIntranet{CannotAccessNetwork: types.CannotAccessNetwork{
			CannotAccessVmDevice: types.CannotAccessVmDevice{Device: label(card), Backing: name, Connected: true},
		}}, "The switch of '%s' has no physical adapter on host '%s'.", name, x.vc.entityName(x.host))
	}
	return nil
}

// switchOf returns the version of the distributed switch of a NIC; ok is false for a standard port group.
func (vc *VC) switchOf(b types.BaseVirtualDeviceBackingInfo) (version string, ok bool) {
	d, ok := b.(*types.VirtualEthernetCardDistributedVirtualPortBackingInfo)
	if !ok {
		return "", false
	}
	if s := vc.dvsByUUID(d.Port.SwitchUuid); s != nil {
		cfg := vc.dvsConfig(s)
		version = cfg.ProductInfo.Version
	}
	return version, true
}

// uplinked reports whether a network reaches beyond a host: its switch there has a physical adapter.
func (vc *VC) uplinked(h *simulator.HostSystem, b types.BaseVirtualDeviceBackingInfo) bool {
	var n *types.HostNetworkInfo
	vc.read(h, func() { n = h.Config.Network })
	switch x := b.(type) {
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		return slices.ContainsFunc(n.ProxySwitch, func(p types.HostProxySwitch) bool { return p.DvsUuid == x.Port.SwitchUuid && len(p.Pnic) > 0 })
	case *types.VirtualEthernetCardNetworkBackingInfo:
		for _, p := range n.Portgroup {
			if p.Spec.Name == x.DeviceName {
				return slices.ContainsFunc(n.Vswitch, func(v types.HostVirtualSwitch) bool { return v.Name == p.Spec.VswitchName && len(v.Pnic) > 0 })
			}
		}
	}
	return false
}
