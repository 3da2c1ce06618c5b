package lab

import (
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// edit lets f change an object under its lock, and tells property collectors what has changed: the properties of the object and,
// unlike the simulator's AutoUpdate, those inside them too. A client that follows "runtime.powerState" hears of it when all that
// the lab has done is to change Runtime.
func (vc *VC) edit(o mo.Reference, f func()) {
	ctx := vc.newCtx()
	ctx.WithLock(o, func() {
		before := simulator.Checkpoint(o)
		f()
		after := simulator.Checkpoint(o)
		changes := simulator.PropertyDiff(before, after)
		if len(changes) > 0 {
			ctx.Update(o, append(changes, inside(before, after)...))
		}
	})
}

// inside returns the changes below the properties of a managed object: "runtime.powerState", not "runtime".
func inside(before, after mo.Reference) (out []types.PropertyChange) {
	old, now := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range now.NumField() {
		f := now.Type().Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct { // what all managed entities have: none of it is nested
			continue
		}
		out = append(out, below(propertyName(f), old.Field(i), now.Field(i))...)
	}
	return out
}

var reference = reflect.TypeFor[types.ManagedObjectReference]()

// below compares the fields of two structs, or of what two pointers point to, down to what a property path can name.
func below(path string, old, now reflect.Value) (out []types.PropertyChange) {
	if now.Kind() == reflect.Pointer {
		if now.IsNil() {
			return nil // nothing there, or all of it gone: the change of the parent says so
		}
		now = now.Elem()
		if old.IsNil() {
			old = reflect.Zero(now.Type())
		} else {
			old = old.Elem()
		}
	}
	if now.Kind() != reflect.Struct || now.Type().PkgPath() == "time" || now.Type() == reference || reflect.DeepEqual(old.Interface(), now.Interface()) {
		return nil
	}
	for i := range now.NumField() {
		f := now.Type().Field(i)
		if f.Anonymous {
			out = append(out, below(path, old.Field(i), now.Field(i))...)
			continue
		}
		o, n := old.Field(i), now.Field(i)
		if reflect.DeepEqual(o.Interface(), n.Interface()) {
			continue
		}
		name := path + "." + propertyName(f)
		if v, ok := changeValue(n); ok {
			out = append(out, types.PropertyChange{Name: name, Op: types.PropertyChangeOpAssign, Val: v})
		}
		out = append(out, below(name, o, n)...)
	}
	return out
}

// changeValue returns a value as a change carries it; ok is false for a list that the API has no ArrayOf type for.
func changeValue(v reflect.Value) (types.AnyType, bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil, true
		}
		return v.Elem().Interface(), true
	case reflect.Interface:
		if v.IsNil() {
			return nil, true
		}
	case reflect.Slice:
		if v.Type().Elem().PkgPath() != "" || v.Type().Elem().Kind() == reflect.Interface {
			name := strings.TrimPrefix(v.Type().Elem().Name(), "Base")
			if _, known := types.TypeFunc()("ArrayOf" + name); !known {
				return nil, false
			}
		}
	case reflect.String:
		if v.Len() == 0 && v.Type().Name() != "string" { // an enum that is unset
			return nil, true
		}
	}
	return v.Interface(), true
}

func propertyName(f reflect.StructField) string {
	return strings.ToLower(f.Name[:1]) + f.Name[1:]
}
