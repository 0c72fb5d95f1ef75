package websocket

// A Conn is a WebSocket connection: the core of recv.go, send.go and message.go
// with a byte stream under it. This file is its making, its state and its end;
// read.go and write.go are its two directions, keepalive.go its liveness.
//
// What always holds. One goroutine at a time reads (reading is locked), one at a
// time writes (it has the pen), and neither waits for the other: what the reader
// owes in answer it leaves for the pen. Only step moves the state of the closing
// handshake. The first permanent error is kept in err and comes back for ever.

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what both sides of a connection can set. The zero value, and nil,
// mean the defaults. They are embedded in [AcceptOptions] and [DialOptions].
type Options struct {
	// ReadLimit is the largest message in bytes that is read, counted as it comes
	// over the wire and again after it is inflated. A larger one fails the
	// connection with status 1009 and a [*MessageTooBigError]. 0 means 1 MiB,
	// negative no limit: then a peer can fill the memory.
	ReadLimit int64
	// MaxFrames is how many frames a message may be cut into. 0 means 131072,
	// negative no limit. At most 1024 of them may be empty.
	MaxFrames int
	// WriteTimeout is how long a write waits for the peer to take what it writes, or
	// each 64 KiB of it, before the connection is given up. 0 means 10 seconds,
	// negative for ever.
	WriteTimeout time.Duration
	// ReadIdleTimeout makes a read fail with os.ErrDeadlineExceeded when no byte
	// came for about so long (at least three quarters of it). The connection stays
	// good and the next read goes on. CloseRead goes on by itself. 0 means no such
	// limit.
	ReadIdleTimeout time.Duration
	// CloseTimeout bounds the closing handshake. 0 means 5 seconds.
	CloseTimeout time.Duration
	// KeepaliveInterval is how long a peer may be silent before it is pinged, and
	// KeepaliveTimeout how long it then has to send something, anything, or to take
	// 64 KiB of a message that the ping waits behind. A peer that does not is gone:
	// reads and writes return [ErrPeerTimeout]. 0 means 30 and 10 seconds on servers,
	// and off on clients unless an interval is set; a negative interval means off.
	// Where one timer is for many connections, on Linux, each may come later by an
	// eighth of the shorter.
	KeepaliveInterval, KeepaliveTimeout time.Duration
	// Batch holds replies back while further input is already buffered, so that
	// they go out in one system call: at the latest before a read waits, at 16 KiB,
	// after 5 milliseconds, on [Conn.Flush] and on close. [Conn.Serve] does so
	// anyway.
	Batch bool
	// Compression turns permessage-deflate on (RFC 7692), if the peer wants it
	// too. nil means off.
	Compression *Compression
	// Hooks are called as things happen. nil means none.
	Hooks *Hooks
}

const (
	defaultReadLimit    = 1 << 20
	defaultMaxFrames    = 1 << 17
	maxEmptyFrames      = 1 << 10
	defaultWriteTimeout = 10 * time.Second
	defaultCloseTimeout = 5 * time.Second
	lingerTimeout       = time.Second // for the end of TCP, after the closing handshake
)

// withDefaults returns a copy of o, which may be nil, with the defaults filled in
// and limits that are off set to 0.
func (o *Options) withDefaults(role Role) Options {
	var d Options
	if o != nil {
		d = *o
	}
	d.ReadLimit = orDefault(d.ReadLimit, defaultReadLimit)
	d.MaxFrames = orDefault(d.MaxFrames, defaultMaxFrames)
	d.WriteTimeout = orDefault(d.WriteTimeout, defaultWriteTimeout)
	d.CloseTimeout = orDefault(d.CloseTimeout, defaultCloseTimeout)
	if d.CloseTimeout == 0 {
		d.CloseTimeout = defaultCloseTimeout // there is no waiting for ever here
	}
	d.ReadIdleTimeout = max(d.ReadIdleTimeout, 0)
	if role == RoleServer || d.KeepaliveInterval > 0 {
		d.KeepaliveInterval = orDefault(d.KeepaliveInterval, defaultKeepaliveInterval)
		d.KeepaliveTimeout = orDefault(d.KeepaliveTimeout, defaultKeepaliveTimeout)
	}
	d.KeepaliveInterval = max(d.KeepaliveInterval, 0)
	if d.KeepaliveTimeout == 0 {
		d.KeepaliveTimeout = defaultKeepaliveTimeout
	}
	for _, t := range [...]*time.Duration{&d.WriteTimeout, &d.ReadIdleTimeout, &d.KeepaliveInterval, &d.KeepaliveTimeout} {
		*t = min(*t, forever) // what is added to a moment
	}
	return d
}

// lastOptions are those of the latest connection: most of a server have the same.
var lastOptions atomic.Pointer[Options]

// shared returns o where connections can share it: 80 bytes that each of them is spared.
func (o Options) shared() *Options {
	if last := lastOptions.Load(); last != nil && *last == o {
		return last
	}
	n := o // o itself would be allocated also where it is not kept
	lastOptions.Store(&n)
	return &n
}

// orDefault returns v, def if v is 0, and 0 if v is negative.
func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return max(v, 0)
}

// Handshake is what the opening handshake settled. [Accept] and [Dial] fill it
// in; those who call [NewConn] say it themselves.
type Handshake struct {
	// Role is the side we are.
	Role Role
	// Subprotocol is the one agreed on, or empty (RFC 6455, section 1.9).
	Subprotocol string
	// Extensions is the Sec-WebSocket-Extensions header of the server's answer,
	// or empty (RFC 6455, section 9.1).
	Extensions string
	// Header is the request's on a server and the answer's on a client. It may be
	// nil. The connection keeps it in a quarter of its space.
	Header http.Header
	// Leftover is what was read past the end of the handshake. These bytes belong
	// to the connection, which takes the slice over.
	Leftover []byte
}

// A Conn is a WebSocket connection. Make one with [Accept], [Dial], a [Server]
// or [NewConn]; it is not to be copied.
//
// Every method may be called from any goroutine, at any time. Writes of several
// goroutines go out one message after the other. Reads are for one goroutine at a
// time: a second one gets an error. Some goroutine should always be reading, even
// if no message is expected, because it is the reader that answers pings and sees
// the peer close; [Conn.CloseRead] does it for connections that only write.
//
// A read or write whose context ends leaves the connection as it is, and the next
// one goes on where it stopped: nothing is lost and nothing comes twice. The one
// exception is a write that was cut in the middle of its frame, or at all over TLS
// (crypto/tls takes no more after that), which ends the connection and says so. After the first permanent error the same error comes
// back for ever; [CloseError], [ProtocolError], [MessageTooBigError] and
// [ErrPeerTimeout] tell what it was.
type Conn struct {
	writer
	reader
	state atomic.Uint32 // a closeState; written with mu held

	// With mu, and here because there is room.
	closeWritten bool // our close frame is on the wire, or cannot get there
	ended        bool // the stream is closed and everybody knows
	handled      bool // Handle has been called
	tells        bool // server is told of the end

	stats stats
	tr    transport
	pings pings
	opts  *Options // with defaults; shared with other connections, and never changed
	hs    settled
	deflation

	mu         sync.Mutex
	changed    *sync.Cond // with mu: state moved, or something that Close waits for; see awaitLocked
	err        error      // the first permanent error
	unclean    error      // why the closing handshake was not completed
	closeTimer *time.Timer
	ctx        context.Context         // what Context stands for, or before anybody needs that its parent
	cancel     context.CancelCauseFunc // of ctx, once it has been made
	server     *Server                 // that knows the connection, if one does
}

// NewConn runs the protocol over a stream on which the opening handshake is
// already done, or needs none: a pipe, an HTTP/2 stream, a tunnel. The connection
// takes rw over and closes it. nil opts mean the defaults.
//
// If rw has the methods SetReadDeadline and SetWriteDeadline of a net.Conn,
// contexts interrupt its calls; if it has not, or they fail, a context that ends
// during a call ends the connection, and WriteTimeout and ReadIdleTimeout are not kept.
// Deadlines that are set when it is called are taken back. Read and Write of rw may be called at the same time, and
// Close during either has to unblock them.
//
// An error means that hs cannot be: its Extensions were not offered by opts.
func NewConn(rw io.ReadWriteCloser, hs Handshake, opts *Options) (*Conn, error) {
	return newConn(rw, hs, opts, context.Background())
}

// newConn is NewConn with a parent for Context, whose values it takes.
func newConn(rw io.ReadWriteCloser, hs Handshake, opts *Options, parent context.Context) (*Conn, error) {
	c := &Conn{
		opts: opts.withDefaults(hs.Role).shared(),
		hs:   settle(&hs),
		ctx:  parent,
	}
	c.role = hs.Role
	if err := c.initDeflate(); err != nil {
		return nil, err
	}
	c.tr.init(rw, c)
	if k, w := c.opts.KeepaliveTimeout, c.opts.WriteTimeout; c.opts.KeepaliveInterval == 0 || w > 0 && w <= k {
		c.tr.enlarge() // the keepalive does not look at a message that is being written before its time is up
	}
	c.initReader(hs.Leftover)
	c.initWriter()
	c.startKeepalive()
	c.opts.Hooks.open(c)
	return c, nil
}

// Subprotocol returns the subprotocol agreed on in the opening handshake, or "".
func (c *Conn) Subprotocol() string {
	protocol, _, _ := c.hs.parts()
	return protocol
}

// Handshake returns what the opening handshake settled, without Leftover. Its Header
// is yours: it is made anew at each call.
func (c *Conn) Handshake() Handshake {
	protocol, extensions, header := c.hs.parts()
	return Handshake{Role: c.role, Subprotocol: protocol, Extensions: extensions, Header: header.header()}
}

// Context returns a context with the values of the request that the connection
// came by, but not its cancellation: it ends when the connection ends, with the
// connection's error as its cause. It is for work that makes no sense without
// the connection.
func (c *Conn) Context() context.Context { return (*connContext)(c) }

// connContext is what Context returns: the Conn itself, so that it costs nothing. What can
// be waited for is made when somebody first asks for it. A read or write under it needs no
// watching: what ends it ends them.
type connContext Conn

// made returns the context that x stands for, and true, once x has ended, or somebody
// has wanted it; before that the parent.
func (x *connContext) made(wanted bool) (ctx context.Context, made bool) {
	c := (*Conn)(x)
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.stateNow() == stateClosed
	if c.cancel == nil && (wanted || ended) {
		c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(c.ctx))
		if ended {
			c.cancel(c.err)
		}
	}
	return c.ctx, c.cancel != nil
}

func (x *connContext) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (x *connContext) String() string                          { return "websocket.Conn.Context" }

func (x *connContext) Done() <-chan struct{} {
	ctx, _ := x.made(true)
	return ctx.Done()
}

func (x *connContext) Err() error {
	if ctx, made := x.made(false); made {
		return ctx.Err()
	}
	return nil
}

// Value is also where package context finds what to derive others from, and the cause.
func (x *connContext) Value(key any) any {
	ctx, made := x.made(false)
	if !made {
		ctx = context.WithoutCancel(ctx)
	}
	return ctx.Value(key)
}

// watched returns the context that can interrupt a call under ctx.
func (c *Conn) watched(ctx context.Context) context.Context {
	if own, ok := ctx.(*connContext); ok && (*Conn)(own) == c {
		return context.Background()
	}
	return ctx
}

// Close performs the closing handshake (RFC 6455, section 7.1.2): it sends a
// close frame with code and reason, waits for the peer's, dropping messages that
// nobody is reading, and closes the stream. All that takes CloseTimeout at most,
// whatever the peer does, and does not wait behind a stuck write.
//
// code is one of 1000 to 1003, 1007 to 1014 and 3000 to 4999, or [StatusNoStatus]
// for none; another is an error and changes nothing. A reason longer than 123
// bytes is cut at the end of a rune.
//
// It returns nil if both close frames went over and else why not. When the
// connection was being closed already, by either side, it waits for the end of
// that and returns what came of it: Close may be called any number of times.
func (c *Conn) Close(code StatusCode, reason string) error {
	if !code.onWire() && code != StatusNoStatus {
		return errSendCode
	}
	c.step(closeByUser, &CloseError{Code: code, Reason: cutReason(reason)})
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended {
		if c.stateNow() == stateSent && c.reading.TryLock() {
			c.drainUnlocked()
			continue
		}
		c.awaitLocked()
	}
	return c.unclean
}

// drainUnlocked drains without mu, which is held again in the end, whatever hooks do.
func (c *Conn) drainUnlocked() {
	c.mu.Unlock()
	defer c.mu.Lock()
	defer c.unlockReading()
	c.drain()
}

// CloseNow closes the stream without a closing handshake; the peer sees the
// connection break off. If the closing handshake is over, or the connection is
// failing and its close frame on the way, it lets that end by itself, within a
// second. It never waits, may be called any number of times, and is meant for
// defer. The error is always nil.
func (c *Conn) CloseNow() error {
	switch c.stateNow() {
	case stateOpen, stateSent:
		c.abort(&CloseError{Code: StatusAbnormalClosure, Err: net.ErrClosed})
	case stateBoth:
		c.hurry()
	}
	return nil
}

// hurry leaves a close frame that is not out yet no more time than it needs if the
// peer takes it at once.
func (c *Conn) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeWritten && c.stateNow() == stateBoth {
		c.endWithinLocked(min(lingerTimeout, c.opts.CloseTimeout))
	}
}

// endWithinLocked bounds what is left of the connection's life.
func (c *Conn) endWithinLocked(d time.Duration) {
	if c.closeTimer == nil {
		c.closeTimer = time.AfterFunc(d, c.closeTimedOut)
	} else {
		c.closeTimer.Reset(d)
	}
}

var (
	errSendCode     = errors.New("websocket: this status code may not be sent: use 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455, 7.4)")
	errCloseTimeout = errors.New("websocket: the peer did not complete the closing handshake in time")
)

// awaitLocked waits until something changes. Who waits makes the condition: most
// connections never need it.
func (c *Conn) awaitLocked() {
	if c.changed == nil {
		c.changed = sync.NewCond(&c.mu)
	}
	c.changed.Wait()
}

// tellLocked tells those who wait that something has changed.
func (c *Conn) tellLocked() {
	if c.changed != nil {
		c.changed.Broadcast()
	}
}

func (c *Conn) stateNow() closeState { return closeState(c.state.Load()) }

// permanent returns the connection's error, if it has one.
func (c *Conn) permanent() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// step feeds the closing table and does what it says. cause becomes the
// connection's error unless there is one; permanent returns the one that counts.
func (c *Conn) step(ev closeEvent, cause error) {
	c.mu.Lock()
	was := c.stateNow()
	s := closeTable[was][ev]
	c.state.Store(uint32(s.next))
	if c.err == nil {
		c.err = cause
	}
	if ev == closeFailed || s.do&actAbort != 0 {
		if was < stateBoth || was == stateBoth && !c.closeWritten && c.unclean == nil {
			c.unclean = cause
		}
	}
	c.tellLocked()
	orderly := was == stateBoth && c.closeWritten
	if s.do&actTimer != 0 {
		c.endWithinLocked(c.opts.CloseTimeout)
	}
	c.mu.Unlock()

	if s.do&actSend != 0 {
		c.oweClose(closeReply(ev, cause))
	}
	if s.do&actFinish != 0 {
		go c.finish()
	}
	if s.do&actAbort != 0 {
		c.end(orderly)
	}
}

// closeReply returns what our close frame says.
func closeReply(ev closeEvent, cause error) (StatusCode, string) {
	e, ok := cause.(*CloseError)
	switch {
	case !ok:
		return failCode(cause), ""
	case ev == closeByPeer:
		return e.Code, "" // "the endpoint typically echos the status code it received" (5.5.1)
	}
	return e.Code, e.Reason
}

// closeTimedOut ends a closing handshake that takes too long. That is not the
// peer's doing if our close frame could not be sent.
func (c *Conn) closeTimedOut() {
	if c.stillReading() {
		return
	}
	c.wmu.Lock()
	err := c.werr
	c.wmu.Unlock()
	if err == nil {
		c.abort(errCloseTimeout)
		return
	}
	c.abort(&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: err})
}

// stillReading gives a reader that comes further in what was received before a write
// failed as long again.
func (c *Conn) stillReading() bool {
	if c.stateNow() != stateOpen {
		return false
	}
	c.beginPeek()
	defer c.endPeek()
	var reads uint32
	if c.tryBriefly() {
		reads = c.reads
		c.unlockReading()
	} else {
		var held bool
		if reads, held = c.inHook(); !held {
			return false // it waits at the stream: nothing is left
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stateNow() != stateOpen || reads == c.readsSeen {
		return false
	}
	c.readsSeen = reads
	c.endWithinLocked(c.opts.CloseTimeout)
	return true
}

// interrupted is for a context that ended during a call that only the end of the
// connection can end; but a write that has failed has the better reason.
func (c *Conn) interrupted(err error) {
	c.wmu.Lock()
	werr := c.werr
	c.wmu.Unlock()
	if werr != nil {
		c.abort(&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: werr})
		return
	}
	c.abort(&CloseError{Code: StatusAbnormalClosure, Err: err})
}

// abort closes the stream now.
func (c *Conn) abort(cause error) {
	c.step(closeTimer, cause)
}

// lost is for a stream that ended or failed: err is what it said.
func (c *Conn) lost(err error) {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.step(closeEOF, &CloseError{Code: StatusAbnormalClosure, Remote: true, Err: err})
}

// finish ends TCP in order once nothing more is to be said: "The server MUST
// close the underlying TCP connection immediately; the client SHOULD wait for the
// server to close the connection" (section 5.5.1). Closing a socket with unread
// bytes would send a reset, which can overtake our close frame; so the server
// ends its own direction first and reads on to the client's end. A timer bounds
// all of it.
func (c *Conn) finish() {
	linger := time.AfterFunc(c.opts.CloseTimeout, c.closeTimedOut)
	defer linger.Stop()
	c.awaitCloseWritten()
	linger.Reset(min(lingerTimeout, c.opts.CloseTimeout))
	if c.role == RoleServer {
		c.tr.closeWrite()
	}
	c.awaitReading()
	c.discard()
	c.unlockReading()
	c.step(closeEOF, nil)
}

// awaitCloseWritten waits until our close frame is on the wire, or cannot get
// there.
func (c *Conn) awaitCloseWritten() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closeWritten && c.stateNow() != stateClosed {
		c.awaitLocked()
	}
}

// awaitReading makes the caller the reader. It waits for the one who is, on the
// condition rather than on the mutex, which a synctest bubble takes for progress.
func (c *Conn) awaitReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.reading.TryLock() {
		c.awaitLocked()
	}
}

// join makes s the connection's Server, which is told when it ends, unless it has: then
// it returns false.
func (c *Conn) join(s *Server) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = s
	c.tells = c.stateNow() != stateClosed
	return c.tells
}

// isHandled tells whether Handle has been called.
func (c *Conn) isHandled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handled
}

// guard calls fn, and tells whether it panicked, if the connection's Server has been
// told; without one, a panic goes its way.
func (c *Conn) guard(fn func()) (panicked bool) {
	c.mu.Lock()
	s := c.server
	c.mu.Unlock()
	if s != nil {
		panicked = true
		defer s.recovered(c)
	}
	fn()
	return false
}

// end closes the stream and lets go of all that hangs on the connection. The
// table lets nobody come here twice.
func (c *Conn) end(orderly bool) {
	c.tr.close(orderly)
	c.stopKeepalive()
	c.mu.Lock()
	err := c.err
	if c.closeTimer != nil {
		c.closeTimer.Stop()
	}
	if c.cancel != nil {
		c.cancel(err)
	}
	server, tells := c.server, c.tells
	c.mu.Unlock()
	c.endWriter(err)
	defer func() { // also if the hook panics
		c.mu.Lock()
		c.ended = true
		c.tellLocked()
		c.mu.Unlock()
	}()
	if tells {
		defer server.leave(c)
	}
	c.opts.Hooks.close(c, err)
}

// Is makes errors.Is(err, net.ErrClosed) true for a connection closed here.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed && !e.Remote }
