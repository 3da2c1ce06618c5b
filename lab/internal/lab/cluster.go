package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// cluster is ClusterComputeResource.
type cluster struct{ shadow }

func installCluster(vc *VC) {
	o := &cluster{vc.shadow("ClusterComputeResource")}
	vc.redirect("ClusterComputeResource", o, "AddHost_Task", "EvcManager", "ReconfigureComputeResource_Task", "ReconfigureCluster_Task", "Destroy_Task",
		"RetrieveDasAdvancedRuntimeInfo")
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
