package lab

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// sessionUse is what the sessions of a vCenter do and what they left open.
type sessionUse struct {
	mu         sync.Mutex
	registries map[string]*simulator.Registry // objects that belong to a session, by its key
	calls      map[string]int                 // under way
	used       map[string]time.Time           // end of the last call
}

// Open is what clients of a vCenter hold open, for the search of leaks.
type Open struct {
	Sessions          int `json:"sessions"` // SOAP
	RESTSessions      int `json:"restSessions"`
	Collectors        int `json:"collectors"` // property collectors that were created; each session has one more by itself
	Filters           int `json:"filters"`
	Views             int `json:"views"`
	HistoryCollectors int `json:"historyCollectors"` // of tasks and of events
	Connections       int `json:"connections"`       // TCP
}

// note remembers the objects of the session that calls.
func (u *sessionUse) note(s *simulator.Session) {
	if s == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.registries == nil {
		u.registries = map[string]*simulator.Registry{}
	}
	u.registries[s.Key] = s.Registry
}

// begin notes a call of a session; the function that it returns notes its end.
func (u *sessionUse) begin(key string) (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls, u.used = map[string]int{}, map[string]time.Time{}
	}
	u.calls[key]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.calls[key]--
		u.used[key] = time.Now()
	}
}

// idle is how long a session has made no call.
func (u *sessionUse) idle(s *types.UserSession) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls[s.Key] > 0 {
		return 0
	}
	last := s.LastActiveTime
	if t := u.used[s.Key]; t.After(last) {
		last = t
	}
	return time.Since(last)
}

// forget drops a session that ended and returns its objects.
func (u *sessionUse) forget(key string) *simulator.Registry {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.registries[key]
	delete(u.registries, key)
	delete(u.calls, key)
	delete(u.used, key)
	return r
}

// timeOut ends the sessions that made no call for longer than the scenario allows. A call that waits keeps its session.
func (vc *VC) timeOut() {
	limit := vc.lab.Scenario.SessionTimeout
	if limit == 0 {
		return
	}
	vc.rest.timeOut(limit)
	for _, s := range vc.sessions() {
		if vc.use.idle(&s) > limit {
			vc.terminate(s.Key)
		}
	}
}

// terminate ends a SOAP session. Views of it would go on to follow the inventory.
func (vc *VC) terminate(key string) {
	ctx := vc.newCtx() // its own session is another one, as TerminateSession demands
	vc.Map().SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{key}})
	objects := vc.use.forget(key)
	if objects == nil {
		return
	}
	for _, o := range objects.AllReference("") {
		if _, follows := o.(simulator.RegisterObject); follows && o.Reference() != vc.Model.ServiceContent.PropertyCollector {
			vc.Map().Remove(ctx, o.Reference())
		}
	}
	vc.feed.end(key)
}

// leftOpen counts what is open; connections are the server's affair.
func (vc *VC) leftOpen() (out Open) {
	vc.timeOut()
	sessions := vc.sessions()
	out.Sessions, out.RESTSessions = len(sessions), vc.rest.count()
	for _, s := range sessions {
		vc.use.mu.Lock()
		objects := vc.use.registries[s.Key]
		vc.use.mu.Unlock()
		if objects == nil {
			continue
		}
		for _, o := range objects.AllReference("") {
			switch kind := o.Reference().Type; {
			case o.Reference() == vc.Model.ServiceContent.PropertyCollector:
			case kind == "PropertyCollector":
				out.Collectors++
			case kind == "PropertyFilter":
				out.Filters++
			case strings.HasSuffix(kind, "View"):
				out.Views++
			case strings.HasSuffix(kind, "HistoryCollector"):
				out.HistoryCollectors++
			}
		}
	}
	return out
}

// attend keeps the session of a request from counting as idle while it is answered.
func (vc *VC) attend(r *http.Request) (end func()) {
	vc.timeOut()
	if s := vc.session(r); s != nil {
		return vc.use.begin(s.Key)
	}
	return func() {}
}
