//go:build wspoison

package websocket

// With the tag wspoison every slice that was lent is overwritten when its time is
// over, so that code which keeps it finds out, and giving a buffer back twice
// panics. For tests: go test -tags wspoison.

import "sync/atomic"

const poisoning = true

// poison is no valid UTF-8 and no likely payload.
const poison = 0xDB

type pooled struct{ free atomic.Bool }

func (p *pooled) taken() { p.free.Store(false) }

func (p *pooled) given(b []byte) {
	if p.free.Swap(true) {
		panic("websocket: buffer given back twice")
	}
	expire(b)
}

func expire(p []byte) {
	for i := range p {
		p[i] = poison
	}
}
