package lab

import (
	_ "embed"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/mo"

	"esxodus/lab/internal/scenario"
)

//go:embed api_since.txt
var apiSince string

// since says which version of the API brought a property; what is not in it is as old as 6.0. By "Type.property".
var since = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(apiSince) {
		if key, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok && key != "#" {
			m[key] = version
		}
	}
	return m
})

// api is a version of the API: what a vCenter of that version does not know never leaves it. Strict clients (pyVmomi) refuse
// elements that are newer than the version they negotiated.
type api struct {
	version string
	types   sync.Map // reflect.Type → *shape
}

// shape is what is to be known of a struct type.
type shape struct {
	newer   []int // fields that this API version does not have
	descend []int // fields that may contain others
}

func (a *api) shape(t reflect.Type) *shape {
	if s, ok := a.types.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{}
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case !f.IsExported():
		case !f.Anonymous && a.newer(t.Name(), f.Name):
			s.newer = append(s.newer, i)
		default:
			switch f.Type.Kind() {
			case reflect.Struct, reflect.Pointer, reflect.Slice, reflect.Interface:
				s.descend = append(s.descend, i)
			}
		}
	}
	a.types.Store(t, s)
	return s
}

// newer reports whether this version lacks a property, given as Go type and field.
func (a *api) newer(typ, field string) bool {
	v, ok := since()[typ+"."+strings.ToLower(field[:1])+field[1:]]
	return ok && scenario.Compare(v, a.version) > 0
}

// clean returns the value without what this version does not know, and whether that changed anything. The value itself is not
// changed: others may be reading it.
func (a *api) clean(v reflect.Value) (reflect.Value, bool) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			return a.clean(v.Elem())
		}
	case reflect.Pointer:
		if v.IsNil() {
			break
		}
		if e, changed := a.clean(v.Elem()); changed {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(e)
			return p, true
		}
	case reflect.Slice:
		return a.cleanSlice(v)
	case reflect.Struct:
		return a.cleanStruct(v)
	}
	return v, false
}

func (a *api) cleanSlice(v reflect.Value) (reflect.Value, bool) {
	switch v.Type().Elem().Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Slice, reflect.Interface:
	default:
		return v, false
	}
	var out reflect.Value
	for i := range v.Len() {
		e, changed := a.clean(v.Index(i))
		if !changed {
			continue
		}
		if !out.IsValid() {
			out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(out, v)
		}
		out.Index(i).Set(e)
	}
	if out.IsValid() {
		return out, true
	}
	return v, false
}

var timeType = reflect.TypeFor[time.Time]()

func (a *api) cleanStruct(v reflect.Value) (reflect.Value, bool) {
	if v.Type() == timeType {
		return v, false
	}
	s := a.shape(v.Type())
	var out reflect.Value
	set := func(i int, to reflect.Value) {
		if !out.IsValid() {
			out = reflect.New(v.Type()).Elem()
			out.Set(v)
		}
		out.Field(i).Set(to)
	}
	for _, i := range s.newer {
		if f := v.Field(i); !f.IsZero() {
			set(i, reflect.Zero(f.Type()))
		}
	}
	for _, i := range s.descend {
		if e, changed := a.clean(v.Field(i)); changed {
			set(i, e)
		}
	}
	if out.IsValid() {
		return out, true
	}
	return v, false
}

// managed are the Go types of managed objects, whose properties a client may name.
var managed = map[string]reflect.Type{}

func init() {
	for _, x := range []any{
		mo.ClusterComputeResource{}, mo.ClusterEVCManager{}, mo.ComputeResource{}, mo.Datacenter{}, mo.Datastore{}, mo.DistributedVirtualPortgroup{},
		mo.DistributedVirtualSwitch{}, mo.Folder{}, mo.HostDatastoreSystem{}, mo.HostNetworkSystem{}, mo.HostStorageSystem{}, mo.HostSystem{},
		mo.HostVirtualNicManager{}, mo.ManagedEntity{}, mo.Network{}, mo.ResourcePool{}, mo.StoragePod{}, mo.Task{}, mo.VirtualMachine{},
		mo.VirtualMachineSnapshot{}, mo.VmwareDistributedVirtualSwitch{},
	} {
		managed[reflect.TypeOf(x).Name()] = reflect.TypeOf(x)
	}
}

// knows reports whether a property path of a managed object exists in this version of the API. What is decided only by the type of
// a value, behind an interface, is let through.
func (a *api) knows(kind, path string) bool {
	t, ok := managed[kind]
	if !ok {
		return true
	}
	path, _, _ = strings.Cut(path, "[") // what a key leads to is not checked
	for name := range strings.SplitSeq(path, ".") {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Interface {
			return true
		}
		if t.Kind() != reflect.Struct || name == "" {
			return false // nothing is inside a scalar, and a list needs a key
		}
		field := strings.ToUpper(name[:1]) + name[1:]
		f, ok := t.FieldByName(field)
		if !ok || a.newer(owner(t, field), field) {
			return false
		}
		t = f.Type
	}
	return true
}

// owner is the name of the type that declares a field: the type itself or one that it embeds.
func owner(t reflect.Type, field string) string {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == field && !f.Anonymous {
			return t.Name()
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if _, ok := f.Type, f.Anonymous; ok && f.Type.Kind() == reflect.Struct {
			if _, has := f.Type.FieldByName(field); has {
				return owner(f.Type, field)
			}
		}
	}
	return t.Name()
}
