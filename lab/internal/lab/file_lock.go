package lab

import (
	"maps"
	"path"
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// fileLocks are the locks of VMFS: a host that runs a VM holds its .vmx and its disks, and no other host can open them.
// Source: docs/vsphere-facts.md, "A locked file error at power on is the protection against double running".
type fileLocks struct {
	mu   sync.Mutex
	held map[place]string // by whom
}

// lock takes all files for an owner, or none; busy is the first one that somebody else holds.
func (f *fileLocks) lock(owner string, files []place) (busy place, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range files {
		if h := f.held[p]; h != "" && h != owner {
			return p, false
		}
	}
	if f.held == nil {
		f.held = map[place]string{}
	}
	for _, p := range files {
		f.held[p] = owner
	}
	return place{}, true
}

// unlock gives all files of an owner back.
func (f *fileLocks) unlock(owner string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, h := range f.held {
		if h == owner {
			delete(f.held, p)
		}
	}
}

// pass gives all files of an owner back and takes others for a new one, in one step: nobody can have them in between.
func (f *fileLocks) pass(from, to string, files []place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.held, func(_ place, h string) bool { return h == from })
	for _, p := range files {
		if f.held[p] == "" {
			f.held[p] = to
		}
	}
}

// holder is who holds a file, or "".
func (f *fileLocks) holder(p place) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held[p]
}

// below returns a file below a directory that is held.
func (f *fileLocks) below(dir place) (place, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range f.held {
		if p.uuid == dir.uuid && (p.path == dir.path || dir.path == "." || len(p.path) > len(dir.path) && p.path[:len(dir.path)+1] == dir.path+"/") {
			return p, true
		}
	}
	return place{}, false
}

// locked is the fault for a file that somebody else holds.
func locked(p place) types.BaseMethodFault {
	return because(&types.FileLocked{FileFault: types.FileFault{File: path.Base(p.path)}}, "Failed to lock the file.")
}
