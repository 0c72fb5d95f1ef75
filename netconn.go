package websocket

// NetConn: a connection as a stream of bytes, for what speaks over a net.Conn.
// Reads take messages apart, writes are messages.
//
// What always holds: a deadline is a context of ours that lasts until it passes,
// so moving it disturbs nobody, and when it passes nothing is lost: reads can be
// given up at any byte, and a frame that has begun is finished by a goroutine. Who
// waits, for the network or for another call, waits no longer than its deadline.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// NetConn returns the connection as a [net.Conn] that sends and expects messages
// of one kind, [Text] or [Binary], and pays no heed to where they begin and end. It
// is for protocols that have their own framing; call it once, and from then on
// leave reading and writing to it. Its methods may be called from any goroutine.
//
// Read returns what has come of a message without waiting for the rest of it; a
// message is still bounded by Options.ReadLimit. A message of the other kind
// closes the connection with 1003. After the peer closed with 1000, 1001 or
// without a code it returns [io.EOF], after any other end an error that wraps the
// connection's.
//
// A Write of up to 32 KiB is one message, a larger one several; what is written as
// Text has to be valid UTF-8 in each Write. It does not keep its bytes, and what it
// returned as written counts as sent, as with a socket: if the deadline passes in the
// middle of a frame, the rest goes out later, in the time that Options.WriteTimeout
// gives it.
//
// Deadlines are those of any net.Conn: calls that pass them fail with
// [os.ErrDeadlineExceeded] and the connection goes on; but a Write that is cut over
// TLS ends it, as it does with a [tls.Conn].
//
// Close begins the closing handshake with 1000 and leaves the rest of it to a
// goroutine, bounded by Options.CloseTimeout; [Conn.Close] can be called after it
// to wait for that. There is also a method CloseWrite() error, which sends the same
// close frame and leaves Read working until the peer has sent its own. A
// WebSocket is never half open for long: the peer may finish what it is sending,
// and has to close then (RFC 6455, section 5.5.1), within Options.CloseTimeout.
//
// The addresses are those of the stream below, if it has any.
func (c *Conn) NetConn(op Opcode) net.Conn {
	n := &netConn{c: c, op: op}
	n.in.init()
	n.out.init()
	return n
}

// maxNetMessage is how much of a Write goes into one message. It is framed in a
// buffer of ours, which is what lets a frame be finished later.
const maxNetMessage = 32 << 10

type netConn struct {
	c       *Conn
	op      Opcode
	in, out netDirection
	message *messageReader // being read; guarded by in's turn
	refused bool           // a message of the other kind came; guarded by in's turn

	closed   atomic.Bool // Close was called
	finished atomic.Bool // CloseWrite was
}

// netDirection is one direction: whose turn it is, and its deadline.
type netDirection struct {
	turn chan struct{} // has room for the one call that may go on

	mu      sync.Mutex
	ctx     context.Context // ends when the deadline passes
	expire  context.CancelFunc
	timer   *time.Timer
	setting int // counts calls of set: a timer that fires too late finds another
	closed  bool
}

func (d *netDirection) init() {
	d.turn = make(chan struct{}, 1)
	d.ctx, d.expire = context.WithCancel(context.Background())
}

// begin waits for the turn, no longer than the deadline. ctx bounds the call.
func (d *netDirection) begin() (ctx context.Context, err error) {
	d.mu.Lock()
	ctx = d.ctx
	d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return ctx, err
	}
	select {
	case d.turn <- struct{}{}:
		return ctx, nil
	case <-ctx.Done():
		return ctx, ctx.Err()
	}
}

func (d *netDirection) end() { <-d.turn }

// set moves the deadline: calls that wait go by the new one, unless the old one
// has passed and ended them already.
func (d *netDirection) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return net.ErrClosed
	}
	d.stopLocked()
	if d.ctx.Err() != nil {
		d.ctx, d.expire = context.WithCancel(context.Background())
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		d.expire()
	default:
		setting := d.setting
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if setting == d.setting {
				d.expire()
			}
		})
	}
	return nil
}

func (d *netDirection) stopLocked() {
	d.setting++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// close ends all calls for good.
func (d *netDirection) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.stopLocked()
	d.expire()
}

// Read reads what has come.
func (n *netConn) Read(p []byte) (int, error) {
	ctx, err := n.in.begin()
	if err != nil {
		return 0, n.failed("read", err)
	}
	defer n.in.end()
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n.message == nil {
			if err := n.nextMessage(ctx); err != nil {
				return 0, n.failed("read", err)
			}
		}
		n.message.ctx = ctx
		k, err := n.message.Read(p)
		switch {
		case err == io.EOF:
			n.message = nil
		case err != nil:
			return 0, n.failed("read", err)
		default:
			return k, nil
		}
	}
}

func (n *netConn) nextMessage(ctx context.Context) error {
	if n.refused {
		return n.c.permanent()
	}
	op, r, err := n.c.Reader(ctx)
	if err != nil {
		return err
	}
	if op != n.op {
		n.refused = true
		n.c.step(closeByUser, &CloseError{
			Code:   StatusUnsupportedData,
			Reason: "expected " + n.op.String() + " messages, not " + op.String(),
		})
		return n.c.permanent()
	}
	n.message = r.(*messageReader)
	return nil
}

// Write sends p.
func (n *netConn) Write(p []byte) (sent int, err error) {
	ctx, err := n.out.begin()
	if err != nil {
		return 0, n.failed("write", err)
	}
	defer n.out.end()
	if !n.op.isMessage() {
		return 0, n.failed("write", errSendOpcode)
	}
	for sent < len(p) {
		piece := n.cut(p[sent:])
		if err := n.c.submit(ctx, &outgoing{op: n.op, p: piece, leave: true}); err != nil {
			return sent, n.failed("write", err)
		}
		sent += len(piece)
	}
	return sent, nil
}

// cut returns the beginning of p that goes into one message. Each message of text
// has to be valid UTF-8 by itself (RFC 6455, section 8.1), so none ends within a
// rune.
func (n *netConn) cut(p []byte) []byte {
	if len(p) <= maxNetMessage {
		return p
	}
	k := maxNetMessage
	for n.op == Text && k > maxNetMessage-utf8.UTFMax && !utf8.RuneStart(p[k]) {
		k--
	}
	return p[:k]
}

// failed makes err, of the connection or of a deadline, what a net.Conn returns.
func (n *netConn) failed(op string, err error) error {
	var end *CloseError
	ended := errors.As(err, &end)
	switch {
	case n.closed.Load():
		err = net.ErrClosed
	case ended && op == "read" && n.inOrder(end):
		return io.EOF
	case !ended && errors.Is(err, context.Canceled):
		err = os.ErrDeadlineExceeded
	case err == errStaleReader || err == errConcurrentRead:
		if cause := n.c.permanent(); cause != nil {
			err = cause // what took the message from us
		}
	}
	return &net.OpError{Op: op, Net: "websocket", Source: n.LocalAddr(), Addr: n.RemoteAddr(), Err: err}
}

// inOrder tells whether the connection ended as a stream should: the peer has
// said that it has no more to say, of its own accord or in answer to CloseWrite.
func (n *netConn) inOrder(end *CloseError) bool {
	if end.Remote {
		return endOfServe(end) == nil
	}
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.finished.Load() && end.Code == StatusNormalClosure && n.c.unclean == nil
}

// CloseWrite sends the close frame behind what was written.
func (n *netConn) CloseWrite() error {
	if n.closed.Load() {
		return n.failed("close", net.ErrClosed)
	}
	if n.c.stateNow() == stateOpen {
		n.finished.Store(true)
		n.c.step(closeByUser, &CloseError{Code: StatusNormalClosure})
	}
	return nil
}

// Close begins the closing handshake. It waits for the close frame to be written,
// so that the program may end after it, but not for long if the peer takes
// nothing.
func (n *netConn) Close() error {
	if n.closed.Swap(true) {
		return n.failed("close", net.ErrClosed)
	}
	n.in.close()
	n.out.close()
	n.c.step(closeByUser, &CloseError{Code: StatusNormalClosure})
	go n.c.Close(StatusNormalClosure, "")
	n.c.awaitCloseWrittenFor(min(lingerTimeout, n.c.opts.CloseTimeout))
	return nil
}

// awaitCloseWrittenFor is awaitCloseWritten for no longer than d.
func (c *Conn) awaitCloseWrittenFor(d time.Duration) {
	until := time.Now().Add(d)
	timer := time.AfterFunc(d, c.wakeWaiters)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closeWritten && c.stateNow() != stateClosed && time.Now().Before(until) {
		c.awaitLocked()
	}
}

func (n *netConn) SetReadDeadline(t time.Time) error {
	if err := n.in.set(t); err != nil {
		return n.failed("set", err)
	}
	return nil
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	if err := n.out.set(t); err != nil {
		return n.failed("set", err)
	}
	return nil
}

func (n *netConn) SetDeadline(t time.Time) error {
	if err := n.SetReadDeadline(t); err != nil {
		return err
	}
	return n.SetWriteDeadline(t)
}

func (n *netConn) LocalAddr() net.Addr {
	if s, ok := n.c.tr.rw.(interface{ LocalAddr() net.Addr }); ok {
		return s.LocalAddr()
	}
	return noAddr{}
}

func (n *netConn) RemoteAddr() net.Addr {
	if s, ok := n.c.tr.rw.(interface{ RemoteAddr() net.Addr }); ok {
		return s.RemoteAddr()
	}
	return noAddr{}
}

// noAddr stands for the address of a stream that has none.
type noAddr struct{}

func (noAddr) Network() string { return "websocket" }
func (noAddr) String() string  { return "websocket" }
