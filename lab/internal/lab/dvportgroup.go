package lab

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// dvPortgroup is DistributedVirtualPortgroup.
type dvPortgroup struct{ shadow }

func installDVPortgroup(vc *VC) {
	vc.redirect("DistributedVirtualPortgroup", &dvPortgroup{vc.shadow("DistributedVirtualPortgroup")}, "ReconfigureDVPortgroup_Task", "Destroy_Task", "Rename_Task")
}

// newPortgroup makes a port group of a switch.
func (vc *VC) newPortgroup(s *distributedSwitch, spec *types.DVPortgroupConfigSpec, uplink bool) *simulator.DistributedVirtualPortgroup {
	pg := &simulator.DistributedVirtualPortgroup{}
	pg.Name, pg.ManagedEntity.Name = spec.Name, spec.Name
	vc.insert(vc.parent(s), pg)
	pg.Key = pg.Self.Value
	policy := &types.VMwareDVSPortgroupPolicy{
		DVPortgroupPolicy: types.DVPortgroupPolicy{
			BlockOverrideAllowed: true, PortConfigResetAtDisconnect: true, NetworkResourcePoolOverrideAllowed: types.NewBool(false),
			TrafficFilterOverrideAllowed: types.NewBool(false),
		},
		IpfixOverrideAllowed: types.NewBool(false), MacManagementOverrideAllowed: types.NewBool(false),
	}
	cfg := types.DVPortgroupConfigInfo{
		Key: pg.Key, Name: spec.Name, DistributedVirtualSwitch: pointer(s.Self), Type: string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
		BackingType: string(types.DistributedVirtualPortgroupBackingTypeStandard), Policy: policy, ConfigVersion: "0", AutoExpand: types.NewBool(true),
		Uplink: types.NewBool(uplink),
	}
	self := pg.Self
	vc.update(pg, types.PropertyChange{Name: "key", Val: pg.Key}, types.PropertyChange{Name: "config", Val: cfg},
		types.PropertyChange{Name: "summary", Val: &types.NetworkSummary{Network: &self, Name: spec.Name, Accessible: true}})
	vc.configurePortgroup(s, pg, spec)
	var refs []types.ManagedObjectReference
	var names []string
	vc.read(s, func() {
		refs, names = with(s.Portgroup, pg.Self), append(slices.Clone(s.Summary.PortgroupName), spec.Name)
	})
	vc.update(s, types.PropertyChange{Name: "portgroup", Val: refs}, types.PropertyChange{Name: "summary.portgroupName", Val: names})
	return pg
}

// configurePortgroup merges a spec into a port group. What the spec leaves out is inherited from the switch.
func (vc *VC) configurePortgroup(s *distributedSwitch, pg *simulator.DistributedVirtualPortgroup, spec *types.DVPortgroupConfigSpec) {
	dvsCfg := vc.dvsConfig(s)
	var cfg types.DVPortgroupConfigInfo
	vc.read(pg, func() { cfg = pg.Config })
	version, _ := strconv.Atoi(cfg.ConfigVersion)
	cfg.ConfigVersion = fmt.Sprint(version + 1)
	own := &types.VMwareDVSPortSetting{}
	if x, ok := cfg.DefaultPortConfig.(*types.VMwareDVSPortSetting); ok {
		own = x
	}
	if x, ok := spec.DefaultPortConfig.(*types.VMwareDVSPortSetting); ok {
		own = mergePort(own, x)
	}
	cfg.DefaultPortConfig = inheritPort(own, dvsCfg.DefaultPortConfig.(*types.VMwareDVSPortSetting))
	if p, ok := spec.Policy.(*types.VMwareDVSPortgroupPolicy); ok {
		cfg.Policy = pointer(*p) // its plain bools cannot be left out
		m := cfg.Policy.(*types.VMwareDVSPortgroupPolicy)
		for _, b := range []**bool{&m.NetworkResourcePoolOverrideAllowed, &m.TrafficFilterOverrideAllowed, &m.IpfixOverrideAllowed, &m.MacManagementOverrideAllowed} {
			if *b == nil {
				*b = types.NewBool(false)
			}
		}
	}
	cfg.Name, cfg.Type = either(spec.Name, cfg.Name), either(spec.Type, cfg.Type)
	cfg.Description, cfg.PortNameFormat = either(spec.Description, cfg.Description), either(spec.PortNameFormat, cfg.PortNameFormat)
	cfg.BackingType = either(spec.BackingType, cfg.BackingType)
	cfg.VmVnicNetworkResourcePoolKey = either(spec.VmVnicNetworkResourcePoolKey, cfg.VmVnicNetworkResourcePoolKey)
	if spec.NumPorts != 0 {
		cfg.NumPorts = spec.NumPorts
	}
	if spec.AutoExpand != nil {
		cfg.AutoExpand = spec.AutoExpand
	}
	var ports []string
	for i := range cfg.NumPorts {
		ports = append(ports, strconv.Itoa(int(i)))
	}
	self := pg.Self
	vc.update(pg, types.PropertyChange{Name: "config", Val: cfg}, types.PropertyChange{Name: "portKeys", Val: ports}, types.PropertyChange{Name: "name", Val: cfg.Name},
		types.PropertyChange{Name: "summary", Val: &types.NetworkSummary{Network: &self, Name: cfg.Name, Accessible: true}})
	vc.read(pg, func() { pg.Name, pg.ManagedEntity.Name = cfg.Name, cfg.Name })
}

func (vc *VC) addPortgroups(s *distributedSwitch, specs []types.DVPortgroupConfigSpec) (*simulator.DistributedVirtualPortgroup, types.BaseMethodFault) {
	for i := range specs {
		if !scenario.Stored(specs[i].Name) {
			return nil, &types.InvalidArgument{InvalidProperty: "spec.name"}
		}
		if e := vc.childNamed(vc.parent(s), specs[i].Name); e != nil {
			return nil, &types.DuplicateName{Name: specs[i].Name, Object: e.Reference()}
		}
	}
	var pg *simulator.DistributedVirtualPortgroup
	for i := range specs {
		pg = vc.newPortgroup(s, &specs[i], false)
	}
	cfg := vc.dvsConfig(s)
	vc.publishDVS(s, &cfg)
	vc.syncAllNetworks(vc.datacenterOf(s.Self))
	return pg, nil
}

// CreateDVPortgroupTask makes one port group and returns it.
func (o *dvs) CreateDVPortgroupTask(req *types.CreateDVPortgroup_Task) soap.HasFault {
	body := &methods.CreateDVPortgroup_TaskBody{}
	ref, refused := o.run(req.This, "DistributedVirtualSwitch.createPortgroup", func(s *distributedSwitch) (types.AnyType, types.BaseMethodFault) {
		pg, problem := o.vc.addPortgroups(s, []types.DVPortgroupConfigSpec{req.Spec})
		if problem != nil {
			return nil, problem
		}
		return pg.Self, nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.CreateDVPortgroup_TaskResponse{Returnval: ref}
	}
	return body
}

// AddDVPortgroupTask makes several port groups and returns nothing.
func (o *dvs) AddDVPortgroupTask(req *types.AddDVPortgroup_Task) soap.HasFault {
	body := &methods.AddDVPortgroup_TaskBody{}
	ref, refused := o.run(req.This, "DistributedVirtualSwitch.addPortgroups", func(s *distributedSwitch) (types.AnyType, types.BaseMethodFault) {
		_, problem := o.vc.addPortgroups(s, req.Spec)
		return nil, problem
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.AddDVPortgroup_TaskResponse{Returnval: ref}
	}
	return body
}

func (o *dvPortgroup) run(ref types.ManagedObjectReference, id string, f func(*simulator.DistributedVirtualPortgroup, *distributedSwitch) types.BaseMethodFault) (types.ManagedObjectReference, *soap.Fault) {
	pg, ok := get[*simulator.DistributedVirtualPortgroup](o.vc, ref)
	if !ok {
		return ref, fault(&types.ManagedObjectNotFound{Obj: ref})
	}
	var up types.ManagedObjectReference
	o.vc.read(pg, func() { up = *pg.Config.DistributedVirtualSwitch })
	s, ok := get[*distributedSwitch](o.vc, up)
	if !ok {
		return ref, fault(&types.ManagedObjectNotFound{Obj: up})
	}
	return o.vc.run(pg, id, o.vc.nameOf(pg), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(o.vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		return nil, f(pg, s)
	}), nil
}

// reconfigure changes a port group; its name, too.
func (o *dvPortgroup) reconfigure(pg *simulator.DistributedVirtualPortgroup, s *distributedSwitch, spec *types.DVPortgroupConfigSpec) types.BaseMethodFault {
	vc := o.vc
	var version, old string
	vc.read(pg, func() { version, old = pg.Config.ConfigVersion, pg.Config.Name })
	if spec.ConfigVersion != "" && spec.ConfigVersion != version {
		return because(new(types.ConcurrentAccess), "The port group has been changed meanwhile: its configuration is version %s, not %s.", version, spec.ConfigVersion)
	}
	if spec.Name != "" && spec.Name != old {
		if !scenario.Stored(spec.Name) {
			return &types.InvalidName{Name: spec.Name}
		}
		if e := vc.childNamed(vc.parent(pg), spec.Name); e != nil {
			return &types.DuplicateName{Name: spec.Name, Object: e.Reference()}
		}
	}
	vc.configurePortgroup(s, pg, spec)
	var names []string
	for _, x := range vc.portgroupsOf(s) {
		names = append(names, vc.nameOf(x))
	}
	vc.update(s, types.PropertyChange{Name: "summary.portgroupName", Val: names})
	cfg := vc.dvsConfig(s)
	vc.publishDVS(s, &cfg)
	return nil
}

// ReconfigureDVPortgroupTask changes a port group.
func (o *dvPortgroup) ReconfigureDVPortgroupTask(req *types.ReconfigureDVPortgroup_Task) soap.HasFault {
	body := &methods.ReconfigureDVPortgroup_TaskBody{}
	ref, refused := o.run(req.This, "dvs.DistributedVirtualPortgroup.reconfigure", func(pg *simulator.DistributedVirtualPortgroup, s *distributedSwitch) types.BaseMethodFault {
		return o.reconfigure(pg, s, &req.Spec)
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.ReconfigureDVPortgroup_TaskResponse{Returnval: ref}
	}
	return body
}

// RenameTask renames a port group.
func (o *dvPortgroup) RenameTask(req *types.Rename_Task) soap.HasFault {
	body := &methods.Rename_TaskBody{}
	ref, refused := o.run(req.This, "dvs.DistributedVirtualPortgroup.rename", func(pg *simulator.DistributedVirtualPortgroup, s *distributedSwitch) types.BaseMethodFault {
		return o.reconfigure(pg, s, &types.DVPortgroupConfigSpec{Name: req.NewName})
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.Rename_TaskResponse{Returnval: ref}
	}
	return body
}

// dvPortgroupInUse refuses the removal of a port group that something is connected to.
func (vc *VC) dvPortgroupInUse(pg *simulator.DistributedVirtualPortgroup) types.BaseMethodFault {
	n := 0
	vc.read(pg, func() { n = len(pg.Vm) })
	if n > 0 {
		return because(&types.ResourceInUse{Type: "DistributedVirtualPortgroup", Name: vc.nameOf(pg)}, "%d virtual machines are connected to it.", n)
	}
	for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
		var nics []types.HostVirtualNic
		vc.read(h, func() { nics = h.Config.Network.Vnic })
		for _, v := range nics {
			if p := v.Spec.DistributedVirtualPort; p != nil && p.PortgroupKey == pg.Key {
				return because(&types.ResourceInUse{Type: "DistributedVirtualPortgroup", Name: vc.nameOf(pg)}, "%s of host '%s' is connected to it.", v.Device, h.Name)
			}
		}
	}
	return nil
}

// DestroyTask removes a port group.
func (o *dvPortgroup) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body := &methods.Destroy_TaskBody{}
	ref, refused := o.run(req.This, "dvs.DistributedVirtualPortgroup.destroy", func(pg *simulator.DistributedVirtualPortgroup, s *distributedSwitch) types.BaseMethodFault {
		vc := o.vc
		if problem := vc.dvPortgroupInUse(pg); problem != nil {
			return problem
		}
		name := vc.nameOf(pg)
		var refs []types.ManagedObjectReference
		var names []string
		vc.read(s, func() {
			refs = without(s.Portgroup, pg.Self)
			names = slices.DeleteFunc(slices.Clone(s.Summary.PortgroupName), func(x string) bool { return x == name })
		})
		dc := vc.datacenterOf(s.Self)
		vc.update(s, types.PropertyChange{Name: "portgroup", Val: refs}, types.PropertyChange{Name: "summary.portgroupName", Val: names})
		vc.remove(pg)
		vc.syncAllNetworks(dc)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.Destroy_TaskResponse{Returnval: ref}
	}
	return body
}

// FetchDVPorts lists the ports of a switch, by port group and key.
func (o *dvs) FetchDVPorts(req *types.FetchDVPorts) soap.HasFault {
	body := &methods.FetchDVPortsBody{}
	s, ok := get[*distributedSwitch](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	body.Res = new(types.FetchDVPortsResponse)
	c := req.Criteria
	if c == nil {
		c = &types.DistributedVirtualSwitchPortCriteria{}
	}
	for _, pg := range o.vc.portgroupsOf(s) {
		if inside := c.Inside == nil || *c.Inside; len(c.PortgroupKey) > 0 && slices.Contains(c.PortgroupKey, pg.Key) != inside {
			continue
		}
		o.vc.read(pg, func() {
			for _, key := range pg.PortKeys {
				if len(c.PortKey) == 0 || slices.Contains(c.PortKey, key) {
					body.Res.Returnval = append(body.Res.Returnval, types.DistributedVirtualPort{
						Key: key, DvsUuid: s.Uuid, PortgroupKey: pg.Key, Config: types.DVPortConfigInfo{Setting: pg.Config.DefaultPortConfig},
					})
				}
			}
		})
	}
	return body
}
