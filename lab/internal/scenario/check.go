package scenario

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

var naa = regexp.MustCompile(`^naa\.([0-9a-f]{16}|[0-9a-f]{32})$`)

// checker finds the mistakes that need more than one value of the scenario.
type checker struct {
	*decoder
	s        *Scenario
	hosts    map[string]*Host
	vmfs     map[string][]string        // label → arrays' LUNs (NAA) that carry it
	sees     map[string]map[string]bool // host → NAA
	clusters map[string]string          // host → cluster that it joined
}

func check(d *decoder, s *Scenario) {
	c := &checker{d, s, map[string]*Host{}, map[string][]string{}, map[string]map[string]bool{}, map[string]string{}}
	c.required("name", s.Name)
	if s.Timescale <= 0 {
		c.at("timescale", "must be above 0")
	}
	if len(s.VCenters) == 0 {
		c.at("vcenters", "at least one vCenter is needed")
	}
	for i := range s.VCenters {
		c.vcenter(fmt.Sprintf("vcenters[%d]", i), i)
	}
	c.arrays()
	c.fabric()
	c.fcSwitches()
	c.localDatastores()
	c.exports()
	c.depots()
	c.storagePods()
	c.scratch()
	names := map[string]bool{}
	for i := range s.VMs {
		c.vm(fmt.Sprintf("vms[%d]", i), &s.VMs[i], names)
	}
	c.rules()
}

// required reports an empty value; it returns whether there was one.
func (c *checker) required(path, v string) bool {
	if v == "" {
		c.at(path, "is missing or empty")
	}
	return v != ""
}

// one reports a value outside a list.
func (c *checker) one(path, v string, allowed []string) bool {
	if slices.Contains(allowed, v) {
		return true
	}
	if len(allowed) == 0 {
		c.at(path, "%q is not known; nothing is defined that could stand here", v)
	} else {
		c.at(path, "%q is not known; allowed: %s", v, strings.Join(allowed, ", "))
	}
	return false
}

func (c *checker) unique(path, v string, seen map[string]bool) {
	if v != "" && seen[v] {
		c.at(path, "%q is used twice", v)
	}
	seen[v] = true
}

func (c *checker) positive(path string, v int64) {
	if v <= 0 {
		c.at(path, "must be above 0, is %d", v)
	}
}

func (c *checker) arrays() {
	names, naas := map[string]bool{}, map[string]bool{}
	for i, a := range c.s.Arrays {
		p := fmt.Sprintf("arrays[%d]", i)
		c.required(p+".name", a.Name)
		c.unique(p+".name", a.Name, names)
		if a.Bandwidth <= 0 {
			c.at(p+".bandwidth", "must be above 0 (MB/s)")
		}
		for k, l := range a.LUNs {
			p := fmt.Sprintf("%s.luns[%d]", p, k)
			if !naa.MatchString(l.NAA) {
				c.at(p+".naa", "%q is not a device name; write naa. and 16 or 32 hexadecimal digits in lower case", l.NAA)
			}
			c.unique(p+".naa", l.NAA, naas)
			c.positive(p+".size", l.Size)
			for _, h := range l.Unresolved {
				c.one(p+".unresolved", h, slices.Sorted(maps.Keys(c.hosts)))
			}
			if l.VMFS == nil {
				if len(l.Unresolved) > 0 {
					c.at(p+".unresolved", "a blank LUN has no volume that could be unresolved")
				}
				continue
			}
			c.required(p+".vmfs.name", l.VMFS.Name)
			if v := l.VMFS.Version; v != 3 && v != 5 && v != 6 {
				c.at(p+".vmfs.version", "must be 3, 5 or 6, is %d", v)
			}
			if len(c.vmfs[l.VMFS.Name]) > 0 {
				c.at(p+".vmfs.name", "%q is used twice; VMs of a scenario find their volume by this name", l.VMFS.Name)
			}
			c.vmfs[l.VMFS.Name] = append(c.vmfs[l.VMFS.Name], l.NAA)
		}
	}
}

func (c *checker) fabric() {
	arrays := map[string]*Array{}
	for i := range c.s.Arrays {
		arrays[c.s.Arrays[i].Name] = &c.s.Arrays[i]
	}
	for i, f := range c.s.Fabric.Presentation {
		p := fmt.Sprintf("fabric.presentation[%d]", i)
		if !c.one(p+".array", f.Array, slices.Sorted(maps.Keys(arrays))) {
			continue
		}
		var luns []string
		for _, l := range arrays[f.Array].LUNs {
			luns = append(luns, l.NAA)
		}
		for k, l := range f.LUNs {
			c.one(fmt.Sprintf("%s.luns[%d]", p, k), l, luns)
		}
		if f.LUNs != nil {
			luns = f.LUNs
		}
		for k, h := range f.Hosts {
			if !c.one(fmt.Sprintf("%s.hosts[%d]", p, k), h, slices.Sorted(maps.Keys(c.hosts))) {
				continue
			}
			if c.sees[h] == nil {
				c.sees[h] = map[string]bool{}
			}
			for _, l := range luns {
				c.sees[h][l] = true
			}
		}
	}
}

func (c *checker) vcenter(p string, i int) {
	v := &c.s.VCenters[i]
	for k := range i {
		if c.s.VCenters[k].Name == v.Name {
			c.at(p+".name", "%q is used twice", v.Name)
		}
	}
	c.required(p+".name", v.Name)
	c.required(p+".version", v.Version)
	c.required(p+".build", v.Build)
	c.required(p+".api", v.API)
	c.required(p+".username", v.Username)
	c.required(p+".password", v.Password)
	if host, _, err := net.SplitHostPort(v.Listen); err != nil || net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback() {
		c.at(p+".listen", "%q is not an address of this machine; write such as 127.0.0.1:8460", v.Listen)
	}
	c.access(p, v)
	var own []string
	for k := range v.Hosts {
		h := &v.Hosts[k]
		p := fmt.Sprintf("%s.hosts[%d]", p, k)
		c.required(p+".name", h.Name)
		c.required(p+".build", h.Build)
		c.required(p+".password", h.Password)
		if c.hosts[h.Name] != nil {
			c.at(p+".name", "%q is used twice", h.Name)
		}
		if MaxHardware(h.Version) == 0 {
			c.at(p+".version", "%q is not a version of ESXi that the lab knows; write 5.5 to 8.0 with its update, such as 6.0.0 or 7.0.3", h.Version)
		}
		c.one(p+".cpu", h.CPU, CPUs)
		c.positive(p+".cores", int64(h.Cores))
		c.positive(p+".mhz", int64(h.MHz))
		c.positive(p+".memory", h.Memory)
		c.positive(p+".nic", int64(h.NIC))
		c.license(p+".license", h.License)
		if h.NTPStopped && len(h.NTP) == 0 {
			c.at(p+".ntpStopped", "there are no time servers (ntp), so the service does not run anyway")
		}
		c.hosts[h.Name] = h
		own = append(own, h.Name)
	}
	c.license(p+".license", v.License)
	names := map[string]bool{}
	for k := range v.Datacenters {
		c.datacenter(fmt.Sprintf("%s.datacenters[%d]", p, k), v, &v.Datacenters[k], own, names)
	}
}

func (c *checker) datacenter(p string, v *VCenter, dc *Datacenter, hosts []string, names map[string]bool) {
	c.required(p+".name", dc.Name)
	c.unique(p+".name", dc.Name, names)
	clusters := map[string]bool{}
	for i, cl := range dc.Clusters {
		p := fmt.Sprintf("%s.clusters[%d]", p, i)
		c.required(p+".name", cl.Name)
		c.unique(p+".name", cl.Name, clusters)
		if cl.EVC != "" {
			c.one(p+".evc", cl.EVC, CPUs)
		}
		for k, h := range cl.Hosts {
			at := fmt.Sprintf("%s.hosts[%d]", p, k)
			if !c.one(at, h, hosts) {
				continue
			}
			if was := c.clusters[h]; was != "" {
				c.at(at, "%q is already in cluster %s", h, was)
			}
			c.clusters[h] = cl.Name
			if i, k := slices.Index(CPUs, cl.EVC), slices.Index(CPUs, c.hosts[h].CPU); i > k || i >= 0 && k >= 0 && cl.EVC[:3] != CPUs[k][:3] {
				c.at(at, "%s (%s) cannot be in a cluster with EVC mode %s", h, c.hosts[h].CPU, cl.EVC)
			}
		}
		c.cluster(p, &cl)
	}
	for k, f := range dc.Folders {
		c.inventoryPath(fmt.Sprintf("%s.folders[%d]", p, k), f)
	}
	networks := map[string]bool{}
	switches := c.switches(p, v, dc, networks)
	for i, n := range dc.Networks {
		p := fmt.Sprintf("%s.networks[%d]", p, i)
		c.required(p+".name", n.Name)
		c.stored(p+".name", n.Name)
		c.unique(p+".name", n.Name, networks)
		if n.Switch != "" {
			c.one(p+".switch", n.Switch, switches)
		}
		if n.VLAN < 0 || n.VLAN > 4095 {
			c.at(p+".vlan", "must be 0 to 4095, is %d", n.VLAN)
		}
	}
	attributes := map[string]bool{}
	for i, a := range dc.CustomAttributes {
		c.unique(fmt.Sprintf("%s.customAttributes[%d]", p, i), a, attributes)
	}
}

func (c *checker) inventoryPath(p, v string) {
	for part := range strings.SplitSeq(v, "/") {
		if part != "" {
			c.stored(p, part)
		}
		if part == "" {
			c.at(p, "%q is not a path; write names separated by one slash, such as apps/web", v)
			return
		}
	}
}

// Find returns the datacenter and the cluster of that name, or nil.
func (v *VCenter) Find(datacenter, cluster string) (*Datacenter, *Cluster) {
	for i := range v.Datacenters {
		if dc := &v.Datacenters[i]; dc.Name == datacenter {
			for k := range dc.Clusters {
				if dc.Clusters[k].Name == cluster {
					return dc, &dc.Clusters[k]
				}
			}
			return dc, nil
		}
	}
	return nil, nil
}

var guestIDs = func() map[string]bool {
	ids := map[string]bool{}
	for _, g := range types.VirtualMachineGuestOsIdentifier("").Strings() {
		ids[g] = true
	}
	return ids
}()

func (c *checker) license(p string, l *License) {
	c.required(p+".name", l.Name)
	for i, f := range l.Features {
		c.one(fmt.Sprintf("%s.features[%d]", p, i), f, Features)
	}
	if l.Expired && l.Expires != 0 {
		c.at(p+".expires", "it has ended already (expired)")
	}
	if l.Evaluation && l.Expires == 0 && !l.Expired {
		c.at(p+".expires", "an evaluation ends; say when, such as 1440h")
	}
}
