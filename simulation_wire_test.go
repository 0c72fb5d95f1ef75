package websocket_test

// The streams of a simulation: they cut what crosses into pieces at random, keep it
// waiting, stall and break off, and look at every frame that is written. Read and
// Write are for one goroutine at a time each, which the race detector sees to.

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// simWire is an end's stream.
type simWire struct {
	net.Conn
	in, out *rand.Rand // choices of Read, of Write
	chunk   int        // nothing crosses in larger pieces
	partial bool       // a write returns after its first piece
	wait    int        // one piece in so many waits; 0: none does
	breakAt int        // the stream breaks off after so many bytes were written; -1: it does not
	written int
	broke   atomic.Bool
	frames  frameCheck
}

func (w *simWire) Read(p []byte) (int, error) {
	w.pause(w.in)
	return w.Conn.Read(p[:w.size(w.in, len(p))])
}

func (w *simWire) Write(p []byte) (n int, err error) {
	for first := true; first || n < len(p); first = false {
		k := w.size(w.out, len(p)-n)
		if w.breakAt >= 0 && w.written+k > w.breakAt {
			w.broke.Store(true)
			w.Conn.(interface{ Reset() }).Reset()
		}
		w.pause(w.out)
		k, err = w.Conn.Write(p[n : n+k])
		w.frames.feed(p[n : n+k])
		w.written += k
		if n += k; err != nil || w.partial {
			return n, err
		}
	}
	return n, nil
}

// CloseWrite passes a half-close on.
func (w *simWire) CloseWrite() error { return w.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func (w *simWire) size(r *rand.Rand, n int) int {
	if n <= 1 || r.IntN(4) > 0 {
		return min(n, w.chunk)
	}
	return min(1+r.IntN(n), w.chunk)
}

// pause lets others go first, sometimes for a while.
func (w *simWire) pause(r *rand.Rand) {
	if w.wait == 0 {
		return
	}
	switch r.IntN(w.wait) {
	case 0:
		<-time.After(time.Duration(1+r.IntN(2000)) * time.Microsecond)
	case 1, 2:
		runtime.Gosched()
	}
}

// frameCheck follows the frames that one side writes, by the figure of RFC 6455,
// section 5.2, and remembers the first rule that was broken.
type frameCheck struct {
	role      websocket.Role
	head      [14]byte
	have      int
	left      uint64 // of the payload
	inMessage bool
	closes    int
	err       error
}

func (f *frameCheck) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

func (f *frameCheck) feed(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			k := min(f.left, uint64(len(p)))
			f.left -= k
			p = p[k:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have >= 2 && f.have == f.headerSize() {
			f.frame()
			f.have = 0
		}
	}
}

func (f *frameCheck) headerSize() int {
	n := 2
	switch f.head[1] & 0x7F {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if f.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// frame is at the end of a header.
func (f *frameCheck) frame() {
	n := uint64(f.head[1] & 0x7F)
	switch n {
	case 126:
		n = uint64(f.head[2])<<8 | uint64(f.head[3])
	case 127:
		n = 0
		for _, b := range f.head[2:10] {
			n = n<<8 | uint64(b)
		}
	}
	f.left = n
	op, fin := f.head[0]&0x0F, f.head[0]&0x80 != 0
	if masked := f.head[1]&0x80 != 0; masked != (f.role == websocket.RoleClient) {
		f.fail("frame % x: masked: %v", f.head[:2], masked)
	}
	if f.closes > 0 {
		f.fail("frame % x after a close frame", f.head[:2])
	}
	switch {
	case op >= 8:
		if !fin || n > 125 || op > 10 || f.head[0]&0x70 != 0 {
			f.fail("control frame % x", f.head[:2])
		}
		if op == 8 {
			f.closes++
		}
	case op > 2, (op == 0) != f.inMessage:
		f.fail("frame % x, within a message: %v", f.head[:2], f.inMessage)
	default:
		f.inMessage = !fin
	}
}

// wires returns the streams of the two ends of s, and tells whether one of them
// will end the connection by itself.
func (s *sim) wires() (wires [2]*simWire, rough bool) {
	r := s.rnd
	buffer := []int{16, 100, 1000, 64 << 10}[r.IntN(4)]
	s.size = min(40*buffer, 20_000)
	a, b := wstest.NetPipe(buffer)
	ends := [2]net.Conn{a, b}
	fate := r.IntN(12)
	for i := range wires {
		w := &simWire{Conn: ends[i], breakAt: -1, in: s.source(), out: s.source()}
		w.chunk = []int{max(buffer/8, 1), buffer, 1 << 20}[r.IntN(3)]
		w.wait = []int{0, 4, 40}[r.IntN(3)]
		w.partial = r.IntN(16) == 0
		w.frames.role = websocket.Role(i)
		wires[i] = w
	}
	w := wires[r.IntN(2)]
	switch fate {
	case 0: // breaks off
		w.breakAt = r.IntN(2 * s.size)
		return wires, true
	case 1, 2: // stalls, for a while or for ever
		f := wstest.WithFaults(w.Conn, wstest.Faults{})
		w.Conn = f
		at := time.Duration(r.IntN(100)) * time.Millisecond
		s.timers = append(s.timers, time.AfterFunc(at, f.Stall))
		if fate == 1 {
			s.timers = append(s.timers, time.AfterFunc(at+200*time.Millisecond, f.Resume))
			return wires, false
		}
		return wires, true
	}
	return wires, false
}
