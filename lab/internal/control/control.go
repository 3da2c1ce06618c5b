// Package control serves the lab's control port: plain HTTP with JSON, on loopback, for tests and demonstrations.
package control

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/lab"
)

// Handler answers the control port of a server.
func Handler(s *lab.Server) http.Handler {
	c := controller{s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /endpoints", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Endpoints()) })
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Lab().State()) })
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Counters()) })
	mux.HandleFunc("GET /violations", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Lab().Violations()) })
	mux.HandleFunc("GET /operations", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Lab().Operations()) })
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Lab().Rules.List()) })
	mux.HandleFunc("POST /faults", c.arm)
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.Lab().Rules.Clear()
		answer(w, []chaos.Rule{})
	})
	mux.HandleFunc("POST /reset", c.reset)
	mux.HandleFunc("POST /vcenters/{name}/certificate", c.exchange)
	mux.HandleFunc("POST /noise", c.noise)
	mux.HandleFunc("POST /vcenters/{name}/restart", c.restart)
	mux.HandleFunc("POST /vcenters/{name}/{state}", c.reachable)
	mux.HandleFunc("POST /hosts/{name}/{state}", c.host)
	mux.HandleFunc("POST /volumes/{name}/fill", c.fill)
	mux.HandleFunc("POST /volumes/{name}/{state}", c.paths)
	mux.HandleFunc("POST /vms/{name}/{act}", c.person)
	mux.HandleFunc("POST /fabrics/{name}/{act}", c.fabric)
	return mux
}

type controller struct{ server *lab.Server }

func (c controller) arm(w http.ResponseWriter, r *http.Request) {
	var rule chaos.Rule
	err := decode(r, &rule)
	if err == nil && rule.VCenter != "" && !c.server.Lab().Has(rule.VCenter) {
		refuse(w, http.StatusBadRequest, "there is no vCenter "+rule.VCenter)
		return
	}
	if err == nil {
		rule, err = c.server.Lab().Rules.Add(rule)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusCreated)
	answer(w, rule)
}

func (c controller) reset(w http.ResponseWriter, _ *http.Request) {
	if err := c.server.Reset(); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, map[string]string{"status": "ok"})
}

func (c controller) reachable(w http.ResponseWriter, r *http.Request) {
	name, state := r.PathValue("name"), r.PathValue("state")
	if state != "up" && state != "down" {
		refuse(w, http.StatusNotFound, "a vCenter can go up or down")
		return
	}
	if c.server.Lab().VCenter(name) == nil {
		refuse(w, http.StatusNotFound, "there is no vCenter "+name)
		return
	}
	if err := c.server.SetReachable(name, state == "up"); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, map[string]string{"vcenter": name, "state": state})
}

func (c controller) exchange(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if c.server.Lab().VCenter(name) == nil {
		refuse(w, http.StatusNotFound, "there is no vCenter "+name)
		return
	}
	if err := c.server.ExchangeCertificate(name); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, c.server.Endpoints().VCenters[name])
}

// decode reads the body of a request; a field that is not known is a mistake, no body at all is none.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}
