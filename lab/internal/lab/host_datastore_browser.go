package lab

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// datastoreBrowser is HostDatastoreBrowser, over the real files of the volumes.
type datastoreBrowser struct{ shadow }

func installDatastoreBrowser(vc *VC) {
	vc.redirect("HostDatastoreBrowser", &datastoreBrowser{vc.shadow("HostDatastoreBrowser")}, "SearchDatastore_Task", "SearchDatastoreSubFolders_Task")
}

// SearchDatastoreTask lists the files of one directory.
func (o *datastoreBrowser) SearchDatastoreTask(req *types.SearchDatastore_Task) soap.HasFault {
	ref, f := o.search(req.This, req.DatastorePath, req.SearchSpec, false)
	if f != nil {
		return &methods.SearchDatastore_TaskBody{Fault_: f}
	}
	return &methods.SearchDatastore_TaskBody{Res: &types.SearchDatastore_TaskResponse{Returnval: ref}}
}

// SearchDatastoreSubFoldersTask lists the files of a directory and of all below it.
func (o *datastoreBrowser) SearchDatastoreSubFoldersTask(req *types.SearchDatastoreSubFolders_Task) soap.HasFault {
	ref, f := o.search(req.This, req.DatastorePath, req.SearchSpec, true)
	if f != nil {
		return &methods.SearchDatastoreSubFolders_TaskBody{Fault_: f}
	}
	return &methods.SearchDatastoreSubFolders_TaskBody{Res: &types.SearchDatastoreSubFolders_TaskResponse{Returnval: ref}}
}

// search starts the task; its entity is the datastore, since a browser is no managed entity.
func (o *datastoreBrowser) search(browser types.ManagedObjectReference, from string, spec *types.HostDatastoreBrowserSearchSpec, deep bool) (types.ManagedObjectReference, *soap.Fault) {
	vc := o.vc
	var p object.DatastorePath
	if !p.FromString(from) {
		return browser, fault(&types.InvalidDatastorePath{DatastorePath: from})
	}
	b, ok := vc.Map().Get(browser).(*simulator.HostDatastoreBrowser)
	if !ok {
		return browser, fault(&types.ManagedObjectNotFound{Obj: browser})
	}
	var list []types.ManagedObjectReference
	vc.newCtx().WithLock(b, func() { list = slices.Clone(b.Datastore) })
	if h, host := o.hostOf(browser); host {
		vc.newCtx().WithLock(h, func() { list = slices.Clone(h.Datastore) })
	}
	var v *volume
	for _, ref := range list {
		if x := vc.volumeOf(ref); x != nil && x.name == p.Datastore {
			v = x
		}
	}
	if v == nil {
		return browser, fault(&types.InvalidDatastore{Name: p.Datastore})
	}
	if spec == nil {
		spec = &types.HostDatastoreBrowserSearchSpec{}
	}
	id := "HostDatastoreBrowser.search"
	if deep {
		id = "HostDatastoreBrowser.searchSubFolders"
	}
	ds := vc.Map().Get(v.ref).(*simulator.Datastore)
	return vc.run(ds, id, v.name, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if f := j.sleep(vc.lab.Scenario.Durations.Other); f != nil {
			return nil, f
		}
		v := vc.volumeOf(v.ref)
		if v == nil || len(v.hosts) == 0 {
			return nil, because(&types.InvalidDatastore{Name: p.Datastore}, "No host has it mounted.")
		}
		s := fileSearch{vc: vc, volume: v, spec: spec, deep: deep}
		if err := s.directory(path.Clean("./" + p.Path)); err != nil {
			return nil, &types.FileNotFound{FileFault: types.FileFault{File: from}}
		}
		if !deep {
			return s.found[0], nil
		}
		return types.ArrayOfHostDatastoreBrowserSearchResults{HostDatastoreBrowserSearchResults: s.found}, nil
	}), nil
}

func (o *datastoreBrowser) hostOf(browser types.ManagedObjectReference) (*simulator.HostSystem, bool) {
	for _, e := range o.vc.Map().All("HostSystem") {
		if h, ok := e.(*simulator.HostSystem); ok && h.DatastoreBrowser == browser {
			return h, true
		}
	}
	return nil, false
}

type fileSearch struct {
	vc     *VC
	volume *volume
	spec   *types.HostDatastoreBrowserSearchSpec
	deep   bool
	found  []types.HostDatastoreBrowserSearchResults
}

// directory searches one directory; path "." is the volume's root.
func (s *fileSearch) directory(p string) error {
	entries, err := os.ReadDir(s.vc.lab.on(place{s.volume.uuid, p}))
	if err != nil {
		return err
	}
	folder := "[" + s.volume.name + "]"
	if p != "." {
		folder += " " + p + "/"
	}
	ref := s.volume.ref
	at := len(s.found)
	s.found = append(s.found, types.HostDatastoreBrowserSearchResults{Datastore: &ref, FolderPath: folder})
	var dirs []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "~") { // being written
			continue
		}
		if s.matches(e.Name()) {
			if i := s.info(p, e); i != nil {
				s.found[at].File = append(s.found[at].File, i)
			}
		}
		if e.IsDir() && s.deep {
			dirs = append(dirs, path.Join(p, e.Name()))
		}
	}
	if s.spec.SortFoldersFirst != nil && *s.spec.SortFoldersFirst {
		slices.SortStableFunc(s.found[at].File, func(a, b types.BaseFileInfo) int { return rank(a) - rank(b) })
	}
	for _, d := range dirs {
		if err := s.directory(d); err != nil && !os.IsNotExist(err) { // a task may have moved it meanwhile
			return err
		}
	}
	return nil
}

func rank(i types.BaseFileInfo) int {
	if _, ok := i.(*types.FolderFileInfo); ok {
		return 0
	}
	return 1
}

// matches compares a name with the patterns, of which * and ? are special; without patterns all names match.
func (s *fileSearch) matches(name string) bool {
	if len(s.spec.MatchPattern) == 0 {
		return true
	}
	for _, m := range s.spec.MatchPattern {
		if s.spec.SearchCaseInsensitive == nil || *s.spec.SearchCaseInsensitive {
			m, name = strings.ToLower(m), strings.ToLower(name)
		}
		if ok, err := path.Match(m, name); ok && err == nil {
			return true
		}
	}
	return false
}

// info describes a file as far as the queries and the details of the spec ask for it; nil for a kind that is not asked for.
func (s *fileSearch) info(dir string, e os.DirEntry) types.BaseFileInfo {
	x, err := e.Info()
	if err != nil {
		return nil
	}
	base := types.FileInfo{Path: e.Name()}
	ask := types.FileQueryFlags{}
	if s.spec.Details != nil {
		ask = *s.spec.Details
	}
	if ask.FileSize && !x.IsDir() {
		base.FileSize = x.Size()
	}
	if ask.Modification {
		t := x.ModTime()
		base.Modification = &t
	}
	if ask.FileOwner {
		base.Owner = "root"
	}
	info, query := s.kind(dir, x, base)
	if len(s.spec.Query) > 0 && !slices.ContainsFunc(s.spec.Query, func(q types.BaseFileQuery) bool { return query(q) }) {
		return nil
	}
	if !ask.FileType && len(s.spec.Query) == 0 {
		return &base
	}
	return info
}

// kind tells files apart by their names, as vSphere does, and which query asks for them.
func (s *fileSearch) kind(dir string, x os.FileInfo, base types.FileInfo) (types.BaseFileInfo, func(types.BaseFileQuery) bool) {
	any := func(q types.BaseFileQuery) bool { _, ok := q.(*types.FileQuery); return ok }
	if x.IsDir() {
		return &types.FolderFileInfo{FileInfo: base}, func(q types.BaseFileQuery) bool { _, ok := q.(*types.FolderFileQuery); return ok || any(q) }
	}
	name := x.Name()
	switch path.Ext(name) {
	case ".vmx":
		return &types.VmConfigFileInfo{FileInfo: base}, func(q types.BaseFileQuery) bool { _, ok := q.(*types.VmConfigFileQuery); return ok || any(q) }
	case ".vmtx":
		return &types.TemplateConfigFileInfo{VmConfigFileInfo: types.VmConfigFileInfo{FileInfo: base}},
			func(q types.BaseFileQuery) bool { _, ok := q.(*types.TemplateConfigFileQuery); return ok || any(q) }
	case ".vmdk":
		if strings.HasSuffix(name, "-flat.vmdk") || strings.HasSuffix(name, "-delta.vmdk") {
			return &base, func(q types.BaseFileQuery) bool { return any(q) }
		}
		d := &types.VmDiskFileInfo{FileInfo: base, DiskType: "VirtualDiskFlatVer2BackingInfo"}
		if layers, f := s.vc.lab.readDisk(place{s.volume.uuid, path.Join(dir, name)}); f == nil {
			d.CapacityKb = layers[0].capacity() / 1024
		}
		return d, func(q types.BaseFileQuery) bool { _, ok := q.(*types.VmDiskFileQuery); return ok || any(q) }
	case ".nvram":
		return &types.VmNvramFileInfo{FileInfo: base}, func(q types.BaseFileQuery) bool { _, ok := q.(*types.VmNvramFileQuery); return ok || any(q) }
	case ".log":
		return &types.VmLogFileInfo{FileInfo: base}, func(q types.BaseFileQuery) bool { _, ok := q.(*types.VmLogFileQuery); return ok || any(q) }
	case ".iso":
		return &types.IsoImageFileInfo{FileInfo: base}, func(q types.BaseFileQuery) bool { _, ok := q.(*types.IsoImageFileQuery); return ok || any(q) }
	}
	return &base, func(q types.BaseFileQuery) bool { return any(q) }
}
