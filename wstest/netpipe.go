package wstest

// NetPipe: two net.Conn joined in memory, with buffers between them, as a socket
// has. A half is one direction; it knows nothing of the protocol.
//
// What always holds: whoever waits, waits on the half's Cond, which is durable
// blocking for testing/synctest; the mutex is never held while waiting, and timers
// do nothing but set a flag and wake.

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const defaultBuffer = 64 << 10

// NetPipe returns the two ends of a stream in memory. Each direction holds up to
// buffer bytes, 0 meaning 64 KiB, that were written and not yet read; a write
// beyond that waits. Deadlines work, and end the calls that wait, not the stream.
//
// Beside those of net.Conn both ends have the methods CloseWrite() error, after
// which the other end reads io.EOF behind what is buffered, and Reset(), which
// breaks the stream as a TCP reset does: what is buffered is lost and both ends
// fail with ECONNRESET. After Close the other end still reads what was written
// before, and its writes fail with EPIPE.
//
// Everything works inside a bubble of [testing/synctest], if NetPipe was called
// there too.
func NetPipe(buffer int) (server, client net.Conn) {
	if buffer <= 0 {
		buffer = defaultBuffer
	}
	up, down := newHalf(buffer), newHalf(buffer)
	return &end{in: up, out: down, name: "server", peer: "client"},
		&end{in: down, out: up, name: "client", peer: "server"}
}

// half is one direction of the stream.
type half struct {
	mu     sync.Mutex
	moved  sync.Cond // with mu: anything below has changed
	buf    []byte
	limit  int
	tap    func([]byte) // is shown what is written, before it can be read
	fin    bool         // nothing more will be written
	reset  bool
	writer bool // somebody is in write: writes go one after the other

	readerClosed, writerClosed bool

	readDeadline, writeDeadline deadline
}

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.moved.L = &h.mu
	return h
}

// A deadline wakes those who wait when it passes. Guarded by the mutex of cond.
type deadline struct {
	timer  *time.Timer
	turn   int // of setting it: a timer that fires too late finds another one
	passed bool
}

func (d *deadline) setLocked(cond *sync.Cond, t time.Time) {
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.passed = false
	cond.Broadcast()
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		return
	}
	turn := d.turn
	d.timer = time.AfterFunc(wait, func() {
		cond.L.Lock()
		defer cond.L.Unlock()
		if turn == d.turn {
			d.passed = true
			cond.Broadcast()
		}
	})
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.reset:
			return 0, syscall.ECONNRESET
		case h.readerClosed:
			return 0, net.ErrClosed
		case h.readDeadline.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.moved.Broadcast()
			return n, nil
		case h.fin:
			return 0, io.EOF
		}
		h.moved.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := false
	defer func() {
		if mine {
			h.writer = false
			h.moved.Broadcast()
		}
	}()
	for {
		switch {
		case h.reset:
			return n, syscall.ECONNRESET
		case h.writerClosed:
			return n, net.ErrClosed
		case h.fin, h.readerClosed:
			return n, syscall.EPIPE
		case h.writeDeadline.passed:
			return n, os.ErrDeadlineExceeded
		case !mine && h.writer: // wait for the other to be done
		case n == len(p):
			return n, nil
		default:
			mine, h.writer = true, true
			if k := min(h.limit-len(h.buf), len(p)-n); k > 0 {
				if h.tap != nil {
					h.tap(p[n : n+k])
				}
				h.buf = append(h.buf, p[n:n+k]...)
				n += k
				h.moved.Broadcast()
				continue
			}
		}
		h.moved.Wait()
	}
}

// change does fn and wakes everybody.
func (h *half) change(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
	h.moved.Broadcast()
}

// end is one end of the stream.
type end struct {
	in, out    *half
	name, peer addr
}

func (e *end) Read(p []byte) (int, error) {
	n, err := e.in.read(p)
	return n, e.failed("read", err)
}

func (e *end) Write(p []byte) (int, error) {
	n, err := e.out.write(p)
	return n, e.failed("write", err)
}

func (e *end) failed(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: e.name.Network(), Source: e.name, Addr: e.peer, Err: err}
}

// Close ends both directions. The timers of the deadlines stop, so that nothing
// is left behind.
func (e *end) Close() error {
	var none time.Time
	e.out.change(func() {
		e.out.fin, e.out.writerClosed = true, true
		e.out.writeDeadline.setLocked(&e.out.moved, none)
	})
	e.in.change(func() {
		e.in.readerClosed = true
		e.in.buf = nil
		e.in.readDeadline.setLocked(&e.in.moved, none)
	})
	return nil
}

// CloseWrite ends the outgoing direction.
func (e *end) CloseWrite() error {
	var closed bool
	e.out.change(func() {
		closed = e.out.writerClosed
		e.out.fin = true
	})
	if closed {
		return e.failed("close", net.ErrClosed)
	}
	return nil
}

// Reset breaks both directions off.
func (e *end) Reset() {
	for _, h := range []*half{e.in, e.out} {
		h.change(func() { h.reset, h.buf = true, nil })
	}
	e.Close()
}

func (e *end) SetReadDeadline(t time.Time) error {
	return e.setDeadline(e.in, &e.in.readDeadline, &e.in.readerClosed, t)
}

func (e *end) SetWriteDeadline(t time.Time) error {
	return e.setDeadline(e.out, &e.out.writeDeadline, &e.out.writerClosed, t)
}

func (e *end) SetDeadline(t time.Time) error {
	if err := e.SetReadDeadline(t); err != nil {
		return err
	}
	return e.SetWriteDeadline(t)
}

func (e *end) setDeadline(h *half, d *deadline, closed *bool, t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if *closed {
		return e.failed("set", net.ErrClosed)
	}
	d.setLocked(&h.moved, t)
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.name }
func (e *end) RemoteAddr() net.Addr { return e.peer }

// addr is the name of an end.
type addr string

func (addr) Network() string  { return "wstest" }
func (a addr) String() string { return string(a) }
