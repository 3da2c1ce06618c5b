package operations

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"sync"
	"testing"
)

func slow(string) int { return SlowNetworkLimit }

func TestRecord(t *testing.T) {
	var r Record
	storage := func(vm string) Operation {
		return Operation{VM: vm, Kind: "storageVMotion", VCenter: "a", Hosts: map[string]int{"a/esx1": 4}, Volumes: map[string]int{"v1": 16, "v2": 16}, Networks: map[string]int{}}
	}
	first, second := r.Begin(storage("vm1"), slow), r.Begin(storage("vm2"), slow)
	if over := r.Report().Over; len(over) != 0 {
		t.Errorf("a full host is not an overloaded one: %v", over)
	}
	first()
	first() // ends once
	third := r.Begin(storage("vm3"), slow)
	fourth := r.Begin(storage("vm4"), slow)
	want := "host a/esx1 bore 12 of 8 when vm4 began, beside vm2, vm3"
	if over := r.Report().Over; len(over) != 1 || over[0] != want {
		t.Errorf("got %q, want %q", over, want)
	}
	for _, end := range []func(){second, third, fourth} {
		end()
	}
	got := r.Report()
	if !maps.Equal(got.Peaks.Hosts, map[string]int{"a/esx1": 12}) || !maps.Equal(got.Peaks.Volumes, map[string]int{"v1": 48, "v2": 48}) || len(got.Peaks.Networks) != 0 {
		t.Errorf("%+v", got.Peaks)
	}
	for _, o := range got.Operations {
		if o.End == nil {
			t.Errorf("%s has not ended", o.VM)
		}
	}
}

func TestEveryLimitIsWatched(t *testing.T) {
	for name, c := range map[string]struct {
		cost Operation
		fit  int
	}{
		"host":         {Operation{Hosts: map[string]int{"h": 1}}, 8},
		"volume":       {Operation{Volumes: map[string]int{"v": 16}}, 8},
		"slow network": {Operation{Networks: map[string]int{"n": 1}}, 4},
	} {
		var r Record
		for range c.fit {
			r.Begin(c.cost, slow)
		}
		if over := r.Report().Over; len(over) > 0 {
			t.Errorf("%s: %v", name, over)
		}
		r.Begin(c.cost, slow)
		if over := r.Report().Over; len(over) != 1 {
			t.Errorf("%s: %v", name, over)
		}
	}
}

func TestTheAnswerIsJSONWithMilliseconds(t *testing.T) {
	var r Record
	r.Begin(Operation{VM: "vm1", Hosts: map[string]int{"a/esx1": 1}}, slow)()
	r.Begin(Operation{VM: "vm2", Hosts: map[string]int{}}, slow)
	b, err := json.Marshal(r.Report())
	if err != nil {
		t.Fatal(err)
	}
	stamp := `"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)"`
	want := regexp.MustCompile(`"vm":"vm1".*"start":` + stamp + `,"end":` + stamp + `.*"vm":"vm2".*"end":null.*"peaks":{"hosts":{"a/esx1":1}.*"over":\[\]`)
	if !want.Match(b) {
		t.Errorf("%s", b)
	}
}

func TestManyAtOnce(t *testing.T) {
	var r Record
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			end := r.Begin(Operation{VM: fmt.Sprint(i), Hosts: map[string]int{"h": 1}}, slow)
			r.Report()
			end()
		})
	}
	group.Wait()
	if got := r.Report(); len(got.Operations) != 100 || r.hosts.now["h"] != 0 {
		t.Errorf("%d operations, %d units left", len(got.Operations), r.hosts.now["h"])
	}
}
