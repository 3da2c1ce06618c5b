package bandwidth

import (
	"testing"
	"time"
)

const gb = 1_000_000_000

func done(c *Copy) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

func next(t *testing.T, m *Model, want time.Duration) {
	t.Helper()
	got, ok := m.Next()
	if !ok || (got-want).Abs() > time.Millisecond {
		t.Errorf("next end in %v (%v), want %v", got, ok, want)
	}
}

func TestOneCopyTakesItsSlowerArray(t *testing.T) {
	m := NewModel(map[string]float64{"old": 100, "new": 200})
	c := m.Add(gb, "old", "new")
	next(t, m, 10*time.Second)
	m.Advance(4 * time.Second)
	if p := m.Progress(c); p < 0.399 || p > 0.401 {
		t.Errorf("progress %v", p)
	}
	m.Advance(6 * time.Second)
	if !done(c) || m.Progress(c) != 1 {
		t.Error("not done after its time")
	}
	if _, ok := m.Next(); ok {
		t.Error("a finished copy is still scheduled")
	}
}

func TestCopiesShareAndSpeedUp(t *testing.T) {
	m := NewModel(map[string]float64{"old": 100})
	long, short := m.Add(gb, "old"), m.Add(gb/2, "old")
	next(t, m, 10*time.Second) // both at 50 MB/s
	m.Advance(15 * time.Second)
	if !done(short) || !done(long) {
		t.Errorf("short %v, long %v: 1.5 GB at 100 MB/s are done in 15 s", done(short), done(long))
	}
}

func TestACopyHeldUpElsewhereLeavesBandwidth(t *testing.T) {
	m := NewModel(map[string]float64{"slow": 10, "fast": 100})
	m.Add(gb, "slow", "fast") // 10 MB/s
	c := m.Add(gb, "fast")    // 90 MB/s
	m.Advance(11112 * time.Millisecond)
	if !done(c) {
		t.Errorf("progress %v, want done at 90 MB/s", m.Progress(c))
	}
}

func TestWithinOneArrayAndWithout(t *testing.T) {
	m := NewModel(map[string]float64{"a": 100})
	m.Add(gb, "a", "a")
	next(t, m, 10*time.Second)
	free := m.Add(gb)
	m.Advance(0)
	m.Advance(time.Nanosecond)
	if !done(free) {
		t.Error("a copy that touches no array takes time")
	}
	empty := m.Add(0, "a")
	m.Advance(time.Nanosecond)
	if !done(empty) {
		t.Error("an empty copy takes time")
	}
}

func TestRemove(t *testing.T) {
	m := NewModel(map[string]float64{"a": 100})
	a, b := m.Add(gb, "a"), m.Add(gb, "a")
	m.Remove(a)
	m.Remove(a)
	next(t, m, 10*time.Second)
	m.Advance(time.Minute)
	if done(a) || !done(b) {
		t.Error("a stopped copy ended, or the other did not")
	}
}

func TestClock(t *testing.T) {
	k := NewClock(map[string]float64{"a": 100}, 100)
	a, b := k.Start(gb, "a"), k.Start(gb/10, "a")
	for _, c := range []*Copy{b, a} {
		select {
		case <-c.Done():
		case <-time.After(5 * time.Second):
			t.Fatalf("not done; progress %v", k.Progress(c))
		}
	}
	c := k.Start(gb*1000, "a")
	k.Stop(c)
	if done(c) {
		t.Error("stopped, but done")
	}
}
