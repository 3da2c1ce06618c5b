package scenario

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Depot is an offline bundle of ESXi, a .zip file on a datastore, with the image profiles in it.
type Depot struct {
	// Datastore is the label of the volume that the file is on, Path where it is there.
	Datastore string `yaml:"datastore"`
	Path      string `yaml:"path"`
	// Profiles that a host can be updated to from it.
	Profiles []ImageProfile `yaml:"profiles"`
}

// ImageProfile is one image of ESXi.
type ImageProfile struct {
	Name    string `yaml:"name"`
	Version string `yaml:"version"`
	Build   string `yaml:"build"`
	// RefusedBy are the hosts whose own software does not go with the image: the update fails there and changes nothing.
	RefusedBy []string `yaml:"refusedBy"`
	// RevertedBy are the hosts that do not boot the image, and come back with the one that they had.
	RevertedBy []string `yaml:"revertedBy"`
}

// depots checks the depots.
func (c *checker) depots() {
	for i := range c.s.Depots {
		d, p, names := &c.s.Depots[i], fmt.Sprintf("depots[%d]", i), map[string]bool{}
		c.one(p+".datastore", d.Datastore, slices.Sorted(maps.Keys(c.vmfs)))
		if c.required(p+".path", d.Path) && (path.Clean(d.Path) != d.Path || strings.HasPrefix(d.Path, "/") || path.Ext(d.Path) != ".zip") {
			c.at(p+".path", "%q is not the path of a .zip file below the datastore", d.Path)
		}
		if len(d.Profiles) == 0 {
			c.at(p+".profiles", "a depot has at least one image profile")
		}
		for k, x := range d.Profiles {
			p := fmt.Sprintf("%s.profiles[%d]", p, k)
			c.required(p+".name", x.Name)
			c.unique(p+".name", x.Name, names)
			c.only(p+".version", MaxHardware(x.Version) == 0, false, "%q is not a version of ESXi that the lab knows; write such as 7.0.3", x.Version)
			c.required(p+".build", x.Build)
			for key, hosts := range map[string][]string{".refusedBy": x.RefusedBy, ".revertedBy": x.RevertedBy} {
				for _, h := range hosts {
					c.one(p+key, h, slices.Sorted(maps.Keys(c.hosts)))
				}
			}
		}
	}
}
