package lab

import (
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// need is a privilege that a call needs on an object.
type need struct {
	privilege string
	on        types.ManagedObjectReference
}

// denied is the fault of a call that the login may not make. It comes before anything else about the call is looked at.
func (vc *VC) denied(q request) types.BaseMethodFault {
	for _, key := range []string{q.method, q.this.Type + "." + q.method} {
		if id := required[key]; id != "" {
			if f := vc.lacks(need{id, vc.subject(q.this)}); f != nil {
				return f
			}
		}
	}
	depends := requiredBy[q.method]
	if depends == nil {
		return nil
	}
	call, err := simulator.UnmarshalBody(types.TypeFunc(), q.body)
	if err != nil {
		return nil // the simulator says what is wrong with it
	}
	for _, n := range depends(vc, q.this, call.Body) {
		if f := vc.lacks(n); f != nil {
			return f
		}
	}
	return nil
}

// lacks is the fault of a privilege that the login does not have.
func (vc *VC) lacks(n need) types.BaseMethodFault {
	if slices.Contains(vc.privileges(vc.user(), n.on), n.privilege) {
		return nil
	}
	return &types.NoPermission{Object: &n.on, PrivilegeId: n.privilege}
}

// subject is the entity that a call is about: a host for its storage system, a cluster for its EVC manager, a VM for its snapshot.
// What belongs to none counts as the root folder.
func (vc *VC) subject(ref types.ManagedObjectReference) types.ManagedObjectReference {
	switch x := vc.Map().Get(ref).(type) {
	case mo.Entity:
		return ref
	case *evcManager:
		return x.ManagedCluster
	case *simulator.VirtualMachineSnapshot:
		return x.Vm
	}
	if h := vc.hostOf(ref); h != nil {
		return h.Self
	}
	return vc.Model.ServiceContent.RootFolder
}

// datastoreIn is the datastore of a path such as "[old-a] app01/app01.vmx".
func datastoreIn(path string) (string, bool) {
	var p object.DatastorePath
	ok := p.FromString(path)
	return p.Datastore, ok
}
