package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// dvsType is what a real vCenter calls its distributed switches.
const dvsType = "VmwareDistributedVirtualSwitch"

// distributedSwitch is a distributed switch. The simulator's own is of another type, whose properties it cannot change under this
// name.
type distributedSwitch struct {
	mo.VmwareDistributedVirtualSwitch
}

// dvs is VmwareDistributedVirtualSwitch.
type dvs struct{ shadow }

func installDVS(vc *VC) {
	vc.redirect(dvsType, &dvs{vc.shadow("DistributedVirtualSwitch")},
		"ReconfigureDvs_Task", "EnableNetworkResourceManagement", "CreateDVPortgroup_Task", "AddDVPortgroup_Task", "FetchDVPorts", "Destroy_Task", "Rename_Task")
	vc.redirect("DistributedVirtualSwitchManager", &dvsManager{vc.shadow("DistributedVirtualSwitchManager")}, "QueryDvsByUuid", "DVSManagerLookupDvPortGroup")
}

// dvsConfig returns a copy of a switch's configuration, free to be changed.
func (vc *VC) dvsConfig(s *distributedSwitch) (c types.VMwareDVSConfigInfo) {
	vc.read(s, func() { c = *s.Config.(*types.VMwareDVSConfigInfo) })
	c.Host = slices.Clone(c.Host)
	return c
}

// configureDVS merges a spec into a switch. A version of the configuration that is not the present one is refused.
func (vc *VC) configureDVS(s *distributedSwitch, spec *types.VMwareDVSConfigSpec) types.BaseMethodFault {
	cfg := vc.dvsConfig(s)
	if spec.ConfigVersion != "" && spec.ConfigVersion != cfg.ConfigVersion {
		return because(new(types.ConcurrentAccess), "The switch has been changed meanwhile: its configuration is version %s, not %s.", cfg.ConfigVersion, spec.ConfigVersion)
	}
	version := 0
	_, _ = fmt.Sscan(cfg.ConfigVersion, &version)
	cfg.ConfigVersion = fmt.Sprint(version + 1)
	if spec.Name != "" && spec.Name != cfg.Name {
		if e := vc.childNamed(vc.parent(s), spec.Name); e != nil {
			return &types.DuplicateName{Name: spec.Name, Object: e.Reference()}
		}
		cfg.Name = spec.Name
	}
	present := uplinkNames(cfg.UplinkPortPolicy, nil)
	ports := uplinkNames(spec.UplinkPortPolicy, present)
	cfg.UplinkPortPolicy = &types.DVSNameArrayUplinkPortPolicy{UplinkPortName: ports}
	if !slices.Equal(ports, present) {
		d := *cfg.DefaultPortConfig.(*types.VMwareDVSPortSetting)
		d.UplinkTeamingPolicy = pointer(*d.UplinkTeamingPolicy)
		d.UplinkTeamingPolicy.UplinkPortOrder = &types.VMwareUplinkPortOrderPolicy{ActiveUplinkPort: ports}
		cfg.DefaultPortConfig = &d
	}
	if d, ok := spec.DefaultPortConfig.(*types.VMwareDVSPortSetting); ok {
		cfg.DefaultPortConfig = mergePort(cfg.DefaultPortConfig.(*types.VMwareDVSPortSetting), d)
	}
	cfg.Policy = merged(cfg.Policy, spec.Policy)
	cfg.LinkDiscoveryProtocolConfig = merged(cfg.LinkDiscoveryProtocolConfig, spec.LinkDiscoveryProtocolConfig)
	cfg.IpfixConfig = merged(cfg.IpfixConfig, spec.IpfixConfig)
	cfg.Description, cfg.SwitchIpAddress = either(spec.Description, cfg.Description), either(spec.SwitchIpAddress, cfg.SwitchIpAddress)
	cfg.LacpApiVersion, cfg.MulticastFilteringMode = either(spec.LacpApiVersion, cfg.LacpApiVersion), either(spec.MulticastFilteringMode, cfg.MulticastFilteringMode)
	cfg.NetworkResourceControlVersion = either(spec.NetworkResourceControlVersion, cfg.NetworkResourceControlVersion)
	if spec.Contact != nil {
		cfg.Contact = *spec.Contact
	}
	if spec.MaxMtu != 0 {
		cfg.MaxMtu = spec.MaxMtu
	}
	if spec.MaxPorts != 0 {
		cfg.MaxPorts = spec.MaxPorts
	}
	cfg.InfrastructureTrafficResourceConfig = mergeTraffic(cfg.InfrastructureTrafficResourceConfig, spec.InfrastructureTrafficResourceConfig)
	if problem := vc.configureMembers(s, &cfg, spec.Host); problem != nil {
		return problem
	}
	vc.publishDVS(s, &cfg)
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (vc *VC) publishDVS(s *distributedSwitch, cfg *types.VMwareDVSConfigInfo) {
	var members []types.ManagedObjectReference
	runtime := &types.DVSRuntimeInfo{}
	for _, m := range cfg.Host {
		members = append(members, *m.Config.Host)
		runtime.HostMemberRuntime = append(runtime.HostMemberRuntime, types.HostMemberRuntimeInfo{Host: *m.Config.Host, Status: m.Status})
	}
	var summary types.DVSSummary
	vc.read(s, func() { summary = s.Summary })
	summary.Name, summary.Description, summary.HostMember = cfg.Name, cfg.Description, members
	summary.NumPorts, summary.NumHosts = 0, int32(len(members))
	for _, pg := range vc.portgroupsOf(s) {
		vc.read(pg, func() { summary.NumPorts += pg.Config.NumPorts })
	}
	cfg.NumPorts = summary.NumPorts
	vc.update(s, types.PropertyChange{Name: "config", Val: cfg}, types.PropertyChange{Name: "summary", Val: summary},
		types.PropertyChange{Name: "runtime", Val: runtime}, types.PropertyChange{Name: "name", Val: cfg.Name})
	vc.read(s, func() { s.Name, s.ManagedEntity.Name = cfg.Name, cfg.Name })
}

func (vc *VC) portgroupsOf(s *distributedSwitch) []*simulator.DistributedVirtualPortgroup {
	var refs []types.ManagedObjectReference
	vc.read(s, func() { refs = s.Portgroup })
	var out []*simulator.DistributedVirtualPortgroup
	for _, r := range refs {
		if pg, ok := get[*simulator.DistributedVirtualPortgroup](vc, r); ok {
			out = append(out, pg)
		}
	}
	return out
}

func (o *dvs) run(ref types.ManagedObjectReference, id string, f func(*distributedSwitch) (types.AnyType, types.BaseMethodFault)) (types.ManagedObjectReference, *soap.Fault) {
	s, ok := get[*distributedSwitch](o.vc, ref)
	if !ok {
		return ref, fault(&types.ManagedObjectNotFound{Obj: ref})
	}
	return o.vc.run(s, id, o.vc.nameOf(s), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(o.vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		return f(s)
	}), nil
}

// ReconfigureDvsTask changes a switch, its members among it.
func (o *dvs) ReconfigureDvsTask(req *types.ReconfigureDvs_Task) soap.HasFault {
	body := &methods.ReconfigureDvs_TaskBody{}
	ref, refused := o.run(req.This, "DistributedVirtualSwitch.reconfigure", func(s *distributedSwitch) (types.AnyType, types.BaseMethodFault) {
		return nil, o.vc.configureDVS(s, vmwareSpec(req.Spec))
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.ReconfigureDvs_TaskResponse{Returnval: ref}
	}
	return body
}

// RenameTask changes the name of a switch.
func (o *dvs) RenameTask(req *types.Rename_Task) soap.HasFault {
	body := &methods.Rename_TaskBody{}
	ref, refused := o.run(req.This, "DistributedVirtualSwitch.rename", func(s *distributedSwitch) (types.AnyType, types.BaseMethodFault) {
		return nil, o.vc.configureDVS(s, &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: req.NewName}})
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.Rename_TaskResponse{Returnval: ref}
	}
	return body
}

// EnableNetworkResourceManagement switches Network I/O Control on or off.
func (o *dvs) EnableNetworkResourceManagement(req *types.EnableNetworkResourceManagement) soap.HasFault {
	body := &methods.EnableNetworkResourceManagementBody{}
	s, ok := get[*distributedSwitch](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	cfg := o.vc.dvsConfig(s)
	cfg.NetworkResourceManagementEnabled = req.Enable
	o.vc.publishDVS(s, &cfg)
	body.Res = new(types.EnableNetworkResourceManagementResponse)
	return body
}

// DestroyTask removes a switch with its port groups; one that virtual machines or VMkernel adapters are connected to is refused.
func (o *dvs) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body := &methods.Destroy_TaskBody{}
	ref, refused := o.run(req.This, "DistributedVirtualSwitch.destroy", func(s *distributedSwitch) (types.AnyType, types.BaseMethodFault) {
		for _, pg := range o.vc.portgroupsOf(s) {
			if problem := o.vc.dvPortgroupInUse(pg); problem != nil {
				return nil, problem
			}
		}
		o.vc.destroyDVS(s)
		return nil, nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.Destroy_TaskResponse{Returnval: ref}
	}
	return body
}

func (vc *VC) destroyDVS(s *distributedSwitch) {
	cfg := vc.dvsConfig(s)
	var gone []types.DistributedVirtualSwitchHostMemberConfigSpec
	for _, m := range cfg.Host {
		gone = append(gone, types.DistributedVirtualSwitchHostMemberConfigSpec{Operation: string(types.ConfigSpecOperationRemove), Host: *m.Config.Host})
	}
	if vc.configureMembers(s, &cfg, gone) == nil {
		vc.publishDVS(s, &cfg)
	}
	dc := vc.datacenterOf(s.Self)
	for _, pg := range vc.portgroupsOf(s) {
		vc.remove(pg)
	}
	vc.remove(s)
	vc.syncAllNetworks(dc)
}

// dvsManager is DistributedVirtualSwitchManager.
type dvsManager struct{ shadow }

// QueryDvsByUuid finds a switch.
func (o *dvsManager) QueryDvsByUuid(req *types.QueryDvsByUuid) soap.HasFault {
	body := &methods.QueryDvsByUuidBody{Res: new(types.QueryDvsByUuidResponse)}
	if s := o.vc.dvsByUUID(req.Uuid); s != nil {
		body.Res.Returnval = pointer(s.Self)
	}
	return body
}

func (vc *VC) dvsByUUID(uuid string) *distributedSwitch {
	for _, s := range all[*distributedSwitch](vc, dvsType) {
		if s.Uuid == uuid {
			return s
		}
	}
	return nil
}

// DVSManagerLookupDvPortGroup finds a port group by the UUID of its switch and its key.
func (o *dvsManager) DVSManagerLookupDvPortGroup(req *types.DVSManagerLookupDvPortGroup) soap.HasFault {
	body := &methods.DVSManagerLookupDvPortGroupBody{}
	if s := o.vc.dvsByUUID(req.SwitchUuid); s != nil {
		for _, pg := range o.vc.portgroupsOf(s) {
			if pg.Key == req.PortgroupKey {
				body.Res = &types.DVSManagerLookupDvPortGroupResponse{Returnval: pointer(pg.Self)}
				return body
			}
		}
	}
	body.Fault_ = fault(because(new(types.NotFound), "No port group %s on switch %s.", req.PortgroupKey, req.SwitchUuid))
	return body
}
