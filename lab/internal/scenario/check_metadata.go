package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator/esx"
)

// systemRoles are the roles of every vCenter; Anonymous and View cannot be given.
var systemRoles = []string{"Admin", "NoAccess", "NoCryptoAdmin", "ReadOnly"}

// Privileges are the ids that the lab's vCenters know.
var Privileges = func() []string {
	for _, r := range esx.RoleList {
		if r.Name == "Admin" {
			return r.Privilege
		}
	}
	return nil
}()

func (c *checker) access(p string, v *VCenter) {
	names := map[string]bool{}
	for i, x := range v.Principals {
		at := fmt.Sprintf("%s.principals[%d].name", p, i)
		if domain, name, ok := strings.Cut(x.Name, `\`); !ok || domain == "" || name == "" {
			c.at(at, `%q is not a principal; write domain and name, such as LAB\dba`, x.Name)
		}
		c.unique(at, strings.ToLower(x.Name), names)
	}
	roles := map[string]bool{}
	for _, r := range systemRoles {
		roles[r] = true
	}
	for i, r := range v.Roles {
		at := fmt.Sprintf("%s.roles[%d]", p, i)
		c.required(at+".name", r.Name)
		c.unique(at+".name", r.Name, roles)
		c.privileges(at+".privileges", r.Privileges)
	}
	c.privileges(p+".holds", v.Holds)
	if len(v.Holds) > 0 && len(v.Lacks) > 0 {
		c.at(p, "either holds or lacks")
	}
	c.privileges(p+".lacks", v.Lacks)
	for i, id := range v.Lacks {
		if strings.HasPrefix(id, "System.") {
			c.at(fmt.Sprintf("%s.lacks[%d]", p, i), "every role has %s", id)
		}
	}
	categories := map[string]bool{}
	if len(v.Tags) > 0 && Compare(v.Version, "6.5") < 0 {
		c.at(p+".tags", "vCenter %s serves no tags; 6.5 is the first that does", v.Version)
	}
	for i, t := range v.Tags {
		at := fmt.Sprintf("%s.tags[%d]", p, i)
		c.required(at+".category", t.Category)
		c.unique(at+".category", t.Category, categories)
		c.one(at+".cardinality", t.Cardinality, []string{"single", "multiple"})
		seen := map[string]bool{}
		for k, tag := range t.Tags {
			c.required(fmt.Sprintf("%s.tags[%d]", at, k), tag)
			c.unique(fmt.Sprintf("%s.tags[%d]", at, k), tag, seen)
		}
	}
}

// some reports a value outside a list, if there is a value.
func (c *checker) some(path, v string, allowed []string) bool {
	return v == "" || c.one(path, v, allowed)
}

func (c *checker) privileges(p string, ids []string) {
	for i, id := range ids {
		if !slices.Contains(Privileges, id) {
			c.at(fmt.Sprintf("%s[%d]", p, i), "%q is not a privilege id of vSphere; write such as VirtualMachine.Interact.PowerOn", id)
		}
	}
}

func (c *checker) pools(p string, cl *Cluster) {
	if len(cl.Pools) > 0 && !cl.DRS.Enabled {
		c.at(p+".pools", "a cluster without DRS has no resource pools")
	}
	paths := map[string]bool{}
	for i, pool := range cl.Pools {
		at := fmt.Sprintf("%s.pools[%d]", p, i)
		c.inventoryPath(at, pool.Path)
		c.unique(at, pool.Path, paths)
		for name, a := range map[string]*Allocation{".cpu": pool.CPU, ".memory": pool.Memory} {
			if a != nil {
				c.allocation(at+name, a)
			}
		}
	}
}

func (c *checker) allocation(p string, a *Allocation) {
	if n, err := strconv.Atoi(a.Shares); err == nil {
		c.positive(p+".shares", int64(n))
	} else {
		c.some(p+".shares", a.Shares, []string{"high", "normal", "low"})
	}
	if a.Reservation < 0 {
		c.at(p+".reservation", "must not be below 0, is %d", a.Reservation)
	}
	if a.Limit != nil && *a.Limit != -1 && *a.Limit < a.Reservation {
		c.at(p+".limit", "must be -1 (none) or at least the reservation (%d), is %d", a.Reservation, *a.Limit)
	}
}

// cluster checks what HA and DRS are told; what names VMs is checked when they are known (see vmMetadata and rules).
func (c *checker) cluster(p string, cl *Cluster) {
	c.pools(p, cl)
	c.some(p+".drs.automation", cl.DRS.Automation, Behaviors)
	if a := cl.HA.Admission; a != nil {
		if a.HostFailures > 0 && (a.CPUPercent > 0 || a.MemoryPercent > 0) {
			c.at(p+".ha.admission", "either hostFailures or percentages")
		}
		for name, n := range map[string]int{"hostFailures": a.HostFailures, "cpuPercent": a.CPUPercent, "memoryPercent": a.MemoryPercent} {
			if n < 0 || n > 100 {
				c.at(p+".ha.admission."+name, "must be 0 to 100, is %d", n)
			}
		}
	}
}

// vmMetadata checks what the vCenter knows of a VM.
func (c *checker) vmMetadata(p string, vm *VM, vc *VCenter) {
	var tags, roles []string
	single := map[string]string{}
	for _, t := range vc.Tags {
		for _, tag := range t.Tags {
			tags = append(tags, t.Category+"/"+tag)
			if t.Cardinality == "single" {
				single[t.Category+"/"+tag] = t.Category
			}
		}
	}
	used := map[string]bool{}
	for i, t := range vm.Tags {
		at := fmt.Sprintf("%s.tags[%d]", p, i)
		c.one(at, t, tags)
		if category, ok := single[t]; ok {
			c.unique(at, category, used)
		}
	}
	for _, r := range vc.Roles {
		roles = append(roles, r.Name)
	}
	for i, x := range vm.Permissions {
		at := fmt.Sprintf("%s.permissions[%d]", p, i)
		var known []string
		for _, k := range vc.Principals {
			if k.Group == x.Group {
				known = append(known, k.Name)
			}
		}
		c.one(at+".principal", x.Principal, known)
		c.one(at+".role", x.Role, slices.Concat(roles, systemRoles))
	}
	if o := vm.HAOverride; o != nil {
		if c.some(p+".haOverride.restartPriority", o.RestartPriority, RestartPriorities) && !KnowsPriority(vc.API, o.RestartPriority) {
			c.at(p+".haOverride.restartPriority", "%q is known from API 6.5 on", o.RestartPriority)
		}
		c.some(p+".haOverride.isolationResponse", o.IsolationResponse, IsolationResponses)
	}
	if o := vm.DRSOverride; o != nil {
		c.some(p+".drsOverride.behavior", o.Behavior, Behaviors)
	}
	if vm.Template && (vm.HAOverride != nil || vm.DRSOverride != nil) {
		c.at(p, "a template has no overrides: it belongs to no cluster")
	}
}

// rules checks rules and groups of every cluster against the VMs in it.
func (c *checker) rules() {
	for i := range c.s.VCenters {
		v := &c.s.VCenters[i]
		for k := range v.Datacenters {
			dc := &v.Datacenters[k]
			for n := range dc.Clusters {
				c.clusterRules(fmt.Sprintf("vcenters[%d].datacenters[%d].clusters[%d]", i, k, n), v.Name, dc.Name, &dc.Clusters[n])
			}
		}
	}
}

func (c *checker) clusterRules(p, site, dc string, cl *Cluster) {
	var vms []string
	for _, vm := range c.s.VMs {
		if vm.Site == site && vm.Datacenter == dc && vm.Cluster == cl.Name && !vm.Template {
			vms = append(vms, vm.Name)
		}
	}
	members := func(p string, names, known []string) {
		seen := map[string]bool{}
		for i, n := range names {
			c.one(fmt.Sprintf("%s[%d]", p, i), n, known)
			c.unique(fmt.Sprintf("%s[%d]", p, i), n, seen)
		}
	}
	var vmGroups, hostGroups []string
	names := map[string]bool{}
	for i, g := range cl.Groups {
		at := fmt.Sprintf("%s.groups[%d]", p, i)
		c.required(at+".name", g.Name)
		c.unique(at+".name", g.Name, names)
		if (len(g.VMs) == 0) == (len(g.Hosts) == 0) {
			c.at(at, "a group is of VMs or of hosts, and has at least one")
		}
		members(at+".vms", g.VMs, vms)
		members(at+".hosts", g.Hosts, cl.Hosts)
		if len(g.VMs) > 0 {
			vmGroups = append(vmGroups, g.Name)
		} else {
			hostGroups = append(hostGroups, g.Name)
		}
	}
	names = map[string]bool{}
	for i, r := range cl.Rules {
		at := fmt.Sprintf("%s.rules[%d]", p, i)
		c.required(at+".name", r.Name)
		c.unique(at+".name", r.Name, names)
		if !c.one(at+".kind", r.Kind, []string{"affinity", "antiAffinity", "vmHost"}) {
			continue
		}
		if r.Kind == "vmHost" {
			c.one(at+".vmGroup", r.VMGroup, vmGroups)
			c.one(at+".hostGroup", r.HostGroup, hostGroups)
			continue
		}
		if len(r.VMs) < 2 {
			c.at(at+".vms", "a rule of VMs needs at least two")
		}
		members(at+".vms", r.VMs, vms)
	}
}
