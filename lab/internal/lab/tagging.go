package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/identity"
	"esxodus/lab/internal/scenario"
)

// tagging are the tags of a vCenter, served by REST as vCenter 6.5 to 7.0 does below /rest/com/vmware/cis/tagging. It is not the
// simulator's, which knows no cardinality, accepts objects that do not exist and answers null for an empty list. What is attached
// to what is in tag_association.go.
type tagging struct {
	mux *http.ServeMux

	mu         sync.Mutex
	categories []*tagCategory
	tags       []*tag
	made       int // every tag and category so far
}

type tagCategory struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	Description     string   `json:"description"`
	Cardinality     string   `json:"cardinality"` // SINGLE or MULTIPLE
	AssociableTypes []string `json:"associable_types"`
	UsedBy          []string `json:"used_by"`
}

type tag struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	CategoryID  string   `json:"category_id"`
	UsedBy      []string `json:"used_by"`

	objects []types.ManagedObjectReference
}

// installTagging routes the calls of clients.
func installTagging(vc *VC) {
	t := &vc.tagging
	t.mux = http.NewServeMux()
	handle := func(pattern, privilege string, f func(http.ResponseWriter, *http.Request)) {
		method, path, _ := strings.Cut(pattern, " ")
		t.mux.HandleFunc(method+" "+restTagging+path, func(w http.ResponseWriter, r *http.Request) {
			if privilege != "" && !slices.Contains(vc.privileges(vc.user(), vc.Model.ServiceContent.RootFolder), privilege) {
				restError(w, http.StatusForbidden, "unauthorized", "The privilege "+privilege+" is missing.")
				return
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			f(w, r)
		})
	}
	const may = "InventoryService.Tagging."
	handle("GET category", "", func(w http.ResponseWriter, _ *http.Request) {
		restValue(w, ids(t.categories, func(c *tagCategory) string { return c.ID }))
	})
	handle("GET tag", "", func(w http.ResponseWriter, _ *http.Request) {
		restValue(w, ids(t.tags, func(x *tag) string { return x.ID }))
	})
	handle("GET category/{id}", "", t.withCategory(func(w http.ResponseWriter, _ *http.Request, c *tagCategory) { restValue(w, c) }))
	handle("GET tag/{id}", "", t.withTag(func(w http.ResponseWriter, _ *http.Request, x *tag) { restValue(w, x) }))
	handle("POST category", may+"CreateCategory", func(w http.ResponseWriter, r *http.Request) { t.createCategory(w, r, vc.lab.ID) })
	handle("POST tag", may+"CreateTag", func(w http.ResponseWriter, r *http.Request) { t.createTag(w, r, vc.lab.ID) })
	handle("DELETE category/{id}", may+"DeleteCategory", t.withCategory(func(w http.ResponseWriter, _ *http.Request, c *tagCategory) {
		t.categories = slices.DeleteFunc(t.categories, func(x *tagCategory) bool { return x == c })
		t.tags = slices.DeleteFunc(t.tags, func(x *tag) bool { return x.CategoryID == c.ID })
	}))
	handle("DELETE tag/{id}", may+"DeleteTag", t.withTag(func(_ http.ResponseWriter, _ *http.Request, x *tag) {
		t.tags = slices.DeleteFunc(t.tags, func(y *tag) bool { return x == y })
	}))
	handle("POST tag/{id}", "", t.withCategory(func(w http.ResponseWriter, r *http.Request, c *tagCategory) {
		if r.URL.Query().Get("~action") != "list-tags-for-category" {
			http.NotFound(w, r)
			return
		}
		restValue(w, ids(slices.DeleteFunc(slices.Clone(t.tags), func(x *tag) bool { return x.CategoryID != c.ID }), func(x *tag) string { return x.ID }))
	}))
	vc.routeAssociations()
}

// ids lists identifiers; a list is never null.
func ids[T any](list []T, id func(T) string) []string {
	out := []string{}
	for _, x := range list {
		out = append(out, id(x))
	}
	return out
}

// pathID is the identifier in a path, which is written "id:urn:vmomi:…".
func pathID(r *http.Request) string { return strings.TrimPrefix(r.PathValue("id"), "id:") }

func (t *tagging) withCategory(f func(http.ResponseWriter, *http.Request, *tagCategory)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c := t.category(pathID(r)); c != nil {
			f(w, r, c)
			return
		}
		restError(w, http.StatusNotFound, "not_found", "There is no category "+pathID(r)+".")
	}
}

func (t *tagging) withTag(f func(http.ResponseWriter, *http.Request, *tag)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if x := t.tag(pathID(r)); x != nil {
			f(w, r, x)
			return
		}
		restError(w, http.StatusNotFound, "not_found", "There is no tag "+pathID(r)+".")
	}
}

func (t *tagging) category(id string) *tagCategory {
	for _, c := range t.categories {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (t *tagging) tag(id string) *tag {
	for _, x := range t.tags {
		if x.ID == id {
			return x
		}
	}
	return nil
}

// decodeREST reads the body of a request; every field that is listed has to be there, as the API demands it.
func decodeREST(w http.ResponseWriter, r *http.Request, v any, inside string, fields ...string) bool {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	outer := map[string]json.RawMessage{}
	present := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(b, &outer)
	}
	if err == nil && inside != "" {
		b = outer[inside]
	}
	if err == nil {
		err = json.Unmarshal(b, &present)
	}
	for _, f := range fields {
		if _, ok := present[f]; !ok && err == nil {
			err = fmt.Errorf("the field %s is missing", f)
		}
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		restError(w, http.StatusBadRequest, "invalid_argument", err.Error())
	}
	return err == nil
}

// createCategory makes a category. Clients write types as "urn:vim25:VirtualMachine" or plainly; vCenter stores them plainly.
func (t *tagging) createCategory(w http.ResponseWriter, r *http.Request, id identity.Source) {
	c := new(tagCategory)
	if !decodeREST(w, r, c, "create_spec", "name", "description", "cardinality", "associable_types") {
		return
	}
	switch {
	case c.Name == "" || c.Cardinality != "SINGLE" && c.Cardinality != "MULTIPLE":
		restError(w, http.StatusBadRequest, "invalid_argument", "A name and a cardinality, SINGLE or MULTIPLE, are needed.")
	case slices.ContainsFunc(t.categories, func(x *tagCategory) bool { return x.Name == c.Name }):
		restError(w, http.StatusBadRequest, "already_exists", "The category "+c.Name+" exists already.")
	default:
		for i := range c.AssociableTypes {
			c.AssociableTypes[i] = strings.TrimPrefix(c.AssociableTypes[i], "urn:vim25:")
		}
		restValue(w, t.addCategory(c, id).ID)
	}
}

func (t *tagging) newID(kind string, id identity.Source) string {
	t.made++
	return fmt.Sprintf("urn:vmomi:InventoryService%s:%s:GLOBAL", kind, id.UUID(kind, fmt.Sprint(t.made)))
}

func (t *tagging) addCategory(c *tagCategory, id identity.Source) *tagCategory {
	c.ID, c.UsedBy = t.newID("Category", id), []string{}
	if c.AssociableTypes == nil {
		c.AssociableTypes = []string{}
	}
	t.categories = append(t.categories, c)
	return c
}

// createTag makes a tag in a category.
func (t *tagging) createTag(w http.ResponseWriter, r *http.Request, id identity.Source) {
	x := new(tag)
	if !decodeREST(w, r, x, "create_spec", "name", "description", "category_id") {
		return
	}
	switch {
	case x.Name == "":
		restError(w, http.StatusBadRequest, "invalid_argument", "A name is needed.")
	case t.category(x.CategoryID) == nil:
		restError(w, http.StatusNotFound, "not_found", "There is no category "+x.CategoryID+".")
	case slices.ContainsFunc(t.tags, func(y *tag) bool { return y.Name == x.Name && y.CategoryID == x.CategoryID }):
		restError(w, http.StatusBadRequest, "already_exists", "The tag "+x.Name+" exists already.")
	default:
		restValue(w, t.addTag(x, id).ID)
	}
}

func (t *tagging) addTag(x *tag, id identity.Source) *tag {
	x.ID, x.UsedBy = t.newID("Tag", id), []string{}
	t.tags = append(t.tags, x)
	return x
}

// seed makes a category of the scenario with its tags.
func (t *tagging) seed(s *scenario.TagCategory, id identity.Source) {
	c := t.addCategory(&tagCategory{Name: s.Category, Cardinality: strings.ToUpper(s.Cardinality)}, id)
	for _, name := range s.Tags {
		t.addTag(&tag{Name: name, CategoryID: c.ID}, id)
	}
}
