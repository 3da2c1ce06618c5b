package fabric

// usable reports whether I/O of the host to the LUN works.
func (h *host) usable(l *LUN) bool {
	return h.seen[l.NAA] && l.presented[h.Name] && !h.detached[l.NAA] && !l.lost[h.Name]
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
	return h != nil && l != nil && h.holds(l) && !h.usable(l)
}
