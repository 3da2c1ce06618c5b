package fos

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	hostA, hostB = "10:00:00:00:00:00:00:01", "10:00:00:00:00:00:00:02"
	array        = "50:00:00:00:00:00:00:0a"
)

// fixture is a switch with one zone in effect, and a client of it.
type fixture struct {
	*testing.T
	*Switch
	auth    string
	changes int
}

func at(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t}
	var err error
	f.Switch, err = New(Spec{
		Name: "a", Username: "zoner", Password: "secret", Changed: func() { f.changes++ },
		Logins: func() []Login { return []Login{{hostA, hostA}, {array, array}} },
		Database: Database{
			Defined: Defined{
				Aliases: []Alias{{"vnx", []string{array}}}, Zones: []Zone{{Name: "z1", Members: []string{hostA, "vnx"}}}, Cfgs: []Cfg{{"prod", []string{"z1"}}},
			},
			Effective: Effective{Cfg: "prod"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.login()
	return f
}

func (f *fixture) login() {
	r := httptest.NewRequest(http.MethodPost, "/rest/login", nil)
	r.SetBasicAuth("zoner", "secret")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if f.auth = w.Header().Get("Authorization"); w.Code != http.StatusOK || f.auth == "" {
		f.Fatalf("login: %d %s", w.Code, w.Body)
	}
}

// call makes a request and returns its status and what is below the answer's one key.
func (f *fixture) call(method, path string, body any) (int, map[string]any) {
	f.Helper()
	var b bytes.Buffer
	if body != nil {
		_ = json.NewEncoder(&b).Encode(body)
	}
	r := httptest.NewRequest(method, "/rest/running/brocade-zone/"+path, &b)
	r.Header.Set("Authorization", f.auth)
	r.Header.Set("Accept", media)
	r.Header.Set("Content-Type", media)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	var out map[string]map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	for _, v := range out["Response"] {
		return w.Code, v.(map[string]any)
	}
	return w.Code, map[string]any{"error": w.Body.String()}
}

func (f *fixture) want(method, path string, body any, status int) map[string]any {
	f.Helper()
	got, out := f.call(method, path, body)
	if got != status {
		f.Errorf("%s %s: %d %v, want %d", method, path, got, out["error"], status)
	}
	return out
}

func (f *fixture) checksum() map[string]any {
	return map[string]any{"checksum": f.want("GET", "effective-configuration", nil, 200)["checksum"]}
}

func members(names ...string) map[string]any {
	return map[string]any{"member-entry": map[string]any{"entry-name": names}}
}

func TestAZoneIsInEffectOnceItsConfigurationIsEnabled(t *testing.T) {
	f := at(t)
	sum := f.checksum()
	f.want("POST", "defined-configuration/zone/zone-name/z2", members(hostB, array), 201)
	f.want("POST", "defined-configuration/cfg/cfg-name/prod", map[string]any{"member-zone": map[string]any{"zone-name": []string{"z2"}}}, 201)
	if f.db.allows(hostB, array) || f.State().Transaction == "" {
		t.Error("what is not saved is in effect, or there is no transaction")
	}
	if zones := f.want("GET", "defined-configuration", nil, 200)["zone"].([]any); len(zones) != 2 {
		t.Errorf("the session sees %v, want its own change too", zones)
	}
	f.want("PATCH", "effective-configuration/cfg-name/prod", sum, 204)
	if !f.db.allows(hostB, array) || !f.db.allows(hostA, array) || f.db.allows(hostA, hostB) || f.State().Transaction != "" || f.changes != 1 {
		t.Errorf("enabled: %+v", f.State())
	}
	f.want("PATCH", "defined-configuration/cfg/cfg-name/prod", map[string]any{"member-zone": map[string]any{"zone-name": []string{"z1"}}}, 204)
	f.want("DELETE", "defined-configuration/zone/zone-name/z2", nil, 204)
	f.want("PATCH", "effective-configuration/cfg-name/prod", f.checksum(), 204)
	if f.db.allows(hostB, array) || f.db.Checksum() != sum["checksum"] {
		t.Errorf("what was added and taken away is not as before: %+v", f.State())
	}
}

func TestAnOldChecksumAndAnotherTransactionAreRefused(t *testing.T) {
	f := at(t)
	sum := f.checksum()
	if err := f.Person("zone", Act{"z9", []string{hostB, array}}); err != nil {
		t.Fatal(err)
	}
	f.want("POST", "defined-configuration/zone/zone-name/z2", members(hostB, array), 201)
	f.want("PATCH", "effective-configuration/cfg-name/prod", sum, 400)
	f.want("PATCH", "effective-configuration/cfg-action/4", nil, 204)
	if err := f.Person("begin", Act{}); err != nil {
		t.Fatal(err)
	}
	if token := f.want("GET", "effective-configuration", nil, 200)["transaction-token"]; token == 0.0 {
		t.Error("no token of the open transaction")
	}
	f.want("POST", "defined-configuration/zone/zone-name/z2", members(hostB, array), 201)
	f.want("PATCH", "effective-configuration/cfg-name/prod", f.checksum(), 204)
	if s := f.State(); s.Lost != 1 || s.Transaction != "" {
		t.Errorf("who saves first makes the others lose theirs: %+v", s)
	}
}

func TestASessionThatEndsLeavesNothing(t *testing.T) {
	f := at(t)
	f.want("POST", "defined-configuration/zone/zone-name/z2", members(hostB, array), 201)
	r := httptest.NewRequest(http.MethodPost, "/rest/logout", nil)
	r.Header.Set("Authorization", f.auth)
	f.ServeHTTP(httptest.NewRecorder(), r)
	if s := f.State(); s.Transaction != "" || s.Sessions != 0 {
		t.Errorf("after the logout: %+v", s)
	}
	f.want("GET", "effective-configuration", nil, 401)
}

func TestWhatFabricOSRefuses(t *testing.T) {
	f := at(t)
	f.want("POST", "defined-configuration/zone/zone-name/z1", members(hostA), 400)
	f.want("POST", "defined-configuration/zone/zone-name/z1", members(hostB), 201) // one more member
	f.want("POST", "defined-configuration/zone/zone-name/9z", members(hostB, array), 400)
	f.want("POST", "defined-configuration/zone/zone-name/"+strings.Repeat("z", 65), members(hostB, array), 400)
	f.want("POST", "defined-configuration/zone/zone-name/z2", members("nobody"), 400)
	f.want("DELETE", "defined-configuration/zone/zone-name/z2", nil, 400)
	f.want("DELETE", "defined-configuration/zone/zone-name/z1", nil, 204)
	f.want("PATCH", "effective-configuration/cfg-name/prod", f.checksum(), 400) // it has a zone that is not defined any more
	f.want("GET", "../zoning/effective-configuration", nil, 400)                // the short form, gone with Fabric OS 9.1
	if code, _ := f.call("GET", "effective-configuration?vf-id=128", nil); code != 400 {
		t.Error("a number of a logical fabric is taken although there are none")
	}
}

func TestPeersSeeThePrincipalsOnly(t *testing.T) {
	f := at(t)
	sum := f.checksum()
	f.want("POST", "defined-configuration/zone/zone-name/p", map[string]any{
		"zone-type": 1, "member-entry": map[string]any{"principal-entry-name": []string{array}, "entry-name": []string{hostA, hostB}},
	}, 201)
	f.want("POST", "defined-configuration/cfg/cfg-name/prod", map[string]any{"member-zone": map[string]any{"zone-name": []string{"p"}}}, 201)
	f.want("PATCH", "effective-configuration/cfg-name/prod", sum, 204)
	if f.db.allows(hostA, hostB) || !f.db.allows(array, hostB) {
		t.Errorf("peers: %+v", f.State().Effective)
	}
}

func TestASwitchWantsToBeLeftAlone(t *testing.T) {
	f := at(t) // its login was the first request
	for range sampleRequests - 1 {
		f.want("GET", "effective-configuration", nil, 200)
	}
	f.want("GET", "effective-configuration", nil, 503)
	f.want("GET", "effective-configuration", nil, 503)
	f.refused = f.refused.Add(-idleTime)
	f.want("GET", "effective-configuration", nil, 200)
	for range maxSessions - 1 {
		f.login()
	}
	r := httptest.NewRequest(http.MethodPost, "/rest/login", nil)
	r.SetBasicAuth("zoner", "secret")
	w := httptest.NewRecorder()
	if f.ServeHTTP(w, r); w.Code != 503 {
		t.Errorf("a session too many: %d", w.Code)
	}
}
