package chaos

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func TestSkipAndCount(t *testing.T) {
	r := NewRules()
	if _, err := r.Add(Rule{Method: "A_Task", Object: "vm1", Skip: 1, Count: 2, Action: Drop}); err != nil {
		t.Fatal(err)
	}
	var hit []bool
	for range 5 {
		x, _ := r.Pick(Call{"source", "A_Task", []string{"vm1"}})
		hit = append(hit, x != nil)
	}
	if hit[0] || !hit[1] || !hit[2] || hit[3] || hit[4] {
		t.Errorf("hits %v, want the second and the third", hit)
	}
	for _, c := range []Call{{"source", "B_Task", []string{"vm1"}}, {"source", "A_Task", []string{"vm2"}}} {
		if x, _ := r.Pick(c); x != nil {
			t.Errorf("%v matches", c)
		}
	}
	if l := r.List(); len(l) != 1 || l[0].Seen != 3 || l[0].Hits != 2 {
		t.Errorf("%+v", l)
	}
}

func TestVCenterAllAndClear(t *testing.T) {
	r := NewRules()
	if _, err := r.Add(Rule{VCenter: "target", Method: "*", Action: HTTP503}); err != nil {
		t.Fatal(err)
	}
	if x, _ := r.Pick(Call{"source", "A", nil}); x != nil {
		t.Error("the other vCenter is hit")
	}
	x, cleared := r.Pick(Call{"target", "A", nil})
	if x == nil {
		t.Fatal("not hit")
	}
	r.Clear()
	<-cleared
	if x, _ := r.Pick(Call{"target", "A", nil}); x != nil {
		t.Error("hit after clear")
	}
}

func TestMistakes(t *testing.T) {
	for want, rule := range map[string]Rule{
		"method is missing":    {Action: Drop},
		"allowed: fault, task": {Method: "*", Action: "explode"},
		"must not be negative": {Method: "*", Action: Drop, Skip: -1},
		"not the name of a":    {Method: "*", Action: Fault, Fault: "VirtualMachine"},
		`fault "" is not`:      {Method: "*", Action: Fault},
		"starts a task":        {Method: "UnregisterVM", Action: TaskFault, Fault: "InvalidState"},
		"delay needs seconds":  {Method: "*", Action: Delay},
	} {
		if _, err := NewRules().Add(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", rule, err, want)
		}
	}
}

func TestFaultsAreComplete(t *testing.T) {
	f, err := New("TaskInProgress")
	if x, ok := f.(*types.TaskInProgress); err != nil || !ok || x.Task.Type != "Task" || x.Task.Value == "" {
		t.Errorf("%+v %v", f, err)
	}
	f, err = New("InvalidPowerState")
	if x, ok := f.(*types.InvalidPowerState); err != nil || !ok || x.ExistingState == "" {
		t.Errorf("%+v %v", f, err)
	}
}
