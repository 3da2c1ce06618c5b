package lab

import (
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// access is who may do what at a vCenter: the permissions on its entities. Roles stand in the property roleList of
// AuthorizationManager, and the permissions of an entity also in its property "permission".
type access struct {
	mu      sync.Mutex
	granted map[types.ManagedObjectReference][]types.Permission
	login   int32 // role of the login at the root folder; written while installing, then only read
}

const (
	adminRole  = -1
	adminGroup = `VSPHERE.LOCAL\Administrators`
)

// principals are the users and groups that the vCenter knows: those of the scenario, its login and the administrators.
func (vc *VC) principals() []scenario.Principal {
	return append([]scenario.Principal{{Name: vc.user()}, {Name: adminGroup, Group: true}}, vc.Spec.Principals...)
}

// user is the login of the scenario as a principal: DOMAIN\name.
func (vc *VC) user() string {
	if name, domain, ok := strings.Cut(vc.Spec.Username, "@"); ok {
		return strings.ToUpper(domain) + `\` + name
	}
	return vc.Spec.Username
}

// principal finds a user or group by its name, as DOMAIN\name or name@domain; case does not matter.
func (vc *VC) principal(name string, group bool) (string, bool) {
	if n, domain, ok := strings.Cut(name, "@"); ok {
		name = domain + `\` + n
	}
	for _, p := range vc.principals() {
		if p.Group == group && strings.EqualFold(p.Name, name) {
			return p.Name, true
		}
	}
	return "", false
}

// authorization is the simulator's object, which holds the roles.
func (vc *VC) authorization() *simulator.AuthorizationManager {
	return vc.Map().Get(*vc.Model.ServiceContent.AuthorizationManager).(*simulator.AuthorizationManager)
}

func (vc *VC) roles() (list []types.AuthorizationRole) {
	m := vc.authorization()
	vc.read(m, func() { list = m.RoleList })
	return list
}

func (vc *VC) role(id int32) *types.AuthorizationRole {
	for _, r := range vc.roles() {
		if r.RoleId == id {
			return &r
		}
	}
	return nil
}

// privileges are those that a user has on an object: by the permission on it or else on the nearest of its parents that propagates
// one. What is no entity counts as the root folder. Users are members of no groups in the lab.
func (vc *VC) privileges(user string, on types.ManagedObjectReference) []string {
	e, ok := vc.Map().Get(on).(mo.Entity)
	if !ok {
		e = vc.Map().Get(vc.Model.ServiceContent.RootFolder).(mo.Entity)
	}
	for at := e; at != nil; at = vc.parent(at) {
		for _, p := range vc.permissionsOn(at.Reference()) {
			if p.Principal == user && !p.Group && (p.Propagate || at.Reference() == e.Reference()) {
				if r := vc.role(p.RoleId); r != nil {
					return r.Privilege
				}
			}
		}
	}
	return nil
}

func (vc *VC) permissionsOn(e types.ManagedObjectReference) []types.Permission {
	vc.access.mu.Lock()
	defer vc.access.mu.Unlock()
	return slices.Clone(vc.access.granted[e])
}

// grant replaces the permissions of an entity.
func (vc *VC) grant(e mo.Entity, list []types.Permission) {
	ref := e.Reference()
	vc.access.mu.Lock()
	if vc.access.granted == nil {
		vc.access.granted = map[types.ManagedObjectReference][]types.Permission{}
	}
	vc.access.granted[ref] = list
	vc.access.mu.Unlock()
	vc.update(e, types.PropertyChange{Name: "permission", Val: slices.Clone(list)})
}

// seedAccess makes the roles of the scenario and gives its login every privilege but those that it lacks, or those alone that it
// holds.
func (vc *VC) seedAccess() {
	root := vc.Map().Get(vc.Model.ServiceContent.RootFolder).(mo.Entity)
	role := int32(adminRole)
	_, name, _ := strings.Cut(vc.user(), `\`)
	switch {
	case len(vc.Spec.Holds) > 0:
		role = vc.addRole(name, vc.Spec.Holds)
	case len(vc.Spec.Lacks) > 0:
		role = vc.addRole(name, slices.DeleteFunc(slices.Clone(scenario.Privileges), func(id string) bool { return slices.Contains(vc.Spec.Lacks, id) }))
	}
	vc.access.login = role
	for _, r := range vc.Spec.Roles {
		vc.addRole(r.Name, r.Privileges)
	}
	var known []types.AuthorizationPrivilege
	for _, id := range scenario.Privileges {
		dot := strings.LastIndex(id, ".")
		known = append(known, types.AuthorizationPrivilege{PrivId: id, Name: id[dot+1:], PrivGroupName: id[:dot]})
	}
	vc.update(vc.authorization(), types.PropertyChange{Name: "privilegeList", Val: known})
	ref := root.Reference()
	vc.grant(root, []types.Permission{
		{Entity: &ref, Principal: adminGroup, Group: true, RoleId: adminRole, Propagate: true},
		{Entity: &ref, Principal: vc.user(), RoleId: role, Propagate: true},
	})
}

// departed is told of a VM that is registered no longer: what only the vCenter knew of it is gone.
func (vc *VC) departed(vm types.ManagedObjectReference) {
	vc.leaveClusters(vm)
	vc.tagging.forget(vm)
	vc.access.mu.Lock()
	delete(vc.access.granted, vm)
	vc.access.mu.Unlock()
}
