package ledger

import (
	"slices"
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Ledger)
		want []string
	}{
		{"reattach", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.PowerOn("old", "v/a.vmx")
			l.PowerOff("old", "v/a.vmx")
			l.Unregister("old", "v/a.vmx", true)
			l.Register("new", "v/a.vmx", "1", "a")
			l.PowerOn("new", "v/a.vmx")
			l.Move("v/a.vmx", "w/a.vmx")
			l.PowerOff("new", "w/a.vmx")
		}, nil},
		{"registered twice", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Register("new", "v/a.vmx", "1", "a")
		}, []string{RegisteredTwice}},
		{"powered on twice", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Register("new", "v/a.vmx", "1", "a")
			l.PowerOn("old", "v/a.vmx")
			l.PowerOn("new", "v/a.vmx")
		}, []string{RegisteredTwice, PoweredOnTwice}},
		{"a copy with the same UUID at the other site", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Register("new", "w/a.vmx", "1", "a")
			l.PowerOn("old", "v/a.vmx")
			l.PowerOn("new", "w/a.vmx")
		}, []string{RegisteredTwice, RegisteredTwice, RegisteredTwice, PoweredOnTwice}},
		{"a copy that became another VM", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Register("new", "w/a.vmx", "2", "a")
			l.Identify("w/a.vmx", "3")
			l.PowerOn("old", "v/a.vmx")
			l.PowerOn("new", "w/a.vmx")
		}, nil},
		{"an old registration does not count against its own copy", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Unregister("old", "v/a.vmx", true)
			l.Register("new", "w/a.vmx", "1", "a")
		}, nil},
		{"unregistered and deleted", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Unregister("old", "v/a.vmx", false)
		}, []string{FilesLost}},
		{"deleted behind its back, reported once", func(l *Ledger) {
			l.Register("old", "v/a.vmx", "1", "a")
			l.Survey(func(string) bool { return true })
			l.Survey(func(string) bool { return false })
			l.Survey(func(string) bool { return false })
		}, []string{FilesLost}},
		{"unknown ones are ignored", func(l *Ledger) {
			l.PowerOn("old", "x")
			l.PowerOff("old", "x")
			l.Unregister("old", "x", false)
			l.Move("x", "y")
			l.Identify("x", "1")
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			c.do(New(func(kind, _ string) { got = append(got, kind) }))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGuests(t *testing.T) {
	g, now := NewGuests(), time.Unix(0, 0)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	g.Stopping("a", at(10))
	g.Off("a", at(30))
	if x := g.Time("a", at(40)); x.Off != 10*time.Second || x.Away != 30*time.Second {
		t.Errorf("while off: %+v", x)
	}
	g.On("a", at(50))
	g.Booted("a", at(60))
	if x := g.Time("a", at(100)); x.Off != 20*time.Second || x.Away != 50*time.Second || x.Cycles != 1 {
		t.Errorf("after: %+v", x)
	}
	if x := g.Time("b", at(100)); x != (GuestTime{}) {
		t.Errorf("a guest that never stopped: %+v", x)
	}
}
