package websocket

// The incoming direction of a Conn: bytes from the stream through the Receiver to
// the user. Next lends, Read gives away, Reader streams; all of them pull events
// out of nextEvent, which answers control frames on the way.
//
// What always holds: all state of a message that is half there lies in the Conn,
// so a read may be given up at any byte. What is lent lies in buf, msg or plain,
// which go back when the next read begins. The reader never waits for the writer.

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// reader is the part of a Conn that belongs to whoever holds reading. What each
// message needs comes first.
type reader struct {
	reading sync.Mutex
	more    atomic.Bool   // for writers: a reply may be held back, input is still buffered
	peeks   atomic.Uint32 // looks by a failed writer or the keepalive: those at work, and peekBegun for each that began
	waits   atomic.Bool   // the reader is at the stream itself: what has come before is behind it
	hooked  atomic.Uint32 // how many hooks the reader has called

	in        []byte         // read from the stream, not yet parsed
	buf       *buffer        // where in lies; nil if that is no pooled buffer
	lent      []byte         // what the last read lent
	msg       *buffer        // where asm joins messages
	plain     *buffer        // the message inflated
	incoming  *messageReader // the last one Reader returned
	stash     *stashed       // a message that peek came upon
	skipping  bool           // the rest of the message is not wanted
	ponged    bool           // a pong is framed and not yet written
	class     uint8          // the size of the next read buffer, as a power of two
	sparse    uint8          // how many reads in a row filled little of it
	returned  uint32         // messages not yet in the stats
	reads     uint32         // how many reads have begun
	readsSeen uint32         // what reads was when closeTimer fired last (stillReading); with mu, and here because there is room
	inflow    atomic.Uint64  // bytes received
	asm       Assembler
	recv      Receiver

	// dropper is the context of the CloseRead that is reading.
	dropper atomic.Pointer[context.Context]
}

const (
	maxReadBits = 16       // read buffers grow to 64 KiB while reads fill them
	maxSparse   = 4        // and shrink again after so many reads that filled little
	maxStray    = 100      // deadlines in a row that are not ours
	inPlace     = 32 << 10 // messages larger than this want a small one
)

func (c *Conn) initReader(leftover []byte) {
	c.recv.Reset(c.role, c.inflate != nil, Limits{
		Message: c.opts.ReadLimit,
		Frames:  c.opts.MaxFrames,
		Empty:   maxEmptyFrames,
	})
	c.class = minBufferBits
	c.in = leftover
	c.inflow.Store(uint64(len(leftover)))
}

// joiner returns the Assembler, which most connections never need.
func (c *Conn) joiner() *Assembler {
	if c.asm.Grow == nil {
		c.asm.Grow = c.growMessage
	}
	return &c.asm
}

// growMessage is the Assembler's Grow.
func (c *Conn) growMessage(_ []byte, n int) []byte {
	held := len(c.asm.Held())
	if c.msg != nil {
		c.msg.b = c.msg.b[:held]
	}
	c.msg = growBuffer(c.msg, n)
	return c.msg.b[:held]
}

// Next returns the next message: its opcode, [Text] or [Binary], and its payload,
// which is valid until the next read of any kind begins, and may be overwritten
// by the caller until then. Nothing is copied or allocated for a message that
// came in one piece. Text is valid UTF-8.
//
// While it waits it answers pings and close frames. The error is ctx.Err() when
// ctx ended, or os.ErrDeadlineExceeded after ReadIdleTimeout; the next read then
// goes on where this one stopped. Any other error, but that of a second reader, is
// permanent: a [*CloseError] when the connection was closed or lost, a [*ProtocolError] or
// [*MessageTooBigError] when the peer sent what it may not.
func (c *Conn) Next(ctx context.Context) (Opcode, []byte, error) {
	if err := c.lockReading(); err != nil {
		return 0, nil, err
	}
	op, p, err := c.next(ctx)
	c.unlockReading()
	return op, p, err
}

// Read is [Conn.Next] with a payload that is copied: the slice is yours.
func (c *Conn) Read(ctx context.Context) (Opcode, []byte, error) {
	return c.ReadAppend(ctx, nil)
}

// ReadAppend is [Conn.Next] with a payload that is appended to dst, whose array
// is used if it is large enough. With an error dst is returned unchanged.
func (c *Conn) ReadAppend(ctx context.Context, dst []byte) (Opcode, []byte, error) {
	if err := c.lockReading(); err != nil {
		return 0, dst, err
	}
	defer c.unlockReading()
	op, p, err := c.next(ctx)
	if err != nil {
		return 0, dst, err
	}
	if dst == nil {
		dst = []byte{} // and not one of the right size, which would be cleared first
	}
	dst = append(dst, p...)
	c.expireLent()
	return op, dst, nil
}

var errConcurrentRead = errors.New("websocket: another goroutine is reading: one reader at a time (CloseRead counts as one)")

// lockReading makes the caller the reader and takes back what the last read lent.
func (c *Conn) lockReading() error {
	if !c.reading.TryLock() {
		if err := c.tryReading(); err != nil {
			return err
		}
	}
	c.reads++
	c.expireLent()
	if c.incoming != nil {
		c.dropStream()
	}
	if c.stateNow() >= stateBoth {
		c.dropBuffers()
		c.unlockReading()
		return c.permanent()
	}
	return nil
}

// tryReading makes the caller the reader, unless somebody else is. A writer that has
// failed and looks for the peer's last words, and a CloseRead whose context has ended,
// are about to let go: it waits for them.
func (c *Conn) tryReading() error {
	for {
		peeks, dropper := c.peeks.Load(), c.dropper.Load()
		if c.reading.TryLock() {
			return nil
		}
		if c.stateNow() != stateOpen {
			return c.permanent()
		}
		c.mu.Lock()
		for c.peeks.Load()%peekBegun != 0 || dropper != nil && dropper == c.dropper.Load() && (*dropper).Err() != nil {
			c.awaitLocked()
		}
		c.mu.Unlock()
		if peeks == c.peeks.Load() && dropper == c.dropper.Load() {
			return errConcurrentRead // neither of them had the lock
		}
	}
}

// peekBegun is more looks than can go on at the same time.
const peekBegun = 1 << 8

// beginPeek is called by who tries to become the reader for a moment, before it does:
// so that a read that comes second finds why, and waits.
func (c *Conn) beginPeek() { c.peeks.Add(peekBegun + 1) }

// tryBriefly makes the caller the reader, unless the one who is waits at the stream or
// does not let go in a moment: then it is in a hook.
func (c *Conn) tryBriefly() bool {
	for range 100 {
		if c.reading.TryLock() {
			return true
		}
		if c.waits.Load() {
			return false
		}
		runtime.Gosched()
	}
	return false
}

// inHook tells whether the reader that did not let go is held up by a hook, and a
// number that changes with each that it calls. It is none that reads takes soon.
func (c *Conn) inHook() (mark uint32, held bool) {
	return ^c.hooked.Load(), !c.waits.Load()
}

// endPeek lets those read who have waited.
func (c *Conn) endPeek() {
	c.peeks.Add(^uint32(0))
	c.wakeWaiters()
}

// dropStream makes an unfinished Reader fail and what is left of its message be
// skipped.
func (c *Conn) dropStream() {
	if r := c.incoming; r != nil {
		r.stale = !r.done() // nothing of it is missing: it still ends with io.EOF
		c.skipping = c.skipping || !r.fin
		c.incoming = nil
	}
}

func (c *Conn) unlockReading() {
	c.reading.Unlock()
	if c.stateNow() != stateOpen {
		c.wakeWaiters() // Close, or finish, may want to read the rest itself
	}
}

// expireLent takes back what the last read lent.
func (c *Conn) expireLent() {
	expire(c.lent)
	c.lent = nil
	if c.plain != nil {
		c.plain.put()
		c.plain = nil
	}
	if c.msg != nil && !c.recv.inMessage {
		c.forgetMessage()
	}
	if len(c.in) == 0 {
		c.in = nil
		c.buf.put()
		c.buf = nil
	}
}

// forgetMessage lets go of what has been joined.
func (c *Conn) forgetMessage() {
	c.asm.Reset()
	c.msg.put()
	c.msg = nil
}

// dropBuffers lets go of everything; there is nothing more to read.
func (c *Conn) dropBuffers() {
	c.recv.inMessage = false
	c.in = nil
	c.expireLent()
}

// next reads one message.
func (c *Conn) next(ctx context.Context) (Opcode, []byte, error) {
	if s := c.stash; s != nil {
		c.lent = s.p
		c.unstash()
		return s.op, s.p, nil
	}
	for {
		if len(c.in) == 0 {
			if err := c.fill(ctx); err != nil {
				return 0, nil, err
			}
		}
		if op, p, n := c.recv.whole(c.in); n > 0 {
			c.in = c.in[n:]
			c.lend(op, p, len(p))
			return op, p, nil
		}
		ev, err := c.nextEvent(ctx)
		if err != nil {
			return 0, nil, err
		}
		if p, done := c.joiner().Add(ev); done {
			return c.deliver(ev, p)
		}
	}
}

// deliver lends the message whose last event is ev.
func (c *Conn) deliver(ev Event, p []byte) (Opcode, []byte, error) {
	wire := len(p)
	if ev.Compressed {
		var err error
		if p, err = c.inflateMessage(ev.Op, p); err != nil {
			c.countIn()
			c.step(closeFailed, err)
			return 0, nil, c.permanent()
		}
	}
	p = p[:len(p):len(p)] // what lies behind it is not the caller's to append to
	c.lend(ev.Op, p, wire)
	return ev.Op, p, nil
}

// lend takes note of p, a whole message, that is returned now.
func (c *Conn) lend(op Opcode, p []byte, wire int) {
	c.lent = p
	c.received(op, len(p), wire)
	if len(c.in) > 0 && c.batch.Load() {
		if !c.more.Load() {
			c.more.Store(true)
		}
	} else if c.ponged {
		c.flushHeld(false)
	}
}

// received takes note of a whole message that is returned now.
func (c *Conn) received(op Opcode, payload, wire int) {
	c.returned++
	if len(c.in) == 0 {
		c.countIn()
	}
	if h := c.opts.Hooks; h != nil {
		c.hooked.Add(1)
		h.message(c, op, false, payload, wire)
	}
}

// nextEvent returns the next chunk of a message and sees to everything else.
func (c *Conn) nextEvent(ctx context.Context) (Event, error) {
	for {
		for len(c.in) > 0 {
			ev, n := c.recv.Next(c.in)
			c.in = c.in[n:]
			if ev.Kind == KindChunk {
				if !c.skipping {
					return ev, nil
				}
				c.skipping = !ev.Fin
				continue
			}
			if ev.Kind != KindNone && !c.control(ev) {
				return Event{}, c.permanent()
			}
		}
		if err := c.fill(ctx); err != nil {
			return Event{}, err
		}
	}
}

// control acts on an event that is no chunk, and tells whether to read on.
func (c *Conn) control(ev Event) bool {
	c.countIn()
	if h := c.opts.Hooks; h != nil && ev.Kind != KindFail {
		c.hooked.Add(1)
		h.control(c, ev.Op, ev.Data)
	}
	switch ev.Kind {
	case KindPing:
		c.owePong(ev.Data)
		return true
	case KindPong:
		c.pings.answered(ev.Data)
		return true
	case KindClose:
		c.step(closeByPeer, &CloseError{Code: ev.Code, Reason: string(ev.Data), Remote: true})
	case KindFail:
		c.step(closeFailed, c.recv.Err())
	}
	return false
}

// fill waits for bytes: into the message if much of its frame is still to come,
// else into a buffer, which is borrowed only when there is something to read.
func (c *Conn) fill(ctx context.Context) error {
	ctx = c.watched(ctx)
	if err := ctx.Err(); err != nil {
		if c.stateNow() == stateClosed {
			return c.permanent() // which may be why ctx ended
		}
		return err
	}
	c.countIn()
	c.in = nil
	c.buf.put()
	c.buf = nil
	if c.more.Load() {
		c.more.Store(false) // who held a reply back did so before flushHeld looks
		c.flushHeld(ctx.Done() == nil)
	} else if c.ponged {
		c.flushHeld(false)
	}
	if !c.tr.parks() {
		c.tr.in.arm(ctx)
	}
	for tries := 0; ; {
		room := c.asm.Room(c.recv.Pending())
		if !c.waits.Load() { // or else a service goes on with the wait that it was parked in
			c.tr.in.extend(c.opts.ReadIdleTimeout)
			c.waits.Store(true)
		}
		b, buf, err := c.tr.read(room, 1<<c.class)
		if err == errWouldBlock {
			return err // to be parked, which is waiting
		}
		c.waits.Store(false)
		if !c.tr.in.timed {
			c.tr.in.disarm()
		}
		if err == nil {
			c.in, c.buf = b, buf
			c.heard(len(b))
			c.fitBuffer(buf, len(b))
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.readFailed(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.opts.ReadIdleTimeout > 0 && c.tr.in.expired() {
			c.tr.in.clear()
			return os.ErrDeadlineExceeded
		}
		if tries++; tries > maxStray {
			return c.readFailed(err)
		}
		c.tr.in.reset() // of a context that ended just as it was replaced, or none of ours
		if err := ctx.Err(); err != nil {
			return err // and reset took its interrupt back
		}
	}
}

// fitBuffer makes the next read buffer larger if this one was filled, and smaller
// if most of it stayed empty a few times in a row: the end of a message that just
// did not fit is no reason. A message so large that it is read in place begins in a
// small buffer, if the next one is like it: what came there has to be copied.
func (c *Conn) fitBuffer(buf *buffer, n int) {
	switch {
	case buf == nil:
		if uint64(len(c.asm.Held()))+c.recv.Pending() > inPlace {
			c.class = minBufferBits
		}
	case n >= cap(buf.b)/8:
		c.sparse = 0
		if n == cap(buf.b) && c.class < maxReadBits {
			c.class++
		}
	case c.class > minBufferBits:
		if c.sparse++; c.sparse == maxSparse {
			c.class--
			c.sparse = 0
		}
	}
}

// readFailed is for a stream that ended or failed under a read.
func (c *Conn) readFailed(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.lost(err)
	c.dropBuffers()
	return c.permanent()
}

// drain reads on after our close frame, for Close, and drops what comes.
func (c *Conn) drain() {
	c.dropStream()
	c.keepLent()
	for c.stateNow() == stateSent {
		if _, err := c.nextEvent(context.Background()); err != nil {
			return
		}
	}
}

// keepLent leaves what was lent to its borrower for good: another goroutine than
// the one who borrowed it is reading on.
func (c *Conn) keepLent() {
	if c.lent == nil {
		return
	}
	c.lent = nil
	c.in = append([]byte(nil), c.in...)
	c.buf, c.msg, c.plain = nil, nil, nil
	c.tr.newProbe()
	c.asm.Reset()
}

// discard reads the stream to its end, when nothing on it matters any more. It
// waits without a buffer where the stream allows it: many may linger at once.
func (c *Conn) discard() {
	c.tr.in.arm(context.Background())
	c.tr.in.clear() // of ReadIdleTimeout: another one bounds this
	for {
		_, buf, err := c.tr.read(nil, 1<<minBufferBits)
		if err != nil {
			return
		}
		buf.put()
	}
}

// CloseRead is for connections that only write. It reads in a goroutine of its
// own and drops every message, so that pings are answered and the peer's close is
// seen, until ctx ends or the connection does. The context it returns is ctx,
// ended also by the end of the connection, whose error is then its cause.
//
// While it reads no other read is possible; they return an error. One that begins
// when ctx has ended waits for it to let go.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	if err := c.lockReading(); err != nil {
		cancel(err)
		return ctx
	}
	c.dropper.Store(&ctx)
	c.stash = nil
	go func() {
		var err error
		for err == nil || err == os.ErrDeadlineExceeded { // ReadIdleTimeout is for reads that can go on
			err = c.dropEvent(ctx)
		}
		c.skipping = c.recv.inMessage && !c.recv.first && !c.remembers()
		c.unlockReading()
		c.dropper.CompareAndSwap(&ctx, nil)
		c.wakeWaiters()
		cancel(err)
	}()
	return ctx
}

// stashed is a message that was read before anyone asked for it.
type stashed struct {
	op   Opcode
	p    []byte
	wire int // its size as it came
}

// unstash is for a stashed message that is returned now.
func (c *Conn) unstash() {
	s := c.stash
	c.stash = nil
	c.received(s.op, len(s.p), s.wire)
}

// peek reads on until it has found out how the stream ended, for a writer that
// failed. It tells whether it has, or has come upon a message, which the next
// read returns.
func (c *Conn) peek(ctx context.Context) bool {
	if r := c.incoming; r != nil && !r.done() {
		return true // who reads this message will find out
	}
	c.dropStream()
	c.keepLent()
	for c.stash == nil {
		ev, err := c.nextEvent(ctx)
		if err != nil {
			return c.stateNow() != stateOpen
		}
		p, done := c.joiner().Add(ev)
		if !done {
			continue
		}
		wire := len(p)
		if ev.Compressed {
			if p, err = c.inflateMessage(ev.Op, p); err != nil {
				return false
			}
		}
		c.stash = &stashed{ev.Op, append([]byte(nil), p...), wire}
		c.expireLent()
	}
	return true
}
