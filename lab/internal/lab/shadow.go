package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// shadow is a dispatch target: requests for chosen (type, method) pairs are redirected to it by Registry.Handler. It opts out
// of the simulator's locking (sync.Locker that does nothing), so that a long method never blocks readers; a method locks the
// real object around the short parts, with ctx.WithLock or vc.update.
//
// Objects of the simulator are not wrapped instead, because it asserts .(*VirtualMachine), .(*HostSystem) and so on everywhere.
//
// The first field must be a type of package mo: SearchIndex walks every object of the registry through getManagedObject, which
// panics otherwise.
type shadow struct {
	mo.ExtensibleManagedObject
	vc *VC
}

// Lock does nothing: see shadow.
func (*shadow) Lock() {}

// Unlock does nothing: see shadow.
func (*shadow) Unlock() {}

// shadow makes the dispatch target for a kind of object. The kind is an own one ("LabVirtualMachine"): Registry.Any asserts
// that every object with the name of an entity type is an entity.
func (vc *VC) shadow(kind string) shadow {
	return shadow{mo.ExtensibleManagedObject{Self: types.ManagedObjectReference{Type: "Lab" + kind, Value: "Lab" + kind}}, vc}
}

// override names a method of a type of managed object.
type override struct {
	Type, Method string
}

// redirect sends requests for methods of every object of a type to target. A method of the target is called with the request,
// whose This still names the real object; its Go name is that of the API without the underscore ("PowerOnVMTask").
func (vc *VC) redirect(typ string, target mo.Reference, methods ...string) {
	vc.Map().Put(target)
	for _, m := range methods {
		vc.over[override{typ, m}] = target.Reference()
	}
}

// refuse makes methods of a type end in NotSupported: those that the lab does not model, and that the simulator would answer
// without regard to files or hosts.
func (vc *VC) refuse(typ string, methods ...string) {
	for _, m := range methods {
		vc.refused[override{typ, m}] = true
	}
}

// open are the only methods that answer without a session.
var open = map[string]bool{
	"RetrieveServiceContent": true, "Login": true, "LoginByToken": true, "LoginExtensionByCertificate": true,
	"CloneSession": true, "RetrieveInternalContent": true, "PbmRetrieveServiceContent": true,
}

// forbidden are the calls that do not reach the simulator: those without a session (it would answer property requests), the
// logins that it does not check, and what the lab does not model.
func (vc *VC) forbidden(method string, this types.ManagedObjectReference, session bool) types.BaseMethodFault {
	switch {
	case !session && !open[method]:
		return &types.NotAuthenticated{NoPermission: types.NoPermission{Object: &this, PrivilegeId: "System.View"}}
	case method == "LoginByToken", method == "LoginExtensionByCertificate", method == "ImpersonateUser":
		return new(types.InvalidLogin)
	case vc.refused[override{this.Type, method}]:
		return because(new(types.NotSupported), "The lab does not model %s.", method)
	}
	if m := vc.machines.get(this); m != nil {
		if f := m.disabled(method); f != nil {
			return f
		}
		if needsHost[method] {
			return m.unreachable()
		}
	}
	return nil
}

// handler runs before every call of the simulator, notes its session and redirects. A property collector may belong to a session only.
func (vc *VC) handler(ctx *simulator.Context, m *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	vc.use.note(ctx.Session)
	if ref, ok := vc.over[override{m.This.Type, m.Name}]; ok && (m.This.Type == "PropertyCollector" || ctx.Map.Get(m.This) != nil) {
		m.This = ref
	}
	return nil, nil
}
