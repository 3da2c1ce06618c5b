// Package fabric models arrays, their LUNs, the VMFS volumes on them and what each host knows of them. It is pure: it knows
// neither vCenters nor files, and reports to a callback what destroys or changes a volume.
//
// What a host knows lags behind what is presented to it: a device appears at a rescan of the HBAs, the volume on it is mounted at
// a rescan of VMFS, and a device that is withdrawn while its volume is mounted stays behind as a dead one.
package fabric

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Errors of operations. A caller finds the reason with errors.Is.
var (
	ErrNotFound   = errors.New("not found")
	ErrMounted    = errors.New("the volume is mounted")
	ErrNotMounted = errors.New("the volume is not mounted")
	ErrDetached   = errors.New("the device is detached")
	ErrAttached   = errors.New("the device is attached")
	ErrUnresolved = errors.New("the volume is held back as a copy")
	ErrVersion    = errors.New("the host cannot open this version of VMFS")
	ErrTooSmall   = errors.New("the device is too small")
)

// MinimumVMFS is the smallest device that can hold a volume (1.3 GiB; vSphere's documentation of VMFS requirements).
const MinimumVMFS = 1331 << 20

// Volume is a VMFS volume.
type Volume struct {
	UUID    string `json:"uuid"`
	Label   string `json:"label"`
	Version int    `json:"version"` // 3, 5 or 6
	// Dir is where the lab keeps the files; the fabric only passes it on.
	Dir string `json:"-"`
	// Capacity in bytes, and the device: set by the fabric.
	Capacity int64  `json:"capacity"`
	NAA      string `json:"naa"`
	Array    string `json:"array"`
}

// LUN is a logical unit of an array.
type LUN struct {
	NAA    string
	Array  string
	Number int   // its number within the array: every host sees it under the same one
	Size   int64 // bytes
	// Original is a LUN that held a volume when the lab started: what must never be formatted nor resignatured.
	Original bool
	// Volume on the LUN, nil for a blank one.
	Volume *Volume

	presented  map[string]bool
	unresolved map[string]bool
	lost       map[string]bool // hosts to which all paths are down
}

// HBA is a Fibre Channel port of a host.
type HBA struct {
	Device     string // "vmhba2"
	WWPN, WWNN int64
}

// Host is what the fabric has to know about a host.
type Host struct {
	Name string
	HBAs []HBA
	// Oldest and VMFS are the oldest and the newest version of VMFS that the host can open.
	Oldest, VMFS int
}

func (h *Host) opens(v *Volume) bool { return v.Version >= h.Oldest && v.Version <= h.VMFS }

// Opens changes which versions of VMFS a host can open, when it boots another ESXi.
func (f *Fabric) Opens(host string, oldest, newest int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.hosts[host]; h != nil {
		h.Oldest, h.VMFS = oldest, newest
	}
}

type mount struct {
	mounted bool // false: taken out by an administrator, and stays out
	forced  bool // mounted although it looked like a copy
}

type host struct {
	Host
	seen     map[string]bool   // devices, by NAA
	known    map[Path]bool     // paths to arrays that a rescan has found
	detached map[string]bool   // by NAA
	mounts   map[string]*mount // by volume UUID
}

// Kind of an event.
type Kind string

// Kinds of events.
const (
	Formatted    Kind = "formatted"    // a new volume was written over the device
	Erased       Kind = "erased"       // the volume was deleted
	Resignatured Kind = "resignatured" // the volume got another UUID and label
)

// Event is a change of what is on a LUN.
type Event struct {
	Kind     Kind
	Host     string
	NAA      string
	Original bool // of the LUN
	Before   *Volume
	After    *Volume
}

// Fabric of a lab.
type Fabric struct {
	report func(Event)
	zoned  func(initiator, target int64) bool

	mu     sync.Mutex
	arrays map[string][]int64 // target ports by array
	luns   []*LUN
	hosts  map[string]*host
}

// New returns an empty fabric in which every port sees every other. Events are reported without a lock held; report may be nil.
func New(report func(Event)) *Fabric {
	if report == nil {
		report = func(Event) {}
	}
	return &Fabric{report: report, zoned: func(int64, int64) bool { return true }, arrays: map[string][]int64{}, hosts: map[string]*host{}}
}

// SetZoning lets a function say which ports see each other. It is called with the fabric's lock held.
func (f *Fabric) SetZoning(zoned func(initiator, target int64) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.zoned = zoned
}

// AddArray adds an array with its target ports (WWPNs).
func (f *Fabric) AddArray(name string, ports []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrays[name] = ports
}

// AddLUN adds a LUN to its array. unresolved are the hosts that take its volume for a copy.
func (f *Fabric) AddLUN(l LUN, unresolved ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.presented, l.unresolved, l.lost = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, h := range unresolved {
		l.unresolved[h] = true
	}
	if l.Volume != nil {
		v := *l.Volume
		v.Capacity, v.NAA, v.Array = l.Size, l.NAA, l.Array
		l.Volume, l.Original = &v, true
	}
	f.luns = append(f.luns, &l)
}

// AddHost adds a host that has seen nothing yet.
func (f *Fabric) AddHost(h Host) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[h.Name] = &host{Host: h, seen: map[string]bool{}, known: map[Path]bool{}, detached: map[string]bool{}, mounts: map[string]*mount{}}
}

// Present lets a host see a LUN from its next rescan on.
func (f *Fabric) Present(naa, host string) error { return f.present(naa, host, true) }

// Withdraw takes a LUN from a host. The host keeps a dead device until a rescan; longer, if its volume is mounted.
func (f *Fabric) Withdraw(naa, host string) error { return f.present(naa, host, false) }

func (f *Fabric) present(naa, name string, on bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, h := f.lun(naa), f.hosts[name]
	if l == nil || h == nil {
		return fmt.Errorf("LUN %s or host %s: %w", naa, name, ErrNotFound)
	}
	if on {
		l.presented[name] = true
	} else {
		delete(l.presented, name)
	}
	return nil
}

func (f *Fabric) lun(naa string) *LUN {
	for _, l := range f.luns {
		if l.NAA == naa {
			return l
		}
	}
	return nil
}

// volume returns the LUN that holds the volume.
func (f *Fabric) volume(uuid string) *LUN {
	for _, l := range f.luns {
		if l.Volume != nil && l.Volume.UUID == uuid {
			return l
		}
	}
	return nil
}

// RescanHBA makes the host see what is presented to it and forget what is not, unless the volume on it is mounted.
func (f *Fabric) RescanHBA(name string) {
	f.rescan(name, func(*LUN) bool { return true })
}

// Boot makes the host see, as at its start, those of the devices presented to it that match.
func (f *Fabric) Boot(name string, match func(LUN) bool) {
	f.rescan(name, func(l *LUN) bool { return match(*l) })
}

func (f *Fabric) rescan(name string, match func(*LUN) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return
	}
	for _, a := range slices.Sorted(maps.Keys(f.arrays)) {
		for _, p := range f.between(h, a) {
			if delete(h.known, p); f.zoned(p.HBA.WWPN, p.Port) {
				h.known[p] = true
			}
		}
	}
	for _, l := range f.luns {
		there := l.presented[name] && (l.Array == "" || f.connected(h, l.Array))
		switch {
		case there && match(l):
			h.seen[l.NAA] = true
		case !there && !h.holds(l):
			delete(h.seen, l.NAA)
			if l.Volume != nil {
				delete(h.mounts, l.Volume.UUID)
			}
		}
	}
}

func (h *host) holds(l *LUN) bool {
	return l.Volume != nil && h.mounts[l.Volume.UUID] != nil && h.mounts[l.Volume.UUID].mounted
}

// RescanVMFS mounts the volumes that the host sees, but for copies and for those that an administrator unmounted, and forgets
// the unmounted volumes whose device is gone.
func (f *Fabric) RescanVMFS(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return
	}
	for uuid, m := range h.mounts {
		if l := f.volume(uuid); l == nil || !m.mounted && !f.usable(h, l) {
			delete(h.mounts, uuid)
		}
	}
	for _, l := range f.luns {
		if l.Volume == nil || !f.usable(h, l) || l.unresolved[name] || !h.opens(l.Volume) || h.mounts[l.Volume.UUID] != nil {
			continue
		}
		h.mounts[l.Volume.UUID] = &mount{mounted: true}
	}
}

// Attach undoes Detach.
func (f *Fabric) Attach(name, naa string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	switch {
	case h == nil || !h.seen[naa]:
		return ErrNotFound
	case !h.detached[naa]:
		return ErrAttached
	}
	delete(h.detached, naa)
	return nil
}

// Detach switches a device off for the host, for good: a rescan or reboot does not bring it back. The volume on it has to be
// unmounted first.
func (f *Fabric) Detach(name, naa string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, l := f.hosts[name], f.lun(naa)
	switch {
	case h == nil || l == nil || !h.seen[naa]:
		return ErrNotFound
	case h.detached[naa]:
		return ErrDetached
	case h.holds(l):
		return ErrMounted
	}
	h.detached[naa] = true
	return nil
}

// Ports returns the target ports of an array.
func (f *Fabric) Ports(array string) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.arrays[array])
}

// HBAs returns the Fibre Channel ports of a host.
func (f *Fabric) HBAs(name string) []HBA {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.hosts[name]; h != nil {
		return slices.Clone(h.HBAs)
	}
	return nil
}
