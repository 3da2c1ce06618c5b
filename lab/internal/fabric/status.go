package fabric

import (
	"maps"
	"slices"
)

// Status is everything about one LUN, for a state dump.
type Status struct {
	NAA        string   `json:"naa"`
	Array      string   `json:"array"`
	Size       int64    `json:"size"`
	Original   bool     `json:"original"`
	Volume     *Volume  `json:"volume"`
	Presented  []string `json:"presented"`
	Seen       []string `json:"seen"`
	Mounted    []string `json:"mounted"`
	Detached   []string `json:"detached"`
	Unresolved []string `json:"unresolved"`
	Lost       []string `json:"lost"` // all paths are down
}

// Status returns the state of all LUNs, in the order in which they were added.
func (f *Fabric) Status() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []Status{}
	for _, l := range f.luns {
		s := Status{
			NAA: l.NAA, Array: l.Array, Size: l.Size, Original: l.Original, Volume: clone(l.Volume), Presented: keys(l.presented),
			Seen: []string{}, Mounted: []string{}, Detached: []string{}, Unresolved: keys(l.unresolved), Lost: keys(l.lost),
		}
		for _, name := range slices.Sorted(maps.Keys(f.hosts)) {
			h := f.hosts[name]
			if h.seen[l.NAA] {
				s.Seen = append(s.Seen, name)
			}
			if h.detached[l.NAA] {
				s.Detached = append(s.Detached, name)
			}
			if h.holds(l) {
				s.Mounted = append(s.Mounted, name)
			}
		}
		out = append(out, s)
	}
	return out
}

func keys(m map[string]bool) []string {
	return append([]string{}, slices.Sorted(maps.Keys(m))...)
}

func clone(v *Volume) *Volume {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}
