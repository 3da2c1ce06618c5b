// Package fos is a Fibre Channel switch with Brocade's Fabric OS, as far as its REST API for zoning goes: sessions, the defined and
// the effective configuration, transactions, and the name server. It knows neither hosts nor arrays.
package fos

import (
	"crypto/md5" //nolint:gosec // a checksum, as the switch has it; not a secret
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kinds of zones: of equals, and of peers that see the principals but not each other.
const (
	Standard = 0
	Peer     = 1
)

// Zone lets its members see each other; in a peer zone only principals and others do.
type Zone struct {
	Name       string   `json:"name"`
	Type       int      `json:"type"`
	Members    []string `json:"members"`
	Principals []string `json:"principals,omitempty"`
}

// Alias is a name for some ports.
type Alias struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

// Cfg is a set of zones that can be in effect together.
type Cfg struct {
	Name  string   `json:"name"`
	Zones []string `json:"zones"`
}

// Defined is what could be in effect.
type Defined struct {
	Aliases []Alias `json:"aliases"`
	Zones   []Zone  `json:"zones"`
	Cfgs    []Cfg   `json:"cfgs"`
}

// Effective is what is: the zones of one configuration as they were, aliases resolved, when it was enabled.
type Effective struct {
	Cfg   string `json:"cfg"`
	Zones []Zone `json:"zones"`
}

// Database is the zoning of a fabric.
type Database struct {
	Defined   Defined   `json:"defined"`
	Effective Effective `json:"effective"`
	// AllAccess lets everybody see everybody while nothing is in effect.
	AllAccess bool `json:"allAccess"`
}

var (
	wwn      = regexp.MustCompile(`^([0-9a-f]{2}:){7}[0-9a-f]{2}$`)
	name     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_$^-]{0,63}$`)
	errNames = errors.New("a name begins with a letter and has up to 64 letters, digits and _ $ ^ -")
)

// Checksum is that of everything that is saved.
func (d *Database) Checksum() string {
	b, _ := json.Marshal(d) // plain data: cannot fail
	sum := md5.Sum(b)       //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

func (d *Defined) clone() Defined {
	out := Defined{Aliases: slices.Clone(d.Aliases), Zones: slices.Clone(d.Zones), Cfgs: slices.Clone(d.Cfgs)}
	for i := range out.Cfgs {
		out.Cfgs[i].Zones = slices.Clone(out.Cfgs[i].Zones)
	}
	return out
}

func (d *Defined) zone(n string) int {
	return slices.IndexFunc(d.Zones, func(z Zone) bool { return z.Name == n })
}

func (d *Defined) cfg(n string) int {
	return slices.IndexFunc(d.Cfgs, func(c Cfg) bool { return c.Name == n })
}

// addZone makes a zone, or adds members to one.
func (d *Defined) addZone(z Zone) error {
	at := d.zone(z.Name)
	switch {
	case !name.MatchString(z.Name):
		return errNames
	case at >= 0 && z.Type != d.Zones[at].Type:
		return fmt.Errorf("%q is of another type", z.Name)
	case at < 0 && d.taken(z.Name):
		return fmt.Errorf("%q duplicate name", z.Name)
	case z.Type != Standard && z.Type != Peer:
		return fmt.Errorf("zone type %d is not known", z.Type)
	case len(z.Members)+len(z.Principals) == 0:
		return fmt.Errorf("%q has no members", z.Name)
	case at < 0 && (z.Type == Peer) != (len(z.Principals) > 0), at >= 0 && z.Type != Peer && len(z.Principals) > 0:
		return fmt.Errorf("%q: a peer zone, and no other, has principal members", z.Name)
	}
	for _, m := range slices.Concat(z.Members, z.Principals) {
		if !wwn.MatchString(m) && !slices.ContainsFunc(d.Aliases, func(a Alias) bool { return a.Name == m }) {
			return fmt.Errorf("%q not found", m)
		}
	}
	if at < 0 {
		d.Zones = append(d.Zones, z)
		return nil
	}
	there := d.Zones[at]
	for _, m := range slices.Concat(z.Members, z.Principals) {
		if slices.Contains(there.Members, m) || slices.Contains(there.Principals, m) {
			return fmt.Errorf("%q duplicate member", m)
		}
	}
	there.Members = slices.Concat(there.Members, z.Members)
	there.Principals = slices.Concat(there.Principals, z.Principals)
	d.Zones[at] = there
	return nil
}

// taken: aliases, zones and configurations share their names.
func (d *Defined) taken(n string) bool {
	return d.zone(n) >= 0 || d.cfg(n) >= 0 || slices.ContainsFunc(d.Aliases, func(a Alias) bool { return a.Name == n })
}

// addToCfg makes a configuration, or adds zones to one.
func (d *Defined) addToCfg(n string, zones []string) error {
	if !name.MatchString(n) {
		return errNames
	}
	i := d.cfg(n)
	if i < 0 {
		if d.taken(n) {
			return fmt.Errorf("%q duplicate name", n)
		}
		d.Cfgs = append(d.Cfgs, Cfg{n, slices.Clone(zones)})
		return nil
	}
	for _, z := range zones {
		if slices.Contains(d.Cfgs[i].Zones, z) {
			return fmt.Errorf("%q duplicate member", z)
		}
		d.Cfgs[i].Zones = append(d.Cfgs[i].Zones, z)
	}
	return nil
}

// setCfg replaces the zones of a configuration: what is not in the list is out of it.
func (d *Defined) setCfg(n string, zones []string) error {
	i := d.cfg(n)
	switch {
	case i < 0:
		return fmt.Errorf("%q not found", n)
	case len(zones) == 0:
		return fmt.Errorf("%q would have no members", n)
	}
	d.Cfgs[i].Zones = slices.Clone(zones)
	return nil
}

// dropZone deletes a zone. Configurations that have it keep its name, and cannot be enabled any more.
func (d *Defined) dropZone(n string) error {
	i := d.zone(n)
	if i < 0 {
		return fmt.Errorf("%q not found", n)
	}
	d.Zones = slices.Delete(d.Zones, i, i+1)
	return nil
}

// resolve returns a configuration as it would be in effect.
func (d *Defined) resolve(n string) (Effective, error) {
	i := d.cfg(n)
	if i < 0 {
		return Effective{}, fmt.Errorf("%q not found", n)
	}
	out := Effective{Cfg: n}
	for _, member := range d.Cfgs[i].Zones {
		k := d.zone(member)
		if k < 0 {
			return Effective{}, fmt.Errorf("%q not found", member)
		}
		z := d.Zones[k]
		z.Members, z.Principals = d.ports(z.Members), d.ports(z.Principals)
		out.Zones = append(out.Zones, z)
	}
	return out, nil
}

func (d *Defined) ports(members []string) []string {
	var out []string
	for _, m := range members {
		if i := slices.IndexFunc(d.Aliases, func(a Alias) bool { return a.Name == m }); i >= 0 {
			out = append(out, d.Aliases[i].Members...)
			continue
		}
		out = append(out, m)
	}
	return out
}

// allows reports whether two ports see each other.
func (d *Database) allows(a, b string) bool {
	if d.Effective.Cfg == "" {
		return d.AllAccess
	}
	return slices.ContainsFunc(d.Effective.Zones, func(z Zone) bool {
		if z.Type == Peer {
			return slices.Contains(z.Principals, a) && slices.Contains(z.Members, b) || slices.Contains(z.Principals, b) && slices.Contains(z.Members, a)
		}
		return slices.Contains(z.Members, a) && slices.Contains(z.Members, b)
	})
}

// Name writes a world wide name as the switch does.
func Name(n int64) string {
	var parts []string
	for shift := 56; shift >= 0; shift -= 8 {
		parts = append(parts, fmt.Sprintf("%02x", byte(n>>shift)))
	}
	return strings.Join(parts, ":")
}
