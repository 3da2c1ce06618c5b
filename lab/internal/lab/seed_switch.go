package lab

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
	"esxodus/lab/internal/vmx"
)

// seedSwitches makes the distributed switches of a datacenter and their port groups. Every host is a member, and gives its second
// adapter to the first switch, its third one to the second.
func (vc *VC) seedSwitches(dc *simulator.Datacenter, spec *scenario.Datacenter) error {
	folder, _ := get[*simulator.Folder](vc, dc.NetworkFolder)
	for i, sw := range spec.Switches {
		config := &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: sw.Name}}
		for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
			if vc.datacenterOf(h.Self) != dc {
				continue
			}
			config.Host = append(config.Host, types.DistributedVirtualSwitchHostMemberConfigSpec{
				Operation: string(types.ConfigSpecOperationAdd), Host: h.Self,
				Backing: &types.DistributedVirtualSwitchHostMemberPnicBacking{
					PnicSpec: []types.DistributedVirtualSwitchHostMemberPnicSpec{{PnicDevice: fmt.Sprintf("vmnic%d", i+1)}},
				},
			})
		}
		s, problem := vc.newDVS(folder, &types.DVSCreateSpec{ConfigSpec: config, ProductInfo: &types.DistributedVirtualSwitchProductSpec{Version: sw.Version}})
		if problem != nil {
			return fmt.Errorf("switch %s: %s", sw.Name, describe(problem))
		}
		var groups []types.DVPortgroupConfigSpec
		for _, n := range spec.Networks {
			if n.Switch == sw.Name {
				groups = append(groups, types.DVPortgroupConfigSpec{
					Name: n.Name, NumPorts: 8, Type: string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
					DefaultPortConfig: &types.VMwareDVSPortSetting{Vlan: &types.VmwareDistributedVirtualSwitchVlanIdSpec{VlanId: int32(n.VLAN)}},
				})
			}
		}
		if _, problem := vc.addPortgroups(s, groups); problem != nil {
			return fmt.Errorf("switch %s: %s", sw.Name, describe(problem))
		}
	}
	return nil
}

// connect writes the network of a NIC into a .vmx: a standard port group by its name, a distributed one by its switch and key.
func (s *seed) connect(d *vmx.Dictionary, prefix, network string) {
	pg, ok := s.vc.find(s.dc.NetworkFolder, network).(*simulator.DistributedVirtualPortgroup)
	if !ok {
		d.Set(prefix+"networkName", network)
		return
	}
	var up types.ManagedObjectReference
	s.vc.read(pg, func() { up = *pg.Config.DistributedVirtualSwitch })
	sw, _ := get[*distributedSwitch](s.vc, up)
	d.Set(prefix+"dvs.switchId", sw.Uuid)
	d.Set(prefix+"dvs.portId", fmt.Sprint(s.vc.machines.ports.Add(1)))
	d.Set(prefix+"dvs.portgroupId", pg.Key)
}
