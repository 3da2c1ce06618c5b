package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// CreateDVSTask makes a distributed switch with its uplink port group.
func (o *folder) CreateDVSTask(req *types.CreateDVS_Task) soap.HasFault {
	body, vc := &methods.CreateDVS_TaskBody{}, o.vc
	f, ok := get[*simulator.Folder](vc, req.This)
	if !ok || !holds(f, "DistributedVirtualSwitch") {
		body.Fault_ = fault(because(new(types.NotSupported), "This folder holds no networks."))
		return body
	}
	ref := vc.run(f, "Folder.createDistributedVirtualSwitch", vc.nameOf(f), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		s, problem := vc.newDVS(f, &req.Spec)
		if problem != nil {
			return nil, problem
		}
		return s.Self, nil
	})
	body.Res = &types.CreateDVS_TaskResponse{Returnval: ref}
	return body
}

func (vc *VC) newDVS(f *simulator.Folder, create *types.DVSCreateSpec) (*distributedSwitch, types.BaseMethodFault) {
	spec := vmwareSpec(create.ConfigSpec)
	if !scenario.Stored(spec.Name) {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.configSpec.name"}
	}
	if e := vc.childNamed(f, spec.Name); e != nil {
		return nil, &types.DuplicateName{Name: spec.Name, Object: e.Reference()}
	}
	product, problem := vc.dvsProduct(create.ProductInfo)
	if problem != nil {
		return nil, problem
	}
	s := &distributedSwitch{}
	s.Self.Type = dvsType
	s.Name, s.ManagedEntity.Name = spec.Name, spec.Name
	id := strings.Split(vc.lab.ID.UUID("dvs", vc.Spec.Name, spec.Name, fmt.Sprint(vc.lab.formats.Add(1))), "-")
	s.Uuid = dvsUUID(strings.Join(id, ""))
	ports := uplinkNames(spec.UplinkPortPolicy, nil)
	cfg := types.VMwareDVSConfigInfo{
		DVSConfigInfo: types.DVSConfigInfo{
			Uuid: s.Uuid, Name: spec.Name, MaxPorts: 2147483647, ConfigVersion: "0", CreateTime: time.Now(), ProductInfo: *product,
			Policy:            &types.DVSPolicy{AutoPreInstallAllowed: types.NewBool(false), AutoUpgradeAllowed: types.NewBool(false), PartialUpgradeAllowed: types.NewBool(false)},
			UplinkPortPolicy:  &types.DVSNameArrayUplinkPortPolicy{UplinkPortName: ports},
			DefaultPortConfig: defaultPort(ports), NetworkResourceControlVersion: "version3", DefaultProxySwitchMaxNumPorts: 512,
			InfrastructureTrafficResourceConfig: trafficDefaults(),
		},
		MaxMtu: 1500, LinkDiscoveryProtocolConfig: &types.LinkDiscoveryProtocolConfig{Protocol: "cdp", Operation: "listen"},
		IpfixConfig:    &types.VMwareIpfixConfig{ActiveFlowTimeout: 60, IdleFlowTimeout: 15},
		LacpApiVersion: "multipleLag", MulticastFilteringMode: "legacyFiltering",
	}
	s.Config = &cfg
	s.Summary = types.DVSSummary{Name: s.Name, Uuid: s.Uuid, ProductInfo: product}
	s.Runtime = &types.DVSRuntimeInfo{}
	s.Capability = types.DVSCapability{DvsOperationSupported: types.NewBool(true), DvPortGroupOperationSupported: types.NewBool(true), DvPortOperationSupported: types.NewBool(true)}
	vc.insert(f, s)
	uplink := vc.newPortgroup(s, &types.DVPortgroupConfigSpec{
		Name: fmt.Sprintf("%s-DVUplinks-%s", s.Name, strings.TrimPrefix(s.Self.Value, "dvs-")), NumPorts: int32(len(ports)),
		Type: string(types.DistributedVirtualPortgroupPortgroupTypeEarlyBinding),
		DefaultPortConfig: &types.VMwareDVSPortSetting{Vlan: &types.VmwareDistributedVirtualSwitchTrunkVlanSpec{
			VlanId: []types.NumericRange{{Start: 0, End: 4094}},
		}},
	}, true)
	cfg.UplinkPortgroup = []types.ManagedObjectReference{uplink.Self}
	vc.update(s, types.PropertyChange{Name: "config", Val: &cfg})
	spec.ConfigVersion = ""
	if problem := vc.configureDVS(s, spec); problem != nil {
		vc.destroyDVS(s)
		return nil, problem
	}
	return s, nil
}

// dvsUUID is written as vSphere does: "50 2f 6b … - …".
func dvsUUID(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		switch {
		case i == 16:
			b.WriteByte('-')
		case i > 0:
			b.WriteByte(' ')
		}
		b.WriteString(hex[i : i+2])
	}
	return b.String()
}

func vmwareSpec(c types.BaseDVSConfigSpec) *types.VMwareDVSConfigSpec {
	switch x := c.(type) {
	case *types.VMwareDVSConfigSpec:
		return pointer(*x)
	case *types.DVSConfigSpec:
		return &types.VMwareDVSConfigSpec{DVSConfigSpec: *x}
	}
	return &types.VMwareDVSConfigSpec{}
}

// dvsProduct chooses the version of a new switch: the newest that this vCenter knows unless another is asked for.
func (vc *VC) dvsProduct(asked *types.DistributedVirtualSwitchProductSpec) (*types.DistributedVirtualSwitchProductSpec, types.BaseMethodFault) {
	p := types.DistributedVirtualSwitchProductSpec{Name: "DVS", Vendor: "VMware, Inc.", ForwardingClass: "etherswitch", Build: vc.Spec.Build}
	for _, v := range scenario.SwitchVersions {
		if scenario.Compare(v, vc.Spec.Version) <= 0 {
			p.Version = v
		}
	}
	if asked != nil && asked.Version != "" {
		if !slices.Contains(scenario.SwitchVersions, asked.Version) || scenario.Compare(asked.Version, vc.Spec.Version) > 0 {
			return nil, because(&types.InvalidArgument{InvalidProperty: "spec.productInfo"}, "vCenter Server %s has no distributed switches of version %s.", vc.Spec.Version, asked.Version)
		}
		p.Version = asked.Version
	}
	return &p, nil
}

// uplinkNames are the names of the uplinks that a policy gives, or the present ones; four if there are none.
func uplinkNames(p types.BaseDVSUplinkPortPolicy, present []string) []string {
	if a, ok := p.(*types.DVSNameArrayUplinkPortPolicy); ok && len(a.UplinkPortName) > 0 {
		return a.UplinkPortName
	}
	if present == nil {
		return []string{"Uplink 1", "Uplink 2", "Uplink 3", "Uplink 4"}
	}
	return present
}
