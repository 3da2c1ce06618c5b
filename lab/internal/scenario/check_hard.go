package scenario

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
)

var (
	uuid    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	imageAt = regexp.MustCompile(`^\[([^\]]+)\] \S.*$`)
)

// option reports a value that is set and outside a list.
func (c *checker) option(path, v string, allowed ...string) {
	if v != "" {
		c.one(path, v, allowed)
	}
}

// only reports what is set without the condition that it needs.
func (c *checker) only(path string, set, condition bool, format string, args ...any) {
	if set && !condition {
		c.at(path, format, args...)
	}
}

// vmHard checks what makes a VM hard to move.
func (c *checker) vmHard(p string, vm *VM) {
	running := vm.Power == "on"
	c.only(p+".orphan", vm.Orphan, vm.Power == "off" && !vm.FaultTolerance, "no host runs an orphan: power: \"off\", and no fault tolerance")
	c.only(p+".question", vm.Question != "", running, "only a running VM asks")
	c.only(p+".evc", vm.EVC != "", running, "only a running VM needs a mode")
	c.only(p+".toolsInstaller", vm.ToolsInstaller, running, "only on a running VM is an installation in progress")
	c.only(p+".consolidationNeeded", vm.ConsolidationNeeded, !vm.rdm(), "a VM with a raw device mapping has no snapshots in the lab")
	c.only(p+".latencySensitivity", vm.LatencySensitivity == "high", vm.locked(), "high needs all memory reserved: memoryLocked: true")
	c.only(p+".template", vm.Template, vm.VApp == "" && !vm.FaultTolerance, "a template is neither in a vApp nor fault tolerant")
	c.only(p+".faultTolerance", vm.FaultTolerance, vm.Power != "suspended" && len(vm.Snapshots) == 0 && !vm.ConsolidationNeeded,
		"a fault tolerant VM is neither suspended nor has it snapshots")
	c.only(p+".iso", vm.ISO != "", vm.CDROM == "" && !vm.ToolsInstaller, "there is one CD drive: iso, cdrom or toolsInstaller")
	c.only(p+".cdrom", vm.CDROM != "", !vm.ToolsInstaller, "there is one CD drive: iso, cdrom or toolsInstaller")
	c.option(p+".cdrom", vm.CDROM, "host", "client")
	c.option(p+".latencySensitivity", vm.LatencySensitivity, "low", "normal", "medium", "high")
	c.option(p+".evc", vm.EVC, CPUs...)
	c.only(p+".bios", vm.BIOS != "", uuid.MatchString(vm.BIOS), "%q is not a UUID in lower case", vm.BIOS)
	for _, x := range []struct {
		path string
		v    int64
	}{{".reservation.cpu", vm.Reservation.CPU}, {".limits.cpu", vm.Limits.CPU}, {".limits.memory", vm.Limits.Memory}, {".reservation.memory", vm.Reservation.Memory}} {
		c.only(p+x.path, true, x.v >= 0, "must be 0 or above")
	}
	c.only(p+".reservation.memory", true, vm.Reservation.Memory <= vm.Memory, "is more than the VM's memory")
	for i, n := range vm.NICs {
		_, err := net.ParseMAC(n.MAC)
		c.only(fmt.Sprintf("%s.nics[%d].mac", p, i), n.MAC != "", err == nil && n.MAC == strings.ToLower(n.MAC), "%q is not a MAC address in lower case", n.MAC)
	}
	c.devices(p, vm)
}

func (vm *VM) rdm() bool {
	return slices.ContainsFunc(vm.Disks, func(d Disk) bool { return d.RDM != "" })
}

// locked reports whether all memory of the VM is reserved.
func (vm *VM) locked() bool { return vm.Reservation.MemoryLocked || vm.Reservation.Memory == vm.Memory }

func (c *checker) devices(p string, vm *VM) {
	seen := map[string]bool{}
	for i, d := range vm.Devices {
		p := fmt.Sprintf("%s.devices[%d]", p, i)
		c.one(p, d, DeviceKinds)
		c.unique(p, d, seen)
		direct := d == "passthrough" || d == "sriov" || d == "vgpu"
		c.only(p, direct, vm.locked(), "a VM with a device of the host's PCI bus has all memory reserved: reservation: {memoryLocked: true}")
		c.only(p, direct, vm.Power != "suspended" && len(vm.Snapshots) == 0 && !vm.ConsolidationNeeded, "such a VM is neither suspended nor has it snapshots")
		c.only(p, d == "vtpm", vm.Encrypted && vm.Hardware >= 14, "a virtual TPM needs encrypted: true and virtual hardware 14")
		c.only(p, d == "sriov", len(vm.NICs) > 0, "an SR-IOV adapter is on the network of the VM's first NIC, and there is none")
	}
}

// vmHardPlace checks what depends on the vCenter, the host and the volumes.
func (c *checker) vmHardPlace(p string, vc *VCenter, vm *VM) {
	c.only(p+".encrypted", vm.Encrypted, Compare(vc.Version, "6.5") >= 0, "vCenter %s knows no encryption; it came with 6.5", vc.Version)
	if h := c.hosts[vm.Host]; h != nil {
		c.only(p+".encrypted", vm.Encrypted, Compare(h.Version, "6.5") >= 0, "ESXi %s knows no encryption; it came with 6.5", h.Version)
		i, k := slices.Index(CPUs, vm.EVC), slices.Index(CPUs, h.CPU)
		c.only(p+".evc", i >= 0 && k >= 0, i <= k && strings.HasPrefix(vm.EVC, CPUs[max(k, 0)][:3]), "%s (%s) has not the features of %s", vm.Host, h.CPU, vm.EVC)
	}
	for key, image := range map[string]string{".iso": vm.ISO, ".floppy": vm.Floppy} {
		if image == "" {
			continue
		}
		m := imageAt.FindStringSubmatch(image)
		if m == nil {
			c.at(p+key, "%q is not a file of a datastore; write such as [old-fc-01] iso/tools.iso", image)
			continue
		}
		c.mounted(p+key, m[1], vm.Host)
	}
}

// mounted reports a volume that a host does not see when the lab starts.
func (c *checker) mounted(p, label, host string) {
	if c.one(p, label, slices.Sorted(maps.Keys(c.vmfs))) && !c.sees[host][c.vmfs[label][0]] {
		c.at(p, "%s is not presented to host %s", label, host)
	}
}

// diskHard checks what makes a disk hard to move.
func (c *checker) diskHard(p string, vm *VM, k *Disk) {
	c.option(p+".sharing", k.Sharing, "multiWriter")
	c.option(p+".busSharing", k.BusSharing, "physical", "virtual")
	shared := k.Sharing != "" || k.BusSharing != ""
	c.only(p+".sharing", shared, vm.Power != "suspended" && !vm.CBT && (len(vm.Snapshots) == 0 && !vm.ConsolidationNeeded || k.Mode == "independent_persistent" && k.BusSharing == ""),
		"a VM with a shared disk is not suspended, has no snapshots and no changed block tracking")
	c.only(p+".sharing", k.Sharing != "", !k.Thin, "a shared disk is thick")
	if k.LinkedTo == "" {
		return
	}
	for i := range c.s.VMs {
		of := &c.s.VMs[i]
		if of == vm {
			break
		}
		if of.Name == k.LinkedTo && of.Site == vm.Site && len(of.Snapshots) > 0 && len(of.Disks) > 0 && of.Disks[0].RDM == "" &&
			!strings.HasPrefix(of.Disks[0].Mode, "independent") {
			c.only(p+".size", true, k.Size == of.Disks[0].Size, "a linked clone is as large as its parent: %d", of.Disks[0].Size)
			c.only(p+".linkedTo", k.RDM != "", false, "a raw device mapping is no linked clone")
			if len(c.vmfs[of.Disks[0].Datastore]) > 0 {
				c.mounted(p+".linkedTo", of.Disks[0].Datastore, vm.Host)
			}
			return
		}
	}
	c.at(p+".linkedTo", "%q is no VM with a snapshot, at the same site and before this one", k.LinkedTo)
}

// localDatastores lets hosts see their own volumes.
func (c *checker) localDatastores() {
	for i := range c.s.VCenters {
		for k := range c.s.VCenters[i].Hosts {
			h := &c.s.VCenters[i].Hosts[k]
			if h.LocalDatastore == nil {
				continue
			}
			p := fmt.Sprintf("vcenters[%d].hosts[%d].localDatastore", i, k)
			d := h.LocalDatastore
			c.positive(p+".size", d.Size)
			if !c.required(p+".name", d.Name) {
				continue
			}
			if len(c.vmfs[d.Name]) > 0 {
				c.at(p+".name", "%q is used twice; VMs of a scenario find their volume by this name", d.Name)
			}
			disk := "local disk of " + h.Name
			c.vmfs[d.Name] = append(c.vmfs[d.Name], disk)
			if c.sees[h.Name] == nil {
				c.sees[h.Name] = map[string]bool{}
			}
			c.sees[h.Name][disk] = true
		}
	}
}

// scratch checks where hosts keep their scratch files; what they see is known by now.
func (c *checker) scratch() {
	for i := range c.s.VCenters {
		for k, h := range c.s.VCenters[i].Hosts {
			if h.Scratch != "" && !slices.ContainsFunc(c.vmfs[h.Scratch], func(naa string) bool { return c.sees[h.Name][naa] }) {
				c.at(fmt.Sprintf("vcenters[%d].hosts[%d].scratch", i, k), "%q is no VMFS volume that the host sees", h.Scratch)
			}
		}
	}
}

// storagePods checks the datastore clusters; what the hosts see is known by now.
func (c *checker) storagePods() {
	for i := range c.s.VCenters {
		for k, dc := range c.s.VCenters[i].Datacenters {
			names, members := map[string]bool{}, map[string]bool{}
			for n, pod := range dc.StoragePods {
				p := fmt.Sprintf("vcenters[%d].datacenters[%d].storagePods[%d]", i, k, n)
				c.required(p+".name", pod.Name)
				c.unique(p+".name", pod.Name, names)
				for m, ds := range pod.Datastores {
					p := fmt.Sprintf("%s.datastores[%d]", p, m)
					c.unique(p, ds, members)
					if c.one(p, ds, slices.Sorted(maps.Keys(c.vmfs))) && !dc.mounts(c, c.vmfs[ds][0]) {
						c.at(p, "%s is presented to no host of the datacenter", ds)
					}
				}
			}
		}
	}
}

// mounts reports whether a host of the datacenter sees a LUN when the lab starts.
func (dc *Datacenter) mounts(c *checker, lun string) bool {
	for _, cl := range dc.Clusters {
		for _, h := range cl.Hosts {
			if c.sees[h][lun] {
				return true
			}
		}
	}
	return false
}
