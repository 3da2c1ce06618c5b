package lab

import (
	"slices"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// WaitForUpdatesEx is our own. The simulator's reads objects without their lock, and for every single change it collects all
// objects of all filters anew: with a thousand virtual machines a change of power took minutes to be told. Here a change marks its
// object, and only marked objects are read again, under their lock.

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
	w.nudge() // a call that waits looks again, and tells of a filter that was made meanwhile
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
			if !vc.open(w.session) {
				return &methods.WaitForUpdatesExBody{Fault_: fault(&types.NotAuthenticated{NoPermission: types.NoPermission{Object: &pc.Self, PrivilegeId: "System.View"}})}
			}
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
