package lab

// reservations are what a task keeps for itself in the machines of a vCenter until the VM has arrived: the place of its .vmx and
// its name in a folder.
type reservations struct {
	set  *machineSet
	give []func()
}

// home reserves the place of a .vmx; false if it is registered already, or about to be.
func (r *reservations) home(at place) bool {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	if r.set.homes[at] {
		return false
	}
	if r.set.homes == nil {
		r.set.homes = map[place]bool{}
	}
	r.set.homes[at] = true
	r.give = append(r.give, func() {
		for _, m := range r.set.byRef {
			if m.at == at {
				return // registered: it keeps its place
			}
		}
		delete(r.set.homes, at)
	})
	return true
}

// name reserves a name in a folder, given as "folder/name"; false if another task has it.
func (r *reservations) name(key string) bool {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	if r.set.names[key] {
		return false
	}
	if r.set.names == nil {
		r.set.names = map[string]bool{}
	}
	r.set.names[key] = true
	r.give = append(r.give, func() { delete(r.set.names, key) })
	return true
}

// release gives everything back.
func (r *reservations) release() {
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	for _, f := range r.give {
		f()
	}
}
