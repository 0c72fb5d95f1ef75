package websocket

// The byte stream under a Conn: one place that knows what kind it is. Reads wait
// for bytes before they borrow a buffer where the stream allows it, writes try
// before they wait, and a context can interrupt either.
//
// Who calls: read.go with the reader's lock held, write.go with the pen.

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// descriptor is what a socket can do through its descriptor.
type descriptor interface {
	read(room []byte, size int) (b []byte, buf *buffer, err error)
	tryWrite(b []byte) (n int, err error)
}

// transport is an [io.ReadWriteCloser] and what more it can do.
type transport struct {
	raw  descriptor // a plain socket of this platform, or nil
	sock *socket    // raw, if it waits at a poller of ours
	rw   io.ReadWriteCloser

	in, out interrupt
	user    interface{ interrupted(error) } // told of a context that ends where there is no deadline

	// probe is where a TLS connection waits: its Read needs a buffer in hand, so
	// this one is small. full tells that the last read filled it.
	probe *[probeSize]byte
	full  bool

	timed bool          // writeVec has left a deadline behind
	piece int32         // how much is written before moved tells of it
	moved atomic.Uint32 // bytes that went out in writes that had to wait, to see it change
}

const probeSize = 256

func (t *transport) init(rw io.ReadWriteCloser, user interface{ interrupted(error) }) {
	t.rw = rw
	t.piece = writePiece
	t.user = user
	t.in.t, t.out.t, t.out.writes = t, t, true
	t.in.timed = t.in.set(time.Time{}) == nil
	t.out.timed = t.out.set(time.Time{}) == nil
	// Only net's own types: one that wraps them may promote SyscallConn and yet
	// have a Read of its own.
	switch s := rw.(type) {
	case *socket:
		t.sock, t.raw = s, s
	case *net.TCPConn:
		if r := newRawSocket(s); r != nil {
			t.raw = r
		}
	case *net.UnixConn:
		if r := newRawSocket(s); r != nil {
			t.raw = r
		}
	case *tls.Conn:
		t.probe = new([probeSize]byte)
	}
}

// parks tells whether reads return errWouldBlock instead of waiting.
func (t *transport) parks() bool { return t.sock != nil && t.sock.turns }

// arrived returns when what has just been read came, or a moment before that.
func (t *transport) arrived() time.Duration {
	if t.sock != nil {
		return t.sock.arrived()
	}
	return moment()
}

// epoch is what moments are counted from, in a third of the room of a time.Time: a
// century ago, so that none is 0, nor negative in the year 2000, which it is in a bubble
// of testing/synctest. What is added to moments is no longer than forever.
var epoch = time.Now().Add(-100 * 365 * 24 * time.Hour)

const forever = 70 * 365 * 24 * time.Hour

// moment returns the moment that it is, which is never 0.
func moment() time.Duration { return time.Since(epoch) }

// newProbe leaves the probe to whoever borrowed a message in it.
func (t *transport) newProbe() {
	if t.probe != nil {
		t.probe = new([probeSize]byte)
	}
}

// read waits for bytes and reads them, into room if there is one, else into a
// buffer of at least size bytes, which it returns and the caller owns. b is what
// was read; it is empty only with an error.
func (t *transport) read(room []byte, size int) (b []byte, buf *buffer, err error) {
	if t.raw != nil {
		return t.raw.read(room, size)
	}
	switch {
	case room != nil:
	case t.probe != nil && !t.full:
		room = t.probe[:]
	default:
		buf = newBuffer(size)
		room = buf.b[:cap(buf.b)]
	}
	n, err := t.readSome(room)
	t.full = n == len(room)
	if n == 0 {
		buf.put()
		return nil, nil, err
	}
	return room[:n], buf, nil
}

// readSome is rw.Read, which some streams let return nothing without an error.
func (t *transport) readSome(b []byte) (n int, err error) {
	for range 100 {
		if n, err = t.rw.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// tryWrite writes what the stream takes at once, which is nothing if the stream
// cannot tell.
func (t *transport) tryWrite(b []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	return t.raw.tryWrite(b)
}

// write writes b, waiting for the peer no longer than ctx, and than timeout (0: for
// ever) for each piece of it. It returns how many bytes went out.
func (t *transport) write(ctx context.Context, b []byte, timeout time.Duration) (n int, err error) {
	t.out.yield(ctx)
	if t.timed {
		t.out.clear() // it may have passed since, and would fail the try
		t.timed = false
		if err := ctx.Err(); err != nil {
			return 0, err // and clear took its interrupt back
		}
	}
	if n, err = t.tryWrite(b); err != nil || n == len(b) {
		return n, err
	}
	t.out.arm(ctx)
	if !t.out.timed {
		defer t.out.disarm() // a context that ends later ends nothing of ours
	}
	if t.raw != nil {
		defer t.out.clear() // a deadline that passes later would fail the next try
	}
	piece := int(t.piece)
	for n < len(b) {
		t.out.extend(timeout)
		m, err := t.rw.Write(b[n : n+min(len(b)-n, piece)])
		n += m
		t.moved.Add(uint32(m))
		switch {
		case slow(ctx, m, err) && piece > writePiece:
			piece = writePiece // and it has the timeout anew for each
		case err != nil:
			return n, err
		case m == 0:
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// writePiece is how much a peer has to take within the timeout.
const writePiece = 64 << 10

// enlarge makes pieces larger where that is faster: on a socket, which tells how much
// of one went when its time is up.
func (t *transport) enlarge() {
	if t.raw != nil {
		t.piece = 8 * writePiece
	}
}

// slow tells whether a write that took m bytes ended because its time was up, not
// its context, while the peer was still taking bytes.
func slow(ctx context.Context, m int, err error) bool {
	return m > 0 && errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil
}

// writeVec writes head and then p in one system call if the stream is TCP and p no
// larger than a piece, and one after the other otherwise. head's spare capacity is used.
//
// A very large p goes in two writes over TCP as well, of which the first is one
// page: at 1 MiB that took a fifth less time, perhaps because the peer is woken for
// the page and takes in the rest while it is written.
func (t *transport) writeVec(ctx context.Context, head, p []byte, timeout time.Duration) (n int, err error) {
	if rest := pageSize - len(head)%pageSize; len(p) >= pageFirst && len(head)+rest <= cap(head) {
		head, p = append(head, p[:rest]...), p[rest:]
	} else if tcp, ok := t.rw.(*net.TCPConn); ok && len(p) <= int(t.piece) {
		return t.writev(ctx, tcp, head, p, timeout)
	}
	if t.sock != nil && len(p) <= int(t.piece) {
		if n, err = t.sock.tryBoth(head, p); err != nil || n == len(head)+len(p) {
			return n, err
		}
	}
	if n < len(head) {
		k, err := t.write(ctx, head[n:], timeout)
		if n += k; err != nil {
			return n, err
		}
	}
	k, err := t.write(ctx, p[n-len(head):], timeout)
	return n + k, err
}

const (
	pageSize  = 4 << 10
	pageFirst = 512 << 10 // from here on
)

func (t *transport) writev(ctx context.Context, tcp *net.TCPConn, head, p []byte, timeout time.Duration) (n int, err error) {
	t.out.arm(ctx)
	t.out.extend(timeout)
	v := vectors.Get().(*vector)
	v.parts = [2][]byte{head, p}
	v.bufs = v.parts[:]
	m, err := v.bufs.WriteTo(tcp)
	*v = vector{}
	vectors.Put(v)
	t.timed = true
	n = int(m)
	t.moved.Add(uint32(n))
	if n < len(head) || !slow(ctx, n, err) {
		return n, err
	}
	k, err := t.write(ctx, p[n-len(head):], timeout)
	return n + k, err
}

// vector is a net.Buffers that does not have to be allocated for each write.
type vector struct {
	parts [2][]byte
	bufs  net.Buffers
}

var vectors = sync.Pool{New: func() any { return new(vector) }}

// closeWrite ends our direction and leaves the other open, if the stream can.
func (t *transport) closeWrite() {
	if h, ok := t.rw.(interface{ CloseWrite() error }); ok {
		h.CloseWrite() // if it fails, the close that follows does what can be done
	}
}

func (t *transport) close(orderly bool) error {
	t.in.close()
	t.out.close()
	if s, ok := t.rw.(*tls.Conn); ok {
		// Its Close says goodbye, and waits 5 seconds for a peer that takes nothing.
		if !orderly {
			return s.NetConn().Close() // once: what lies below may be anybody's
		}
		defer time.AfterFunc(lingerTimeout, func() { s.NetConn().SetWriteDeadline(longAgo) }).Stop()
	}
	return t.rw.Close()
}

// An interrupt lets a context end a blocked call on one direction of a stream, by
// a deadline in the past. It is armed once for a context, not for each call, and
// contexts that cannot end cost nothing.
//
// arm, disarm and done belong to the one who may use the direction; the rest is
// guarded by mu.
type interrupt struct {
	done <-chan struct{} // of the context that is armed

	t      *transport
	writes bool // it is the direction out
	timed  bool // the stream keeps deadlines

	fired bool // the deadline lies in the past
	ended bool
	turn  uint32 // of arming: a context that ends too late finds another one
	mu    sync.Mutex
	stop  func() bool
	until time.Duration // the moment of the deadline; 0 if there is none
}

// set sets the deadline of the direction.
func (i *interrupt) set(to time.Time) error {
	if i.writes {
		if d, ok := i.t.rw.(interface{ SetWriteDeadline(time.Time) error }); ok {
			return d.SetWriteDeadline(to)
		}
	} else if d, ok := i.t.rw.(interface{ SetReadDeadline(time.Time) error }); ok {
		return d.SetReadDeadline(to)
	}
	return errors.ErrUnsupported
}

var longAgo = time.Unix(1, 0)

// arm makes the end of ctx interrupt the direction from now on, in place of the
// context armed before.
func (i *interrupt) arm(ctx context.Context) {
	done := ctx.Done()
	if done == i.done {
		return
	}
	i.disarm()
	if done == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return
	}
	i.done = done
	turn := i.turn
	i.stop = context.AfterFunc(ctx, func() { i.fire(turn, ctx) })
}

// yield disarms if another context than ctx is armed.
func (i *interrupt) yield(ctx context.Context) {
	if i.done != nil && i.done != ctx.Done() {
		i.disarm()
	}
}

// disarm forgets the context and takes back what it did to the deadline.
func (i *interrupt) disarm() {
	if i.done == nil {
		return
	}
	i.done = nil
	i.mu.Lock()
	defer i.mu.Unlock()
	i.turn++
	if i.stop != nil {
		i.stop()
		i.stop = nil
	}
	i.clearLocked()
}

// clear takes a deadline back that has passed.
func (i *interrupt) clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clearLocked()
}

// reset takes back whatever deadline there is.
func (i *interrupt) reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fired = true
	i.clearLocked()
}

func (i *interrupt) clearLocked() {
	if (i.fired || i.until != 0) && !i.ended && i.timed {
		i.set(time.Time{})
	}
	i.fired, i.until = false, 0
}

func (i *interrupt) fire(turn uint32, ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if turn != i.turn || i.ended {
		return
	}
	i.fired = true
	if !i.timed || i.set(longAgo) != nil {
		go i.t.user.interrupted(ctx.Err()) // it takes locks that our caller may hold
	}
}

// extend makes sure that the deadline is at least three quarters of timeout
// away. Setting it anew only then keeps a busy connection from paying for it at
// each call. It never takes an interrupt back.
func (i *interrupt) extend(timeout time.Duration) {
	if timeout <= 0 || !i.timed {
		return
	}
	now := moment()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fired || i.ended || i.until-now > timeout-timeout/4 {
		return
	}
	i.until = now + timeout
	i.set(time.Now().Add(timeout))
}

// expired tells whether a deadline set by extend has passed.
func (i *interrupt) expired() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.until != 0 && moment() >= i.until
}

// close disarms for good. Anyone may call it.
func (i *interrupt) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	if i.stop != nil {
		i.stop()
		i.stop = nil
	}
}
