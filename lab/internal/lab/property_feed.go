package lab

import (
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

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
		w.nudge()
	}
}

// nudge makes a call that waits look again.
func (w *watcher) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// gone ends the calls that wait for a client that went away.
func (f *feed) gone(session string, collector types.ManagedObjectReference) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pc, w := range f.watchers {
		if w.session == session && pc.Self == collector {
			w.cancel()
		}
	}
}

// end drops the collectors of a session that ended; calls that wait end.
func (f *feed) end(session string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pc, w := range f.watchers {
		if w.session == session {
			delete(f.watchers, pc)
			w.cancel()
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
