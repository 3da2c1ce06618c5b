package lab

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// WaitForUpdatesEx is our own. The simulator's reads objects without their lock, and for every single change it collects all
// objects of all filters anew: with a thousand virtual machines a change of power took minutes to be told. Here a change marks its
// object, and only marked objects are read again, under their lock.

// feed passes changes of the inventory on to the collectors that wait.
type feed struct {
	shadow
	mu       sync.Mutex
	watchers map[*simulator.PropertyCollector]*watcher
}

// watcher is what one collector has told its client, and what it has to tell.
type watcher struct {
	session string
	wake    chan struct{}

	mu      sync.Mutex // what the feed writes
	dirty   map[types.ManagedObjectReference][]string
	reshape bool // objects came or went, or one that leads to others changed
	stop    chan struct{}

	turn    sync.Mutex // held by the one call that is answered
	version int
	filters map[types.ManagedObjectReference]*watched
	pending []types.PropertyFilterUpdate
	sent    *types.UpdateSet // the last answer, for a client that lost it
}

// watched are the objects that a filter has told of.
type watched struct {
	filter *simulator.PropertyFilter
	paths  map[types.ManagedObjectReference][]string
	last   map[types.ManagedObjectReference]map[string]any // simple values, to leave out what did not change
}

func (f *feed) each(do func(*watcher)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.watchers {
		w.mu.Lock()
		do(w)
		w.mu.Unlock()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// PutObject notes a new object.
func (f *feed) PutObject(*simulator.Context, mo.Reference) {
	f.each(func(w *watcher) { w.reshape = true })
}

// RemoveObject notes that an object is gone.
func (f *feed) RemoveObject(*simulator.Context, types.ManagedObjectReference) {
	f.each(func(w *watcher) { w.reshape = true })
}

// leads are the properties by which traversals get from one object to others.
var leads = []string{"childEntity", "view", "vm", "host", "datastore", "network", "resourcePool", "parent", "rootSnapshot", "snapshot", "latestPage", "recentTask", "portgroup"}

// UpdateObject notes changes of properties.
func (f *feed) UpdateObject(_ *simulator.Context, o mo.Reference, changes []types.PropertyChange) {
	ref := o.Reference()
	f.each(func(w *watcher) {
		for _, c := range changes {
			w.dirty[ref] = append(w.dirty[ref], c.Name)
			w.reshape = w.reshape || slices.Contains(leads, c.Name)
		}
	})
}

// watcher returns the one of a collector; those of sessions that ended go.
func (f *feed) watcher(ctx *simulator.Context, pc *simulator.PropertyCollector) *watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.watchers[pc]; w != nil {
		return w
	}
	open := map[string]bool{}
	for _, s := range f.vc.sessions() {
		open[s.Key] = true
	}
	for k, w := range f.watchers {
		if !open[w.session] {
			delete(f.watchers, k)
		}
	}
	w := &watcher{
		session: ctx.Session.Key, wake: make(chan struct{}, 1), stop: make(chan struct{}),
		dirty: map[types.ManagedObjectReference][]string{}, filters: map[types.ManagedObjectReference]*watched{},
	}
	f.watchers[pc] = w
	return w
}

const (
	gather     = 10 * time.Millisecond // changes that come together are told together
	maxObjects = 100                   // in one answer; vCenter's default
)

// wait answers WaitForUpdatesEx.
func (vc *VC) wait(ctx *simulator.Context, pc *simulator.PropertyCollector, req *types.WaitForUpdatesEx) soap.HasFault {
	body := &methods.WaitForUpdatesExBody{Res: new(types.WaitForUpdatesExResponse)}
	w := vc.feed.watcher(ctx, pc)
	w.mu.Lock()
	stop := w.stop
	w.mu.Unlock()
	w.turn.Lock()
	defer w.turn.Unlock()
	limit := maxObjects
	var deadline <-chan time.Time
	once := false
	if o := req.Options; o != nil {
		if o.MaxObjectUpdates > 0 {
			limit = min(limit, int(o.MaxObjectUpdates))
		}
		if o.MaxWaitSeconds != nil {
			once = *o.MaxWaitSeconds == 0
			t := time.NewTimer(time.Duration(*o.MaxWaitSeconds) * time.Second)
			defer t.Stop()
			deadline = t.C
		}
	}
	switch req.Version {
	case "":
		w.filters, w.pending, w.sent = map[types.ManagedObjectReference]*watched{}, nil, nil
		w.mu.Lock()
		w.reshape = true
		w.mu.Unlock()
	case strconv.Itoa(w.version):
	case strconv.Itoa(w.version - 1): // the answer was lost on its way: once more
		if w.sent != nil {
			body.Res.Returnval = w.sent
			return body
		}
		fallthrough
	default:
		return &methods.WaitForUpdatesExBody{Fault_: fault(new(types.InvalidCollectorVersion))}
	}
	for first := true; ; first = false {
		if len(w.pending) == 0 {
			if f := vc.look(ctx, pc, w); f != nil {
				return &methods.WaitForUpdatesExBody{Fault_: fault(f)}
			}
		}
		if len(w.pending) > 0 || req.Version == "" && first {
			w.version++
			set := &types.UpdateSet{Version: strconv.Itoa(w.version)}
			set.FilterSet, w.pending = page(w.pending, limit)
			set.Truncated = types.NewBool(len(w.pending) > 0)
			body.Res.Returnval, w.sent = set, set
			return body
		}
		if once {
			return body
		}
		select {
		case <-w.wake:
			time.Sleep(gather)
		case <-deadline:
			return body
		case <-stop:
			return &methods.WaitForUpdatesExBody{Fault_: fault(new(types.RequestCanceled))}
		case <-vc.lab.ctx.Done():
			return &methods.WaitForUpdatesExBody{Fault_: fault(new(types.RequestCanceled))}
		}
	}
}

// page cuts a list of updates after a number of objects.
func page(all []types.PropertyFilterUpdate, limit int) (now, later []types.PropertyFilterUpdate) {
	for _, f := range all {
		if n := len(f.ObjectSet); limit >= n {
			now, limit = append(now, f), limit-n
			continue
		}
		rest := f
		rest.ObjectSet = f.ObjectSet[limit:]
		if f.ObjectSet = f.ObjectSet[:limit]; limit > 0 {
			now = append(now, f)
		}
		later, limit = append(later, rest), 0
	}
	return now, later
}

// look finds what there is to tell.
func (vc *VC) look(ctx *simulator.Context, pc *simulator.PropertyCollector, w *watcher) types.BaseMethodFault {
	w.mu.Lock()
	dirty, reshape := w.dirty, w.reshape
	w.dirty, w.reshape = map[types.ManagedObjectReference][]string{}, false
	w.mu.Unlock()
	var refs []types.ManagedObjectReference
	ctx.WithLock(pc, func() { refs = slices.Clone(pc.Filter) })
	for ref := range w.filters {
		if !slices.Contains(refs, ref) {
			delete(w.filters, ref)
		}
	}
	for _, ref := range refs {
		f := w.filters[ref]
		fresh := f == nil
		if fresh {
			filter, ok := ctx.Session.Get(ref).(*simulator.PropertyFilter)
			if !ok {
				continue
			}
			f = &watched{filter: filter, paths: map[types.ManagedObjectReference][]string{}, last: map[types.ManagedObjectReference]map[string]any{}}
			w.filters[ref] = f
		}
		var updates []types.ObjectUpdate
		if fresh || reshape {
			u, fault := f.shape(ctx, pc)
			if fault != nil {
				return fault
			}
			updates = u
		}
		for obj, names := range dirty {
			if u, ok := f.changed(ctx, pc, obj, names, updates); ok {
				updates = append(updates, u)
			}
		}
		if len(updates) > 0 {
			w.pending = append(w.pending, types.PropertyFilterUpdate{Filter: ref, ObjectSet: updates})
		}
	}
	return nil
}

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

// CancelWaitForUpdates ends a call that waits, with RequestCanceled.
func (o *propertyCollector) CancelWaitForUpdates(ctx *simulator.Context, req *types.CancelWaitForUpdates) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused != nil {
		return &methods.CancelWaitForUpdatesBody{Fault_: refused}
	}
	o.vc.feed.watcher(ctx, pc).cancel()
	return &methods.CancelWaitForUpdatesBody{Res: new(types.CancelWaitForUpdatesResponse)}
}

func (w *watcher) cancel() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.stop)
	w.stop = make(chan struct{})
}

// DestroyPropertyCollector ends a collector with its filters.
func (o *propertyCollector) DestroyPropertyCollector(ctx *simulator.Context, req *types.DestroyPropertyCollector) soap.HasFault {
	pc, refused := collector(ctx, req.This)
	if refused != nil {
		return &methods.DestroyPropertyCollectorBody{Fault_: refused}
	}
	f := o.vc.feed
	f.mu.Lock()
	w := f.watchers[pc]
	delete(f.watchers, pc)
	f.mu.Unlock()
	if w != nil {
		w.cancel()
	}
	return pc.DestroyPropertyCollector(ctx, req)
}

func installFeed(vc *VC) {
	vc.feed = &feed{shadow: vc.shadow("Feed"), watchers: map[*simulator.PropertyCollector]*watcher{}}
	vc.Map().AddHandler(vc.feed)
}
