package lab

import (
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// shape finds the objects that a filter means now: those that came and those that went.
func (f *watched) shape(ctx *simulator.Context, pc *simulator.PropertyCollector) ([]types.ObjectUpdate, types.BaseMethodFault) {
	spec := types.PropertyFilterSpec{ObjectSet: f.filter.Spec.ObjectSet}
	for _, p := range f.filter.Spec.PropSet {
		spec.PropSet = append(spec.PropSet, types.PropertySpec{Type: p.Type, All: types.NewBool(false)})
	}
	found, fault := retrieve(ctx, pc, spec)
	if fault != nil {
		if _, gone := fault.(*types.ManagedObjectNotFound); !gone || len(f.paths) == 0 {
			return nil, fault
		}
	}
	now := map[types.ManagedObjectReference]bool{}
	news := types.PropertyFilterSpec{PropSet: f.filter.Spec.PropSet}
	for _, o := range found {
		if now[o.Obj] {
			continue
		}
		now[o.Obj] = true
		if _, known := f.paths[o.Obj]; !known {
			news.ObjectSet = append(news.ObjectSet, types.ObjectSpec{Obj: o.Obj})
		}
	}
	var updates []types.ObjectUpdate
	for obj := range f.paths {
		if !now[obj] {
			delete(f.paths, obj)
			delete(f.last, obj)
			updates = append(updates, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: obj})
		}
	}
	if len(news.ObjectSet) == 0 {
		return updates, nil
	}
	objects, _ := retrieve(ctx, pc, news)
	for _, o := range objects {
		u := types.ObjectUpdate{Kind: types.ObjectUpdateKindEnter, Obj: o.Obj}
		f.paths[o.Obj], f.last[o.Obj] = f.pathsOf(ctx, o.Obj), map[string]any{}
		for _, p := range o.PropSet {
			u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Name: p.Name, Op: types.PropertyChangeOpAssign, Val: p.Val})
			f.remember(o.Obj, p.Name, p.Val)
		}
		updates = append(updates, u)
	}
	return updates, nil
}

// changed reads an object again of which properties changed, and tells those that the filter wants.
func (f *watched) changed(ctx *simulator.Context, pc *simulator.PropertyCollector, obj types.ManagedObjectReference, names []string, told []types.ObjectUpdate) (types.ObjectUpdate, bool) {
	u := types.ObjectUpdate{Kind: types.ObjectUpdateKindModify, Obj: obj}
	paths, known := f.paths[obj]
	if !known || slices.ContainsFunc(told, func(x types.ObjectUpdate) bool { return x.Obj == obj }) {
		return u, false
	}
	var want []string
	for _, p := range paths {
		if slices.ContainsFunc(names, func(n string) bool { return within(n, p) || within(p, n) }) {
			want = append(want, p)
		}
	}
	if len(want) == 0 {
		return u, false
	}
	objects, fault := retrieve(ctx, pc, types.PropertyFilterSpec{
		ObjectSet: []types.ObjectSpec{{Obj: obj}}, PropSet: []types.PropertySpec{{Type: obj.Type, PathSet: want}},
	})
	if fault != nil || len(objects) != 1 {
		return u, false // it is gone; the next look tells
	}
	values := map[string]types.AnyType{}
	for _, p := range objects[0].PropSet {
		values[p.Name] = p.Val
	}
	for _, p := range want {
		if val, same := values[p], f.same(obj, p, values[p]); !same {
			f.remember(obj, p, val)
			u.ChangeSet = append(u.ChangeSet, types.PropertyChange{Name: p, Op: types.PropertyChangeOpAssign, Val: val})
		}
	}
	return u, len(u.ChangeSet) > 0
}

// within reports whether a property is another one or lies in it.
func within(inner, outer string) bool {
	return inner == outer || strings.HasPrefix(inner, outer) && (inner[len(outer)] == '.' || inner[len(outer)] == '[')
}

// pathsOf are the properties of an object that the filter wants.
func (f *watched) pathsOf(ctx *simulator.Context, obj types.ManagedObjectReference) (out []string) {
	o := ctx.Map.Get(obj)
	if o == nil && ctx.Session != nil {
		o = ctx.Session.Get(obj)
	}
	for _, p := range f.filter.Spec.PropSet {
		if p.Type != obj.Type && (o == nil || !embeds(reflect.TypeOf(o), p.Type)) {
			continue
		}
		if isTrue(p.All) && o != nil {
			out = append(out, properties(reflect.TypeOf(o))...)
		}
		out = append(out, p.PathSet...)
	}
	return out
}

// embeds reports whether a Go type is or embeds the managed object type of that name ("ManagedEntity").
func embeds(t reflect.Type, name string) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.Name() == name {
		return t.Name() == name
	}
	for i := range t.NumField() {
		if x := t.Field(i); x.Anonymous && embeds(x.Type, name) {
			return true
		}
	}
	return false
}

// properties are the names of all properties of a managed object.
func properties(t reflect.Type) (out []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for i := range t.NumField() {
		x := t.Field(i)
		if name, _, _ := strings.Cut(x.Tag.Get("json"), ","); x.Anonymous && x.Type.Kind() == reflect.Struct {
			out = append(out, properties(x.Type)...)
		} else if name != "" && name != "-" && name != "self" {
			out = append(out, name)
		}
	}
	return out
}

// simple reports whether a value can be compared and kept: no pointers into an object.
func simple(v any) bool {
	switch reflect.ValueOf(v).Kind() {
	case reflect.String, reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		return true
	}
	_, ref := v.(types.ManagedObjectReference)
	return ref || v == nil
}

func (f *watched) remember(obj types.ManagedObjectReference, path string, v any) {
	if simple(v) {
		f.last[obj][path] = v
	} else {
		delete(f.last[obj], path)
	}
}

func (f *watched) same(obj types.ManagedObjectReference, path string, v any) bool {
	old, ok := f.last[obj][path]
	return ok && simple(v) && old == v
}

// retrieve reads properties through the simulator's collector, which locks each object.
func retrieve(ctx *simulator.Context, pc *simulator.PropertyCollector, spec types.PropertyFilterSpec) ([]types.ObjectContent, types.BaseMethodFault) {
	answer := pc.RetrievePropertiesEx(ctx, &types.RetrievePropertiesEx{This: pc.Self, SpecSet: []types.PropertyFilterSpec{spec}})
	if f := answer.Fault(); f != nil {
		fault, _ := f.VimFault().(types.BaseMethodFault)
		if fault == nil {
			fault = new(types.InvalidRequest)
		}
		return nil, fault
	}
	return answer.(*methods.RetrievePropertiesExBody).Res.Returnval.Objects, nil
}
