// Package chaos decides which calls of a lab go wrong, and how. It holds the rules; carrying them out is the server's.
package chaos

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// Actions of a rule.
const (
	Fault     = "fault"          // the call is refused with a fault and does nothing
	TaskFault = "taskFault"      // the call starts a task that does nothing and fails with the fault, after Seconds
	TaskAfter = "taskFaultAfter" // the task does its work, then ends in the fault
	TaskHang  = "taskHang"       // the task holds its object and does nothing until the rules are cleared, or for Seconds; then it does its work
	TaskLost  = "taskLost"       // the task does its work, then there is no such task any more
	Drop      = "drop"           // the connection is closed before the call does anything
	DropAfter = "dropAfter"      // the call does its work, then the connection is closed: the answer is lost
	Delay     = "delay"          // the call waits for Seconds, then does its work
	Hang      = "hang"           // no answer comes until the client or the rules go away
	HTTP503   = "http503"        // the call is answered with status 503 and does nothing
	Expire    = "expire"         // the session ends before the call: NotAuthenticated
)

// Actions are all that a rule may do.
var Actions = []string{Fault, TaskFault, TaskAfter, TaskHang, TaskLost, Drop, DropAfter, Delay, Hang, HTTP503, Expire}

// Rule makes calls go wrong.
type Rule struct {
	ID      int     `json:"id"`
	VCenter string  `json:"vcenter,omitempty"` // only at this vCenter
	Method  string  `json:"method"`            // name in the API, such as "RelocateVM_Task"; "*" for all
	Object  string  `json:"object,omitempty"`  // only on the object of this name
	Skip    int     `json:"skip,omitempty"`    // calls that match and go through first
	Count   int     `json:"count,omitempty"`   // calls that go wrong after those; 0 for all
	Action  string  `json:"action"`
	Fault   string  `json:"fault,omitempty"` // type of the fault, such as "TaskInProgress"
	Message string  `json:"message,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // of the lab's clock: not scaled
	Noise   bool    `json:"noise,omitempty"`   // it is one of a stream
	Seen    int     `json:"seen"`              // calls that matched
	Hits    int     `json:"hits"`              // calls that went wrong
}

// Wait is the rule's Seconds.
func (r Rule) Wait() time.Duration { return time.Duration(r.Seconds * float64(time.Second)) }

// OfTask reports whether the rule is about a task rather than about the call that starts it.
func (r Rule) OfTask() bool { return strings.HasPrefix(r.Action, "task") }

func startsTask(method string) bool { return strings.HasSuffix(method, "_Task") }

// Call is one request to a vCenter.
type Call struct {
	VCenter, Method string
	Objects         []string // names by which a rule may mean its object
}

// Rules are those that are armed.
type Rules struct {
	mu      sync.Mutex
	next    int
	rules   []*Rule
	cleared chan struct{} // closed when the rules are cleared, so that hanging calls end
}

// NewRules returns an empty set.
func NewRules() *Rules { return &Rules{cleared: make(chan struct{})} }

// Add arms a rule; the error says what is wrong with it.
func (r *Rules) Add(rule Rule) (Rule, error) {
	if rule.Method == "" {
		return rule, fmt.Errorf(`method is missing; write a name such as "RelocateVM_Task", or "*" for all`)
	}
	if !slices.Contains(Actions, rule.Action) {
		return rule, fmt.Errorf("action %q is not known; allowed: %s", rule.Action, strings.Join(Actions, ", "))
	}
	if rule.Skip < 0 || rule.Count < 0 || rule.Seconds < 0 {
		return rule, fmt.Errorf("skip, count and seconds must not be negative")
	}
	switch rule.Action {
	case Fault, TaskFault, TaskAfter:
		if _, err := New(rule.Fault); err != nil {
			return rule, err
		}
	case Delay:
		if rule.Seconds == 0 {
			return rule, fmt.Errorf("delay needs seconds")
		}
	}
	if rule.OfTask() && rule.Method != "*" && !startsTask(rule.Method) {
		return rule, fmt.Errorf("%s needs a method that starts a task, %q does not", rule.Action, rule.Method)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	rule.ID, rule.Seen, rule.Hits, rule.Noise = r.next, 0, 0, false
	r.rules = append(r.rules, &rule)
	return rule, nil
}

// Pick returns the first rule that makes a call go wrong, and a channel that closes when the rules are cleared.
func (r *Rules) Pick(c Call) (*Rule, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.rules {
		if x.VCenter != "" && x.VCenter != c.VCenter || x.Method != "*" && x.Method != c.Method ||
			x.Object != "" && !slices.Contains(c.Objects, x.Object) || x.OfTask() && !startsTask(c.Method) {
			continue
		}
		if x.Count > 0 && x.Hits >= x.Count {
			continue
		}
		x.Seen++
		if x.Seen <= x.Skip {
			continue
		}
		x.Hits++
		rule := *x
		return &rule, r.cleared
	}
	return nil, r.cleared
}

// List returns all rules with what they did so far.
func (r *Rules) List() []Rule {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []Rule{}
	for _, x := range r.rules {
		out = append(out, *x)
	}
	return out
}

// Clear disarms all rules and ends the calls that hang.
func (r *Rules) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = nil
	close(r.cleared)
	r.cleared = make(chan struct{})
}

// New makes a fault of the API by the name of its type.
func New(name string) (types.BaseMethodFault, error) {
	t, ok := types.TypeFunc()(name)
	if ok {
		v := reflect.New(t)
		if f, ok := v.Interface().(types.BaseMethodFault); ok {
			fill(v.Elem())
			return f, nil
		}
	}
	return nil, fmt.Errorf("fault %q is not the name of a fault of the API; write such as InvalidState or TaskInProgress", name)
}

// fill gives the mandatory references and enumerations of a fault a value: strict clients cannot read one without.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag.Get("xml")
		switch {
		case strings.Contains(tag, "omitempty") || !f.CanSet():
		case f.Type() == reflect.TypeFor[types.ManagedObjectReference]():
			kind := v.Type().Field(i).Name
			if kind != "Task" {
				kind = "VirtualMachine"
			}
			f.Set(reflect.ValueOf(types.ManagedObjectReference{Type: kind, Value: strings.ToLower(kind) + "-0"}))
		case f.Kind() == reflect.Struct:
			fill(f)
		case f.Kind() == reflect.String && f.Type().PkgPath() != "":
			if m := f.MethodByName("Strings"); m.IsValid() {
				if all := m.Call(nil)[0]; all.Len() > 0 {
					f.SetString(all.Index(0).String())
				}
			}
		}
	}
}
