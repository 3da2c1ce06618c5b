package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// What hosts have for the reservations of running VMs. Memory without a reservation never stops a VM: the host would swap.

const mib = 1 << 20

// overhead is the memory that a host needs beside a running VM's own, in bytes: more than the tables in VMware's documentation say.
func overhead(c *types.VirtualMachineConfigInfo) int64 {
	return (32+16*int64(c.Hardware.NumCPU))*mib + int64(c.Hardware.MemoryMB)*mib/100
}

// demand is what a VM has reserved while it runs: MHz, and bytes with the overhead.
type demand struct{ cpu, memory int64 }

func demandOf(c *types.VirtualMachineConfigInfo) demand {
	n := demand{memory: overhead(c)}
	if r := c.CpuAllocation.Reservation; r != nil {
		n.cpu = *r
	}
	if r := c.MemoryAllocation.Reservation; r != nil {
		n.memory += *r * mib
	}
	return n
}

// capacity is what a host has for virtual machines: all of its processors, and its memory without what ESXi takes (2 GiB and 1 %).
func (vc *VC) capacity(host *simulator.HostSystem) (n demand) {
	vc.read(host, func() {
		hw := host.Summary.Hardware
		n.cpu = int64(hw.CpuMhz) * int64(hw.NumCpuCores)
		n.memory = hw.MemorySize - 2*gib - hw.MemorySize/100
	})
	return n
}

// runningOn are the needs of the VMs that run on some hosts, but for one.
func (vc *VC) runningOn(hosts []types.ManagedObjectReference, but *machine) (out []demand) {
	for _, m := range vc.machines.all() {
		if m == but {
			continue
		}
		m.read(func(vm *simulator.VirtualMachine) {
			if vm.Runtime.PowerState == on && slices.Contains(hosts, deref(vm.Runtime.Host)) {
				out = append(out, demandOf(vm.Config))
			}
		})
	}
	return out
}

// hasRoom refuses a host that has not left what a VM has reserved.
func (vc *VC) hasRoom(m *machine, host *simulator.HostSystem) types.BaseMethodFault {
	left, want := vc.capacity(host), demandOf(m.config())
	for _, n := range vc.runningOn([]types.ManagedObjectReference{host.Self}, m) {
		left.cpu, left.memory = left.cpu-n.cpu, left.memory-n.memory
	}
	switch {
	case want.memory > left.memory:
		return because(&types.InsufficientMemoryResourcesFault{Unreserved: max(0, left.memory), Requested: want.memory},
			"Host '%s' has %d MB left for reservations, %d MB are needed.", vc.entityName(host), max(0, left.memory/mib), want.memory/mib)
	case want.cpu > left.cpu:
		return because(&types.InsufficientCpuResourcesFault{Unreserved: max(0, left.cpu), Requested: want.cpu},
			"Host '%s' has %d MHz left for reservations, %d MHz are needed.", vc.entityName(host), max(0, left.cpu), want.cpu)
	}
	return nil
}

// admitted checks a VM that is to run against the capacity of its host and, with HA, of its cluster.
func (m *machine) admitted() types.BaseMethodFault {
	if f := m.vc.hasRoom(m, m.host()); f != nil {
		return f
	}
	return m.vc.admitHA(m)
}
