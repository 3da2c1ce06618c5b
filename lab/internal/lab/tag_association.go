package lab

import (
	"net/http"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// tagObject is a reference to a managed object as the REST API writes it.
type tagObject struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func (o tagObject) reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: o.Type, Value: o.ID}
}

func objectOf(r types.ManagedObjectReference) tagObject { return tagObject{r.Value, r.Type} }

const attachTag = "InventoryService.Tagging.AttachTag"

// routeAssociations routes the calls about what is attached to what; which one is meant stands in ~action.
func (vc *VC) routeAssociations() {
	t := &vc.tagging
	of := map[string]func(http.ResponseWriter, *http.Request){
		"list-attached-tags":             vc.listAttachedTags,
		"list-attached-tags-on-objects":  vc.listAttachedTagsOnObjects,
		"list-attached-objects-on-tags":  vc.listAttachedObjectsOnTags,
		"attach-multiple-tags-to-object": func(w http.ResponseWriter, r *http.Request) { vc.changeTagsOf(w, r, t.attach) },
		"detach-multiple-tags-from-object": func(w http.ResponseWriter, r *http.Request) {
			vc.changeTagsOf(w, r, func(x *tag, o types.ManagedObjectReference) string { t.detach(x, o); return "" })
		},
	}
	ofTag := map[string]func(http.ResponseWriter, *http.Request, *tag){
		"attach": func(w http.ResponseWriter, r *http.Request, x *tag) {
			if o, ok := vc.tagged(w, r); ok {
				if problem := t.attach(x, o); problem != "" {
					restError(w, http.StatusBadRequest, "invalid_argument", problem)
				}
			}
		},
		"detach": func(w http.ResponseWriter, r *http.Request, x *tag) {
			if o, ok := vc.tagged(w, r); ok {
				t.detach(x, o)
			}
		},
		"list-attached-objects": func(w http.ResponseWriter, _ *http.Request, x *tag) { restValue(w, x.attached()) },
	}
	serve := func(pattern string, f func(http.ResponseWriter, *http.Request, string)) {
		t.mux.HandleFunc("POST "+restTagging+pattern, func(w http.ResponseWriter, r *http.Request) {
			action := r.URL.Query().Get("~action")
			may := slices.Contains(vc.privileges(vc.user(), vc.Model.ServiceContent.RootFolder), attachTag)
			if !strings.HasPrefix(action, "list-") && !may {
				restError(w, http.StatusForbidden, "unauthorized", "The privilege "+attachTag+" is missing.")
				return
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			f(w, r, action)
		})
	}
	serve("tag-association", func(w http.ResponseWriter, r *http.Request, action string) {
		if f := of[action]; f != nil {
			f(w, r)
			return
		}
		http.NotFound(w, r)
	})
	serve("tag-association/{id}", func(w http.ResponseWriter, r *http.Request, action string) {
		f := ofTag[action]
		if f == nil {
			http.NotFound(w, r)
			return
		}
		t.withTag(func(w http.ResponseWriter, r *http.Request, x *tag) { f(w, r, x) })(w, r)
	})
}

// visible reports whether an object exists; vCenter says of one that does not that it may not be read.
func (vc *VC) visible(w http.ResponseWriter, o types.ManagedObjectReference) bool {
	if _, ok := vc.Map().Get(o).(mo.Entity); ok {
		return true
	}
	restError(w, http.StatusForbidden, "unauthorized", "The object "+o.Type+":"+o.Value+" may not be read.")
	return false
}

// tagged is the object that a request names.
func (vc *VC) tagged(w http.ResponseWriter, r *http.Request) (types.ManagedObjectReference, bool) {
	var body struct {
		Object tagObject `json:"object_id"`
	}
	if !decodeREST(w, r, &body, "", "object_id") {
		return types.ManagedObjectReference{}, false
	}
	o := body.Object.reference()
	return o, vc.visible(w, o)
}

// attach attaches a tag if the category allows it, and says why not. A tag that is attached already is no problem.
func (t *tagging) attach(x *tag, o types.ManagedObjectReference) (problem string) {
	c := t.category(x.CategoryID)
	if len(c.AssociableTypes) > 0 && !slices.Contains(c.AssociableTypes, o.Type) {
		return "Tags of the category " + c.Name + " are not for objects of type " + o.Type + "."
	}
	for _, other := range t.tags {
		if c.Cardinality == "SINGLE" && other != x && other.CategoryID == x.CategoryID && slices.Contains(other.objects, o) {
			return "The object has the tag " + other.Name + " of the category " + c.Name + ", which allows one."
		}
	}
	x.objects = with(x.objects, o)
	return ""
}

func (*tagging) detach(x *tag, o types.ManagedObjectReference) { x.objects = without(x.objects, o) }

// forget detaches everything from an object that is gone.
func (t *tagging) forget(o types.ManagedObjectReference) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.tags {
		x.objects = without(x.objects, o)
	}
}

// named finds a tag by "category/tag".
func (t *tagging) named(name string) *tag {
	for _, x := range t.tags {
		if t.category(x.CategoryID).Name+"/"+x.Name == name {
			return x
		}
	}
	return nil
}

// of are the tags of an object.
func (t *tagging) of(o types.ManagedObjectReference) (out []*tag) {
	for _, x := range t.tags {
		if slices.Contains(x.objects, o) {
			out = append(out, x)
		}
	}
	return out
}

// namesOf are the tags of an object as "category/tag".
func (t *tagging) namesOf(o types.ManagedObjectReference) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := ids(t.of(o), func(x *tag) string { return t.category(x.CategoryID).Name + "/" + x.Name })
	slices.Sort(out)
	return out
}

func (x *tag) attached() []tagObject {
	out := []tagObject{}
	for _, o := range x.objects {
		out = append(out, objectOf(o))
	}
	return out
}

func (vc *VC) listAttachedTags(w http.ResponseWriter, r *http.Request) {
	if o, ok := vc.tagged(w, r); ok {
		restValue(w, ids(vc.tagging.of(o), func(x *tag) string { return x.ID }))
	}
}

// listAttachedTagsOnObjects leaves out the objects that have none.
func (vc *VC) listAttachedTagsOnObjects(w http.ResponseWriter, r *http.Request) {
	type line struct {
		Object tagObject `json:"object_id"`
		Tags   []string  `json:"tag_ids"`
	}
	var body struct {
		Objects []tagObject `json:"object_ids"`
	}
	if !decodeREST(w, r, &body, "", "object_ids") {
		return
	}
	out := []line{}
	for _, o := range body.Objects {
		if !vc.visible(w, o.reference()) {
			return
		}
		if list := vc.tagging.of(o.reference()); len(list) > 0 {
			out = append(out, line{o, ids(list, func(x *tag) string { return x.ID })})
		}
	}
	restValue(w, out)
}

func (vc *VC) listAttachedObjectsOnTags(w http.ResponseWriter, r *http.Request) {
	type line struct {
		Tag     string      `json:"tag_id"`
		Objects []tagObject `json:"object_ids"`
	}
	var body struct {
		Tags []string `json:"tag_ids"`
	}
	if !decodeREST(w, r, &body, "", "tag_ids") {
		return
	}
	out := []line{}
	for _, id := range body.Tags {
		x := vc.tagging.tag(id)
		if x == nil {
			restError(w, http.StatusNotFound, "not_found", "There is no tag "+id+".")
			return
		}
		out = append(out, line{id, x.attached()})
	}
	restValue(w, out)
}

// changeTagsOf attaches or detaches several tags; those that cannot be are reported, the others are done.
func (vc *VC) changeTagsOf(w http.ResponseWriter, r *http.Request, change func(*tag, types.ManagedObjectReference) string) {
	type text struct {
		Args    []string `json:"args"`
		Default string   `json:"default_message"`
		ID      string   `json:"id"`
	}
	var body struct {
		Object tagObject `json:"object_id"`
		Tags   []string  `json:"tag_ids"`
	}
	if !decodeREST(w, r, &body, "", "object_id", "tag_ids") || !vc.visible(w, body.Object.reference()) {
		return
	}
	errors := []text{}
	for _, id := range body.Tags {
		if x := vc.tagging.tag(id); x == nil {
			errors = append(errors, text{[]string{id}, "Tagging object " + id + " not found", "cis.tagging.objectNotFound.error"})
		} else if problem := change(x, body.Object.reference()); problem != "" {
			errors = append(errors, text{[]string{id}, problem, "cis.tagging.notEligible.error"})
		}
	}
	restValue(w, map[string]any{"success": len(errors) == 0, "error_messages": errors})
}
