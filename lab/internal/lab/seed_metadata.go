package lab

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// seedHA and seedDRS are what a scenario says of a cluster, as parts of its configuration.
func seedHA(s *scenario.HA) *types.ClusterDasConfigInfo {
	c := &types.ClusterDasConfigInfo{Enabled: types.NewBool(s.Enabled)}
	if a := s.Admission; a != nil {
		c.AdmissionControlEnabled = a.Enabled
		switch {
		case a.HostFailures > 0:
			c.AdmissionControlPolicy = &types.ClusterFailoverLevelAdmissionControlPolicy{FailoverLevel: int32(a.HostFailures)}
		case a.CPUPercent > 0 || a.MemoryPercent > 0:
			c.AdmissionControlPolicy = &types.ClusterFailoverResourcesAdmissionControlPolicy{
				CpuFailoverResourcesPercent: int32(a.CPUPercent), MemoryFailoverResourcesPercent: int32(a.MemoryPercent),
			}
		}
	}
	return c
}

func seedDRS(s *scenario.DRS) *types.ClusterDrsConfigInfo {
	c := &types.ClusterDrsConfigInfo{Enabled: types.NewBool(s.Enabled), DefaultVmBehavior: types.DrsBehaviorFullyAutomated}
	if s.Automation != "" {
		c.DefaultVmBehavior = types.DrsBehavior(s.Automation)
	}
	return c
}

func (vc *VC) seedPool(pool *simulator.ResourcePool, s *scenario.Pool) {
	c := defaultPool()
	c.CpuAllocation = seedAllocation(c.CpuAllocation, cpuShares, s.CPU)
	c.MemoryAllocation = seedAllocation(c.MemoryAllocation, memoryShares, s.Memory)
	vc.allocate(pool, c)
}

// seedMetadata makes what the vCenter knows of its VMs beside their files: tags, permissions, rules, groups and overrides.
func seedMetadata(vc *VC) error {
	for i := range vc.Spec.Tags {
		vc.tagging.seed(&vc.Spec.Tags[i], vc.lab.ID)
	}
	vms := map[string]*simulator.VirtualMachine{} // names are unique in a scenario
	for _, m := range vc.machines.all() {
		vms[m.name()] = m.vm()
	}
	for i := range vc.lab.Scenario.VMs {
		if s := &vc.lab.Scenario.VMs[i]; s.Site == vc.Spec.Name {
			vc.seedTagsAndPermissions(vms[s.Name], s)
		}
	}
	for _, dc := range vc.Spec.Datacenters {
		for i := range dc.Clusters {
			s := &dc.Clusters[i]
			parent, ok := vc.find(vc.Model.ServiceContent.RootFolder, dc.Name).(*simulator.Datacenter)
			if !ok {
				return fmt.Errorf("there is no datacenter %s", dc.Name)
			}
			c, ok := vc.find(parent.HostFolder, s.Name).(*simulator.ClusterComputeResource)
			if !ok {
				return fmt.Errorf("there is no cluster %s", s.Name)
			}
			if f := vc.checkPools(c); f != nil {
				return fmt.Errorf("cluster %s: %s", s.Name, describe(f))
			}
			if f := vc.configureCluster(c, nil, vc.seedRules(c, dc.Name, s, vms)); f != nil {
				return fmt.Errorf("cluster %s: %s", s.Name, describe(f))
			}
		}
	}
	return nil
}

// checkPools checks that the pools of a scenario have reserved no more than there is.
func (vc *VC) checkPools(c *simulator.ClusterComputeResource) types.BaseMethodFault {
	for _, pool := range all[*simulator.ResourcePool](vc, "ResourcePool") {
		parent, ok := vc.parent(pool).(*simulator.ResourcePool)
		if config, _ := vc.poolConfig(pool); ok && pool.Owner == c.Self {
			if f := vc.fits(parent, pool, &config); f != nil {
				return because(f, "Resource pool %s.", vc.pathOf(pool.Self))
			}
		}
	}
	return nil
}

func (vc *VC) seedTagsAndPermissions(vm *simulator.VirtualMachine, s *scenario.VM) {
	for _, t := range s.Tags {
		vc.tagging.attach(vc.tagging.named(t), vm.Self)
	}
	if len(s.Permissions) == 0 {
		return
	}
	var list []types.Permission
	self := vm.Self
	for _, p := range s.Permissions {
		for _, r := range vc.roles() {
			if r.Name == p.Role {
				list = append(list, types.Permission{Entity: &self, Principal: p.Principal, Group: p.Group, RoleId: r.RoleId, Propagate: p.Propagate})
			}
		}
	}
	vc.grant(vm, list)
}

// seedRules is what a scenario says of the rules, groups and overrides of a cluster, as a change of its configuration.
func (vc *VC) seedRules(c *simulator.ClusterComputeResource, dc string, s *scenario.Cluster, vms map[string]*simulator.VirtualMachine) *types.ClusterConfigSpecEx {
	spec, add := new(types.ClusterConfigSpecEx), types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationAdd}
	refs := func(names []string) (out []types.ManagedObjectReference) {
		for _, n := range names {
			out = append(out, vms[n].Self)
		}
		return out
	}
	for _, g := range s.Groups {
		base := types.ClusterGroupInfo{Name: g.Name}
		var info types.BaseClusterGroupInfo = &types.ClusterVmGroup{ClusterGroupInfo: base, Vm: refs(g.VMs)}
		if len(g.Hosts) > 0 {
			hosts := &types.ClusterHostGroup{ClusterGroupInfo: base}
			for _, n := range g.Hosts {
				hosts.Host = append(hosts.Host, vc.named(n, c.Host).(mo.Entity).Reference())
			}
			info = hosts
		}
		spec.GroupSpec = append(spec.GroupSpec, types.ClusterGroupSpec{ArrayUpdateSpec: add, Info: info})
	}
	for _, r := range s.Rules {
		base := types.ClusterRuleInfo{Name: r.Name, Enabled: types.NewBool(r.Enabled == nil || *r.Enabled), Mandatory: types.NewBool(r.Mandatory)}
		var info types.BaseClusterRuleInfo
		switch {
		case r.Kind == "affinity":
			info = &types.ClusterAffinityRuleSpec{ClusterRuleInfo: base, Vm: refs(r.VMs)}
		case r.Kind == "antiAffinity":
			info = &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: base, Vm: refs(r.VMs)}
		case r.Affine == nil || *r.Affine:
			info = &types.ClusterVmHostRuleInfo{ClusterRuleInfo: base, VmGroupName: r.VMGroup, AffineHostGroupName: r.HostGroup}
		default:
			info = &types.ClusterVmHostRuleInfo{ClusterRuleInfo: base, VmGroupName: r.VMGroup, AntiAffineHostGroupName: r.HostGroup}
		}
		spec.RulesSpec = append(spec.RulesSpec, types.ClusterRuleSpec{ArrayUpdateSpec: add, Info: info})
	}
	for _, vm := range vc.lab.Scenario.VMs {
		if vm.Site != vc.Spec.Name || vm.Datacenter != dc || vm.Cluster != s.Name {
			continue
		}
		if o := vm.HAOverride; o != nil {
			spec.DasVmConfigSpec = append(spec.DasVmConfigSpec, types.ClusterDasVmConfigSpec{ArrayUpdateSpec: add, Info: &types.ClusterDasVmConfigInfo{
				Key: vms[vm.Name].Self, DasSettings: &types.ClusterDasVmSettings{RestartPriority: o.RestartPriority, IsolationResponse: o.IsolationResponse},
			}})
		}
		if o := vm.DRSOverride; o != nil {
			spec.DrsVmConfigSpec = append(spec.DrsVmConfigSpec, types.ClusterDrsVmConfigSpec{ArrayUpdateSpec: add, Info: &types.ClusterDrsVmConfigInfo{
				Key: vms[vm.Name].Self, Behavior: types.DrsBehavior(o.Behavior), Enabled: o.Enabled,
			}})
		}
	}
	return spec
}
