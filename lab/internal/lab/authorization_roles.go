package lab

import (
	"slices"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// withSystem adds the privileges that every role has.
func withSystem(ids []string) []string {
	out := append([]string{"System.Anonymous", "System.Read", "System.View"}, ids...)
	slices.Sort(out)
	return slices.Compact(out)
}

func unknownPrivilege(ids []string) types.BaseMethodFault {
	for _, id := range ids {
		if !slices.Contains(scenario.Privileges, id) {
			return because(&types.InvalidArgument{InvalidProperty: "privIds"}, "There is no privilege %s.", id)
		}
	}
	return nil
}

// addRole adds a role and returns its id.
func (vc *VC) addRole(name string, ids []string) int32 {
	id := int32(1)
	for _, r := range vc.roles() {
		id = max(id, r.RoleId+1)
	}
	role := types.AuthorizationRole{RoleId: id, Name: name, Info: &types.Description{Label: name, Summary: name}, Privilege: withSystem(ids)}
	vc.setRoles(append(slices.Clone(vc.roles()), role))
	return id
}

func (vc *VC) setRoles(list []types.AuthorizationRole) {
	vc.update(vc.authorization(), types.PropertyChange{Name: "roleList", Val: list})
}

// AddAuthorizationRole makes a role.
func (o *authorizationManager) AddAuthorizationRole(req *types.AddAuthorizationRole) soap.HasFault {
	body := new(methods.AddAuthorizationRoleBody)
	f := unknownPrivilege(req.PrivIds)
	switch {
	case req.Name == "":
		f = because(&types.InvalidName{Name: req.Name}, "A role needs a name.")
	case slices.ContainsFunc(o.vc.roles(), func(r types.AuthorizationRole) bool { return r.Name == req.Name }):
		f = &types.AlreadyExists{Name: req.Name}
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = &types.AddAuthorizationRoleResponse{Returnval: o.vc.addRole(req.Name, req.PrivIds)}
	return body
}

// UpdateAuthorizationRole renames a role and replaces its privileges.
func (o *authorizationManager) UpdateAuthorizationRole(req *types.UpdateAuthorizationRole) soap.HasFault {
	body := new(methods.UpdateAuthorizationRoleBody)
	list := slices.Clone(o.vc.roles())
	at := slices.IndexFunc(list, func(r types.AuthorizationRole) bool { return r.RoleId == req.RoleId })
	f := unknownPrivilege(req.PrivIds)
	switch {
	case at < 0:
		f = because(new(types.NotFound), "There is no role %d.", req.RoleId)
	case list[at].System:
		f = because(&types.InvalidArgument{InvalidProperty: "roleId"}, "The role belongs to the system.")
	case req.NewName == "":
		f = because(&types.InvalidName{Name: req.NewName}, "A role needs a name.")
	case slices.ContainsFunc(list, func(r types.AuthorizationRole) bool { return r.Name == req.NewName && r.RoleId != req.RoleId }):
		f = &types.AlreadyExists{Name: req.NewName}
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	list[at].Name, list[at].Info = req.NewName, &types.Description{Label: req.NewName, Summary: req.NewName}
	list[at].Privilege = withSystem(req.PrivIds)
	o.vc.setRoles(list)
	body.Res = new(types.UpdateAuthorizationRoleResponse)
	return body
}

// RemoveAuthorizationRole removes a role; the permissions that give it go too, unless that is to be refused.
func (o *authorizationManager) RemoveAuthorizationRole(req *types.RemoveAuthorizationRole) soap.HasFault {
	body := new(methods.RemoveAuthorizationRoleBody)
	list := o.vc.roles()
	at := slices.IndexFunc(list, func(r types.AuthorizationRole) bool { return r.RoleId == req.RoleId })
	used := o.all(func(p types.Permission) bool { return p.RoleId == req.RoleId })
	var f types.BaseMethodFault
	switch {
	case at < 0:
		f = because(new(types.NotFound), "There is no role %d.", req.RoleId)
	case list[at].System:
		f = because(&types.InvalidArgument{InvalidProperty: "roleId"}, "The role belongs to the system.")
	case req.FailIfUsed && len(used) > 0:
		f = because(new(types.RemoveFailed), "The role is in use.")
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	for _, p := range used {
		if e, f := o.entity(*p.Entity); f == nil {
			o.vc.grant(e, slices.DeleteFunc(o.vc.permissionsOn(*p.Entity), func(x types.Permission) bool { return x.RoleId == req.RoleId }))
		}
	}
	o.vc.setRoles(slices.Delete(slices.Clone(list), at, at+1))
	body.Res = new(types.RemoveAuthorizationRoleResponse)
	return body
}
