package lab

import (
	"path/filepath"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// What leaves the property collector passes through here. Inside the registry a datastore's URL is the directory of its files on
// this machine, since the simulator reads it as that; outside it is "ds:///vmfs/volumes/<uuid>/". And a vCenter says nothing that
// its version of the API does not know.

// collector is the collector that a request is for: each session has its own, and may have made more.
func collector(ctx *simulator.Context, ref types.ManagedObjectReference) (*simulator.PropertyCollector, *soap.Fault) {
	if ctx.Session != nil {
		if pc, ok := ctx.Session.Get(ref).(*simulator.PropertyCollector); ok {
			return pc, nil
		}
	}
	return nil, fault(&types.ManagedObjectNotFound{Obj: ref})
}

// unknown refuses a property that this version of the API does not have, with InvalidProperty, as vSphere does for the whole call.
func (vc *VC) unknown(specs []types.PropertyFilterSpec) *soap.Fault {
	for _, s := range specs {
		for _, p := range s.PropSet {
			for _, name := range p.PathSet {
				if !vc.api.knows(p.Type, name) {
					return fault(because(&types.InvalidProperty{Name: name}, "vCenter Server %s has no property %s of %s.", vc.Spec.Version, name, p.Type))
				}
			}
		}
	}
	return nil
}

// RetrievePropertiesEx reads properties.
func (o *propertyCollector) RetrievePropertiesEx(ctx *simulator.Context, req *types.RetrievePropertiesEx) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused == nil {
		refused = o.vc.unknown(req.SpecSet)
	}
	if refused != nil {
		return &methods.RetrievePropertiesExBody{Fault_: refused}
	}
	answer := pc.RetrievePropertiesEx(ctx, req)
	if b, ok := answer.(*methods.RetrievePropertiesExBody); ok && b.Res != nil && b.Res.Returnval != nil {
		o.vc.publish(b.Res.Returnval.Objects)
	}
	return answer
}

// ContinueRetrievePropertiesEx reads the next page.
func (o *propertyCollector) ContinueRetrievePropertiesEx(ctx *simulator.Context, req *types.ContinueRetrievePropertiesEx) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused != nil {
		return &methods.ContinueRetrievePropertiesExBody{Fault_: refused}
	}
	answer := pc.ContinueRetrievePropertiesEx(ctx, req)
	if b, ok := answer.(*methods.ContinueRetrievePropertiesExBody); ok && b.Res != nil {
		o.vc.publish(b.Res.Returnval.Objects)
	}
	return answer
}

// RetrieveProperties is the older RetrievePropertiesEx.
func (o *propertyCollector) RetrieveProperties(ctx *simulator.Context, req *types.RetrieveProperties) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused == nil {
		refused = o.vc.unknown(req.SpecSet)
	}
	if refused != nil {
		return &methods.RetrievePropertiesBody{Fault_: refused}
	}
	answer := pc.RetrieveProperties(ctx, req)
	if b, ok := answer.(*methods.RetrievePropertiesBody); ok && b.Res != nil {
		o.vc.publish(b.Res.Returnval)
	}
	return answer
}

// CreateFilter starts to watch properties.
func (o *propertyCollector) CreateFilter(ctx *simulator.Context, req *types.CreateFilter) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused == nil {
		refused = o.vc.unknown([]types.PropertyFilterSpec{req.Spec})
	}
	if refused != nil {
		return &methods.CreateFilterBody{Fault_: refused}
	}
	return pc.CreateFilter(ctx, req)
}

// WaitForUpdatesEx waits for changes of watched properties.
func (o *propertyCollector) WaitForUpdatesEx(ctx *simulator.Context, req *types.WaitForUpdatesEx) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused != nil {
		return &methods.WaitForUpdatesExBody{Fault_: refused}
	}
	answer := o.vc.wait(ctx, pc, req)
	if b, ok := answer.(*methods.WaitForUpdatesExBody); ok && b.Res != nil && b.Res.Returnval != nil {
		o.vc.publishUpdates(b.Res.Returnval)
	}
	return answer
}

// WaitForUpdates is the older WaitForUpdatesEx.
func (o *propertyCollector) WaitForUpdates(ctx *simulator.Context, req *types.WaitForUpdates) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused != nil {
		return &methods.WaitForUpdatesBody{Fault_: refused}
	}
	answer := o.vc.wait(ctx, pc, &types.WaitForUpdatesEx{This: req.This, Version: req.Version})
	b, ok := answer.(*methods.WaitForUpdatesExBody)
	if !ok || b.Fault_ != nil || b.Res.Returnval == nil {
		return &methods.WaitForUpdatesBody{Fault_: answer.Fault()}
	}
	o.vc.publishUpdates(b.Res.Returnval)
	return &methods.WaitForUpdatesBody{Res: &types.WaitForUpdatesResponse{Returnval: *b.Res.Returnval}}
}

func (vc *VC) publish(objects []types.ObjectContent) {
	for i := range objects {
		for k := range objects[i].PropSet {
			p := &objects[i].PropSet[k]
			p.Val = vc.public(objects[i].Obj.Type, p.Name, p.Val)
		}
	}
}

func (vc *VC) publishUpdates(set *types.UpdateSet) {
	for i := range set.FilterSet {
		for k := range set.FilterSet[i].ObjectSet {
			u := &set.FilterSet[i].ObjectSet[k]
			changes := append([]types.PropertyChange(nil), u.ChangeSet...) // the list itself belongs to every collector
			for n := range changes {
				changes[n].Val = vc.public(u.Obj.Type, changes[n].Name, changes[n].Val)
			}
			u.ChangeSet = changes
		}
	}
}

// public returns a property as clients see it.
func (vc *VC) public(kind, name string, val types.AnyType) types.AnyType {
	if val == nil {
		return nil
	}
	if kind == "Datastore" {
		val = vc.lab.withURL(name, val)
	}
	if v, changed := vc.api.clean(reflect.ValueOf(val)); changed {
		return v.Interface()
	}
	return val
}

// withURL replaces the directory in a property of a datastore by its URL.
func (l *Lab) withURL(name string, val types.AnyType) types.AnyType {
	v := reflect.ValueOf(val)
	switch name {
	case "summary.url", "info.url":
		if s, ok := val.(string); ok {
			return l.publicURL(s)
		}
	case "summary", "info":
		pointed := v.Kind() == reflect.Pointer
		if pointed {
			v = v.Elem()
		}
		c := reflect.New(v.Type())
		c.Elem().Set(v)
		if f := c.Elem().FieldByName("Url"); f.IsValid() && f.Kind() == reflect.String {
			f.SetString(l.publicURL(f.String()))
		}
		if pointed {
			return c.Interface()
		}
		return c.Elem().Interface()
	}
	return val
}

// publicURL is the URL of the datastore whose files are in a directory.
func (l *Lab) publicURL(dir string) string {
	uuid := filepath.Base(dir)
	if strings.HasPrefix(dir, "ds:") || dir == "" {
		return dir
	}
	for _, s := range l.Fabric.Status() {
		if s.Volume != nil && s.Volume.Dir == dir {
			uuid = s.Volume.UUID
		}
	}
	return "ds:///vmfs/volumes/" + uuid + "/"
}
