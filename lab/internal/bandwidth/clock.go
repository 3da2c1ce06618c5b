package bandwidth

import (
	"sync"
	"time"
)

// Clock runs a Model in real time, speeded up by a factor.
type Clock struct {
	mu    sync.Mutex
	model *Model
	speed float64
	last  time.Time
	timer *time.Timer
}

// NewClock takes the bandwidth of every array in MB/s, and how much faster than the real site time passes.
func NewClock(mbPerSecond map[string]float64, speed float64) *Clock {
	return &Clock{model: NewModel(mbPerSecond), speed: speed, last: time.Now()}
}

// Start begins a copy.
func (k *Clock) Start(bytes int64, arrays ...string) *Copy {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.catchUp()
	c := k.model.Add(bytes, arrays...)
	k.wind()
	return c
}

// Stop ends a copy before its time; a copy that is complete stays so.
func (k *Clock) Stop(c *Copy) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.catchUp()
	k.model.Remove(c)
	k.wind()
}

// Progress is the part of a copy that is done, from 0 to 1.
func (k *Clock) Progress(c *Copy) float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.catchUp()
	k.wind()
	return k.model.Progress(c)
}

func (k *Clock) catchUp() {
	now := time.Now()
	k.model.Advance(time.Duration(float64(now.Sub(k.last)) * k.speed))
	k.last = now
}

// wind sets the timer to the next end of a copy.
func (k *Clock) wind() {
	if k.timer != nil {
		k.timer.Stop()
	}
	next, running := k.model.Next()
	if !running {
		return
	}
	k.timer = time.AfterFunc(time.Duration(float64(next)/k.speed), func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.catchUp()
		k.wind()
	})
}
