package control

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/fos"
	"esxodus/lab/internal/lab"
)

// What happens at a site while a client works there: power, storage, and people.

func (c controller) noise(w http.ResponseWriter, r *http.Request) {
	var n chaos.Noise
	err := decode(r, &n)
	if err == nil && n.VCenter != "" && c.server.Lab().VCenter(n.VCenter) == nil {
		refuse(w, http.StatusBadRequest, "there is no vCenter "+n.VCenter)
		return
	}
	if err == nil {
		n, err = c.server.Lab().Noise(n)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusCreated)
	answer(w, n)
}

func (c controller) restart(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	name := r.PathValue("name")
	if c.server.Lab().VCenter(name) == nil {
		refuse(w, http.StatusNotFound, "there is no vCenter "+name)
		return
	}
	if err := decode(r, &body); err != nil || body.Seconds < 0 {
		refuse(w, http.StatusBadRequest, `write {"seconds": 2}`)
		return
	}
	if err := c.server.Restart(name, time.Duration(body.Seconds*float64(time.Second))); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, map[string]any{"vcenter": name, "state": "restarting", "seconds": body.Seconds})
}

func (c controller) host(w http.ResponseWriter, r *http.Request) {
	name, state := r.PathValue("name"), r.PathValue("state")
	change := map[string]func(string) error{"up": c.server.Lab().HostUp, "down": c.server.Lab().HostDown}[state]
	if change == nil {
		refuse(w, http.StatusNotFound, "a host can go up or down")
		return
	}
	if err := change(name); err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	answer(w, map[string]string{"host": name, "state": state})
}

// names are those of hosts, or "all", which is none in particular.
type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	if string(b) == `"all"` {
		*n = nil
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return errors.New(`write {"hosts": ["name", …]} or {"hosts": "all"}`)
	}
	if *n = list; len(list) == 0 {
		return errors.New("the list of hosts is empty")
	}
	return nil
}

func (c controller) paths(w http.ResponseWriter, r *http.Request) {
	name, state := r.PathValue("name"), r.PathValue("state")
	if state != "apd" && state != "ok" {
		refuse(w, http.StatusNotFound, "a volume can be apd (all paths down), ok, or filled")
		return
	}
	var body struct {
		Hosts names `json:"hosts"`
	}
	if err := decode(r, &body); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := c.server.Lab().SetPaths(name, body.Hosts, state == "apd"); err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	answer(w, map[string]string{"volume": name, "state": state})
}

func (c controller) fill(w http.ResponseWriter, r *http.Request) {
	var body struct {
		FreeGiB *float64 `json:"freeGiB"`
	}
	if err := decode(r, &body); err != nil || body.FreeGiB == nil || *body.FreeGiB < 0 {
		refuse(w, http.StatusBadRequest, `write {"freeGiB": 10}`)
		return
	}
	free, err := c.server.Lab().Fill(r.PathValue("name"), *body.FreeGiB)
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	answer(w, map[string]any{"volume": r.PathValue("name"), "freeGiB": free})
}

func (c controller) person(w http.ResponseWriter, r *http.Request) {
	var a lab.Act
	if err := decode(r, &a); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	name, act := r.PathValue("name"), r.PathValue("act")
	fault, err := c.server.Lab().Person(name, act, a)
	switch {
	case errors.Is(err, lab.ErrUnknown):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
	case fault != nil:
		kind, text := lab.Sentence(fault)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]string{"fault": kind, "error": text})
	default:
		answer(w, map[string]string{"vm": name, "act": act, "site": a.Site})
	}
}

func (c controller) fabric(w http.ResponseWriter, r *http.Request) {
	name, act := r.PathValue("name"), r.PathValue("act")
	s := c.server.Lab().Switch(name)
	if s == nil {
		refuse(w, http.StatusNotFound, "there is no fabric "+name)
		return
	}
	var a fos.Act
	err := decode(r, &a)
	switch {
	case err != nil:
	case act == "up" || act == "down":
		err = c.server.SetSwitchReachable(name, act == "up")
	default:
		err = s.Person(act, a)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, s.State())
}
