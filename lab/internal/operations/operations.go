// Package operations records every relocation from start to end, with what it costs by vCenter's own cost model, so that a test
// can tell whether a client ever asked for more at once than a host, a datastore or a network bears.
//
// Source: docs/vsphere-facts.md, "Limits and costs". vCenter queues what exceeds a limit; the lab runs it and says so here.
package operations

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of the cost model.
const (
	HostLimit        = 8
	VolumeLimit      = 128
	NetworkLimit     = 8 // of a host with links of 10 Gbit/s
	SlowNetworkLimit = 4 // of one with slower links
)

// Stamp is a time in RFC 3339, with milliseconds.
type Stamp time.Time

// MarshalText writes the time.
func (s Stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).Format("2006-01-02T15:04:05.000Z07:00")), nil
}

// Operation is one relocation. Hosts and networks are known as "vcenter/host", volumes by the UUID of their file system.
type Operation struct {
	VM       string         `json:"vm"`
	Kind     string         `json:"kind"`
	VCenter  string         `json:"vcenter"` // that runs the task
	Start    Stamp          `json:"start"`
	End      *Stamp         `json:"end"` // null while it runs
	Hosts    map[string]int `json:"hosts"`
	Volumes  map[string]int `json:"volumes"`
	Networks map[string]int `json:"networks"`
}

// Peaks are the most units that were taken at once.
type Peaks struct {
	Hosts    map[string]int `json:"hosts"`
	Volumes  map[string]int `json:"volumes"`
	Networks map[string]int `json:"networks"`
}

// Report is everything recorded so far.
type Report struct {
	Operations []Operation `json:"operations"` // by start
	Peaks      Peaks       `json:"peaks"`
	Over       []string    `json:"over"` // one text for each time that a limit was exceeded
}

// Record of a lab. The zero value is empty and ready.
type Record struct {
	mu                       sync.Mutex
	list                     []*Operation
	hosts, volumes, networks meter
	over                     []string
}

// Begin records the start of an operation, whose maps must not change any more. network is the limit of a host's network. The
// function that it returns records the end; a second call does nothing.
func (r *Record) Begin(o Operation, network func(host string) int) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Start, o.End = Stamp(time.Now()), nil
	r.list = append(r.list, &o)
	r.take(&r.hosts, "host", o.VM, o.Hosts, func(string) int { return HostLimit })
	r.take(&r.volumes, "volume", o.VM, o.Volumes, func(string) int { return VolumeLimit })
	r.take(&r.networks, "network of host", o.VM, o.Networks, network)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if o.End != nil {
			return
		}
		now := Stamp(time.Now())
		o.End = &now
		r.hosts.give(o.Hosts)
		r.volumes.give(o.Volumes)
		r.networks.give(o.Networks)
	}
}

func (r *Record) take(m *meter, what, vm string, units map[string]int, limit func(string) int) {
	m.take(units)
	for _, key := range slices.Sorted(maps.Keys(units)) {
		if most := limit(key); m.now[key] > most {
			r.over = append(r.over, fmt.Sprintf("%s %s bore %d of %d when %s began, beside %s", what, key, m.now[key], most, vm, r.running(vm)))
		}
	}
}

// running names the other VMs whose operation has not ended.
func (r *Record) running(but string) string {
	var names []string
	for _, o := range r.list {
		if o.End == nil && o.VM != but {
			names = append(names, o.VM)
		}
	}
	return strings.Join(names, ", ")
}

// Report returns a copy of what was recorded so far.
func (r *Record) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Report{Operations: []Operation{}, Over: append([]string{}, r.over...)}
	for _, o := range r.list {
		out.Operations = append(out.Operations, *o)
	}
	out.Peaks = Peaks{r.hosts.peaks(), r.volumes.peaks(), r.networks.peaks()}
	return out
}

// meter adds up units by key and remembers the most of each.
type meter struct{ now, most map[string]int }

func (m *meter) take(units map[string]int) {
	if m.now == nil {
		m.now, m.most = map[string]int{}, map[string]int{}
	}
	for k, n := range units {
		m.now[k] += n
		m.most[k] = max(m.most[k], m.now[k])
	}
}

func (m *meter) give(units map[string]int) {
	for k, n := range units {
		m.now[k] -= n
	}
}

func (m *meter) peaks() map[string]int {
	out := map[string]int{}
	maps.Copy(out, m.most)
	return out
}
