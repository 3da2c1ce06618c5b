// Package ledger watches what must never happen to a virtual machine, whatever a client does and whatever the lab believes: it
// is told every registration and every change of power, and reports a broken invariant at once.
package ledger

import (
	"fmt"
	"slices"
	"sync"
)

// Kinds of violations.
const (
	RegisteredTwice = "registered at two sites"
	PoweredOnTwice  = "powered on at two sites"
	FilesLost       = "files lost"
)

// vm is a virtual machine as its files: where they are, and who has it registered or runs it.
type vm struct {
	name, uuid string
	registered []string // sites
	on         []string // sites
}

// Ledger of the virtual machines of all sites, by the place of their .vmx file ("home", unique in the whole lab).
type Ledger struct {
	report func(kind, text string)

	mu  sync.Mutex
	vms map[string]*vm
}

// New returns a ledger that reports violations to a function.
func New(report func(kind, text string)) *Ledger {
	return &Ledger{report: report, vms: map[string]*vm{}}
}

// Register notes that a site has a VM in its inventory.
func (l *Ledger) Register(site, home, uuid, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.vms[home]
	if v == nil {
		v = &vm{}
		l.vms[home] = v
	}
	v.name, v.uuid = name, uuid
	v.registered = with(v.registered, site)
	if len(v.registered) > 1 {
		l.report(RegisteredTwice, fmt.Sprintf("%s (%s) is registered at %s", name, home, join(v.registered)))
	}
	l.twins(home, v)
}

// twins reports another VM with the same instance UUID that is registered at another site: a copy that acts as the original.
func (l *Ledger) twins(home string, v *vm) {
	for other, o := range l.vms {
		if other == home || o.uuid != v.uuid || v.uuid == "" {
			continue
		}
		if sites := union(v.registered, o.registered); len(sites) > 1 {
			l.report(RegisteredTwice, fmt.Sprintf("%s (instance UUID %s) is registered at %s, from %s and %s", v.name, v.uuid, join(sites), home, other))
		}
		if sites := union(v.on, o.on); len(sites) > 1 {
			l.report(PoweredOnTwice, fmt.Sprintf("%s (instance UUID %s) is powered on at %s, from %s and %s", v.name, v.uuid, join(sites), home, other))
		}
	}
}

// Unregister notes that a site took a VM out of its inventory; exists says whether its .vmx is still there.
func (l *Ledger) Unregister(site, home string, exists bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.vms[home]
	if v == nil {
		return
	}
	v.registered, v.on = without(v.registered, site), without(v.on, site)
	if !exists {
		l.report(FilesLost, fmt.Sprintf("%s: %s is gone", v.name, home))
		delete(l.vms, home)
	}
}

// PowerOn notes that a site runs a VM.
func (l *Ledger) PowerOn(site, home string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.vms[home]
	if v == nil {
		return
	}
	v.on = with(v.on, site)
	if len(v.on) > 1 {
		l.report(PoweredOnTwice, fmt.Sprintf("%s (%s) is powered on at %s", v.name, home, join(v.on)))
	}
	l.twins(home, v)
}

// PowerOff notes that a site runs a VM no longer.
func (l *Ledger) PowerOff(site, home string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.vms[home]; v != nil {
		v.on = without(v.on, site)
	}
}

// Move notes that a VM's files are elsewhere.
func (l *Ledger) Move(from, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.vms[from]; v != nil && from != to {
		delete(l.vms, from)
		l.vms[to] = v
	}
}

// Identify notes that a VM got another instance UUID (the answer "I copied it").
func (l *Ledger) Identify(home, uuid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v := l.vms[home]; v != nil {
		v.uuid = uuid
	}
}

// Survey reports every VM whose .vmx is gone, and forgets it, so that a loss is reported once.
func (l *Ledger) Survey(exists func(home string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for home, v := range l.vms {
		if !exists(home) {
			l.report(FilesLost, fmt.Sprintf("%s: %s is gone", v.name, home))
			delete(l.vms, home)
		}
	}
}

func with(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(slices.Clone(list), s)
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s })
}

func union(a, b []string) []string {
	for _, s := range b {
		a = with(a, s)
	}
	if len(b) == 0 {
		return nil
	}
	return a
}

func join(list []string) string {
	s := list[0]
	for _, x := range list[1:] {
		s += " and " + x
	}
	return s
}
