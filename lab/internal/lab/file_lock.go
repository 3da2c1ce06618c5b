package lab

import (
	"maps"
	"path"
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// fileLocks are the locks of VMFS: a host that runs a VM holds its .vmx and its disks, and no other host can open them. The layers
// that a snapshot froze it only reads, and so may others (linked clones).
// Source: docs/vsphere-facts.md, "A locked file error at power on is the protection against double running".
type fileLocks struct {
	mu      sync.Mutex
	held    map[place]string          // by whom
	readers map[place]map[string]bool // of files that nobody writes
}

// lock takes all files for an owner, and opens others to read; or none. busy is the first one that somebody else has open.
func (f *fileLocks) lock(owner string, files openFiles) (busy place, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range files.write {
		if f.busy(p, owner) {
			return p, false
		}
	}
	for _, p := range files.read {
		if h := f.held[p]; h != "" && h != owner {
			return p, false
		}
	}
	f.take(owner, files)
	return place{}, true
}

// openFiles are the files that a running VM has open.
type openFiles struct{ write, read []place }

// unlock gives all files of an owner back.
func (f *fileLocks) unlock(owner string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(owner)
}

// pass gives all files of an owner back and takes others for a new one, or for the same, in one step: nobody can have them in
// between.
func (f *fileLocks) pass(from, to string, files openFiles) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(from)
	f.take(to, files)
}

func (f *fileLocks) drop(owner string) {
	maps.DeleteFunc(f.held, func(_ place, h string) bool { return h == owner })
	for p, r := range f.readers {
		delete(r, owner)
		if len(r) == 0 {
			delete(f.readers, p)
		}
	}
}

// take opens files; those to write that another owner holds stay that one's.
func (f *fileLocks) take(owner string, files openFiles) {
	if f.held == nil {
		f.held, f.readers = map[place]string{}, map[place]map[string]bool{}
	}
	for _, p := range files.write {
		if f.held[p] == "" {
			f.held[p] = owner
		}
	}
	for _, p := range files.read {
		if f.readers[p] == nil {
			f.readers[p] = map[string]bool{}
		}
		f.readers[p][owner] = true
	}
}

// holder is who holds a file, or "".
func (f *fileLocks) holder(p place) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held[p]
}

// others reports whether somebody but the owner has a file open.
func (f *fileLocks) others(p place, owner string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy(p, owner)
}

func (f *fileLocks) busy(p place, owner string) bool {
	if h := f.held[p]; h != "" && h != owner {
		return true
	}
	for r := range f.readers[p] {
		if r != owner {
			return true
		}
	}
	return false
}

// below returns a file below a directory that is open.
func (f *fileLocks) below(dir place) (place, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := func(p place) bool {
		return p.uuid == dir.uuid && (p.path == dir.path || dir.path == "." || len(p.path) > len(dir.path) && p.path[:len(dir.path)+1] == dir.path+"/")
	}
	for p := range f.held {
		if in(p) {
			return p, true
		}
	}
	for p := range f.readers {
		if in(p) {
			return p, true
		}
	}
	return place{}, false
}

// locked is the fault for a file that somebody else holds.
func locked(p place) types.BaseMethodFault {
	return because(&types.FileLocked{FileFault: types.FileFault{File: path.Base(p.path)}}, "Failed to lock the file.")
}
