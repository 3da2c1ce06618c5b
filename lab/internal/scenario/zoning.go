package scenario

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
)

// FCSwitch is the switch of one fabric. There are as many as a host has Fibre Channel ports: the first port of each host and every
// second port of an array, from the first on, are cabled to the first one, the others to the second.
type FCSwitch struct {
	// Name of the fabric.
	Name string `yaml:"name"`
	// Listen is the address of its REST interface.
	Listen string `yaml:"listen"`
	// Firmware is its version of Fabric OS.
	Firmware string `yaml:"firmware"`
	// Username and Password that are accepted.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// VFID is the number of the logical fabric, where virtual fabrics are enabled.
	VFID int `yaml:"vfid"`
	// AllAccess lets everybody see everybody while no configuration is in effect.
	AllAccess bool `yaml:"allAccess"`
	// Aliases and Zones that are defined.
	Aliases []FCAlias `yaml:"aliases"`
	Zones   []FCZone  `yaml:"zones"`
	// Effective is the name of the configuration that is in effect and has all zones; without it there is none.
	Effective string `yaml:"effective"`
	// Absent are ports ("host/vmhba2", "array/0") that are not logged in.
	Absent []string `yaml:"absent"`
}

// FCAlias is a name for ports, each "host/vmhba2", "array/0" or a world wide name.
type FCAlias struct {
	Name    string   `yaml:"name"`
	Members []string `yaml:"members"`
}

// FCZone lets its members see each other: ports as above, or aliases. With principals it is a peer zone.
type FCZone struct {
	Name       string   `yaml:"name"`
	Members    []string `yaml:"members"`
	Principals []string `yaml:"principals"`
}

// Ports of a host and of an array.
var (
	HBAs       = []string{"vmhba2", "vmhba3"}
	ArrayPorts = []string{"0", "1", "2", "3"}
	wwn        = regexp.MustCompile(`^([0-9a-f]{2}:){7}[0-9a-f]{2}$`)
)

// IsWWN reports whether a member is a world wide name.
func IsWWN(member string) bool { return wwn.MatchString(member) }

// fcSwitches checks the switches of the fabrics.
func (c *checker) fcSwitches() {
	list := c.s.Fabric.Switches
	if n := len(list); n != 0 && n != len(HBAs) {
		c.at("fabric.switches", "a host has %d ports, each in a fabric of its own: there are %d switches", len(HBAs), n)
	}
	names := map[string]bool{}
	for i := range list {
		s, p := &list[i], fmt.Sprintf("fabric.switches[%d]", i)
		c.required(p+".name", s.Name)
		c.unique(p+".name", s.Name, names)
		c.required(p+".username", s.Username)
		c.required(p+".password", s.Password)
		if host, _, err := net.SplitHostPort(s.Listen); err != nil || net.ParseIP(host) == nil || !net.ParseIP(host).IsLoopback() {
			c.at(p+".listen", "%q is not an address of this machine; write such as 127.0.0.1:8480", s.Listen)
		}
		ports := c.cabled(i)
		known := map[string]bool{}
		for k, a := range s.Aliases {
			at := fmt.Sprintf("%s.aliases[%d]", p, k)
			c.required(at+".name", a.Name)
			c.unique(at+".name", a.Name, known)
			c.members(at+".members", a.Members, ports)
		}
		all := slices.Concat(ports, slices.Sorted(maps.Keys(known)))
		for k, z := range s.Zones {
			at := fmt.Sprintf("%s.zones[%d]", p, k)
			c.required(at+".name", z.Name)
			c.unique(at+".name", z.Name, known)
			c.members(at+".members", z.Members, all)
			c.members(at+".principals", z.Principals, all)
		}
		c.members(p+".absent", s.Absent, ports)
	}
}

// cabled are the ports in the fabric of a switch.
func (c *checker) cabled(i int) []string {
	var out []string
	for _, h := range slices.Sorted(maps.Keys(c.hosts)) {
		out = append(out, h+"/"+HBAs[i%len(HBAs)])
	}
	for _, a := range c.s.Arrays {
		for k, port := range ArrayPorts {
			if k%len(HBAs) == i {
				out = append(out, a.Name+"/"+port)
			}
		}
	}
	return out
}

func (c *checker) members(p string, members, allowed []string) {
	for k, m := range members {
		if !IsWWN(m) {
			c.one(fmt.Sprintf("%s[%d]", p, k), m, allowed)
		}
	}
}
