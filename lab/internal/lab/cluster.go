package lab

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// cluster is ClusterComputeResource.
type cluster struct{ shadow }

func installCluster(vc *VC) {
	o := &cluster{vc.shadow("ClusterComputeResource")}
	vc.redirect("ClusterComputeResource", o, "AddHost_Task", "EvcManager", "ReconfigureComputeResource_Task", "ReconfigureCluster_Task", "Destroy_Task")
	vc.redirect("ComputeResource", o, "ReconfigureComputeResource_Task", "Destroy_Task")
}

// newCluster makes a cluster with the defaults of vSphere, HA and DRS off, and puts it into a folder.
func (vc *VC) newCluster(f *simulator.Folder, name string, spec *types.ClusterConfigSpecEx) *simulator.ClusterComputeResource {
	c := &simulator.ClusterComputeResource{}
	c.Name = name
	c.EnvironmentBrowser = vc.newBrowser()
	c.Summary = &types.ClusterComputeResourceSummary{
		ComputeResourceSummary: types.ComputeResourceSummary{OverallStatus: types.ManagedEntityStatusGreen}, UsageSummary: new(types.ClusterUsageSummary),
	}
	c.ConfigurationEx = vc.clusterDefaults()
	c.Configuration = types.ClusterConfigInfo{} // deprecated; configurationEx is what counts
	vc.Map().NewEntity(c)
	pool := vc.newPool(c, "Resources", c.Self) // a cluster without one would be too strange for the simulator's views
	c.ResourcePool = pointer(pool.Self)
	vc.insert(f, c)
	vc.configureCluster(c, nil, spec)
	return c
}

// newPool makes a resource pool below a compute resource or another pool.
func (vc *VC) newPool(parent mo.Entity, name string, owner types.ManagedObjectReference) *simulator.ResourcePool {
	pool := simulator.NewResourcePool(vc.newCtx())
	pool.Name = name
	pool.Owner = owner
	up := parent.Reference()
	pool.Parent = &up
	vc.Map().NewEntity(pool)
	pool.Config = defaultPool()
	pool.Config.Entity = pointer(pool.Self)
	pool.Summary = &types.ResourcePoolSummary{Name: name, Config: pool.Config, Runtime: pool.Runtime}
	if p, ok := parent.(*simulator.ResourcePool); ok {
		ctx := vc.newCtx()
		ctx.WithLock(p, func() {
			ctx.Update(p, []types.PropertyChange{{Name: "resourcePool", Val: with(p.ResourcePool.ResourcePool, pool.Self)}})
		})
	}
	vc.Map().Put(pool)
	return pool
}

func (vc *VC) clusterDefaults() *types.ClusterConfigInfoEx {
	no := types.NewBool(false)
	cfg := &types.ClusterConfigInfoEx{
		ComputeResourceConfigInfo: types.ComputeResourceConfigInfo{VmSwapPlacement: string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)},
		VsanConfigInfo:            &types.VsanClusterConfigInfo{Enabled: no, DefaultConfig: &types.VsanClusterConfigInfoHostDefaultInfo{AutoClaimStorage: no}},
		DasConfig: types.ClusterDasConfigInfo{
			Enabled: no, AdmissionControlEnabled: types.NewBool(true), VmMonitoring: "vmMonitoringDisabled", HostMonitoring: "enabled",
			VmComponentProtecting: "disabled", HBDatastoreCandidatePolicy: "allFeasibleDsWithUserPreference", FailoverLevel: 1,
			AdmissionControlPolicy: &types.ClusterFailoverLevelAdmissionControlPolicy{FailoverLevel: 1},
			DefaultVmSettings: &types.ClusterDasVmSettings{
				RestartPriority: "medium", RestartPriorityTimeout: -1, IsolationResponse: "none",
				VmToolsMonitoringSettings: &types.ClusterVmToolsMonitoringSettings{
					Enabled: no, VmMonitoring: "vmMonitoringDisabled", ClusterSettings: no, FailureInterval: 30, MinUpTime: 120, MaxFailures: 3, MaxFailureWindow: -1,
				},
				VmComponentProtectionSettings: &types.ClusterVmComponentProtectionSettings{
					VmStorageProtectionForAPD: "disabled", VmStorageProtectionForPDL: "disabled", EnableAPDTimeoutForHosts: no, VmTerminateDelayForAPDSec: 180,
					VmReactionOnAPDCleared: "none",
				},
			},
		},
		DrsConfig: types.ClusterDrsConfigInfo{
			Enabled: no, EnableVmBehaviorOverrides: types.NewBool(true), DefaultVmBehavior: types.DrsBehaviorFullyAutomated, VmotionRate: 3,
		},
		DpmConfigInfo: &types.ClusterDpmConfigInfo{Enabled: no, DefaultDpmBehavior: types.DpmBehaviorAutomated, HostPowerActionRate: 3},
	}
	if scenario.Compare(vc.Spec.API, "6.5") >= 0 {
		cfg.InfraUpdateHaConfig = &types.ClusterInfraUpdateHaConfigInfo{Enabled: no, Behavior: "Manual", ModerateRemediation: "QuarantineMode", SevereRemediation: "QuarantineMode"}
		cfg.Orchestration = &types.ClusterOrchestrationInfo{DefaultVmReadiness: &types.ClusterVmReadiness{ReadyCondition: "none"}}
		cfg.ProactiveDrsConfig = &types.ClusterProactiveDrsConfigInfo{Enabled: no}
	}
	return cfg
}

// merge copies every set field of a struct over another, into nested structs too. Structs behind pointers are replaced and not
// changed: someone may be reading them.
func merge(dst, src reflect.Value) {
	for i := range src.NumField() {
		s, d := src.Field(i), dst.Field(i)
		switch {
		case s.IsZero():
		case s.Kind() == reflect.Struct:
			merge(d, s)
		case s.Kind() == reflect.Pointer && s.Elem().Kind() == reflect.Struct && !d.IsNil():
			n := reflect.New(d.Type().Elem())
			n.Elem().Set(d.Elem())
			merge(n.Elem(), s.Elem())
			d.Set(n)
		default:
			d.Set(s)
		}
	}
}

// merged returns a copy of old with what is set in spec; either may be nil.
func merged[T any](old, spec *T) *T {
	if spec == nil {
		return old
	}
	if old == nil {
		return pointer(*spec)
	}
	n := pointer(*old)
	merge(reflect.ValueOf(n).Elem(), reflect.ValueOf(spec).Elem())
	return n
}

// configureCluster gives a cluster a base configuration (its present one, without one) with what a spec says: all of it or, with a
// fault, nothing.
func (vc *VC) configureCluster(c *simulator.ClusterComputeResource, base *types.ClusterConfigInfoEx, s *types.ClusterConfigSpecEx) (problem types.BaseMethodFault) {
	vc.clusters.Lock() // one change of rules, groups and overrides after another
	defer vc.clusters.Unlock()
	e := clusterEdit{vc: vc, cluster: c}
	vc.read(c, func() {
		e.hosts = c.Host
		if base == nil {
			base = c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		}
	})
	cfg := *base
	e.cfg = &cfg
	for _, step := range []func() types.BaseMethodFault{
		func() types.BaseMethodFault { return e.groups(s.GroupSpec) }, // rules refer to them
		func() types.BaseMethodFault { return e.rules(s.RulesSpec) },
		func() types.BaseMethodFault { return e.haOverrides(s.DasVmConfigSpec) },
		func() types.BaseMethodFault { return e.drsOverrides(s.DrsVmConfigSpec) },
	} {
		if problem = step(); problem != nil {
			return problem
		}
	}
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		cfg.DasConfig = *merged(&cfg.DasConfig, s.DasConfig)
		if s.DasConfig != nil {
			switch p := s.DasConfig.AdmissionControlPolicy.(type) {
			case nil:
			case *types.ClusterFailoverLevelAdmissionControlPolicy:
				cfg.DasConfig.FailoverLevel = p.FailoverLevel
			}
		}
		cfg.DrsConfig = *merged(&cfg.DrsConfig, s.DrsConfig)
		cfg.DpmConfigInfo = merged(cfg.DpmConfigInfo, s.DpmConfig)
		cfg.InfraUpdateHaConfig = merged(cfg.InfraUpdateHaConfig, s.InfraUpdateHaConfig)
		cfg.Orchestration = merged(cfg.Orchestration, s.Orchestration)
		cfg.ProactiveDrsConfig = merged(cfg.ProactiveDrsConfig, s.ProactiveDrsConfig)
		if s.VsanConfig != nil {
			cfg.VsanConfigInfo = merged(cfg.VsanConfigInfo, s.VsanConfig)
		}
		if s.VmSwapPlacement != "" {
			cfg.VmSwapPlacement = s.VmSwapPlacement
		}
		c.ConfigurationEx = &cfg
		ctx.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &cfg}})
	})
	vc.countHA(c)
	return nil
}

// countHA counts the hosts that HA may use.
func (vc *VC) countHA(c *simulator.ClusterComputeResource) {
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		sum := *c.Summary.(*types.ClusterComputeResourceSummary)
		sum.CurrentFailoverLevel = max(0, sum.NumEffectiveHosts-1)
		ctx.Update(c, []types.PropertyChange{{Name: "summary", Val: &sum}})
	})
}

// ReconfigureComputeResourceTask changes the configuration of a cluster.
func (o *cluster) ReconfigureComputeResourceTask(req *types.ReconfigureComputeResource_Task) soap.HasFault {
	body, vc := &methods.ReconfigureComputeResource_TaskBody{}, o.vc
	c, ok := get[*simulator.ClusterComputeResource](vc, req.This)
	if !ok {
		body.Fault_ = fault(new(types.NotSupported))
		return body
	}
	spec, ok := req.Spec.(*types.ClusterConfigSpecEx)
	if !ok {
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "spec"})
		return body
	}
	ref := vc.run(c, "ComputeResource.reconfigureEx", vc.nameOf(c), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		if len(spec.VmOrchestrationSpec)+len(spec.DpmHostConfigSpec)+len(spec.VsanHostConfigSpec) > 0 {
			return nil, because(new(types.NotSupported), "The lab does not model this part of a cluster's configuration.")
		}
		var base *types.ClusterConfigInfoEx
		if !req.Modify {
			base = vc.clusterDefaults()
		}
		return nil, vc.configureCluster(c, base, spec)
	})
	body.Res = &types.ReconfigureComputeResource_TaskResponse{Returnval: ref}
	return body
}

// syncCapacity adds up the hosts of a cluster or a standalone host. site.mu is held.
func (vc *VC) syncCapacity(parent mo.Entity) {
	var refs []types.ManagedObjectReference
	var pool *types.ManagedObjectReference
	vc.read(parent, func() {
		switch c := parent.(type) {
		case *simulator.ClusterComputeResource:
			refs, pool = c.Host, c.ResourcePool
		case *mo.ComputeResource:
			refs, pool = c.Host, c.ResourcePool
		}
	})
	sum := types.ComputeResourceSummary{OverallStatus: types.ManagedEntityStatusGreen}
	for _, r := range refs {
		h, ok := get[*simulator.HostSystem](vc, r)
		if !ok {
			continue
		}
		vc.read(h, func() {
			hw := h.Summary.Hardware
			mhz := hw.CpuMhz * int32(hw.NumCpuCores)
			sum.NumHosts++
			sum.TotalCpu, sum.TotalMemory = sum.TotalCpu+mhz, sum.TotalMemory+hw.MemorySize
			sum.NumCpuCores, sum.NumCpuThreads = sum.NumCpuCores+hw.NumCpuCores, sum.NumCpuThreads+hw.NumCpuThreads
			if h.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !h.Runtime.InMaintenanceMode {
				sum.NumEffectiveHosts++
				sum.EffectiveCpu, sum.EffectiveMemory = sum.EffectiveCpu+mhz, sum.EffectiveMemory+hw.MemorySize>>20
			}
		})
	}
	ctx := vc.newCtx()
	ctx.WithLock(parent, func() {
		switch c := parent.(type) {
		case *simulator.ClusterComputeResource:
			s := *c.Summary.(*types.ClusterComputeResourceSummary)
			s.ComputeResourceSummary = sum
			s.CurrentFailoverLevel = max(0, sum.NumEffectiveHosts-1)
			ctx.Update(c, []types.PropertyChange{{Name: "summary", Val: &s}})
		case *mo.ComputeResource:
			ctx.Update(c, []types.PropertyChange{{Name: "summary", Val: &sum}})
		}
	})
	if pool != nil {
		vc.fillRoot(*pool, sum)
	}
}

// DestroyTask removes an empty cluster, or one whose hosts may be removed too.
func (o *cluster) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body, vc := &methods.Destroy_TaskBody{}, o.vc
	e, ok := vc.Map().Get(req.This).(mo.Entity)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := vc.run(e, "ClusterComputeResource.destroy", vc.nameOf(e), func(*job) (types.AnyType, types.BaseMethodFault) {
		var hosts []types.ManagedObjectReference
		var pool *types.ManagedObjectReference
		vc.read(e, func() {
			switch c := e.(type) {
			case *simulator.ClusterComputeResource:
				hosts, pool = c.Host, c.ResourcePool
			case *mo.ComputeResource:
				hosts, pool = c.Host, c.ResourcePool
			}
		})
		for _, r := range hosts {
			if h, ok := get[*simulator.HostSystem](vc, r); ok {
				if problem := vc.removable(h); problem != nil {
					return nil, problem
				}
			}
		}
		for _, r := range hosts {
			if h, ok := get[*simulator.HostSystem](vc, r); ok {
				vc.removeHost(h)
			}
		}
		if pool != nil {
			vc.Map().Remove(vc.newCtx(), *pool)
		}
		vc.remove(e)
		return nil, nil
	})
	body.Res = &types.Destroy_TaskResponse{Returnval: ref}
	return body
}
