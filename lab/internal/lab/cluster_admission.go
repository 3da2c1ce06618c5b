package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// HA admission control: a VM is powered on only if the cluster could restart everything after the failures that it is configured
// for. The rules are those that the API documents for each policy, with the lab's overhead of memory. Moves inside the cluster are
// not checked, as at vSphere.

// Least needs of a VM in the API's documentation of the policies: MHz.
const (
	slotMHz    = 32
	percentMHz = 256
)

func (vc *VC) admitHA(m *machine) types.BaseMethodFault {
	compute := vc.computeResource(m.host().Self)
	if compute == nil {
		return nil
	}
	c, ok := get[*simulator.ClusterComputeResource](vc, compute.Self)
	if !ok {
		return nil
	}
	var das types.ClusterDasConfigInfo
	var refs []types.ManagedObjectReference
	vc.read(c, func() {
		das, refs = c.ConfigurationEx.(*types.ClusterConfigInfoEx).DasConfig, slices.Clone(c.Host)
	})
	if !isTrue(das.Enabled) || !isTrue(das.AdmissionControlEnabled) {
		return nil
	}
	var hosts []demand
	vms := append(vc.runningOn(refs, m), demandOf(m.config()))
	for _, ref := range refs {
		if h, ok := get[*simulator.HostSystem](vc, ref); ok && vc.takesVMs(h) {
			hosts = append(hosts, vc.capacity(h))
		}
	}
	enough := true
	switch p := das.AdmissionControlPolicy.(type) {
	case *types.ClusterFailoverHostAdmissionControlPolicy:
		if slices.Contains(p.FailoverHosts, m.host().Self) {
			return because(new(types.DisallowedOperationOnFailoverHost), "The host is kept free for HA.")
		}
	case *types.ClusterFailoverResourcesAdmissionControlPolicy:
		cpu, memory := int64(p.CpuFailoverResourcesPercent), int64(p.MemoryFailoverResourcesPercent)
		if isTrue(p.AutoComputePercentages) && len(hosts) > 0 {
			cpu = 100 * int64(max(1, p.FailoverLevel)) / int64(len(hosts))
			memory = cpu
		}
		enough = leftPercent(hosts, vms, cpu, memory)
	case *types.ClusterFailoverLevelAdmissionControlPolicy:
		enough = survives(hosts, vms, int(p.FailoverLevel))
	default:
		enough = survives(hosts, vms, int(das.FailoverLevel))
	}
	if !enough {
		return because(new(types.InsufficientFailoverResourcesFault), "Cluster '%s' would have too little left to restart its virtual machines after a failure (HA admission control).", vc.nameOf(c))
	}
	return nil
}

// survives is the policy of host failures: as many slots as VMs are left when the largest hosts fail. A slot is as large as the
// largest reservation.
func survives(hosts, vms []demand, failures int) bool {
	slot := demand{cpu: slotMHz, memory: 1}
	for _, v := range vms {
		slot.cpu, slot.memory = max(slot.cpu, v.cpu), max(slot.memory, v.memory)
	}
	var slots []int64
	for _, h := range hosts {
		slots = append(slots, min(h.cpu/slot.cpu, max(0, h.memory)/slot.memory))
	}
	slices.Sort(slots)
	var left int64
	for _, n := range slots[:max(0, len(slots)-failures)] {
		left += n
	}
	return left >= int64(len(vms))
}

// leftPercent is the policy of percentages: what is not reserved is at least so much of the whole.
func leftPercent(hosts, vms []demand, cpu, memory int64) bool {
	var total, used demand
	for _, h := range hosts {
		total.cpu, total.memory = total.cpu+h.cpu, total.memory+h.memory
	}
	for _, v := range vms {
		used.cpu, used.memory = used.cpu+max(percentMHz, v.cpu), used.memory+v.memory
	}
	return 100*(total.cpu-used.cpu) >= cpu*total.cpu && 100*(total.memory-used.memory) >= memory*total.memory && total.memory > 0
}
