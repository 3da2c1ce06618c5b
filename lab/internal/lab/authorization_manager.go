package lab

import (
	"slices"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// authorizationManager is AuthorizationManager: permissions here, roles in authorization_roles.go, questions about privileges in
// authorization_queries.go.
type authorizationManager struct{ shadow }

func installAuthorization(vc *VC) {
	vc.redirect("AuthorizationManager", &authorizationManager{vc.shadow("AuthorizationManager")},
		"RetrieveEntityPermissions", "RetrieveAllPermissions", "RetrieveRolePermissions", "SetEntityPermissions", "ResetEntityPermissions",
		"RemoveEntityPermission", "AddAuthorizationRole", "UpdateAuthorizationRole", "RemoveAuthorizationRole",
		"HasPrivilegeOnEntity", "HasPrivilegeOnEntities", "HasUserPrivilegeOnEntities", "FetchUserPrivilegeOnEntities")
	vc.redirect("UserDirectory", &userDirectory{vc.shadow("UserDirectory")}, "RetrieveUserGroups")
	vc.refuse("AuthorizationManager", "MergePermissions")
	if vc.before("6.5") {
		vc.refuse("AuthorizationManager", "HasUserPrivilegeOnEntities")
	}
	vc.seedAccess()
}

func (o *authorizationManager) entity(ref types.ManagedObjectReference) (mo.Entity, types.BaseMethodFault) {
	switch e := o.vc.Map().Get(ref).(type) {
	case nil:
		return nil, &types.ManagedObjectNotFound{Obj: ref}
	case mo.Entity:
		return e, nil
	}
	return nil, because(&types.InvalidArgument{InvalidProperty: "entity"}, "The object has no permissions.")
}

// RetrieveEntityPermissions lists the permissions of an entity, and of its parents as far as they propagate.
func (o *authorizationManager) RetrieveEntityPermissions(req *types.RetrieveEntityPermissions) soap.HasFault {
	body := new(methods.RetrieveEntityPermissionsBody)
	e, f := o.entity(req.Entity)
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	list := o.vc.permissionsOn(req.Entity)
	if req.Inherited {
		for p := o.vc.parent(e); p != nil; p = o.vc.parent(p) {
			for _, x := range o.vc.permissionsOn(p.Reference()) {
				if x.Propagate {
					list = append(list, x)
				}
			}
		}
	}
	body.Res = &types.RetrieveEntityPermissionsResponse{Returnval: list}
	return body
}

func (o *authorizationManager) all(want func(types.Permission) bool) (out []types.Permission) {
	o.vc.access.mu.Lock()
	defer o.vc.access.mu.Unlock()
	for _, list := range o.vc.access.granted {
		for _, p := range list {
			if want(p) {
				out = append(out, p)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b types.Permission) int { return byReference(*a.Entity, *b.Entity) })
	return out
}

// RetrieveAllPermissions lists every permission of the vCenter.
func (o *authorizationManager) RetrieveAllPermissions(*types.RetrieveAllPermissions) soap.HasFault {
	list := o.all(func(types.Permission) bool { return true })
	return &methods.RetrieveAllPermissionsBody{Res: &types.RetrieveAllPermissionsResponse{Returnval: list}}
}

// RetrieveRolePermissions lists the permissions that give a role.
func (o *authorizationManager) RetrieveRolePermissions(req *types.RetrieveRolePermissions) soap.HasFault {
	if o.vc.role(req.RoleId) == nil {
		return &methods.RetrieveRolePermissionsBody{Fault_: fault(because(new(types.NotFound), "There is no role %d.", req.RoleId))}
	}
	list := o.all(func(p types.Permission) bool { return p.RoleId == req.RoleId })
	return &methods.RetrieveRolePermissionsBody{Res: &types.RetrieveRolePermissionsResponse{Returnval: list}}
}

// SetEntityPermissions adds permissions to those of an entity, or changes them where the principal has one.
func (o *authorizationManager) SetEntityPermissions(req *types.SetEntityPermissions) soap.HasFault {
	body := new(methods.SetEntityPermissionsBody)
	if f := o.set(req.Entity, o.vc.permissionsOn(req.Entity), req.Permission); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.SetEntityPermissionsResponse)
	return body
}

// ResetEntityPermissions replaces the permissions of an entity.
func (o *authorizationManager) ResetEntityPermissions(req *types.ResetEntityPermissions) soap.HasFault {
	body := new(methods.ResetEntityPermissionsBody)
	if f := o.set(req.Entity, nil, req.Permission); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.ResetEntityPermissionsResponse)
	return body
}

// set checks new permissions and puts them over the ones that stay. A principal who is administrator of everything can be given
// nothing else, and somebody has to remain it.
func (o *authorizationManager) set(ref types.ManagedObjectReference, list, add []types.Permission) types.BaseMethodFault {
	e, f := o.entity(ref)
	if f != nil {
		return f
	}
	root := o.vc.Model.ServiceContent.RootFolder
	for _, p := range add {
		name, known := o.vc.principal(p.Principal, p.Group)
		if !known {
			return &types.UserNotFound{Principal: p.Principal}
		}
		role := o.vc.role(p.RoleId)
		if role == nil {
			return because(new(types.NotFound), "There is no role %d.", p.RoleId)
		}
		if role.Name == "View" || role.Name == "Anonymous" {
			return because(&types.InvalidArgument{InvalidProperty: "permission.roleId"}, "The role '%s' cannot be given.", role.Name)
		}
		of := func(x types.Permission) bool { return x.Principal == name && x.Group == p.Group }
		if ref != root && slices.ContainsFunc(o.vc.permissionsOn(root), func(x types.Permission) bool { return of(x) && x.RoleId == adminRole }) {
			return because(new(types.AuthMinimumAdminPermission), "'%s' is an administrator of the whole vCenter already.", name)
		}
		list = append(slices.DeleteFunc(list, of), types.Permission{Entity: &ref, Principal: name, Group: p.Group, RoleId: p.RoleId, Propagate: p.Propagate})
	}
	if ref == root && !administered(list) {
		return lastAdmin()
	}
	o.vc.grant(e, list)
	return nil
}

func lastAdmin() types.BaseMethodFault {
	return because(new(types.AuthMinimumAdminPermission), "Nobody would be left who is an administrator of the whole vCenter.")
}

// administered reports whether the permissions of the root folder leave an administrator.
func administered(list []types.Permission) bool {
	return slices.ContainsFunc(list, func(p types.Permission) bool { return p.RoleId == adminRole && p.Propagate })
}

// RemoveEntityPermission takes a permission away that is defined on the entity itself.
func (o *authorizationManager) RemoveEntityPermission(req *types.RemoveEntityPermission) soap.HasFault {
	body := new(methods.RemoveEntityPermissionBody)
	e, f := o.entity(req.Entity)
	if f == nil {
		name, _ := o.vc.principal(req.User, req.IsGroup)
		list := o.vc.permissionsOn(req.Entity)
		left := slices.DeleteFunc(slices.Clone(list), func(p types.Permission) bool { return p.Principal == name && p.Group == req.IsGroup })
		switch {
		case len(left) == len(list):
			f = because(new(types.NotFound), "The principal has no permission on the object itself.")
		case req.Entity == o.vc.Model.ServiceContent.RootFolder && !administered(left):
			f = lastAdmin()
		default:
			o.vc.grant(e, left)
		}
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.RemoveEntityPermissionResponse)
	return body
}
