package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"

	"esxodus/lab/internal/scenario"
)

func (r *running) tags(c *client) *tags.Manager {
	r.t.Helper()
	rc := rest.NewClient(c.Client.Client)
	if err := rc.Login(context.Background(), url.UserPassword(c.vc.Spec.Username, c.vc.Spec.Password)); err != nil {
		r.t.Fatal(err)
	}
	return tags.NewManager(rc)
}

// restCall makes a call of its own, without the comfort of a library, and returns status and body.
func (r *running) restCall(site, session, method, path string, body any) (int, string) {
	r.t.Helper()
	b, _ := json.Marshal(body)
	req, err := http.NewRequest(method, "https://"+r.Address(site)+path, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	if session != "" {
		req.Header.Set(restHeader, session)
	}
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	res, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func (r *running) restSession(site string) string {
	r.t.Helper()
	m := r.tags(map[string]*client{"source": r.source, "target": r.target}[site])
	return m.SessionID()
}

func TestTags(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	m, app01, db01 := r.tags(r.source), r.machine(r.source, "app01"), r.machine(r.source, "db01")
	names := func(vm mo.Reference) (out []string) {
		t.Helper()
		list, err := m.GetAttachedTags(ctx, vm)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			c, err := m.GetCategory(ctx, x.CategoryID)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c.Name+"/"+x.Name+"/"+c.Cardinality)
		}
		slices.Sort(out)
		return out
	}
	if got := names(app01); !slices.Equal(got, []string{"backup/daily/MULTIPLE", "tier/gold/SINGLE"}) {
		t.Errorf("%v", got)
	}
	on, err := m.ListAttachedTagsOnObjects(ctx, []mo.Reference{app01, db01})
	if err != nil || len(on) != 1 || len(on[0].TagIDs) != 2 {
		t.Errorf("an object without tags is left out: %+v, %v", on, err)
	}
	daily, err := m.GetTagForCategory(ctx, "daily", "backup")
	if err != nil {
		t.Fatal(err)
	}
	with, err := m.ListAttachedObjectsOnTags(ctx, []string{daily.ID})
	if err != nil || len(with[0].ObjectIDs) != 2 {
		t.Errorf("%+v, %v", with, err)
	}

	category, err := m.CreateCategory(ctx, &tags.Category{Name: "owner", Cardinality: "SINGLE", AssociableTypes: []string{"urn:vim25:VirtualMachine"}})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := m.GetCategory(ctx, category); !slices.Equal(c.AssociableTypes, []string{"VirtualMachine"}) {
		t.Errorf("%+v", c)
	}
	var made []string
	for _, n := range []string{"sato", "tanaka"} {
		id, err := m.CreateTag(ctx, &tags.Tag{Name: n, CategoryID: category})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, id)
	}
	for range 2 { // what is attached already is no problem
		if err := m.AttachTag(ctx, made[0], db01); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.AttachTag(ctx, made[1], db01); err == nil {
		t.Error("a second tag of a single category was attached")
	}
	if err := m.AttachTag(ctx, made[0], r.cluster(r.source, "prod6")); err == nil {
		t.Error("a tag for VMs was attached to a cluster")
	}
	if err := m.AttachMultipleTagsToObject(ctx, []string{made[1], daily.ID}, db01); err == nil {
		t.Error("the batch hides an error")
	}
	if got := names(db01); !slices.Equal(got, []string{"backup/daily/MULTIPLE", "owner/sato/SINGLE"}) {
		t.Errorf("%v", got)
	}
	if err := m.DetachTag(ctx, made[0], db01); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteTag(ctx, &tags.Tag{ID: daily.ID}); err != nil {
		t.Fatal(err)
	}
	if got := r.state("source", "db01").Tags; len(got) != 0 {
		t.Errorf("%v", got)
	}
	writes := r.Lab().Counters().Writes.VCenters["source"]
	if len(writes) != 6 || writes["POST /rest/com/vmware/cis/tagging/tag-association/ID?~action=attach"] != 4 {
		t.Errorf("writes %v", writes)
	}
}

func TestTagsThatVCenterRefuses(t *testing.T) {
	r := startMetadata(t, func(s *scenario.Scenario) {
		s.VCenters[1].Lacks = []string{"InventoryService.Tagging.CreateTag", attachTag}
	})
	const category, tag, association = "/rest/com/vmware/cis/tagging/category", "/rest/com/vmware/cis/tagging/tag", "/rest/com/vmware/cis/tagging/tag-association"
	source, target := r.restSession("source"), r.restSession("target")
	id := r.source.vc.tagging.named("tier/gold").ID
	vm := map[string]any{"object_id": objectOf(r.machine(r.source, "app02").Reference())}
	ghost := map[string]any{"object_id": tagObject{"vm-9999", "VirtualMachine"}}
	spec := func(v ...string) any {
		m := map[string]any{}
		for i := 0; i < len(v); i += 2 {
			m[v[i]] = v[i+1]
		}
		m["associable_types"] = []string{}
		return map[string]any{"create_spec": m}
	}
	for _, c := range []struct {
		what, site, session, method, path string
		body                              any
		status                            int
		says                              string
	}{
		{"no session", "source", "", "GET", category, nil, 401, "unauthenticated"},
		{"a session of another vCenter", "source", target, "GET", category, nil, 401, "unauthenticated"},
		{"an empty list is a list", "target", target, "GET", category, nil, 200, `{"value":[]}`},
		{"nothing attached is a list", "source", source, "POST", association + "?~action=list-attached-tags", map[string]any{"object_id": objectOf(r.machine(r.source, "db01").Reference())}, 200, `{"value":[]}`},
		{"an unknown tag", "source", source, "GET", tag + "/id:urn:x", nil, 404, "not_found"},
		{"an unknown tag is attached", "source", source, "POST", association + "/id:urn:x?~action=attach", vm, 404, "not_found"},
		{"a second tag of a category", "source", source, "POST", association + "/id:" + id + "?~action=attach", vm, 400, "allows one"},
		{"an object that does not exist", "source", source, "POST", association + "/id:" + id + "?~action=attach", ghost, 403, "unauthorized"},
		{"tags of an object that does not exist", "source", source, "POST", association + "?~action=list-attached-tags", ghost, 403, "unauthorized"},
		{"no object", "source", source, "POST", association + "/id:" + id + "?~action=detach", map[string]any{}, 400, "object_id"},
		{"no such action", "source", source, "POST", association + "?~action=steal", vm, 404, ""},
		{"a name twice", "source", source, "POST", category, spec("name", "tier", "description", "", "cardinality", "SINGLE"), 400, "already_exists"},
		{"a cardinality of two", "source", source, "POST", category, spec("name", "x", "description", "", "cardinality", "TWO"), 400, "invalid_argument"},
		{"no description", "source", source, "POST", category, spec("name", "x", "cardinality", "SINGLE"), 400, "description"},
		{"no such category", "source", source, "POST", tag, spec("name", "x", "description", "", "category_id", "urn:x"), 404, "not_found"},
		{"no privilege to create", "target", target, "POST", tag, spec("name", "x", "description", "", "category_id", "urn:x"), 403, "InventoryService.Tagging.CreateTag"},
		{"no privilege to attach", "target", target, "POST", association + "/id:urn:x?~action=attach", vm, 403, attachTag},
		{"JSON-RPC without a session", "source", "", "POST", "/api", map[string]any{}, 401, "unauthenticated"},
	} {
		if status, text := r.restCall(c.site, c.session, c.method, c.path, c.body); status != c.status || !bytes.Contains([]byte(text), []byte(c.says)) {
			t.Errorf("%s: %d %s, want %d %s", c.what, status, text, c.status, c.says)
		}
	}
	wrong := rest.NewClient(r.source.Client.Client)
	if err := wrong.Login(context.Background(), url.UserPassword(r.source.vc.Spec.Username, "no")); err == nil {
		t.Error("a wrong password was accepted")
	}
	if status, _ := r.restCall("source", source, "DELETE", restSession, nil); status != 200 {
		t.Errorf("logout: %d", status)
	}
	if status, _ := r.restCall("source", source, "GET", category, nil); status != 401 {
		t.Errorf("after the logout: %d", status)
	}
}

func TestAVCenterBefore65HasNoTags(t *testing.T) {
	r := start(t, nil) // its source is 6.0
	session := r.restSession("source")
	for _, s := range []string{"", session} {
		if status, _ := r.restCall("source", s, "GET", "/rest/com/vmware/cis/tagging/category", nil); status != 404 {
			t.Errorf("status %d", status)
		}
	}
}
