package fos

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	media     = "application/yang-data+json"
	scheme    = "Custom_Basic "
	zoning    = "/rest/running/brocade-zone/"
	effective = zoning + "effective-configuration"
	defined   = zoning + "defined-configuration"
	names     = "/rest/running/brocade-name-server/fibrechannel-name-server"
	switches  = "/rest/running/brocade-fibrechannel-switch/fibrechannel-switch"
)

// Actions on the effective configuration.
const (
	save  = 1
	abort = 4
)

// Call is the method and path of a request without the names in it, so that calls can be counted.
func Call(r *http.Request) string {
	p := strings.TrimPrefix(r.URL.Path, "/rest/running")
	for _, key := range []string{"zone-name/", "cfg-name/", "alias-name/"} {
		if i := strings.Index(p, key); i >= 0 {
			p = p[:i+len(key)-1]
		}
	}
	return r.Method + " " + p
}

// Writes reports whether a call changes anything but the caller's own session.
func Writes(call string) bool {
	method, path, _ := strings.Cut(call, " ")
	return method != http.MethodGet && path != "/rest/login" && path != "/rest/logout"
}

// ServeHTTP answers one request.
func (s *Switch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.spec.Counted != nil {
		s.spec.Counted(Call(r))
	}
	if s.throttled() {
		w.Header().Set("Retry-After", strconv.Itoa(int(idleTime.Seconds())))
		http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/rest/login" {
		s.login(w, r)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), scheme)
	s.mu.Lock()
	known := s.sessions[token] != ""
	s.mu.Unlock()
	switch {
	case !known || !strings.HasPrefix(r.Header.Get("Authorization"), scheme):
		refuse(w, http.StatusUnauthorized, "session", "the session is not valid")
	case r.URL.Path == "/rest/logout":
		s.logout(token)
		w.WriteHeader(http.StatusNoContent)
	case r.Header.Get("Accept") != media || r.Method != http.MethodGet && r.ContentLength != 0 && r.Header.Get("Content-Type") != media:
		refuse(w, http.StatusNotAcceptable, "rest", "only "+media+" is served here")
	case s.spec.VFID > 0 && r.URL.Query().Get("vf-id") != strconv.Itoa(s.spec.VFID):
		refuse(w, http.StatusBadRequest, "rest", "virtual fabrics are enabled and vf-id is missing, or not one of them")
	case s.spec.VFID == 0 && r.URL.Query().Has("vf-id"):
		refuse(w, http.StatusBadRequest, "rest", "virtual fabrics are not enabled")
	default:
		s.route(w, r, token)
	}
}

// throttled counts requests. Once there were too many, the switch wants to be left alone for a time.
func (s *Switch) throttled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.refused) < idleTime {
		s.refused = now
		return true
	}
	var recent []time.Time
	for _, t := range s.requests {
		if now.Sub(t) < sampleTime {
			recent = append(recent, t)
		}
	}
	if s.requests = append(recent, now); len(s.requests) > sampleRequests {
		s.refused, s.requests = now, nil
		return true
	}
	return false
}

func (s *Switch) login(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !ok || user != s.spec.Username || password != s.spec.Password {
		refuse(w, http.StatusUnauthorized, "session", "invalid user name or password")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= maxSessions {
		refuse(w, http.StatusServiceUnavailable, "session", "the maximum number of REST sessions is reached")
		return
	}
	s.serial++
	token := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:xxx:%d", user, s.serial))
	s.sessions[token] = user
	w.Header().Set("Authorization", scheme+token)
	w.WriteHeader(http.StatusOK)
}

// logout ends a session. What it has changed and not saved is lost.
func (s *Switch) logout(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, token)
	s.open = slices.DeleteFunc(s.open, func(t *transaction) bool { return t.owner == token })
}

// EndSessions makes every session invalid; a transaction of one stays open, as that of a client that died.
func (s *Switch) EndSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = map[string]string{}
}

func (s *Switch) route(w http.ResponseWriter, r *http.Request, token string) {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	if r.Method == http.MethodGet {
		s.show(w, path, token)
		return
	}
	var body entry
	if b, err := io.ReadAll(r.Body); err != nil || len(b) > 0 && json.Unmarshal(b, &body) != nil {
		refuse(w, http.StatusBadRequest, "rest", "the body is not JSON of the expected form")
		return
	}
	status, err := http.StatusNoContent, error(nil)
	what, key := path, ""
	if i := strings.LastIndex(path, "/"); i > 0 {
		what = path[:i]
		key, _ = url.PathUnescape(path[i+1:])
	}
	switch r.Method + " " + what {
	case "POST " + defined + "/zone/zone-name":
		if body.Entries == nil {
			body.Entries = &memberEntry{}
		}
		status = http.StatusCreated
		z := Zone{Name: key, Type: body.Type, Members: body.Entries.Members, Principals: body.Entries.Principals}
		err = s.change(token, func(d *Defined) error { return d.addZone(z) })
	case "DELETE " + defined + "/zone/zone-name":
		if body.Entries != nil {
			refuse(w, http.StatusBadRequest, "rest", "taking single members out is not modelled")
			return
		}
		err = s.change(token, func(d *Defined) error { return d.dropZone(key) })
	case "POST " + defined + "/cfg/cfg-name":
		status = http.StatusCreated
		err = s.change(token, func(d *Defined) error { return d.addToCfg(key, body.Zones.Names) })
	case "PATCH " + defined + "/cfg/cfg-name":
		err = s.change(token, func(d *Defined) error { return d.setCfg(key, body.Zones.Names) })
	case "PATCH " + effective + "/cfg-name":
		err = s.commit(token, key, body.Checksum)
	case "PATCH " + effective + "/cfg-action":
		switch key {
		case strconv.Itoa(save):
			err = s.commit(token, "", body.Checksum)
		case strconv.Itoa(abort):
			err = s.abort(token)
		default:
			err = fmt.Errorf("cfg-action %s is not modelled", key)
		}
	default:
		refuse(w, http.StatusBadRequest, "rest", "Invalid REST URI")
		return
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "zone", err.Error())
		return
	}
	w.WriteHeader(status)
}

// entry is the body of a request, whatever it is about.
type entry struct {
	Type     int          `json:"zone-type"`
	Entries  *memberEntry `json:"member-entry"`
	Zones    memberZone   `json:"member-zone"`
	Checksum string       `json:"checksum"`
}

type memberEntry struct {
	Members    []string `json:"entry-name,omitempty"`
	Principals []string `json:"principal-entry-name,omitempty"`
}

type memberZone struct {
	Names []string `json:"zone-name"`
}

// zoneEntry tells the type twice, as Fabric OS 9 does.
type zoneEntry struct {
	Name    string      `json:"zone-name"`
	Type    int         `json:"zone-type"`
	Kind    string      `json:"zone-type-string"`
	Entries memberEntry `json:"member-entry"`
}

func entries(zones []Zone) []any {
	var out []any
	for _, z := range zones {
		out = append(out, zoneEntry{z.Name, z.Type, [...]string{"zone", "user-created-peer-zone"}[z.Type], memberEntry{z.Members, z.Principals}})
	}
	return out
}

// show answers a GET. A session that has a transaction open sees the defined configuration as it will be.
func (s *Switch) show(w http.ResponseWriter, path, token string) {
	s.mu.Lock()
	db, work, shown := s.db, s.db.Defined, 0
	if t := s.own(token); t != nil {
		work = t.work
	}
	if n := len(s.open); n > 0 {
		shown = s.open[n-1].token
	}
	s.mu.Unlock()
	switch path {
	case effective:
		out := map[string]any{
			"checksum": db.Checksum(), "cfg-name": db.Effective.Cfg, "cfg-action": 0, "default-zone-access": 0, "transaction-token": shown,
			"db-max": 1045274, "db-avail": 1045274, "db-committed": 0, "db-transaction": 0,
		}
		if db.AllAccess {
			out["default-zone-access"] = 1
		}
		list(out, "enabled-zone", entries(db.Effective.Zones))
		respond(w, "effective-configuration", out)
	case defined:
		out := map[string]any{}
		var cfgs, aliases []any
		for _, c := range work.Cfgs {
			cfgs = append(cfgs, map[string]any{"cfg-name": c.Name, "member-zone": memberZone{c.Zones}})
		}
		for _, a := range work.Aliases {
			aliases = append(aliases, map[string]any{"alias-name": a.Name, "member-entry": map[string]any{"alias-entry-name": a.Members}})
		}
		list(out, "cfg", cfgs)
		list(out, "zone", entries(work.Zones))
		list(out, "alias", aliases)
		respond(w, "defined-configuration", out)
	case names:
		var out []any
		for i, l := range s.spec.Logins() {
			out = append(out, map[string]any{"port-id": fmt.Sprintf("0x01%02x00", i), "port-name": l.Port, "node-name": l.Node, "class-of-service": "3"})
		}
		respond(w, "fibrechannel-name-server", out)
	case switches:
		respond(w, "fibrechannel-switch", map[string]any{
			"user-friendly-name": s.spec.Name, "firmware-version": cmp.Or(s.spec.Firmware, "v9.1.1c"), "principal": 1, "operational-status": 2,
		})
	default:
		refuse(w, http.StatusBadRequest, "rest", "Invalid REST URI")
	}
}

// list writes a list as the switch does: left out when it is empty, and the one entry itself when there is only one.
func list(out map[string]any, key string, entries []any) {
	switch len(entries) {
	case 0:
	case 1:
		out[key] = entries[0]
	default:
		out[key] = entries
	}
}

func respond(w http.ResponseWriter, key string, v any) {
	w.Header().Set("Content-Type", media)
	_ = json.NewEncoder(w).Encode(map[string]any{"Response": map[string]any{key: v}})
}

// refuse answers with an error in the form of the REST interface.
func refuse(w http.ResponseWriter, status int, module, text string) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": map[string]any{"error": []any{map[string]any{
		"error-type": "application", "error-tag": "operation-failed", "error-app-tag": "Error", "error-message": text,
		"error-info": map[string]any{"error-code": -1, "error-module": module},
	}}}})
}
