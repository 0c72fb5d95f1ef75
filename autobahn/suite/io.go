package suite

// This file moves the octets of a session and keeps its time: the loop that reads
// and fires timers, and the goroutine that writes, so that a peer which echoes
// while it is still being written to never blocks the suite.

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// timer is a moment at which a session does something.
type timer struct {
	at      time.Time
	do      func()
	stopped bool
}

func (t *timer) stop() {
	if t != nil {
		t.stopped = true
	}
}

// after does f after d, scaled, unless the connection is gone by then.
func (s *session) after(d time.Duration, f func()) *timer {
	t := &timer{at: time.Now().Add(s.scaled(d)), do: f}
	s.timers = append(s.timers, t)
	return t
}

// scaled stretches a time limit.
func (s *session) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * s.scale) }

// next returns the timer that is due first, nil without one.
func (s *session) next() *timer {
	s.timers = slices.DeleteFunc(s.timers, func(t *timer) bool { return t.stopped })
	if len(s.timers) == 0 {
		return nil
	}
	return slices.MinFunc(s.timers, func(a, b *timer) int { return a.at.Compare(b.at) })
}

var readBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// loop reads and keeps time until the connection is closed.
func (s *session) loop() {
	p := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(p)
	var armed time.Time
	for s.state != closed {
		t := s.next()
		if t == nil {
			// Every case has a limit; this one bounds what a mistake could cost.
			t = s.after(time.Minute, s.drop)
		}
		if !t.at.Equal(armed) {
			armed = t.at
			s.conn.SetReadDeadline(armed)
		}
		n, err := s.conn.Read(*p)
		if n > 0 {
			s.received((*p)[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.drain(*p)
			if s.state != closed && !t.stopped {
				t.stop()
				t.do()
			}
		default:
			s.peerDropped()
		}
		s.flush()
	}
}

// drain takes what has arrived before a timer fires: on a busy machine both may be
// late, and an answer that is there must not count as missing.
func (s *session) drain(p []byte) {
	for range 16 {
		s.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		n, err := s.conn.Read(p)
		if n > 0 {
			s.received(p[:n])
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			s.peerDropped()
		}
		if err != nil || s.state == closed {
			return
		}
	}
}

// flush gives the queued frames to the writer.
func (s *session) flush() {
	if len(s.batch) > 0 {
		s.out.write(s.batch, 0)
		s.batch = s.out.buffer()
	}
}

// writer writes in the order of its queue. Its methods never block.
type writer struct {
	conn net.Conn
	wake sync.Cond
	done chan struct{} // closed when TCP is closed

	mu     sync.Mutex
	queue  []piece
	spare  []byte
	closed bool
}

// piece is what one call of write asked for.
type piece struct {
	b    []byte
	chop int
}

func newWriter(conn net.Conn) *writer {
	w := &writer{conn: conn, done: make(chan struct{})}
	w.wake.L = &w.mu
	go w.run()
	return w
}

// write queues b, to be written in pieces of chop octets (0: at once). It keeps b.
func (w *writer) write(b []byte, chop int) {
	w.mu.Lock()
	w.queue = append(w.queue, piece{b, chop})
	w.mu.Unlock()
	w.wake.Signal()
}

// buffer returns an empty buffer to build the next frames in.
func (w *writer) buffer() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.spare
	w.spare = nil
	return b[:0]
}

// close closes TCP when the queue has been written, at the latest after a second.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.conn.SetWriteDeadline(time.Now().Add(time.Second))
	w.wake.Signal()
}

func (w *writer) run() {
	defer close(w.done)
	defer w.conn.Close()
	for {
		w.mu.Lock()
		for len(w.queue) == 0 && !w.closed {
			w.wake.Wait()
		}
		if len(w.queue) == 0 {
			w.mu.Unlock()
			return
		}
		p := w.queue[0]
		w.queue = slices.Delete(w.queue, 0, 1)
		w.mu.Unlock()
		w.writePiece(p)
		w.mu.Lock()
		if cap(p.b) <= 1<<20 {
			w.spare = p.b
		}
		w.mu.Unlock()
	}
}

// writePiece writes p. An error is not reported: the reader sees the same end.
func (w *writer) writePiece(p piece) {
	b := p.b
	for len(b) > 0 {
		n := len(b)
		if p.chop > 0 {
			n = min(n, p.chop)
		}
		if _, err := w.conn.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
}
