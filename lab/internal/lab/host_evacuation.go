package lab

import (
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// evacuate empties a host for maintenance mode.
func (vc *VC) evacuate(h *simulator.HostSystem, j *job, timeout time.Duration, alsoOff bool) types.BaseMethodFault {
	const poll = 500 * time.Millisecond // of the real site
	deadline := time.Now().Add(vc.lab.scale(timeout))
	for {
		left := 0
		var agents []*simulator.VirtualMachine
		for _, vm := range vc.machinesOn(h) {
			var state types.VirtualMachinePowerState
			agent := false
			vc.read(vm, func() { state, agent = vm.Runtime.PowerState, isAgent(vm) })
			if state == types.VirtualMachinePowerStatePoweredOff && !alsoOff {
				continue
			}
			if agent && state == on {
				agents = append(agents, vm)
				continue
			}
			to := vc.otherHost(h, vm)
			if to == nil || vc.vmotion(vm, to) != nil {
				left++
			}
			if j.cancelled() {
				return j.ended()
			}
		}
		if left == 0 {
			return vc.agents(agents, false)
		}
		if timeout > 0 && time.Now().After(deadline) {
			return because(new(types.Timedout), "%d virtual machines are still on host '%s'.", left, h.Name)
		}
		if problem := j.sleep(poll); problem != nil {
			return problem
		}
	}
}

func (vc *VC) machinesOn(h *simulator.HostSystem) []*simulator.VirtualMachine {
	var refs []types.ManagedObjectReference
	vc.read(h, func() { refs = slices.Clone(h.Vm) })
	var out []*simulator.VirtualMachine
	for _, r := range refs {
		if vm, ok := get[*simulator.VirtualMachine](vc, r); ok {
			out = append(out, vm)
		}
	}
	return out
}

// nothingRuns records the machines that run on a host in maintenance mode.
func (vc *VC) nothingRuns(h *simulator.HostSystem) {
	if _, maintenance := vc.hostState(h); !maintenance {
		return
	}
	for _, vm := range vc.machinesOn(h) {
		name, runs := "", false
		vc.read(vm, func() { name, runs = vm.Name, vm.Runtime.PowerState == on })
		if m := vc.machines.get(vm.Self); runs && m != nil && !m.hasCrashed() {
			vc.lab.Violate("running in maintenance", "%s runs on host %s, which is in maintenance mode", name, h.Name)
		}
	}
}

// otherHost returns the host that DRS moves a machine to: of the connected ones of the cluster that see its datastores and
// networks, carry vMotion if it runs, offer what its processor features need, have room for what it has reserved, and where no rule
// forbids it, the one with the fewest machines. Nil without DRS fully automated, for the cluster and for the machine.
func (vc *VC) otherHost(h *simulator.HostSystem, vm *simulator.VirtualMachine) *simulator.HostSystem {
	c, ok := vc.parent(h).(*simulator.ClusterComputeResource)
	m := vc.machines.get(vm.Self)
	if !ok || m == nil {
		return nil
	}
	var refs, datastores, networks []types.ManagedObjectReference
	automatic, runs, need := false, false, m.needs()
	vc.read(c, func() {
		cfg := c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		automatic, refs = isTrue(cfg.DrsConfig.Enabled) && drsMoves(cfg, vm.Self), c.Host
	})
	vc.read(vm, func() {
		datastores, networks = vm.Datastore, vm.Network
		runs = vm.Runtime.PowerState == on
	})
	if !automatic {
		return nil
	}
	var best *simulator.HostSystem
	fewest := 0
	for _, r := range refs {
		x, ok := get[*simulator.HostSystem](vc, r)
		if !ok || x == h {
			continue
		}
		if on, maintenance := vc.hostState(x); !on || maintenance || !evcCovers(vc.evcOffered(x), need) {
			continue
		}
		fits, n := false, 0
		vc.read(x, func() {
			n, fits = len(x.Vm), !runs || x.Summary.Config.VmotionEnabled
			for _, d := range datastores {
				fits = fits && slices.Contains(x.Datastore, d)
			}
			for _, w := range networks {
				fits = fits && slices.Contains(x.Network, w)
			}
		})
		fits = fits && vc.ruleAgainst(c, m, x) == "" && (!runs || vc.hasRoom(m, x) == nil)
		if fits && (best == nil || n < fewest) {
			best, fewest = x, n
		}
	}
	return best
}

// drsMoves reports whether DRS moves a machine by itself: fully automated, by the machine's own setting or the cluster's.
func drsMoves(cfg *types.ClusterConfigInfoEx, vm types.ManagedObjectReference) bool {
	behaviour := cfg.DrsConfig.DefaultVmBehavior
	for _, x := range cfg.DrsVmConfig {
		if x.Key == vm {
			if x.Enabled != nil && !*x.Enabled {
				return false
			}
			if x.Behavior != "" {
				behaviour = x.Behavior
			}
		}
	}
	return behaviour == types.DrsBehaviorFullyAutomated
}

// ruleAgainst is the enabled DRS rule that keeps a machine off a host, or "": machines that are to be apart, and groups of hosts that
// it must run on, or must not. What merely should be is given up for maintenance mode.
func (vc *VC) ruleAgainst(c *simulator.ClusterComputeResource, m *machine, h *simulator.HostSystem) string {
	var rules []types.BaseClusterRuleInfo
	groups := map[string]types.BaseClusterGroupInfo{}
	vc.read(c, func() {
		cfg := c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		rules = slices.Clone(cfg.Rule)
		for _, g := range cfg.Group {
			groups[g.GetClusterGroupInfo().Name] = g
		}
	})
	for _, r := range rules {
		x := r.GetClusterRuleInfo()
		if !isTrue(x.Enabled) {
			continue
		}
		switch rule := r.(type) {
		case *types.ClusterAntiAffinityRuleSpec:
			if slices.Contains(rule.Vm, m.self) && vc.runsAnyOn(h, without(rule.Vm, m.self)) {
				return x.Name
			}
		case *types.ClusterVmHostRuleInfo:
			vms, ok := groups[rule.VmGroupName].(*types.ClusterVmGroup)
			if !isTrue(x.Mandatory) || !ok || !slices.Contains(vms.Vm, m.self) {
				continue
			}
			if on, ok := groups[rule.AffineHostGroupName].(*types.ClusterHostGroup); ok && !slices.Contains(on.Host, h.Self) {
				return x.Name
			}
			if off, ok := groups[rule.AntiAffineHostGroupName].(*types.ClusterHostGroup); ok && slices.Contains(off.Host, h.Self) {
				return x.Name
			}
		}
	}
	return ""
}

// runsAnyOn reports whether one of some machines runs on a host.
func (vc *VC) runsAnyOn(h *simulator.HostSystem, vms []types.ManagedObjectReference) bool {
	return slices.ContainsFunc(vc.machinesOn(h), func(vm *simulator.VirtualMachine) (runs bool) {
		vc.read(vm, func() { runs = vm.Runtime.PowerState == on })
		return runs && slices.Contains(vms, vm.Self)
	})
}

// agentManager is the extension that takes care of vSphere's own machines, those of its cluster services among them.
const agentManager = "com.vmware.vim.eam"

// isAgent reports whether a machine, which is locked, is one of vSphere's own.
func isAgent(vm *simulator.VirtualMachine) bool {
	return vm.Config != nil && vm.Config.ManagedBy != nil && vm.Config.ManagedBy.ExtensionKey == agentManager
}

// agents powers vSphere's own machines off, when all others have left a host, or on.
func (vc *VC) agents(vms []*simulator.VirtualMachine, powered bool) types.BaseMethodFault {
	o := &vmObject{vc.shadow("VirtualMachine")}
	for _, vm := range vms {
		var ref types.ManagedObjectReference
		if powered {
			ref = o.PowerOnVMTask(&types.PowerOnVM_Task{This: vm.Self}).(*methods.PowerOnVM_TaskBody).Res.Returnval
		} else {
			ref = o.PowerOffVMTask(&types.PowerOffVM_Task{This: vm.Self}).(*methods.PowerOffVM_TaskBody).Res.Returnval
		}
		if problem := vc.await(ref); problem != nil {
			return problem
		}
	}
	return nil
}

// agentsOff are vSphere's own machines on a host that are off.
func (vc *VC) agentsOff(h *simulator.HostSystem) (out []*simulator.VirtualMachine) {
	for _, vm := range vc.machinesOn(h) {
		vc.read(vm, func() {
			if isAgent(vm) && vm.Runtime.PowerState == off {
				out = append(out, vm)
			}
		})
	}
	return out
}
