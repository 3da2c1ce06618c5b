package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// evcModes are the EVC modes of each vendor, lowest first, with the vCenter that first offers them. Where the sources differ the
// later vCenter is taken. Source of the keys: docs/vsphere-facts.md; of the versions: VMware's tables of EVC support by release.
var evcModes = []struct{ key, label, since string }{
	{"intel-merom", `Intel® "Merom" Generation`, "4.0"},
	{"intel-penryn", `Intel® "Penryn" Generation`, "4.0"},
	{"intel-nehalem", `Intel® "Nehalem" Generation`, "4.0"},
	{"intel-westmere", `Intel® "Westmere" Generation`, "4.1"},
	{"intel-sandybridge", `Intel® "Sandy Bridge" Generation`, "5.0"},
	{"intel-ivybridge", `Intel® "Ivy Bridge" Generation`, "5.1"},
	{"intel-haswell", `Intel® "Haswell" Generation`, "6.0"},
	{"intel-broadwell", `Intel® "Broadwell" Generation`, "6.5"},
	{"intel-skylake", `Intel® "Skylake" Generation`, "6.7"},
	{"intel-cascadelake", `Intel® "Cascade Lake" Generation`, "7.0"},
	{"intel-icelake", `Intel® "Ice Lake" Generation`, "7.0.2"},
	{"intel-sapphirerapids", `Intel® "Sapphire Rapids" Generation`, "8.0"},
	{"amd-rev-e", `AMD Opteron™ Generation 1 (Rev. E)`, "4.0"},
	{"amd-rev-f", `AMD Opteron™ Generation 2 (Rev. F)`, "4.0"},
	{"amd-greyhound-no3dnow", `AMD Opteron™ Gen. 3 (no 3DNow!™)`, "4.1"},
	{"amd-greyhound", `AMD Opteron™ Generation 3 ("Greyhound")`, "4.0"},
	{"amd-bulldozer", `AMD Opteron™ Generation 4 ("Bulldozer")`, "5.0"},
	{"amd-piledriver", `AMD Opteron™ "Piledriver" Generation`, "5.1"},
	{"amd-steamroller", `AMD Opteron™ "Steamroller" Generation`, "6.0"},
	{"amd-zen", `AMD "Zen" Generation`, "6.7"},
	{"amd-zen2", `AMD "Zen 2" Generation`, "7.0"},
	{"amd-zen3", `AMD "Zen 3" Generation`, "7.0.2"},
	{"amd-zen4", `AMD "Zen 4" Generation`, "8.0"},
}

func evcVendor(key string) string { v, _, _ := strings.Cut(key, "-"); return v }

func evcRank(key string) int {
	for i, m := range evcModes {
		if m.key == key {
			return i
		}
	}
	return -1
}

// evcCovers reports whether what runs with the features of mode need also runs where those of mode have are offered: the same
// vendor and not a later generation. Nothing needed runs everywhere.
func evcCovers(have, need string) bool {
	return need == "" || evcVendor(have) == evcVendor(need) && evcRank(have) >= evcRank(need)
}

// supportedEVC are the modes that this vCenter offers.
func (vc *VC) supportedEVC() []types.EVCMode {
	var out []types.EVCMode
	tier := map[string]int32{}
	track := map[string][]string{}
	for _, m := range evcModes {
		v := evcVendor(m.key)
		if scenario.Compare(vc.Spec.Version, m.since) < 0 {
			continue
		}
		tier[v]++
		track[v] = append(slices.Clone(track[v]), m.key)
		out = append(out, types.EVCMode{
			ElementDescription: types.ElementDescription{Key: m.key, Description: types.Description{
				Label:   m.label,
				Summary: fmt.Sprintf("Applies the baseline feature set of %s processors to all hosts in the cluster.", m.label),
			}},
			Vendor: v, VendorTier: tier[v], Track: track[v],
		})
	}
	return out
}

// highestEVC is the highest mode, of those that this vCenter offers, that a processor supports: HostSystem.summary.maxEVCModeKey.
func (vc *VC) highestEVC(cpu string) string {
	best := ""
	for _, m := range vc.supportedEVC() {
		if evcCovers(cpu, m.Key) {
			best = m.Key
		}
	}
	return best
}

// clusterEVC returns the EVC mode of a cluster, "" for none.
func (vc *VC) clusterEVC(e mo.Entity) (mode string) {
	if c, ok := e.(*simulator.ClusterComputeResource); ok {
		vc.read(c, func() { mode = c.Summary.(*types.ClusterComputeResourceSummary).CurrentEVCModeKey })
	}
	return mode
}

// evcOffered returns the mode whose features a host offers to a virtual machine that is powered on there: that of its cluster, or
// the host's own highest one. It is what runtime.minRequiredEVCModeKey is set to at power-on (docs/vsphere-facts.md, "EVC").
func (vc *VC) evcOffered(h *simulator.HostSystem) string {
	var mode, own string
	vc.read(h, func() { mode, own = h.Summary.CurrentEVCModeKey, h.Summary.MaxEVCModeKey })
	if mode != "" {
		return mode
	}
	return own
}

// inEVC reports whether a host is in a cluster with EVC.
func (vc *VC) inEVC(h *simulator.HostSystem) (in bool) {
	vc.read(h, func() { in = h.Summary.CurrentEVCModeKey != "" })
	return in
}

// runsWith notes the mode whose features a VM runs, or is suspended, with; "" for one that is off. vSphere shows it only where the
// cluster has EVC (docs/vsphere-facts.md, "EVC"). It is called while the VM is edited.
func (m *machine) runsWith(vm *simulator.VirtualMachine, mode string, shown bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.features, vm.Runtime.MinRequiredEVCModeKey = mode, ""
	if shown {
		vm.Runtime.MinRequiredEVCModeKey = mode
	}
}

// needs is the least mode that a VM which runs, or is suspended, can run with.
func (m *machine) needs() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.features
}

// admitEVC refuses a server that cannot run in a cluster's EVC mode, with the fault of vSphere for it.
func (vc *VC) admitEVC(s *server, mode string) types.BaseMethodFault {
	if mode == "" || evcCovers(s.spec.CPU, mode) {
		return nil
	}
	unsupported := types.EVCAdmissionFailed{NotSupportedHostInCluster: types.NotSupportedHostInCluster{
		NotSupportedHost: types.NotSupportedHost{ProductName: "VMware ESXi", ProductVersion: s.image().version},
	}}
	if evcVendor(s.spec.CPU) != evcVendor(mode) {
		return because(&types.EVCAdmissionFailedCPUVendor{EVCAdmissionFailed: unsupported, ClusterCPUVendor: evcVendor(mode), HostCPUVendor: evcVendor(s.spec.CPU)},
			"The processors of host '%s' are of another vendor than the EVC mode %s of the cluster.", s.spec.Name, mode)
	}
	return because(&types.EVCAdmissionFailedCPUModelForMode{EVCAdmissionFailed: unsupported, CurrentEVCModeKey: mode},
		"The processors of host '%s' (%s) do not support the EVC mode %s of the cluster.", s.spec.Name, s.spec.CPU, mode)
}

// evcManager is ClusterEVCManager, one for each cluster.
type evcManager struct {
	mo.ClusterEVCManager
	vc *VC
}

// EvcManager returns the EVC manager of a cluster.
func (o *cluster) EvcManager(req *types.EvcManager) soap.HasFault {
	ref := types.ManagedObjectReference{Type: "ClusterEVCManager", Value: "evc-" + req.This.Value}
	o.vc.site.mu.Lock()
	defer o.vc.site.mu.Unlock()
	if o.vc.Map().Get(ref) == nil {
		c, _ := get[*simulator.ClusterComputeResource](o.vc, req.This)
		e := &evcManager{vc: o.vc}
		e.Self, e.ManagedCluster = ref, req.This
		e.EvcState = types.ClusterEVCManagerEVCState{SupportedEVCMode: o.vc.supportedEVC(), CurrentEVCModeKey: o.vc.clusterEVC(c)}
		o.vc.Map().Put(e)
	}
	return &methods.EvcManagerBody{Res: &types.EvcManagerResponse{Returnval: &ref}}
}

func (e *evcManager) cluster() (*simulator.ClusterComputeResource, []*simulator.HostSystem) {
	c, ok := get[*simulator.ClusterComputeResource](e.vc, e.ManagedCluster)
	if !ok {
		return nil, nil
	}
	var refs []types.ManagedObjectReference
	e.vc.read(c, func() { refs = c.Host })
	var hosts []*simulator.HostSystem
	for _, r := range refs {
		if h, ok := get[*simulator.HostSystem](e.vc, r); ok {
			hosts = append(hosts, h)
		}
	}
	return c, hosts
}

// check finds what stands against a mode: hosts of another vendor, hosts whose processors lack it, hosts that are not connected,
// and hosts with virtual machines that run with more features than it has. They have to be powered off, not merely restarted
// (docs/vsphere-facts.md, "EVC").
func (e *evcManager) check(mode string) []types.ClusterEVCManagerCheckResult {
	vc := e.vc
	_, hosts := e.cluster()
	found := map[string][]*simulator.HostSystem{}
	for _, h := range hosts {
		state := ""
		var own string
		vc.read(h, func() {
			own = h.Summary.MaxEVCModeKey
			if h.Runtime.ConnectionState != types.HostSystemConnectionStateConnected {
				state = "disconnected"
			}
		})
		switch {
		case state != "":
		case evcVendor(own) != evcVendor(mode):
			state = "vendor"
		case !evcCovers(own, mode):
			state = "unsupported"
		case vc.runsAbove(h, mode):
			state = "active"
		}
		found[state] = append(found[state], h)
	}
	var out []types.ClusterEVCManagerCheckResult
	for _, state := range []string{"vendor", "unsupported", "disconnected", "active"} {
		if len(found[state]) == 0 {
			continue
		}
		var refs []types.ManagedObjectReference
		var names []string
		for _, h := range found[state] {
			refs, names = append(refs, h.Self), append(names, h.Name)
		}
		f := evcFault(state, mode, refs, names)
		out = append(out, types.ClusterEVCManagerCheckResult{
			EvcModeKey: mode, Error: types.LocalizedMethodFault{Fault: f, LocalizedMessage: describe(f)}, Host: refs,
		})
	}
	return out
}

func evcFault(state, mode string, hosts []types.ManagedObjectReference, names []string) types.BaseMethodFault {
	list := strings.Join(names, ", ")
	switch state {
	case "vendor":
		return because(&types.EVCModeIllegalByVendor{ClusterCPUVendor: "", ModeCPUVendor: evcVendor(mode)},
			"The EVC mode %s is for processors of another vendor than those of %s.", mode, list)
	case "unsupported":
		return because(&types.EVCModeUnsupportedByHosts{EvcMode: mode, Host: hosts, HostName: names}, "The processors of %s do not support the EVC mode %s.", list, mode)
	case "disconnected":
		return because(&types.DisconnectedHostsBlockingEVC{}, "%s must be connected.", list)
	}
	return because(&types.ActiveVMsBlockingEVC{EvcMode: mode, Host: hosts, HostName: names},
		"Virtual machines on %s run with processor features that the EVC mode %s does not have; power them off first.", list, mode)
}

// runsAbove reports whether a virtual machine that is powered on or suspended on the host needs more than a mode has.
func (vc *VC) runsAbove(h *simulator.HostSystem, mode string) bool {
	var refs []types.ManagedObjectReference
	vc.read(h, func() { refs = h.Vm })
	for _, r := range refs {
		if m := vc.machines.get(r); m != nil && m.power() != off && !evcCovers(mode, m.needs()) {
			return true
		}
	}
	return false
}

func (e *evcManager) supports(mode string) bool {
	return slices.ContainsFunc(e.EvcState.SupportedEVCMode, func(m types.EVCMode) bool { return m.Key == mode })
}

// CheckConfigureEvcModeTask is the dry run of ConfigureEvcMode_Task.
func (e *evcManager) CheckConfigureEvcModeTask(req *types.CheckConfigureEvcMode_Task) soap.HasFault {
	body := &methods.CheckConfigureEvcMode_TaskBody{}
	if !e.supports(req.EvcModeKey) {
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "evcModeKey"})
		return body
	}
	body.Res = &types.CheckConfigureEvcMode_TaskResponse{Returnval: e.run("cluster.EVCManager.checkConfigureEvc", func(*job) (types.AnyType, types.BaseMethodFault) {
		return types.ArrayOfClusterEVCManagerCheckResult{ClusterEVCManagerCheckResult: e.check(req.EvcModeKey)}, nil
	})}
	return body
}

// CheckAddHostEvcTask is the dry run of adding a host, as to EVC.
func (e *evcManager) CheckAddHostEvcTask(req *types.CheckAddHostEvc_Task) soap.HasFault {
	ref := e.run("cluster.EVCManager.checkAddHost", func(*job) (types.AnyType, types.BaseMethodFault) {
		s, problem := e.vc.connect(&req.CnxSpec)
		if problem != nil {
			return nil, problem
		}
		c, _ := e.cluster()
		mode := e.vc.clusterEVC(c)
		var out types.ArrayOfClusterEVCManagerCheckResult
		if f := e.vc.admitEVC(s, mode); f != nil {
			out.ClusterEVCManagerCheckResult = []types.ClusterEVCManagerCheckResult{{
				EvcModeKey: mode, Error: types.LocalizedMethodFault{Fault: f, LocalizedMessage: describe(f)},
			}}
		}
		return out, nil
	})
	return &methods.CheckAddHostEvc_TaskBody{Res: &types.CheckAddHostEvc_TaskResponse{Returnval: ref}}
}

// ConfigureEvcModeTask enables EVC or changes its mode. Machines that run keep the features they have; a higher mode reaches them
// when they are powered off and on.
func (e *evcManager) ConfigureEvcModeTask(req *types.ConfigureEvcMode_Task) soap.HasFault {
	body := &methods.ConfigureEvcMode_TaskBody{}
	if !e.supports(req.EvcModeKey) {
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "evcModeKey"})
		return body
	}
	body.Res = &types.ConfigureEvcMode_TaskResponse{Returnval: e.run("cluster.EVCManager.configureEvc", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(e.vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		if bad := e.check(req.EvcModeKey); bad != nil {
			return nil, bad[0].Error.Fault
		}
		e.set(req.EvcModeKey)
		return nil, nil
	})}
	return body
}

// DisableEvcModeTask switches EVC off.
func (e *evcManager) DisableEvcModeTask(*types.DisableEvcMode_Task) soap.HasFault {
	ref := e.run("cluster.EVCManager.disableEvc", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(e.vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		e.set("")
		return nil, nil
	})
	return &methods.DisableEvcMode_TaskBody{Res: &types.DisableEvcMode_TaskResponse{Returnval: ref}}
}

// run starts a task; its entity is the cluster, since an EVC manager is no managed entity.
func (e *evcManager) run(id string, f func(*job) (types.AnyType, types.BaseMethodFault)) types.ManagedObjectReference {
	c, _ := e.cluster()
	return e.vc.run(c, id, e.vc.nameOf(c), f)
}

func (e *evcManager) set(mode string) {
	c, hosts := e.cluster()
	e.vc.update(e, types.PropertyChange{Name: "evcState.currentEVCModeKey", Val: mode})
	e.vc.setClusterEVC(c, hosts, mode)
	for _, h := range hosts {
		var refs []types.ManagedObjectReference
		e.vc.read(h, func() { refs = h.Vm })
		for _, r := range refs {
			if m := e.vc.machines.get(r); m != nil && m.power() != off {
				needs := m.needs()
				m.edit(func(vm *simulator.VirtualMachine) { m.runsWith(vm, needs, mode != "") })
			}
		}
	}
}

func (vc *VC) setClusterEVC(c *simulator.ClusterComputeResource, hosts []*simulator.HostSystem, mode string) {
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		s := *c.Summary.(*types.ClusterComputeResourceSummary)
		s.CurrentEVCModeKey = mode
		ctx.Update(c, []types.PropertyChange{{Name: "summary", Val: &s}})
	})
	for _, h := range hosts {
		vc.update(h, types.PropertyChange{Name: "summary.currentEVCModeKey", Val: mode})
	}
}
