package scenario

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"strings"
)

// withParents returns every path and its parents.
func withParents(paths []string) []string {
	set := map[string]bool{}
	for _, p := range paths {
		for ; p != "."; p = path.Dir(p) {
			set[p] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (c *checker) vm(p string, vm *VM, names map[string]bool) {
	c.required(p+".name", vm.Name)
	c.unique(p+".name", vm.Name, names)
	c.stored(p+".name", vm.Name)
	if strings.TrimSpace(vm.Name) != vm.Name || vm.Name == "." || vm.Name == ".." {
		c.at(p+".name", "the lab has no VM, hence no directory, called so, or whose name begins or ends with a space")
	}
	c.vmItself(p, vm)
	c.vmHard(p, vm)
	dc := c.vmPlace(p, vm)
	if dc == nil {
		return
	}
	if vm.Folder != "" {
		c.one(p+".folder", vm.Folder, withParents(dc.Folders))
	}
	var networks []string
	for _, n := range dc.Networks {
		networks = append(networks, n.Name)
	}
	for i, n := range vm.NICs {
		p := fmt.Sprintf("%s.nics[%d]", p, i)
		c.one(p+".network", n.Network, networks)
		c.one(p+".type", n.Type, []string{"vmxnet3", "e1000", "e1000e"})
	}
	for _, k := range slices.Sorted(maps.Keys(vm.CustomAttributes)) {
		c.one(p+".customAttributes."+k, k, dc.CustomAttributes)
	}
}

// vmPlace checks where a VM is, and returns its datacenter if that is known.
func (c *checker) vmPlace(p string, vm *VM) *Datacenter {
	var vcs, dcs, clusters []string
	var vc *VCenter
	for i := range c.s.VCenters {
		vcs = append(vcs, c.s.VCenters[i].Name)
		if c.s.VCenters[i].Name == vm.Site {
			vc = &c.s.VCenters[i]
		}
	}
	if !c.one(p+".site", vm.Site, vcs) {
		return nil
	}
	for _, d := range vc.Datacenters {
		dcs = append(dcs, d.Name)
	}
	c.vmMetadata(p, vm, vc)
	if !c.one(p+".datacenter", vm.Datacenter, dcs) {
		return nil
	}
	dc, cl := vc.Find(vm.Datacenter, vm.Cluster)
	for _, x := range dc.Clusters {
		clusters = append(clusters, x.Name)
	}
	if !c.one(p+".cluster", vm.Cluster, clusters) {
		return dc
	}
	if vm.Pool != "" {
		c.one(p+".pool", vm.Pool, withParents(cl.PoolPaths()))
	}
	if !c.one(p+".host", vm.Host, cl.Hosts) {
		return dc
	}
	if h := c.hosts[vm.Host]; h != nil && vm.Hardware > MaxHardware(h.Version) {
		c.at(p+".hardware", "%s runs ESXi %s, which has virtual hardware up to %d", vm.Host, h.Version, MaxHardware(h.Version))
	}
	c.vmHardPlace(p, vc, vm)
	c.vmDisks(p, vm)
	return dc
}

func (c *checker) vmDisks(p string, vm *VM) {
	if len(vm.Disks) == 0 {
		c.at(p+".disks", "at least one disk is needed")
	}
	if places := vm.Controllers(); len(places) > 0 && slices.MaxFunc(places, func(a, b Controller) int { return a.Bus - b.Bus }).Bus > 3 {
		c.at(p+".disks", "the disks do not fit on four controllers, with at most 15 on each and one kind of bus sharing")
	}
	for i, k := range vm.Disks {
		p := fmt.Sprintf("%s.disks[%d]", p, i)
		c.positive(p+".size", k.Size)
		if k.Used < 0 || k.Used > k.Size {
			c.at(p+".used", "must be 0 to the disk's size (%d), is %d", k.Size, k.Used)
		}
		if k.RDM != "" {
			c.one(p+".rdm", k.RDM, []string{"physical", "virtual"})
			if len(vm.Snapshots) > 0 {
				c.at(p+".rdm", "a VM with a raw device mapping has no snapshots in the lab")
			}
		}
		c.one(p+".mode", k.Mode, []string{"persistent", "independent_persistent", "independent_nonpersistent"})
		c.mounted(p+".datastore", k.Datastore, vm.Host)
		c.diskHard(p, vm, &k)
	}
}

func (c *checker) vmItself(p string, vm *VM) {
	if !guestIDs[vm.Guest] {
		c.at(p+".guest", "%q is not a guest id of vSphere; write such as rhel6_64Guest or windows8Server64Guest", vm.Guest)
	}
	c.one(p+".power", vm.Power, []string{"on", "off", "suspended"})
	c.one(p+".tools", vm.Tools, []string{"running", "notRunning", "notInstalled"})
	if vm.Template && vm.Power != "off" {
		c.at(p+".power", "a template is always off")
	}
	if vm.Tools == "notInstalled" && len(vm.IPs) > 0 {
		c.at(p+".ips", "a guest without VMware Tools reports no address")
	}
	c.positive(p+".cpus", int64(vm.CPUs))
	c.positive(p+".memory", vm.Memory)
	if vm.Hardware < 4 || vm.Hardware > 21 {
		c.at(p+".hardware", "must be 4 to 21, is %d", vm.Hardware)
	}
	if len(vm.NICs) > 10 {
		c.at(p+".nics", "a VM has at most 10")
	}
	if len(vm.IPs) > len(vm.NICs) {
		c.at(p+".ips", "more addresses (%d) than NICs (%d)", len(vm.IPs), len(vm.NICs))
	}
	for i, ip := range vm.IPs {
		if net.ParseIP(ip) == nil {
			c.at(fmt.Sprintf("%s.ips[%d]", p, i), "%q is not an IP address", ip)
		}
	}
	for i, s := range vm.Snapshots {
		c.required(fmt.Sprintf("%s.snapshots[%d]", p, i), s)
	}
}
