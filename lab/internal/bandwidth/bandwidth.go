// Package bandwidth shares the bandwidth of storage arrays among the copies that run at the same time.
package bandwidth

import (
	"math"
	"time"
)

// Copy is one transfer of bytes that touches one or more arrays.
type Copy struct {
	total, left float64
	rate        float64 // bytes per second of the real site
	arrays      []string
	done        chan struct{}
}

// Done is closed when the copy is complete; never if it was stopped before.
func (c *Copy) Done() <-chan struct{} { return c.done }

// Model holds the copies that run and how fast each of them is: bandwidth is shared fairly (max-min), so that a copy held up
// by its slower array leaves the rest of the faster one to others. It has no clock: time passes when Advance is called.
type Model struct {
	capacity map[string]float64 // bytes per second
	copies   []*Copy
}

// NewModel takes the bandwidth of every array in MB/s.
func NewModel(mbPerSecond map[string]float64) *Model {
	m := &Model{capacity: map[string]float64{}}
	for a, v := range mbPerSecond {
		m.capacity[a] = v * 1e6
	}
	return m
}

// Add starts a copy of bytes that touches arrays; one that is named twice counts once, one without a bandwidth is free.
func (m *Model) Add(bytes int64, arrays ...string) *Copy {
	c := &Copy{total: float64(bytes), left: float64(bytes), done: make(chan struct{})}
	seen := map[string]bool{}
	for _, a := range arrays {
		if _, ok := m.capacity[a]; ok && !seen[a] {
			seen[a] = true
			c.arrays = append(c.arrays, a)
		}
	}
	m.copies = append(m.copies, c)
	m.share()
	return c
}

// Remove stops a copy.
func (m *Model) Remove(c *Copy) {
	for i, x := range m.copies {
		if x == c {
			m.copies = append(m.copies[:i:i], m.copies[i+1:]...)
			m.share()
			return
		}
	}
}

// Progress is the part of a copy that is done, from 0 to 1.
func (m *Model) Progress(c *Copy) float64 {
	if c.total == 0 {
		return 1
	}
	return 1 - c.left/c.total
}

// Next is the time until the next copy ends, if one runs.
func (m *Model) Next() (time.Duration, bool) {
	least := math.Inf(1)
	for _, c := range m.copies {
		least = min(least, c.left/c.rate)
	}
	if math.IsInf(least, 1) {
		return 0, false
	}
	return time.Duration(math.Ceil(least * float64(time.Second))), true
}

// Advance lets time pass. Copies that end on the way leave their bandwidth to the others from that moment on.
func (m *Model) Advance(d time.Duration) {
	for {
		step, running := m.Next()
		if !running {
			return
		}
		step = min(step, d)
		ended := false
		for _, c := range m.copies {
			if math.IsInf(c.rate, 1) {
				c.left = 0
			} else {
				c.left = max(0, c.left-c.rate*step.Seconds())
			}
			if c.left < 1 { // less than a byte: rounding
				c.left, ended = 0, true
			}
		}
		if ended {
			m.finish()
		}
		if d -= step; d <= 0 && !ended {
			return
		}
	}
}

func (m *Model) finish() {
	var running []*Copy
	for _, c := range m.copies {
		if c.left == 0 {
			close(c.done)
		} else {
			running = append(running, c)
		}
	}
	m.copies = running
	m.share()
}

// share computes the rates: the array with the least bandwidth per open copy is filled first, its copies are settled at that
// rate, and so on with what remains.
func (m *Model) share() {
	open := map[*Copy]bool{}
	for _, c := range m.copies {
		open[c] = true
		c.rate = math.Inf(1) // a copy that touches no known array takes no time
	}
	free := map[string]float64{}
	for a, v := range m.capacity {
		free[a] = v
	}
	for {
		tightest, rate := "", math.Inf(1)
		for a, v := range free {
			n := 0
			for c := range open {
				if touches(c, a) {
					n++
				}
			}
			if r := v / float64(n); n > 0 && (r < rate || r == rate && a < tightest) {
				tightest, rate = a, r
			}
		}
		if tightest == "" {
			return
		}
		for c := range open {
			if touches(c, tightest) {
				c.rate = rate
				delete(open, c)
				for _, a := range c.arrays {
					free[a] -= rate
				}
			}
		}
	}
}

func touches(c *Copy, array string) bool {
	for _, a := range c.arrays {
		if a == array {
			return true
		}
	}
	return false
}
