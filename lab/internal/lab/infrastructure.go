package lab

import (
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// infrastructure installs storage, hosts, clusters and networks.
var infrastructure = []func(*VC){
	installPropertyCollector, installCapability, installDefaults, installFolder, installDatacenter, installCluster, installHost,
	installHostStorage, installHostDatastore, installDatastore, installHostNetwork, installVirtualNics, installDVS, installDVPortgroup,
	installStoragePod, installEnvironmentBrowser, installLicenses, installVsan, installResourcePool, installAuthorization, installTagging,
}

// infrastructureSeeders build the scenario's datacenters, clusters, hosts, pools, folders, networks and datastores.
var infrastructureSeeders = []func(*VC) error{seedInfrastructure, seedStorage}

// site indexes what a vCenter has of hosts and datastores. Its lock orders changes of that part of the inventory; it is taken
// before the lock of any object of the simulator, never while one is held.
type site struct {
	mu         sync.Mutex
	hosts      map[string]*simulator.HostSystem                       // by name
	parts      map[types.ManagedObjectReference]*simulator.HostSystem // by storage system, datastore system, …
	datastores map[datastoreKey]*simulator.Datastore                  // by datacenter and volume
}

// datastoreKey is a volume as a datastore of one datacenter: vCenter has one Datastore object per datacenter that mounts it.
type datastoreKey struct {
	datacenter types.ManagedObjectReference
	volume     string
}

// read runs f with the object locked. No other lock may be taken in it.
func (vc *VC) read(o mo.Reference, f func()) { vc.newCtx().WithLock(o, f) }

// get returns the object of a reference as the type that it must have; ok is false for another or none.
func get[T mo.Reference](vc *VC, ref types.ManagedObjectReference) (T, bool) {
	o, ok := vc.Map().Get(ref).(T)
	return o, ok
}

// all returns every object of a type, in the order of their references.
func all[T mo.Reference](vc *VC, kind string) []T {
	var out []T
	for _, o := range vc.Map().AllReference(kind) {
		if t, ok := o.(T); ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b T) int { return byReference(a.Reference(), b.Reference()) })
	return out
}

// byReference orders "host-9" before "host-10".
func byReference(a, b types.ManagedObjectReference) int {
	if n := len(a.Value) - len(b.Value); n != 0 {
		return n
	}
	return strings.Compare(a.Value, b.Value)
}

// parent returns the object that contains an entity, or nil.
func (vc *VC) parent(e mo.Entity) mo.Entity {
	var ref *types.ManagedObjectReference
	vc.read(e, func() { ref = container(e) })
	if ref == nil {
		return nil
	}
	p, _ := vc.Map().Get(*ref).(mo.Entity)
	return p
}

// nameOf returns the name of an entity; for some types it stands in a field of their own.
func (vc *VC) nameOf(e mo.Entity) (name string) {
	vc.read(e, func() { name = e.Entity().Name })
	return name
}

// insert puts a new entity into the inventory, below a folder. The children of the folder change before the entity is registered:
// container views look it up there. An entity that others refer to already has its reference.
func (vc *VC) insert(folder mo.Entity, e mo.Entity) {
	self := e.Entity()
	if self.Self.Value == "" {
		vc.Map().NewEntity(e)
	}
	parent := folder.Reference()
	self.Parent = &parent
	vc.children(folder, func(c []types.ManagedObjectReference) []types.ManagedObjectReference { return with(c, self.Self) })
	vc.Map().Put(e)
}

// remove takes an entity out of the inventory and out of its folder.
func (vc *VC) remove(e mo.Entity) {
	if f := vc.parent(e); f != nil {
		vc.children(f, func(c []types.ManagedObjectReference) []types.ManagedObjectReference {
			return without(c, e.Reference())
		})
	}
	vc.Map().Remove(vc.newCtx(), e.Reference())
}

// children changes the list of what a folder contains; other parents list their children elsewhere.
func (vc *VC) children(folder mo.Entity, f func([]types.ManagedObjectReference) []types.ManagedObjectReference) {
	ctx := vc.newCtx()
	ctx.WithLock(folder, func() {
		var c []types.ManagedObjectReference
		switch x := folder.(type) {
		case *simulator.Folder:
			c = x.ChildEntity
		case *simulator.StoragePod:
			c = x.ChildEntity
		default:
			return
		}
		ctx.Update(folder, []types.PropertyChange{{Name: "childEntity", Val: f(c)}})
	})
}

// childNamed returns the child of a folder with that name, or nil.
func (vc *VC) childNamed(folder mo.Entity, name string) mo.Entity {
	var refs []types.ManagedObjectReference
	vc.children(folder, func(c []types.ManagedObjectReference) []types.ManagedObjectReference {
		refs = slices.Clone(c)
		return c
	})
	return vc.named(name, refs)
}

func (vc *VC) named(name string, refs []types.ManagedObjectReference) mo.Entity {
	for _, r := range refs {
		if e, ok := vc.Map().Get(r).(mo.Entity); ok && vc.nameOf(e) == name {
			return e
		}
	}
	return nil
}

// setRefs replaces a list of references of an object, if it changed.
func (vc *VC) setRefs(o mo.Reference, property string, list *[]types.ManagedObjectReference, refs []types.ManagedObjectReference) {
	slices.SortFunc(refs, byReference)
	refs = slices.Compact(refs)
	ctx := vc.newCtx()
	ctx.WithLock(o, func() {
		if !slices.Equal(*list, refs) {
			ctx.Update(o, []types.PropertyChange{{Name: property, Val: refs}})
		}
	})
}

// with returns the list with a reference, without changing the list itself: others may be reading it.
func with(list []types.ManagedObjectReference, r types.ManagedObjectReference) []types.ManagedObjectReference {
	if slices.Contains(list, r) {
		return list
	}
	return append(slices.Clone(list), r)
}

// without returns the list without a reference, without changing the list itself.
func without(list []types.ManagedObjectReference, r types.ManagedObjectReference) []types.ManagedObjectReference {
	out := make([]types.ManagedObjectReference, 0, len(list))
	for _, x := range list {
		if x != r {
			out = append(out, x)
		}
	}
	return out
}

func pointer[T any](v T) *T { return &v }
