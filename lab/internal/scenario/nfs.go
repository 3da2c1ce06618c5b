package scenario

import (
	"fmt"
	"maps"
	"slices"
)

// Export is a directory that an NFS server exports, and the datastore that hosts make of it.
type Export struct {
	// Name of the datastore, by which VMs of a scenario find it.
	Name string `yaml:"name"`
	// Servers are the addresses of the server; one for NFS 3.
	Servers []string `yaml:"servers"`
	// Path that is exported.
	Path string `yaml:"path"`
	// Version is "3" (the default) or "4.1"; a host that asks for the other one is refused.
	Version string `yaml:"version"`
	// Hosts that the server lets in.
	Hosts []string `yaml:"hosts"`
	// Mounted are the hosts that have it mounted when the lab starts; they are in a cluster by then.
	Mounted []string `yaml:"mounted"`
}

// Type is the version as the API calls it.
func (e *Export) Type() string {
	if e.Version == "4.1" {
		return "NFS41"
	}
	return "NFS"
}

// exports checks the NFS servers, and lets hosts see what they have mounted.
func (c *checker) exports() {
	paths := map[string]bool{}
	for i := range c.s.NFS {
		e, p := &c.s.NFS[i], fmt.Sprintf("nfs[%d]", i)
		c.option(p+".version", e.Version, "3", "4.1")
		if len(e.Servers) == 0 || e.Version != "4.1" && len(e.Servers) > 1 {
			c.at(p+".servers", "NFS 3 has one address, 4.1 one or more; there are %d", len(e.Servers))
		}
		for _, s := range e.Servers {
			c.unique(p+".path", s+":"+e.Path, paths)
		}
		if c.required(p+".name", e.Name) && len(c.vmfs[e.Name]) > 0 {
			c.at(p+".name", "%q is used twice; VMs of a scenario find their volume by this name", e.Name)
		}
		c.required(p+".path", e.Path)
		volume := "export " + e.Name
		c.vmfs[e.Name] = append(c.vmfs[e.Name], volume)
		for _, h := range e.Hosts {
			c.one(p+".hosts", h, slices.Sorted(maps.Keys(c.hosts)))
		}
		for _, h := range e.Mounted {
			if !slices.Contains(e.Hosts, h) || c.clusters[h] == "" {
				c.at(p+".mounted", "%s is not let in, or in no cluster when the lab starts", h)
				continue
			}
			if c.sees[h] == nil {
				c.sees[h] = map[string]bool{}
			}
			c.sees[h][volume] = true
		}
	}
}
