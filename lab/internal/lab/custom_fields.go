package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// customFields is CustomFieldsManager: custom attributes, which belong to one vCenter and are in no file.
type customFields struct{ shadow }

func installCustomFields(vc *VC) {
	vc.redirect("CustomFieldsManager", &customFields{vc.shadow("CustomFieldsManager")}, "SetField")
}

// SetField sets the value of an attribute of an entity. The attribute must be defined for its type or for all.
func (o *customFields) SetField(req *types.SetField) soap.HasFault {
	body := new(methods.SetFieldBody)
	e, ok := o.vc.Map().Get(req.Entity).(mo.Entity)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.Entity})
		return body
	}
	if !o.vc.setField(e, req.Key, req.Value) {
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "key"})
		return body
	}
	body.Res = new(types.SetFieldResponse)
	return body
}

func (vc *VC) setField(e mo.Entity, key int32, value string) bool {
	ctx := vc.newCtx()
	available := vc.fields(e.Reference().Type)
	if !slices.ContainsFunc(available, func(d types.CustomFieldDef) bool { return d.Key == key }) {
		return false
	}
	ctx.WithLock(e, func() {
		list := slices.DeleteFunc(slices.Clone(e.Entity().CustomValue), func(v types.BaseCustomFieldValue) bool { return v.GetCustomFieldValue().Key == key })
		list = append(list, &types.CustomFieldStringValue{CustomFieldValue: types.CustomFieldValue{Key: key}, Value: value})
		changes := []types.PropertyChange{{Name: "customValue", Val: list}, {Name: "value", Val: slices.Clone(list)}, {Name: "availableField", Val: available}}
		if _, ok := e.(*simulator.VirtualMachine); ok {
			changes = append(changes, types.PropertyChange{Name: "summary.customValue", Val: slices.Clone(list)})
		}
		ctx.Update(e, changes)
	})
	return true
}

// fields are the attributes defined for a type of entity.
func (vc *VC) fields(kind string) (out []types.CustomFieldDef) {
	m := vc.Map().CustomFieldsManager()
	vc.newCtx().WithLock(m, func() {
		for _, d := range m.Field {
			if d.ManagedObjectType == "" || d.ManagedObjectType == kind {
				out = append(out, d)
			}
		}
	})
	return out
}

func (vc *VC) fieldName(key int32) string {
	for _, d := range vc.fields("VirtualMachine") {
		if d.Key == key {
			return d.Name
		}
	}
	return ""
}

// fieldKey returns the key of an attribute for VMs, and defines it if need be.
func (vc *VC) fieldKey(name string) int32 {
	for _, d := range vc.fields("VirtualMachine") {
		if d.Name == name {
			return d.Key
		}
	}
	m, ctx := vc.Map().CustomFieldsManager(), vc.newCtx()
	var res soap.HasFault
	ctx.WithLock(m, func() {
		res = m.AddCustomFieldDef(ctx, &types.AddCustomFieldDef{This: m.Self, Name: name, MoType: "VirtualMachine"})
	})
	return res.(*methods.AddCustomFieldDefBody).Res.Returnval.Key
}

// SetCustomValue sets an attribute of a VM by its name.
func (o *vmObject) SetCustomValue(req *types.SetCustomValue) soap.HasFault {
	body := new(methods.SetCustomValueBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	for _, d := range o.vc.fields("VirtualMachine") {
		if d.Name == req.Key && o.vc.setField(m.vm(), d.Key, req.Value) {
			body.Res = new(types.SetCustomValueResponse)
			return body
		}
	}
	body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "key"})
	return body
}
