package lab

import (
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// resourcePool is ResourcePool.
type resourcePool struct{ shadow }

func installResourcePool(vc *VC) {
	vc.redirect("ResourcePool", &resourcePool{vc.shadow("ResourcePool")}, "CreateResourcePool", "UpdateConfig")
	vc.refuse("ResourcePool", "Rename_Task", "UpdateChildResourceConfiguration", "MoveIntoResourcePool", "Destroy_Task", "DestroyChildren", "CreateVApp", "ImportVApp",
		"CreateChildVM_Task", "RegisterChildVM_Task")
}

// shareLevels are the shares that a level stands for, of a pool's CPUs and of its memory.
var shareLevels = map[types.SharesLevel][2]int32{"low": {2000, 81920}, "normal": {4000, 163840}, "high": {8000, 327680}}

const cpuShares, memoryShares = 0, 1

// defaultPool is a pool as the vSphere Client makes it.
func defaultPool() types.ResourceConfigSpec {
	one := func(kind int) types.ResourceAllocationInfo {
		return types.ResourceAllocationInfo{
			Reservation: types.NewInt64(0), ExpandableReservation: types.NewBool(true), Limit: types.NewInt64(-1),
			Shares: &types.SharesInfo{Level: types.SharesLevelNormal, Shares: shareLevels["normal"][kind]},
		}
	}
	return types.ResourceConfigSpec{CpuAllocation: one(cpuShares), MemoryAllocation: one(memoryShares)}
}

// allocated returns an allocation with what is set in a change, checked.
func allocated(property string, kind int, old, change types.ResourceAllocationInfo) (types.ResourceAllocationInfo, types.BaseMethodFault) {
	bad := func(name, format string, args ...any) types.BaseMethodFault {
		return because(&types.InvalidArgument{InvalidProperty: "spec." + property + "." + name}, format, args...)
	}
	n := *merged(&old, &change)
	switch {
	case n.OverheadLimit != nil:
		return n, bad("overheadLimit", "It can only be read.")
	case n.Reservation == nil || n.Limit == nil || n.ExpandableReservation == nil || n.Shares == nil:
		return n, bad("", "Reservation, limit, expandableReservation and shares are needed.")
	case *n.Reservation < 0:
		return n, bad("reservation", "It is below 0.")
	case *n.Limit < -1, *n.Limit >= 0 && *n.Limit < *n.Reservation:
		return n, bad("limit", "It is -1 or at least the reservation.")
	}
	if level, ok := shareLevels[n.Shares.Level]; ok {
		n.Shares = &types.SharesInfo{Level: n.Shares.Level, Shares: level[kind]}
	} else if n.Shares.Level != types.SharesLevelCustom || n.Shares.Shares <= 0 {
		return n, bad("shares", "The level is low, normal, high, or custom with a number of shares.")
	}
	return n, nil
}

// allocationOf is one of a pool's two allocations.
func allocationOf(c *types.ResourceConfigSpec, kind int) *types.ResourceAllocationInfo {
	if kind == cpuShares {
		return &c.CpuAllocation
	}
	return &c.MemoryAllocation
}

// poolConfig returns the configuration and the children of a pool.
func (vc *VC) poolConfig(pool *simulator.ResourcePool) (c types.ResourceConfigSpec, children []*simulator.ResourcePool) {
	var refs []types.ManagedObjectReference
	vc.read(pool, func() { c, refs = pool.Config, pool.ResourcePool.ResourcePool })
	for _, r := range refs {
		if child, ok := get[*simulator.ResourcePool](vc, r); ok {
			children = append(children, child)
		}
	}
	return c, children
}

// demand is what a pool takes of its parent: its reservation, and if it is expandable what its children take beyond that.
func (vc *VC) demand(pool *simulator.ResourcePool, kind int) int64 {
	c, children := vc.poolConfig(pool)
	a := allocationOf(&c, kind)
	if !*a.ExpandableReservation {
		return *a.Reservation
	}
	return max(*a.Reservation, vc.demands(children, kind, nil))
}

func (vc *VC) demands(children []*simulator.ResourcePool, kind int, but *simulator.ResourcePool) (sum int64) {
	for _, child := range children {
		if child != but {
			sum += vc.demand(child, kind)
		}
	}
	return sum
}

// room is what a child of a pool, a present one or (nil) one to be made, may take of it. The reservations of VMs are not counted.
func (vc *VC) room(pool, child *simulator.ResourcePool, kind int) int64 {
	c, children := vc.poolConfig(pool)
	a := allocationOf(&c, kind)
	total := *a.Reservation
	if parent, ok := vc.parent(pool).(*simulator.ResourcePool); ok && *a.ExpandableReservation {
		total = vc.room(parent, pool, kind)
	}
	return total - vc.demands(children, kind, child)
}

// fits checks that a pool has what a child, with its own children, is to take of it.
func (vc *VC) fits(pool, child *simulator.ResourcePool, config *types.ResourceConfigSpec) types.BaseMethodFault {
	for _, kind := range []int{cpuShares, memoryShares} {
		a := allocationOf(config, kind)
		wants := *a.Reservation
		if child != nil {
			_, children := vc.poolConfig(child)
			inside := vc.demands(children, kind, nil)
			if !*a.ExpandableReservation && inside > wants {
				return because(&types.InvalidArgument{InvalidProperty: "spec"}, "The pools inside have reserved %d.", inside)
			}
			wants = max(wants, inside)
		}
		if room := vc.room(pool, child, kind); wants > room && wants > 0 {
			if kind == cpuShares {
				return because(&types.InsufficientCpuResourcesFault{Unreserved: room, Requested: wants}, "%d MHz are asked for, %d are left.", wants, room)
			}
			return because(&types.InsufficientMemoryResourcesFault{Unreserved: room << 20, Requested: wants << 20}, "%d MB are asked for, %d are left.", wants, room)
		}
	}
	return nil
}

// reconfigured returns a pool's configuration with what is set in a change, checked.
func reconfigured(old types.ResourceConfigSpec, change *types.ResourceConfigSpec) (types.ResourceConfigSpec, types.BaseMethodFault) {
	var f types.BaseMethodFault
	if old.CpuAllocation, f = allocated("cpuAllocation", cpuShares, old.CpuAllocation, change.CpuAllocation); f != nil {
		return old, f
	}
	old.MemoryAllocation, f = allocated("memoryAllocation", memoryShares, old.MemoryAllocation, change.MemoryAllocation)
	return old, f
}

// CreateResourcePool makes a pool inside another. Everything has to be said, and a cluster needs DRS.
func (o *resourcePool) CreateResourcePool(req *types.CreateResourcePool) soap.HasFault {
	body := new(methods.CreateResourcePoolBody)
	vc := o.vc
	parent, ok := get[*simulator.ResourcePool](vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	vc.clusters.Lock()
	defer vc.clusters.Unlock()
	config, f := reconfigured(types.ResourceConfigSpec{}, &req.Spec)
	if f == nil {
		f = vc.fits(parent, nil, &config)
	}
	if c, ok := get[*simulator.ClusterComputeResource](vc, parent.Owner); ok {
		drs := false
		vc.read(c, func() { drs = isTrue(c.ConfigurationEx.(*types.ClusterConfigInfoEx).DrsConfig.Enabled) })
		if !drs {
			f = because(new(types.NotSupported), "A cluster without DRS has no resource pools.")
		}
	}
	if problem := vc.freePoolName(parent, req.Name); problem != nil {
		f = problem
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	pool := vc.newPool(parent, req.Name, parent.Owner)
	vc.allocate(pool, config)
	body.Res = &types.CreateResourcePoolResponse{Returnval: pool.Self}
	return body
}

func (vc *VC) freePoolName(parent *simulator.ResourcePool, name string) types.BaseMethodFault {
	if !scenario.Stored(name) {
		return because(&types.InvalidName{Name: name}, "A name has 1 to 80 characters.")
	}
	var refs []types.ManagedObjectReference
	vc.read(parent, func() { refs = parent.ResourcePool.ResourcePool })
	if e := vc.named(name, refs); e != nil {
		return &types.DuplicateName{Name: name, Object: e.Reference()}
	}
	return nil
}

// allocate gives a pool a configuration that was checked.
func (vc *VC) allocate(pool *simulator.ResourcePool, config types.ResourceConfigSpec) {
	ctx := vc.newCtx()
	ctx.WithLock(pool, func() {
		config.Entity, config.ChangeVersion, config.LastModified = pointer(pool.Self), strconv.FormatInt(time.Now().UnixNano(), 10), now()
		sum := *pool.Summary.GetResourcePoolSummary()
		sum.Name, sum.Config = pool.Name, config
		ctx.Update(pool, []types.PropertyChange{{Name: "config", Val: config}, {Name: "summary", Val: &sum}})
	})
}

// UpdateConfig changes the name and the allocations of a pool; those of a root pool are the system's.
func (o *resourcePool) UpdateConfig(req *types.UpdateConfig) soap.HasFault {
	body := new(methods.UpdateConfigBody)
	if f := o.configure(req); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.UpdateConfigResponse)
	return body
}

func (o *resourcePool) configure(req *types.UpdateConfig) types.BaseMethodFault {
	vc := o.vc
	pool, ok := get[*simulator.ResourcePool](vc, req.This)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: req.This}
	}
	vc.clusters.Lock()
	defer vc.clusters.Unlock()
	parent, ok := vc.parent(pool).(*simulator.ResourcePool)
	if !ok {
		return because(new(types.NotSupported), "The root resource pool is configured by the system.")
	}
	config, _ := vc.poolConfig(pool)
	rename := req.Name != "" && req.Name != vc.nameOf(pool)
	if rename {
		if f := vc.freePoolName(parent, req.Name); f != nil {
			return f
		}
	}
	if c := req.Config; c != nil {
		if c.ChangeVersion != "" && c.ChangeVersion != config.ChangeVersion {
			return because(new(types.ConcurrentAccess), "The pool was changed by another client.")
		}
		var f types.BaseMethodFault
		if config, f = reconfigured(config, c); f != nil {
			return f
		}
		if f := vc.fits(parent, pool, &config); f != nil {
			return f
		}
	}
	if rename {
		vc.update(pool, types.PropertyChange{Name: "name", Val: req.Name})
	}
	vc.allocate(pool, config)
	return nil
}

// fillRoot gives the root pool of a cluster what its hosts have.
func (vc *VC) fillRoot(ref types.ManagedObjectReference, sum types.ComputeResourceSummary) {
	pool, ok := get[*simulator.ResourcePool](vc, ref)
	if !ok {
		return
	}
	config, _ := vc.poolConfig(pool)
	for kind, n := range []int64{cpuShares: int64(sum.EffectiveCpu), memoryShares: sum.EffectiveMemory} {
		a := allocationOf(&config, kind)
		a.Reservation, a.Limit = types.NewInt64(n), types.NewInt64(n)
	}
	vc.allocate(pool, config)
}

// seedAllocation is an allocation of the scenario.
func seedAllocation(base types.ResourceAllocationInfo, kind int, a *scenario.Allocation) types.ResourceAllocationInfo {
	if a == nil {
		return base
	}
	base.Reservation = types.NewInt64(a.Reservation)
	if a.Limit != nil {
		base.Limit = a.Limit
	}
	if a.Expandable != nil {
		base.ExpandableReservation = a.Expandable
	}
	if n, err := strconv.Atoi(a.Shares); err == nil {
		base.Shares = &types.SharesInfo{Level: types.SharesLevelCustom, Shares: int32(n)}
	} else if a.Shares != "" {
		level := types.SharesLevel(a.Shares)
		base.Shares = &types.SharesInfo{Level: level, Shares: shareLevels[level][kind]}
	}
	return base
}
