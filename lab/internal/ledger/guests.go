package ledger

import (
	"sync"
	"time"
)

// Guests measures, by the lab's own clock, how long every guest was away and how often it was started. A guest is known by a
// name that lies on its own disk, so that it stays the same wherever its VM is registered.
type Guests struct {
	mu     sync.Mutex
	guests map[string]*guest
}

type guest struct {
	offSince, awaySince time.Time // zero while powered on, or serving
	off, away           time.Duration
	cycles              int
}

// GuestTime is what Guests measured for one guest.
type GuestTime struct {
	Off    time.Duration // VM powered off
	Away   time.Duration // guest not serving: from the shutdown that it obeyed, or the power-off, until it has booted
	Cycles int           // times powered on since the start
}

// NewGuests returns an empty set.
func NewGuests() *Guests { return &Guests{guests: map[string]*guest{}} }

func (g *Guests) get(id string) *guest {
	if g.guests[id] == nil {
		g.guests[id] = &guest{}
	}
	return g.guests[id]
}

// Stopping notes that a guest began to shut down.
func (g *Guests) Stopping(id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := g.get(id); x.awaySince.IsZero() {
		x.awaySince = now
	}
}

// Off notes that a guest's VM was powered off.
func (g *Guests) Off(id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.get(id)
	if x.offSince.IsZero() {
		x.offSince = now
	}
	if x.awaySince.IsZero() {
		x.awaySince = now
	}
}

// On notes that a guest's VM was powered on.
func (g *Guests) On(id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.get(id)
	x.cycles++
	if !x.offSince.IsZero() {
		x.off += now.Sub(x.offSince)
		x.offSince = time.Time{}
	}
}

// Booted notes that a guest serves again.
func (g *Guests) Booted(id string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.get(id)
	if !x.awaySince.IsZero() {
		x.away += now.Sub(x.awaySince)
		x.awaySince = time.Time{}
	}
}

// Time returns what was measured so far.
func (g *Guests) Time(id string, now time.Time) GuestTime {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.get(id)
	t := GuestTime{x.off, x.away, x.cycles}
	if !x.offSince.IsZero() {
		t.Off += now.Sub(x.offSince)
	}
	if !x.awaySince.IsZero() {
		t.Away += now.Sub(x.awaySince)
	}
	return t
}
