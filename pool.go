package websocket

// Buffers that connections share. A connection borrows one while it has bytes in
// hand and gives it back before it waits, so an idle connection holds none.
//
// What always holds: a buffer has one owner at a time, and only whole buffers go
// back. Under the build tag wspoison what goes back is overwritten and a second
// put panics, which is how the tests prove that no byte crosses from one
// connection to another.

import (
	"math/bits"
	"sync"
)

const (
	minBufferBits = 12 // 4 KiB
	maxBufferBits = 22 // 4 MiB: larger ones are left to the garbage collector
)

// A buffer is pooled memory; b has its full capacity and any length.
type buffer struct {
	b    []byte
	home *sync.Pool // nil if it is too large to keep
	pooled
}

// bufferPools are the buffers of each class that nobody has.
type bufferPools [maxBufferBits - minBufferBits + 1]sync.Pool

// Buffers that are filled by one call, and those that grow, a message at a time. A
// reply is framed while the message it answers is held: with one pool for both, every other
// one would not be the one that its processor gave back last, and come from further away.
var filled, grown bufferPools

// newBuffer returns an empty buffer with room for at least n bytes.
func newBuffer(n int) *buffer { return filled.get(n) }

func (p *bufferPools) get(n int) *buffer {
	class := bufferClass(n)
	if class < 0 {
		return &buffer{b: make([]byte, 0, n)}
	}
	home := &p[class]
	if b, _ := home.Get().(*buffer); b != nil {
		b.taken()
		b.b = b.b[:0]
		return b
	}
	return &buffer{b: make([]byte, 0, 1<<(minBufferBits+class)), home: home}
}

// bufferClass returns the class of the smallest pooled buffer that holds n
// bytes, or -1.
func bufferClass(n int) int {
	class := max(bits.Len(uint(max(n, 1)-1)), minBufferBits) - minBufferBits
	if class >= len(bufferPools{}) {
		return -1
	}
	return class
}

// put gives b back. Nobody may use b, or a slice of it, afterwards. A nil b is
// nothing to give back.
func (b *buffer) put() {
	if b == nil {
		return
	}
	b.given(b.b[:cap(b.b)])
	if b.home != nil {
		b.home.Put(b)
	}
}

// growBuffer returns a buffer with the content of b and room for n bytes, and
// gives b back. b may be nil.
func growBuffer(b *buffer, n int) *buffer {
	if b != nil && cap(b.b) >= n {
		return b
	}
	g := grown.get(n)
	if b != nil {
		g.b = append(g.b, b.b...)
		b.put()
	}
	return g
}
