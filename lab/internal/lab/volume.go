package lab

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// volume is a datastore as one vCenter sees it now.
type volume struct {
	ref   types.ManagedObjectReference
	name  string
	uuid  string // of the file system; the same at every vCenter
	free  int64
	hosts map[types.ManagedObjectReference]bool // that have it mounted and accessible
}

// volumeDir is the one directory of a file system, whoever mounts it.
func (l *Lab) volumeDir(uuid string) string {
	if v, ok := l.Fabric.Volume(uuid); ok && v.Dir != "" {
		return v.Dir
	}
	return filepath.Join(l.root, "volumes", uuid)
}

// path is the datastore path of a file of the volume: "[name] dir/file".
func (v *volume) path(p string) string {
	return (&object.DatastorePath{Datastore: v.name, Path: p}).String()
}

// array is the array that a volume lies on, or "" for one on none of the lab's.
func (l *Lab) array(uuid string) string {
	v, _ := l.Fabric.Volume(uuid)
	return v.Array
}

// volumeOf reads a datastore.
func (vc *VC) volumeOf(ref types.ManagedObjectReference) *volume {
	ds, ok := vc.Map().Get(ref).(*simulator.Datastore)
	if !ok {
		return nil
	}
	v := &volume{ref: ref, hosts: map[types.ManagedObjectReference]bool{}}
	vc.newCtx().WithLock(ds, func() {
		v.name, v.free = ds.Name, ds.Summary.FreeSpace
		switch i := ds.Info.(type) {
		case *types.VmfsDatastoreInfo:
			if i.Vmfs != nil {
				v.uuid = i.Vmfs.Uuid
			}
		case *types.NasDatastoreInfo:
			if i.Nas != nil {
				v.uuid = shareUUID(servers(i.Nas.RemoteHost, i.Nas.RemoteHostNames), i.Nas.RemotePath)
			}
		}
		for _, h := range ds.Host {
			if isTrue(h.MountInfo.Mounted) && isTrue(h.MountInfo.Accessible) {
				v.hosts[h.Key] = true
			}
		}
	})
	if v.uuid == "" {
		return nil
	}
	return v
}

func isTrue(b *bool) bool { return b != nil && *b }

// volumes are the datastores of a datacenter.
func (vc *VC) volumes(dc *simulator.Datacenter) []*volume {
	var refs []types.ManagedObjectReference
	vc.newCtx().WithLock(dc, func() { refs = append(refs, dc.Datastore...) })
	var out []*volume
	for _, r := range refs {
		if v := vc.volumeOf(r); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// volumeNamed returns the datastore of that name in a datacenter, or nil.
func (vc *VC) volumeNamed(dc *simulator.Datacenter, name string) *volume {
	for _, v := range vc.volumes(dc) {
		if v.name == name {
			return v
		}
	}
	return nil
}

// resolve splits "[datastore] dir/file" into the volume and the path on it.
func (vc *VC) resolve(dc *simulator.Datacenter, dsPath string) (*volume, string, types.BaseMethodFault) {
	var p object.DatastorePath
	if !p.FromString(dsPath) {
		return nil, "", &types.InvalidDatastorePath{DatastorePath: dsPath}
	}
	v := vc.volumeNamed(dc, p.Datastore)
	if v == nil {
		return nil, "", because(&types.InvalidDatastore{Name: p.Datastore}, "There is no datastore of this name in datacenter '%s'.", vc.entityName(dc))
	}
	return v, path.Clean(p.Path), nil
}

// datacenterOf returns the datacenter that an entity is in, or nil.
func (vc *VC) datacenterOf(ref types.ManagedObjectReference) *simulator.Datacenter {
	for {
		e, ok := vc.Map().Get(ref).(mo.Entity)
		if !ok {
			return nil
		}
		if dc, ok := e.(*simulator.Datacenter); ok {
			return dc
		}
		var parent *types.ManagedObjectReference
		vc.newCtx().WithLock(e, func() { parent = container(e) })
		if parent == nil {
			return nil
		}
		ref = *parent
	}
}

// lookup finds a volume of a datacenter by its UUID, as the absolute paths in a .vmx name it.
func (vc *VC) lookup(dc *simulator.Datacenter, uuid string) *volume {
	for _, v := range vc.volumes(dc) {
		if v.uuid == uuid {
			return v
		}
	}
	return nil
}

const volumesRoot = "/vmfs/volumes/"

// place is where a file of a virtual machine lies, independent of any vCenter's names.
type place struct {
	uuid string // of the volume
	path string // on it
}

func (p place) dir() string    { return path.Dir(p.path) }
func (p place) String() string { return p.uuid + "/" + p.path }

// absolute reads a file name of a .vmx or a descriptor in dir: relative to it, or "/vmfs/volumes/<uuid>/…".
func (p place) absolute(name string) place {
	if rest, ok := strings.CutPrefix(name, volumesRoot); ok {
		uuid, file, _ := strings.Cut(rest, "/")
		return place{uuid, path.Clean(file)}
	}
	return place{p.uuid, path.Join(p.dir(), name)}
}

// relative is the opposite of absolute: how a file beside p refers to another.
func (p place) relative(to place) string {
	if to.uuid == p.uuid && to.dir() == p.dir() {
		return path.Base(to.path)
	}
	return volumesRoot + to.uuid + "/" + to.path
}

// on is the place's file on this machine.
func (l *Lab) on(p place) string {
	return filepath.Join(l.volumeDir(p.uuid), filepath.FromSlash(path.Clean("/"+p.path)))
}

// entries are the names in a directory of a volume, sorted; none if there is no such directory.
func (l *Lab) entries(dir place) (out []string) {
	list, _ := os.ReadDir(l.on(dir))
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}
