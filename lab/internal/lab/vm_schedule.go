package lab

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// encodeSchedule writes what ties a VM to processors and to memory.
func encodeSchedule(d *vmx.Dictionary, c *types.VirtualMachineConfigInfo) {
	for key, a := range map[string]*types.VirtualMachineAffinityInfo{"sched.cpu.affinity": c.CpuAffinity, "sched.mem.affinity": c.MemoryAffinity} {
		if a == nil || len(a.AffinitySet) == 0 {
			continue
		}
		var set []string
		for _, n := range a.AffinitySet {
			set = append(set, strconv.Itoa(int(n)))
		}
		d.Set(key, strings.Join(set, ","))
	}
	if isTrue(c.MemoryReservationLockedToMax) {
		d.SetBool("sched.mem.pin", true)
	}
	if l := c.LatencySensitivity; l != nil && l.Level != types.LatencySensitivitySensitivityLevelNormal {
		d.Set("sched.cpu.latencySensitivity", string(l.Level))
	}
}

// decodeSchedule reads it, with the key of an encrypted VM. A VM whose memory is locked has all of it reserved.
func (vc *VC) decodeSchedule(c *types.VirtualMachineConfigInfo, d *vmx.Dictionary) {
	c.CpuAffinity, c.MemoryAffinity = affinitySet(d.Get("sched.cpu.affinity")), affinitySet(d.Get("sched.mem.affinity"))
	if d.True("sched.mem.pin") {
		c.MemoryReservationLockedToMax = types.NewBool(true)
		c.MemoryAllocation.Reservation = types.NewInt64(int64(c.Hardware.MemoryMB))
	}
	if l := strings.ToLower(d.Get("sched.cpu.latencySensitivity")); l != "" {
		c.LatencySensitivity = &types.LatencySensitivity{Level: types.LatencySensitivitySensitivityLevel(l)}
	}
	c.KeyId = keyOf(d.Get("encryption.keySafe"))
}

// affinitySet reads "0,1"; "all" and nothing bind to nothing.
func affinitySet(v string) *types.VirtualMachineAffinityInfo {
	a := &types.VirtualMachineAffinityInfo{}
	for part := range strings.SplitSeq(v, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(part)); err == nil {
			a.AffinitySet = append(a.AffinitySet, int32(n))
		}
	}
	if a.AffinitySet == nil {
		return nil
	}
	return a
}

// bound are the affinities of a configuration, as the API names them.
func bound(c *types.VirtualMachineConfigInfo) (out []string) {
	for _, a := range []struct {
		name string
		set  *types.VirtualMachineAffinityInfo
	}{{"cpu", c.CpuAffinity}, {"memory", c.MemoryAffinity}} {
		if a.set != nil {
			out = append(out, a.name)
		}
	}
	return out
}

// unreserved refuses a VM that needs all its memory reserved and has not.
func unreserved(c *types.VirtualMachineConfigInfo) types.BaseMethodFault {
	why := ""
	if l := c.LatencySensitivity; l != nil && l.Level == types.LatencySensitivitySensitivityLevelHigh {
		why = "high latency sensitivity"
	}
	for _, x := range c.Hardware.Device {
		if direct(x) {
			why = "a device of the host's PCI bus"
		}
	}
	if why == "" || c.MemoryAllocation.Reservation != nil && *c.MemoryAllocation.Reservation >= int64(c.Hardware.MemoryMB) {
		return nil
	}
	reason := fmt.Sprintf("Invalid memory setting: with %s the memory reservation (sched.mem.min) has to be equal to memsize (%d).", why, c.Hardware.MemoryMB)
	return because(&types.GenericVmConfigFault{Reason: reason}, "%s", reason)
}
