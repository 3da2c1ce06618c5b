package lab

import (
	"strings"

	"esxodus/lab/internal/operations"
)

// Kinds of relocations, by what vCenter's cost model charges.
const (
	kindInventory = "inventory"          // another folder or pool: nothing
	kindCold      = "cold"               // powered off
	kindVMotion   = "vMotion"            // running, to another host that shares its datastores
	kindStorage   = "storageVMotion"     // running, to other datastores on the same host
	kindUnshared  = "vMotionWithStorage" // running, to another host and other datastores
)

// units of the cost model: of each host, of each datastore that is read from or written to, of each datastore that stays, and of
// each host's network. Source: docs/vsphere-facts.md, "Limits and costs".
var units = map[string]struct{ host, moved, stays, network int }{
	kindCold: {host: 1, moved: 16}, kindVMotion: {host: 1, stays: 1, network: 1},
	kindStorage: {host: 4, moved: 16}, kindUnshared: {host: 4, moved: 16, stays: 1, network: 1},
}

func (r *relocation) kind() string {
	elsewhere, moves := r.elsewhere(), !r.files.empty()
	switch {
	case !elsewhere && !moves:
		return kindInventory
	case r.m.power() != on:
		return kindCold
	case !moves:
		return kindVMotion
	case !elsewhere:
		return kindStorage
	}
	return kindUnshared
}

// record notes the start of the relocation, and returns how to note its end.
func (r *relocation) record() (end func()) {
	l, kind := r.m.vc.lab, r.kind()
	cost := units[kind]
	o := operations.Operation{VM: r.m.name(), Kind: kind, VCenter: r.m.vc.Spec.Name, Hosts: map[string]int{}, Volumes: map[string]int{}, Networks: map[string]int{}}
	for _, h := range []string{r.m.vc.Spec.Name + "/" + r.m.vc.entityName(r.m.host()), r.vc.Spec.Name + "/" + r.vc.entityName(r.host)} {
		charge(o.Hosts, h, cost.host)
		charge(o.Networks, h, cost.network)
	}
	volume := func(from, to string) {
		n := cost.moved
		if from == to {
			n = cost.stays
		}
		charge(o.Volumes, from, n)
		charge(o.Volumes, to, n)
	}
	volume(r.m.place().uuid, r.files.home)
	for key, layers := range r.files.layers {
		volume(layers[0].at.uuid, r.files.targets[key])
	}
	return l.operations.Begin(o, l.networkLimit)
}

// charge notes the units that one operation takes of something: the most of what its parts take, not their sum.
func charge(m map[string]int, key string, n int) {
	if n > m[key] {
		m[key] = n
	}
}

// networkLimit is how many vMotions the network of a host bears, given as "vcenter/host".
func (l *Lab) networkLimit(host string) int {
	_, name, _ := strings.Cut(host, "/")
	if s := l.servers[name]; s != nil && s.spec.NIC >= 10000 {
		return operations.NetworkLimit
	}
	return operations.SlowNetworkLimit
}

// Operations returns the record of all relocations.
func (l *Lab) Operations() operations.Report { return l.operations.Report() }
