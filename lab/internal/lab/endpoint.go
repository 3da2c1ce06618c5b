package lab

import (
	"bytes"
	"context"
	"html"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
)

var (
	soapMethod = regexp.MustCompile(`(?s)<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)
	soapThis   = regexp.MustCompile(`<(?:\w+:)?_this\b[^>]*?\stype="(\w+)"[^>]*>([^<]+)<`)
	soapName   = regexp.MustCompile(`<name\b[^>]*>([^<]+)</name>`)
	soapCalled = regexp.MustCompile(`<method\b[^>]*>([^<]+)</method>`)
	soapPath   = regexp.MustCompile(`<path\b[^>]*>([^<]+)</path>`)
)

// request is what the lab needs to know of a call before it is answered.
type request struct {
	method  string
	soap    bool
	this    types.ManagedObjectReference
	objects []string // names that a fault rule may mean
	body    []byte
	called  string // what ExecuteSoap is to execute
}

// counted is the name by which a call is counted.
func (q *request) counted() string { return strings.TrimSpace(q.method + " " + q.called) }

// parse reads just enough of a request.
func (vc *VC) parse(r *http.Request, body []byte) request {
	m := soapMethod.FindSubmatch(body)
	if r.Method != http.MethodPost || m == nil {
		return request{method: r.Method + " " + restPath(r)}
	}
	q := request{method: string(m[1]), soap: true, body: body}
	if t := soapThis.FindSubmatch(body); t != nil {
		q.this = types.ManagedObjectReference{Type: string(t[1]), Value: strings.TrimSpace(html.UnescapeString(string(t[2])))}
		if e, ok := vc.Map().Get(q.this).(mo.Entity); ok {
			q.objects = append(q.objects, vc.entityName(e))
		}
		if x, ok := vc.Map().Get(q.this).(*executer); ok {
			if h, ok := vc.Map().Get(x.host).(mo.Entity); ok {
				q.objects = append(q.objects, vc.entityName(h))
			}
			if m := soapCalled.FindSubmatch(body); m != nil {
				q.called = string(m[1])
			}
		}
	}
	if q.method == "RegisterVM_Task" { // the object is a folder; a rule rather means the VM
		for _, re := range []*regexp.Regexp{soapName, soapPath} {
			if x := re.FindSubmatch(body); x != nil {
				base := path.Base(html.UnescapeString(string(x[1])))
				q.objects = append(q.objects, strings.TrimSuffix(base, path.Ext(base)))
			}
		}
	}
	return q
}

// entityName returns the name of an entity.
func (vc *VC) entityName(e mo.Entity) string {
	var name string
	vc.newCtx().WithLock(e, func() {
		name = e.Entity().Name
		switch x := e.(type) { // these have a field of their own for it
		case *mo.Network:
			name = x.Name
		case *simulator.DistributedVirtualPortgroup:
			name = x.Name
		case *distributedSwitch:
			name = x.Name
		}
	})
	return name
}

var restID = regexp.MustCompile(`(id:)?[^/]*\d[^/]*`)

// restPath is the path of a REST call without the ids in it, so that calls can be counted.
func restPath(r *http.Request) string {
	p := r.URL.Path
	if strings.HasPrefix(p, "/rest/") || strings.HasPrefix(p, "/api/") {
		p = restID.ReplaceAllString(p, "ID")
		for _, action := range []string{"~action", "action"} {
			if a := r.URL.Query().Get(action); a != "" {
				p += "?" + action + "=" + a
			}
		}
		return p
	}
	if strings.HasPrefix(p, "/folder/") {
		return "/folder"
	}
	return p
}

// ServeHTTP answers one request to this vCenter: it counts it, lets a fault rule have its way and passes it on.
func (vc *VC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Body != nil && !strings.HasPrefix(r.URL.Path, "/folder/") {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	q := vc.parse(r, body)
	vc.lab.counters.count(vc.Spec.Name, q.counted())
	rule, cleared := vc.lab.Rules.Pick(chaos.Call{VCenter: vc.Spec.Name, Method: q.method, Objects: q.objects})
	if rule == nil {
		vc.route(w, r, q)
		return
	}
	switch rule.Action {
	case chaos.Fault:
		f, _ := chaos.New(rule.Fault)
		writeFault(w, message(rule, f), f)
	case chaos.TaskFault:
		vc.failTask(w, r, q, rule)
	case chaos.TaskAfter, chaos.TaskHang, chaos.TaskLost:
		vc.doom(w, r, q, &fate{rule, cleared})
	case chaos.Drop:
		hangUp(w)
	case chaos.DropAfter:
		vc.route(discard{http.Header{}}, r, q)
		hangUp(w)
	case chaos.Delay:
		if vc.lab.pause(r, rule.Wait(), cleared) {
			vc.route(w, r, q)
		}
	case chaos.Hang:
		vc.lab.pause(r, 1<<62, cleared)
		hangUp(w)
	case chaos.HTTP503:
		http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
	case chaos.Expire:
		vc.expire(r)
		vc.route(w, r, q)
	}
}

// route passes a request on. What is neither SOAP nor REST needs a session too; the simulator would answer it without.
func (vc *VC) route(w http.ResponseWriter, r *http.Request, q request) {
	defer vc.attend(r)()
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch first {
	case "rest", "api":
		vc.serveREST(w, r)
		return
	case "pbm", "vsanHealth": // these check sessions of their own
	case "sdk":
		if q.soap {
			s := vc.session(r)
			f := vc.forbidden(q.method, q.this, s != nil)
			if f == nil && s != nil {
				f = vc.denied(q)
			}
			if f != nil {
				writeFault(w, describe(f), f)
				return
			}
			if strings.HasPrefix(q.method, "WaitForUpdates") {
				stop := context.AfterFunc(r.Context(), func() { vc.feed.gone(s.Key, q.this) })
				defer stop()
			}
		}
	case "folder":
		if !vc.authorized(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
			http.Error(w, "401 Unauthorized", http.StatusUnauthorized)
			return
		}
	default:
		http.NotFound(w, r)
		return
	}
	vc.Mux.ServeHTTP(w, r)
}

// failTask answers with a task that does nothing and fails.
func (vc *VC) failTask(w http.ResponseWriter, r *http.Request, q request, rule *chaos.Rule) {
	e, ok := vc.Map().Get(q.this).(mo.Entity)
	if vc.session(r) == nil || !ok {
		vc.route(w, r, q)
		return
	}
	f, _ := chaos.New(rule.Fault)
	if rule.Message != "" {
		f = because(f, "%s", rule.Message)
	}
	ref := vc.run(e, descriptionID(q), vc.entityName(e), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if end := j.sleep(time.Duration(rule.Seconds * vc.lab.Scenario.Timescale * float64(time.Second))); end != nil {
			return nil, end
		}
		return nil, f
	})
	writeTask(w, q.method, ref)
}

func message(rule *chaos.Rule, f types.BaseMethodFault) string {
	if rule.Message != "" {
		return rule.Message
	}
	return describe(f)
}

// descriptionID is the opposite of methodName.
func descriptionID(q request) string {
	for id, m := range methodNames {
		if m == q.method && strings.HasPrefix(id, q.this.Type+".") {
			return id
		}
	}
	m := strings.TrimSuffix(q.method, "_Task")
	return q.this.Type + "." + strings.ToLower(m[:1]) + m[1:]
}

// hangUp closes the connection of a request without an answer.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// discard takes an answer that nobody will read.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
