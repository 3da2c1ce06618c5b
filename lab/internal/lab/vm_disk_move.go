package lab

import "sync/atomic"

// diskMove is the move of one disk with all its layers.
type diskMove struct {
	key      int32
	from, to string // volumes
	bytes    int64
	copied   atomic.Int64
	layers   []layer // the new ones, running layer first
}

// unwritten is the space that the new files reserve and the copy has not filled yet.
func (x *diskMove) unwritten() (n int64) {
	for _, y := range x.layers {
		n += y.allocated()
	}
	if x.bytes == 0 {
		return 0
	}
	return n - int64(float64(n)*float64(x.copied.Load())/float64(x.bytes))
}

// percent is the part of the bytes that is copied, as far as the progress of a task tells it.
func (f *fileMove) percent() int32 {
	var all, copied int64
	for _, x := range f.moves {
		all, copied = all+x.bytes, copied+x.copied.Load()
	}
	return int32(min(95, 100*float64(copied)/float64(max(1, all))))
}
