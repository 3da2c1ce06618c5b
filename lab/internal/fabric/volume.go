package fabric

// Device is a LUN as a host knows it.
type Device struct {
	LUN
	// Usable: I/O works. Detached: switched off by an administrator. Neither: all paths are dead.
	Usable   bool
	Detached bool
}

// Mount is a VMFS volume that a host knows: mounted, or taken out by an administrator.
type Mount struct {
	Volume
	Mounted bool
	Forced  bool
	// Accessible: it is mounted and I/O works.
	Accessible bool
}

// Copy is a volume that a host holds back because it looks like a copy: the identifier recorded in it is not that of the device.
type Copy struct {
	Volume
	LUN LUN
}

// Devices returns what the host sees, in the order in which the LUNs were added.
func (f *Fabric) Devices(name string) []Device {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return nil
	}
	var out []Device
	for _, l := range f.luns {
		if h.seen[l.NAA] {
			c := *l
			c.Volume = clone(l.Volume)
			out = append(out, Device{LUN: c, Usable: f.usable(h, l), Detached: h.detached[l.NAA]})
		}
	}
	return out
}

// Mounts returns the volumes that the host knows. A volume that was erased or formatted behind its back is gone.
func (f *Fabric) Mounts(name string) []Mount {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return nil
	}
	var out []Mount
	for _, l := range f.luns {
		if l.Volume == nil {
			continue
		}
		if m := h.mounts[l.Volume.UUID]; m != nil {
			out = append(out, Mount{Volume: *l.Volume, Mounted: m.mounted, Forced: m.forced, Accessible: m.mounted && f.usable(h, l)})
		}
	}
	return out
}

// Copies returns the volumes that the host holds back.
func (f *Fabric) Copies(name string) []Copy {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil {
		return nil
	}
	var out []Copy
	for _, l := range f.luns {
		if l.Volume != nil && l.unresolved[name] && f.usable(h, l) && h.mounts[l.Volume.UUID] == nil {
			out = append(out, Copy{*l.Volume, *l})
		}
	}
	return out
}

// Volume returns the volume with that UUID.
func (f *Fabric) Volume(uuid string) (Volume, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.volume(uuid); l != nil {
		return *l.Volume, true
	}
	return Volume{}, false
}

// Mount mounts a volume that an administrator unmounted, or that no rescan mounted yet.
func (f *Fabric) Mount(name, uuid string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, l := f.hosts[name], f.volume(uuid)
	switch {
	case h == nil || l == nil || !h.seen[l.NAA]:
		return ErrNotFound
	case h.detached[l.NAA] || !f.usable(h, l):
		return ErrDetached
	case !h.opens(l.Volume):
		return ErrVersion
	case h.holds(l):
		return ErrMounted
	}
	m := h.mounts[uuid]
	if m == nil {
		if l.unresolved[name] {
			return ErrUnresolved
		}
		m = &mount{}
		h.mounts[uuid] = m
	}
	m.mounted = true
	return nil
}

// Unmount takes a volume out; it stays out until Mount, whatever is rescanned.
func (f *Fabric) Unmount(name, uuid string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h == nil || f.volume(uuid) == nil || h.mounts[uuid] == nil {
		return ErrNotFound
	}
	if !h.mounts[uuid].mounted {
		return ErrNotMounted
	}
	h.mounts[uuid].mounted = false
	return nil
}

// Format writes a new volume onto a device that the host sees, over whatever is there, as vSphere does: only a volume that this
// very host has mounted is safe. The host that formats mounts the new volume.
func (f *Fabric) Format(name, naa string, v Volume) (Volume, error) {
	f.mu.Lock()
	h, l := f.hosts[name], f.lun(naa)
	err := func() error {
		switch {
		case h == nil || l == nil || !h.seen[naa]:
			return ErrNotFound
		case !f.usable(h, l):
			return ErrDetached
		case h.holds(l):
			return ErrMounted
		case !h.opens(&v):
			return ErrVersion
		case l.Size < MinimumVMFS:
			return ErrTooSmall
		}
		return nil
	}()
	if err != nil {
		f.mu.Unlock()
		return Volume{}, err
	}
	before := l.Volume
	f.forget(before)
	v.Capacity, v.NAA, v.Array = l.Size, naa, l.Array
	l.Volume, l.unresolved = &v, map[string]bool{}
	h.mounts[v.UUID] = &mount{mounted: true}
	e := Event{Formatted, name, naa, l.Original, before, clone(&v)}
	f.mu.Unlock()
	f.report(e)
	return v, nil
}

// Erase deletes a volume that the host has mounted; it is gone for every host.
func (f *Fabric) Erase(name, uuid string) error {
	f.mu.Lock()
	h, l := f.hosts[name], f.volume(uuid)
	switch {
	case h == nil || l == nil || h.mounts[uuid] == nil:
		f.mu.Unlock()
		return ErrNotFound
	case !h.holds(l):
		f.mu.Unlock()
		return ErrNotMounted
	}
	before := l.Volume
	f.forget(before)
	l.Volume = nil
	e := Event{Erased, name, l.NAA, l.Original, before, nil}
	f.mu.Unlock()
	f.report(e)
	return nil
}

// ForceMount mounts a volume that looks like a copy under its own UUID.
func (f *Fabric) ForceMount(name, uuid string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, l := f.hosts[name], f.volume(uuid)
	if h == nil || l == nil || !l.unresolved[name] || !f.usable(h, l) {
		return ErrNotFound
	}
	if !h.opens(l.Volume) {
		return ErrVersion
	}
	h.mounts[uuid] = &mount{mounted: true, forced: true}
	return nil
}

// Resignature gives a volume that looks like a copy another UUID and label and mounts it. Hosts that had the old one mounted lose
// it.
func (f *Fabric) Resignature(name, uuid, newUUID, newLabel string) (Volume, error) {
	f.mu.Lock()
	h, l := f.hosts[name], f.volume(uuid)
	if h == nil || l == nil || !l.unresolved[name] || !f.usable(h, l) {
		f.mu.Unlock()
		return Volume{}, ErrNotFound
	}
	before := l.Volume
	f.forget(before)
	v := *before
	v.UUID, v.Label = newUUID, newLabel
	l.Volume, l.unresolved = &v, map[string]bool{}
	h.mounts[v.UUID] = &mount{mounted: true}
	e := Event{Resignatured, name, l.NAA, l.Original, before, clone(&v)}
	f.mu.Unlock()
	f.report(e)
	return v, nil
}

// Rename changes the label of a volume that the host has mounted.
func (f *Fabric) Rename(uuid, label string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.volume(uuid)
	if l == nil {
		return ErrNotFound
	}
	l.Volume.Label = label
	return nil
}

// forget takes a volume from every host.
func (f *Fabric) forget(v *Volume) {
	if v == nil {
		return
	}
	for _, h := range f.hosts {
		delete(h.mounts, v.UUID)
	}
}
