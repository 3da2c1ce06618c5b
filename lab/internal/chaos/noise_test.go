package chaos

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNoiseIsRepeatable(t *testing.T) {
	draw := func(seed uint64) (rules []Rule, total time.Duration) {
		next := Noise{Seed: seed, PerMinute: 30, Kinds: NoiseKinds}.stream()
		for range 2000 {
			wait, rule := next()
			rules, total = append(rules, rule), total+wait
		}
		return rules, total
	}
	a, took := draw(7)
	if b, _ := draw(7); !reflect.DeepEqual(a, b) {
		t.Error("the same seed gives another stream")
	}
	if b, _ := draw(8); reflect.DeepEqual(a, b) {
		t.Error("another seed gives the same stream")
	}
	if mean := took / 2000; mean < 1800*time.Millisecond || mean > 2200*time.Millisecond {
		t.Errorf("one in %s, want one in 2 s", mean)
	}
	kinds := map[string]int{}
	for _, rule := range a {
		kinds[rule.Action]++
		if _, err := NewRules().Add(rule); err != nil {
			t.Errorf("%+v: %v", rule, err)
		}
	}
	for _, k := range NoiseKinds {
		if kinds[k] < 100 {
			t.Errorf("%s came %d times", k, kinds[k])
		}
	}
}

func TestNoisePlays(t *testing.T) {
	r := NewRules()
	ctx := context.Background()
	hit := func() bool {
		x, _ := r.Pick(Call{"source", "CurrentTime", nil})
		return x != nil
	}
	play := func(n Noise) {
		t.Helper()
		if _, err := r.Play(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	play(Noise{Seed: 1, PerMinute: 60000, Kinds: []string{Drop}, Seconds: 0.1})
	hits := 0
	for end := time.Now().Add(90 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if hit() {
			hits++
		}
	}
	if hits < 10 {
		t.Errorf("%d hits", hits)
	}
	time.Sleep(100 * time.Millisecond)
	if hit() {
		t.Error("it goes on after its time")
	}
	play(Noise{Seed: 1, PerMinute: 60000, Kinds: []string{TaskLost}})
	time.Sleep(50 * time.Millisecond)
	unspent := 0
	for _, x := range r.List() {
		if x.Hits == 0 {
			unspent++
		}
	}
	if unspent != 1 || hit() {
		t.Errorf("%d faults wait for a task", unspent)
	}
	if x, _ := r.Pick(Call{"source", "PowerOnVM_Task", nil}); x == nil || x.Action != TaskLost || !x.Noise {
		t.Errorf("%+v", x)
	}
	r.Clear()
	time.Sleep(20 * time.Millisecond)
	if l := r.List(); len(l) > 0 {
		t.Errorf("it goes on after the rules were cleared: %+v", l)
	}
	for want, n := range map[string]Noise{
		"perMinute must be": {}, "must not be negative": {PerMinute: 1, Seconds: -1}, "allowed: drop": {PerMinute: 1, Kinds: []string{Hang}},
	} {
		if _, err := r.Play(ctx, n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", n, err, want)
		}
	}
}
