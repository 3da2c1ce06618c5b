package lab

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// availability says of each privilege whether a user has it on an entity; a user with no name has none.
func (o *authorizationManager) availability(user string, e types.ManagedObjectReference, ids []string) (out []types.PrivilegeAvailability) {
	has := []string{}
	if user != "" {
		has = o.vc.privileges(user, e)
	}
	for _, id := range ids {
		out = append(out, types.PrivilegeAvailability{PrivId: id, IsGranted: slices.Contains(has, id)})
	}
	return out
}

// sessionUser is the user of a session that is open, or nothing.
func (o *authorizationManager) sessionUser(key string) string {
	for _, s := range o.vc.sessions() {
		if s.Key == key {
			return o.vc.user() // nobody else can log in
		}
	}
	return ""
}

// exist checks the objects and the privileges of a question.
func (o *authorizationManager) exist(objects []types.ManagedObjectReference, ids []string) types.BaseMethodFault {
	for _, r := range objects {
		if o.vc.Map().Get(r) == nil {
			return &types.ManagedObjectNotFound{Obj: r}
		}
	}
	return unknownPrivilege(ids)
}

// privilegeBody answers HasPrivilegeOnEntity. The library's own type leaves out what is false, and so moves what comes after it.
type privilegeBody struct {
	Res *struct {
		Returnval []string `xml:"returnval"`
	} `xml:"urn:vim25 HasPrivilegeOnEntityResponse,omitempty"`
	Fault_ *soap.Fault `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault,omitempty"`
}

func (b *privilegeBody) Fault() *soap.Fault { return b.Fault_ }

// HasPrivilegeOnEntity tells which privileges a session has on an entity.
func (o *authorizationManager) HasPrivilegeOnEntity(req *types.HasPrivilegeOnEntity) soap.HasFault {
	body := new(privilegeBody)
	if f := o.exist([]types.ManagedObjectReference{req.Entity}, req.PrivId); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(struct {
		Returnval []string `xml:"returnval"`
	})
	for _, a := range o.availability(o.sessionUser(req.SessionId), req.Entity, req.PrivId) {
		body.Res.Returnval = append(body.Res.Returnval, strconv.FormatBool(a.IsGranted))
	}
	return body
}

func (o *authorizationManager) onEntities(user string, objects []types.ManagedObjectReference, ids []string) (out []types.EntityPrivilege) {
	for _, e := range objects {
		out = append(out, types.EntityPrivilege{Entity: e, PrivAvailability: o.availability(user, e, ids)})
	}
	return out
}

// HasPrivilegeOnEntities tells which privileges a session has on entities.
func (o *authorizationManager) HasPrivilegeOnEntities(req *types.HasPrivilegeOnEntities) soap.HasFault {
	body := new(methods.HasPrivilegeOnEntitiesBody)
	if f := o.exist(req.Entity, req.PrivId); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = &types.HasPrivilegeOnEntitiesResponse{Returnval: o.onEntities(o.sessionUser(req.SessionId), req.Entity, req.PrivId)}
	return body
}

// HasUserPrivilegeOnEntities tells which privileges a user has on entities.
func (o *authorizationManager) HasUserPrivilegeOnEntities(req *types.HasUserPrivilegeOnEntities) soap.HasFault {
	body := new(methods.HasUserPrivilegeOnEntitiesBody)
	user, known := o.vc.principal(req.UserName, false)
	f := o.exist(req.Entities, req.PrivId)
	if !known {
		f = &types.UserNotFound{Principal: req.UserName}
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = &types.HasUserPrivilegeOnEntitiesResponse{Returnval: o.onEntities(user, req.Entities, req.PrivId)}
	return body
}

// FetchUserPrivilegeOnEntities lists the privileges that a user has on entities.
func (o *authorizationManager) FetchUserPrivilegeOnEntities(req *types.FetchUserPrivilegeOnEntities) soap.HasFault {
	body := new(methods.FetchUserPrivilegeOnEntitiesBody)
	user, known := o.vc.principal(req.UserName, false)
	f := o.exist(req.Entities, nil)
	if !known {
		f = &types.UserNotFound{Principal: req.UserName}
	}
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.FetchUserPrivilegeOnEntitiesResponse)
	for _, e := range req.Entities {
		body.Res.Returnval = append(body.Res.Returnval, types.UserPrivilegeResult{Entity: e, Privileges: o.vc.privileges(user, e)})
	}
	return body
}

// userDirectory is UserDirectory.
type userDirectory struct{ shadow }

// RetrieveUserGroups searches users and groups of a domain by their names.
func (o *userDirectory) RetrieveUserGroups(req *types.RetrieveUserGroups) soap.HasFault {
	body := &methods.RetrieveUserGroupsBody{Res: new(types.RetrieveUserGroupsResponse)}
	for _, p := range o.vc.principals() {
		domain, name, _ := strings.Cut(p.Name, `\`)
		match := strings.Contains(strings.ToLower(name), strings.ToLower(req.SearchStr))
		if req.ExactMatch {
			match = strings.EqualFold(name, req.SearchStr)
		}
		if match && strings.EqualFold(domain, req.Domain) && (p.Group && req.FindGroups || !p.Group && req.FindUsers) {
			body.Res.Returnval = append(body.Res.Returnval, &types.UserSearchResult{Principal: name, FullName: name, Group: p.Group})
		}
	}
	return body
}
