package scenario

import "fmt"

// pnics that a host has for distributed switches: the first of its four is the standard switch's.
const pnics = 3

// switches checks the distributed switches of a datacenter and returns their names. Switches and port groups share one folder,
// and with it their names.
func (c *checker) switches(p string, v *VCenter, dc *Datacenter, names map[string]bool) (out []string) {
	if len(dc.Switches) > pnics {
		c.at(p+".switches", "a host has adapters for %d switches", pnics)
	}
	for i, s := range dc.Switches {
		p := fmt.Sprintf("%s.switches[%d]", p, i)
		c.required(p+".name", s.Name)
		c.unique(p+".name", s.Name, names)
		out = append(out, s.Name)
		if !c.one(p+".version", s.Version, SwitchVersions) {
			continue
		}
		if Compare(s.Version, v.Version) > 0 {
			c.at(p+".version", "vCenter %s has no switches of version %s", v.Version, s.Version)
		}
		for _, cl := range dc.Clusters {
			for _, h := range cl.Hosts {
				if x := c.hosts[h]; x != nil && Compare(x.Version, s.Version) < 0 {
					c.at(p+".version", "%s runs ESXi %s and cannot be a member of a switch of version %s", h, x.Version, s.Version)
				}
			}
		}
	}
	return out
}
