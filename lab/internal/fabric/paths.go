package fabric

// Path leads from an HBA of a host to a port of an array.
type Path struct {
	HBA  HBA
	Port int64
}

// between are the paths that the cables allow: there are as many fabrics as a host has HBAs, and the ports of an array are dealt
// out to them in turn.
func (f *Fabric) between(h *host, array string) []Path {
	var out []Path
	for k, a := range h.HBAs {
		for i, port := range f.arrays[array] {
			if i%len(h.HBAs) == k {
				out = append(out, Path{a, port})
			}
		}
	}
	return out
}

// connected reports whether any path leads to the array, found by a rescan and open in the zoning.
func (f *Fabric) connected(h *host, array string) bool {
	for _, p := range f.between(h, array) {
		if h.known[p] && f.zoned(p.HBA.WWPN, p.Port) {
			return true
		}
	}
	return false
}

// PathState is a path with whether anything goes through.
type PathState struct {
	Path
	Open bool
}

// Paths returns the paths of a host to an array that a rescan has found, those too that are closed by now.
func (f *Fabric) Paths(name, array string) []PathState {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return nil
	}
	var out []PathState
	for _, p := range f.between(h, array) {
		if h.known[p] {
			out = append(out, PathState{p, f.zoned(p.HBA.WWPN, p.Port)})
		}
	}
	return out
}

// usable reports whether I/O of the host to the LUN works.
func (f *Fabric) usable(h *host, l *LUN) bool {
	there := h.seen[l.NAA] && l.presented[h.Name] && !h.detached[l.NAA] && !l.lost[h.Name]
	return there && (l.Array == "" || f.connected(h, l.Array))
}

// LosePaths takes all paths to a LUN from a host, or gives them back. The host keeps the device and what is mounted, and no I/O
// works.
func (f *Fabric) LosePaths(naa, name string, lost bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lun(naa)
	if l == nil || f.hosts[name] == nil {
		return ErrNotFound
	}
	if delete(l.lost, name); lost {
		l.lost[name] = true
	}
	return nil
}

// Severed reports whether a host that has a volume mounted can do no I/O to it.
func (f *Fabric) Severed(name, uuid string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, l := f.hosts[name], f.volume(uuid)
	return h != nil && l != nil && h.holds(l) && !f.usable(h, l)
}
