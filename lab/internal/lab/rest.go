package lab

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	restSession = "/rest/com/vmware/cis/session"
	restTagging = "/rest/com/vmware/cis/tagging/"
	restHeader  = "vmware-api-session-id"
)

// restSessions are the sessions of the REST API, which are apart from those of SOAP. The simulator would also give one for a
// token that it does not check, and for a call of JSON-RPC with no password at all.
type restSessions struct {
	mu   sync.Mutex
	open map[string]time.Time // of the last call
}

// valid reports whether a session is open, and counts as a call of it.
func (s *restSessions) valid(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.open[id]
	if ok {
		s.open[id] = time.Now()
	}
	return ok
}

func (s *restSessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// clear ends all sessions.
func (s *restSessions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = nil
}

// timeOut ends the sessions that made no call for a time.
func (s *restSessions) timeOut(limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.open, func(_ string, last time.Time) bool { return time.Since(last) > limit })
}

func (s *restSessions) set(id string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]time.Time{}
	}
	if s.open[id] = time.Now(); !open {
		delete(s.open, id)
	}
}

func (s *restSessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = nil
}

// restSessionID is the session that a request names, in a header or a cookie.
func restSessionID(r *http.Request) string {
	if id := r.Header.Get(restHeader); id != "" {
		return id
	}
	if c, err := r.Cookie(restHeader); err == nil {
		return c.Value
	}
	return ""
}

// serveREST answers what is below /rest and /api: sessions and tags are ours, the rest is the simulator's, with a session.
func (vc *VC) serveREST(w http.ResponseWriter, r *http.Request) {
	tags := strings.HasPrefix(r.URL.Path, restTagging)
	if tags && vc.before("6.5") {
		http.NotFound(w, r)
		return
	}
	id := restSessionID(r)
	if r.URL.Path == restSession && r.Method == http.MethodPost && r.URL.RawQuery == "" {
		vc.restLogin(w, r)
		return
	}
	if !vc.rest.valid(id) {
		restError(w, http.StatusUnauthorized, "unauthenticated", "Authentication required.")
		return
	}
	if r.URL.Path == restSession && r.Method == http.MethodDelete {
		vc.rest.set(id, false)
	}
	if tags {
		vc.tagging.mux.ServeHTTP(w, r)
		return
	}
	vc.Mux.ServeHTTP(w, r)
}

// restLogin makes a session of the simulator for the vCenter's user and remembers it.
func (vc *VC) restLogin(w http.ResponseWriter, r *http.Request) {
	if user, pass, ok := r.BasicAuth(); !ok || user != vc.Spec.Username || pass != vc.Spec.Password {
		restError(w, http.StatusUnauthorized, "unauthenticated", "Unable to authenticate user")
		return
	}
	b := &overheard{ResponseWriter: w}
	vc.Mux.ServeHTTP(b, r)
	var answer struct{ Value string }
	if json.Unmarshal(b.body.Bytes(), &answer) == nil && answer.Value != "" {
		vc.rest.set(answer.Value, true)
	}
	_, _ = w.Write(b.body.Bytes()) // not before the session is known
}

// overheard keeps the body of an answer.
type overheard struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (o *overheard) Write(b []byte) (int, error) { return o.body.Write(b) }

// restError answers with an error of the REST API, in the form of vCenter 6.5 to 7.0.
func restError(w http.ResponseWriter, status int, kind, message string) {
	type text struct {
		Args    []string `json:"args"`
		Default string   `json:"default_message"`
		ID      string   `json:"id"`
	}
	restAnswer(w, status, map[string]any{
		"type":  "com.vmware.vapi.std.errors." + kind,
		"value": map[string]any{"messages": []text{{[]string{}, message, "lab." + kind}}},
	})
}

// restValue answers with a value.
func restValue(w http.ResponseWriter, v any) {
	restAnswer(w, http.StatusOK, map[string]any{"value": v})
}

func restAnswer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
