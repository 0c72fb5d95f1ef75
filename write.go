package websocket

// The outgoing direction of a Conn. Whoever writes holds the pen; who comes
// meanwhile queues with its message, and the next in the queue takes the small
// messages behind it along in one system call. What the reader owes, a pong or a
// close frame, waits in one slot and goes out when the pen changes hands.
//
// What always holds: frames go out whole and in the order of the queue; at most
// one pong waits, the newest; nothing follows a close frame. A message that was
// given up before its first byte went out leaves no trace.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxHeld    = 16 << 10             // replies held back, in bytes
	maxHold    = 5 * time.Millisecond // and for how long
	maxGather  = 64 << 10             // small messages that leave together
	copyLimit  = 8 << 10              // larger payloads of a server are not copied
	maskChunk  = 64 << 10             // a client masks a large payload in pieces
	lookAround = 100 * time.Millisecond
)

// writer is the part of a Conn that writes.
type writer struct {
	wmu       sync.Mutex
	busy      bool           // somebody has the pen
	holdArmed bool           // holdTimer has been set and has not fired
	role      Role           // never changes, and is here because there is room
	queued    atomic.Int32   // how many are in the queue: with 0 the pen need not look
	batch     atomic.Bool    // hold replies back
	key       [4]byte        // with the pen: masks the payload that is written behind out, a client's
	stream    *messageWriter // an open Writer: other messages wait
	werr      error          // the stream takes nothing any more

	// With the pen, or with wmu while nobody has the pen.
	out    *buffer // frames not yet written; nil if there are none
	framed uint32  // messages not yet in the stats
	held   bool    // out has a message whose Write has returned
	due    bool    // out has what the reader owed: it goes out as soon as it can
	sender Sender

	owed        *owed   // made when first needed
	first, last *waiter // the queue
	spare       *waiter // those that have left it, to be used again
	holdTimer   *time.Timer
}

// owed is what the reader leaves for the pen.
type owed struct {
	pong   bool
	close  bool
	code   StatusCode
	reason string
	ping   []byte // what the pong answers
}

// outgoing is one thing to be written.
type outgoing struct {
	op       Opcode // Continuation stands for a mere flush
	p        []byte
	prepared *Prepared
	ping     *pinger        // who waits for the pong of a Ping, if anybody
	stream   *messageWriter // the Writer whose fragment it is
	fin      bool           // of a fragment
	begin    bool           // nothing yet: a Writer wants to begin
	plain    bool           // not to be compressed
	leave    bool           // once begun it is sent, also if ctx ends meanwhile

	compressed bool // set by encode: it was, and to so many bytes
	wire       int
}

// small tells whether m may be framed together with others.
func (m *outgoing) small() bool { return m.stream == nil && !m.begin && len(m.p) <= copyLimit }

// A waiter is an outgoing in the queue.
type waiter struct {
	outgoing
	next  *waiter
	lead  bool          // ready means: you have the pen
	err   error         // else: it is done, with this result
	ready chan struct{} // has room for one
}

func (c *Conn) initWriter() {
	c.sender.Reset(c.role)
	c.batch.Store(c.opts.Batch)
}

// Write sends p as one message: op is [Text], whose p should be valid UTF-8 (the
// peer must fail the connection otherwise), or [Binary]. It does not keep p, nor
// change it, and returns when p has been handed to the stream, or held back (see
// Options.Batch): that it returned nil does not mean that the peer has it.
//
// If ctx ends before a byte of the message went out, the error is ctx.Err() and
// the connection as good as before. If it ends in the middle of a frame, or at all
// while TLS is writing, or WriteTimeout passes, the connection is over and the error
// says so. A small message that leaves together with that of another goroutine, which
// was waiting before it, shares its lot: from then on only WriteTimeout counts. A write
// after the connection ended returns the connection's error: the peer's close, if
// that is how it ended.
func (c *Conn) Write(ctx context.Context, op Opcode, p []byte) error {
	if !op.isMessage() {
		return errSendOpcode
	}
	if c.more.Load() && c.holdMessage(ctx, op, p) {
		return nil
	}
	return c.submit(ctx, &outgoing{op: op, p: p})
}

// holdMessage is the short way through submit and holdLocked, for a small message behind
// others that are held back: nearly all are that, where many come together. If this one is
// anything else, it does nothing. The Sender is not asked: the connection is open, and no
// Writer is.
func (c *Conn) holdMessage(ctx context.Context, op Opcode, p []byte) bool {
	if len(p) > copyLimit || c.deflate != nil || c.watched(ctx).Err() != nil {
		return false
	}
	c.wmu.Lock()
	defer c.wmu.Unlock() // also if a hook panics
	if c.busy || !c.held || c.stream != nil || c.werr != nil || c.stateNow() != stateOpen ||
		len(c.out.b)+len(p)+maxHeader >= min(maxHeld, cap(c.out.b)) {
		return false
	}
	c.out.b = c.sender.appendFrame(c.out.b, finBit|byte(op), p)
	c.framed++
	c.opts.Hooks.message(c, op, true, len(p), len(p))
	return true
}

// Flush writes what Options.Batch or [Conn.Serve] holds back.
func (c *Conn) Flush(ctx context.Context) error {
	return c.submit(ctx, &outgoing{op: Continuation})
}

// submit writes m, or leaves it with the next who has the pen, and waits for it.
func (c *Conn) submit(ctx context.Context, m *outgoing) error {
	ctx = c.watched(ctx)
	if err := ctx.Err(); err != nil {
		return c.endedOr(err)
	}
	c.wmu.Lock()
	if c.werr != nil || c.stateNow() != stateOpen {
		c.wmu.Unlock()
		return c.writeError()
	}
	switch {
	case c.busy || c.stream != nil && m.stream == nil && m.op.isMessage():
		if lead, err := c.waitLocked(ctx, *m); !lead {
			return err
		}
	case c.more.Load() && m.op.isMessage() && m.small() && c.out.len()+len(m.p)+maxHeader < maxHeld:
		defer c.wmu.Unlock() // also if a hook panics
		return c.holdLocked(m)
	default:
		c.busy = true
		c.wmu.Unlock()
	}
	defer c.passPen(!m.leave && ctx.Done() == nil) // as above
	return c.lead(ctx, m)
}

// endedOr returns err, of a context that has ended, unless the connection has too: the
// context may be derived from its own, and that is the reason then.
func (c *Conn) endedOr(err error) error {
	if c.stateNow() == stateClosed {
		return c.writeError()
	}
	return err
}

// holdLocked frames m and keeps it.
func (c *Conn) holdLocked(m *outgoing) error {
	begun := c.out != nil
	if _, err := c.encode(m); err != nil {
		return c.sendError(err)
	}
	c.commit(m)
	c.held = true
	if !begun {
		c.armHoldLocked()
	}
	return nil
}

// armHoldLocked sees to it that what is held goes out even if the reader is kept
// from going on: its handler may be slow.
func (c *Conn) armHoldLocked() {
	switch {
	case c.holdArmed: // for what was held before: it fires all the sooner
	case c.holdTimer == nil:
		c.holdTimer = time.AfterFunc(maxHold, c.flushLate)
	default:
		c.holdTimer.Reset(maxHold)
	}
	c.holdArmed = true
}

func (c *Conn) flushLate() {
	c.wmu.Lock()
	c.holdArmed = false
	c.wmu.Unlock()
	if c.takePen() {
		c.writeRest(false)
		c.passPen(true)
	}
}

// takePen takes the pen if it is free and there is something to write.
func (c *Conn) takePen() bool {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.busy || c.out == nil {
		return false
	}
	c.busy = true
	return true
}

// waitLocked queues m and waits until it is written or has the pen, or ctx ends.
// It unlocks wmu.
func (c *Conn) waitLocked(ctx context.Context, m outgoing) (lead bool, err error) {
	w := c.spare
	if w == nil {
		w = &waiter{ready: make(chan struct{}, 1)}
	} else {
		c.spare, w.next = w.next, nil
	}
	w.outgoing = m
	c.queueLocked(w)
	c.wmu.Unlock()
	select {
	case <-w.ready:
	case <-ctx.Done():
		c.wmu.Lock()
		waiting := c.unqueueLocked(w)
		blocked := c.stream != nil && m.stream == nil
		c.wmu.Unlock()
		if waiting {
			c.freeWaiter(w)
			if blocked {
				return false, c.endedOr(fmt.Errorf("%w: another Writer of the connection is not closed", ctx.Err()))
			}
			return false, c.endedOr(ctx.Err())
		}
		<-w.ready // somebody is writing it, or gave us the pen
	}
	lead, err = w.lead, w.err
	c.freeWaiter(w)
	return lead, err
}

// freeWaiter keeps w for the next who has to wait. Not in a pool of all
// connections: a channel may not leave the synctest bubble it was made in.
func (c *Conn) freeWaiter(w *waiter) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	*w = waiter{ready: w.ready, next: c.spare}
	c.spare = w
}

func (w *waiter) wake(err error) {
	w.err = err
	w.ready <- struct{}{}
}

// queueLocked appends w. Fragments and control frames go before messages: these
// may have to wait for the last fragment.
func (c *Conn) queueLocked(w *waiter) {
	c.queued.Add(1)
	switch {
	case c.first == nil:
		c.first, c.last = w, w
	case w.stream != nil || w.op.isControl():
		w.next, c.first = c.first, w
	default:
		c.last.next, c.last = w, w
	}
}

// unqueueLocked removes w and tells whether it was there.
func (c *Conn) unqueueLocked(w *waiter) bool {
	var before *waiter
	for at := c.first; at != nil; before, at = at, at.next {
		if at != w {
			continue
		}
		if before == nil {
			c.first = w.next
		} else {
			before.next = w.next
		}
		if c.last == w {
			c.last = before
		}
		c.queued.Add(-1)
		return true
	}
	return false
}

// popLocked takes the first of the queue that may be written now.
func (c *Conn) popLocked() *waiter {
	w := c.first
	if w == nil || c.stream != nil && w.stream == nil && w.op.isMessage() && c.werr == nil {
		return nil
	}
	c.first = w.next
	if c.first == nil {
		c.last = nil
	}
	c.queued.Add(-1)
	return w
}

// lead writes m, with the pen, and what small messages wait behind it.
func (c *Conn) lead(ctx context.Context, m *outgoing) error {
	if err := ctx.Err(); err != nil {
		return c.endedOr(err)
	}
	if c.stateNow() != stateOpen {
		return c.writeError()
	}
	mark := c.out.len()
	inside := c.sender.inside
	direct, err := c.encode(m)
	if err != nil {
		return c.sendError(err)
	}
	var others *waiter
	if direct == nil {
		others = c.gather()
	}
	n, err := c.writeOut(ctx, direct)
	switch {
	case err == nil:
		c.commit(m)
	case ctx.Err() != nil && c.tr.probe != nil:
		err = c.writeFailed(ctx, err, false) // crypto/tls takes no more after a write that was cut
	case n <= mark && ctx.Err() != nil && !c.sender.closed:
		c.out.b = c.out.b[:mark-n] // what was held stays held
		c.sender.inside = inside
		c.requeue(others)
		return c.endedOr(ctx.Err())
	case m.leave && ctx.Err() != nil && direct == nil:
		c.commit(m)
		c.due, err = true, nil // passPen sees to the rest of the frame
	default:
		err = c.writeFailed(ctx, err, false)
	}
	for w := others; w != nil; {
		next := w.next
		if err == nil {
			c.commit(&w.outgoing)
		}
		w.wake(err)
		w = next
	}
	return err
}

// encode frames m onto out. direct is the payload, or the rest of it, if that is
// to be written behind out without having been copied; a client's is masked yet.
func (c *Conn) encode(m *outgoing) (direct []byte, err error) {
	if m.op == Continuation {
		return nil, nil
	}
	switch {
	case m.prepared != nil:
		return c.encodePrepared(m)
	case m.op == Ping:
		payload := c.pings.next(m.ping)
		c.growOut(maxHeader + len(payload))
		c.out.b, err = c.sender.AppendPing(c.out.b, payload[:])
	case m.stream != nil:
		c.growOut(maxHeader + min(len(m.p), copyLimit))
		c.out.b, err = c.sender.AppendFragment(c.out.b, m.op, m.p, m.fin)
	case c.deflate != nil && !m.plain:
		if z := c.deflateMessage(m.p); z != nil {
			c.growOut(z.len() + maxHeader)
			c.out.b, err = c.sender.AppendCompressed(c.out.b, m.op, z.b)
			m.compressed, m.wire = true, z.len()
			z.put()
			return nil, err
		}
		return c.encodePlain(m)
	default:
		return c.encodePlain(m)
	}
	return nil, err
}

func (c *Conn) encodePlain(m *outgoing) (direct []byte, err error) {
	op, p := m.op, m.p
	switch {
	case len(p) <= copyLimit || m.leave:
		c.growOut(len(p) + maxHeader)
		c.out.b, err = c.sender.AppendMessage(c.out.b, op, p)
	default:
		c.growOut(maxHeader)
		c.out.b, c.key, err = c.sender.appendBareHeader(c.out.b, op, len(p))
		direct = p
	}
	if err != nil {
		return nil, err
	}
	return direct, nil
}

// commit is for m being on its way, or held: nothing can take it back.
func (c *Conn) commit(m *outgoing) {
	if !m.op.isMessage() || m.stream != nil && !m.fin {
		return
	}
	payload := len(m.p)
	if m.stream != nil {
		payload = m.stream.size
	}
	wire := payload
	if m.compressed {
		c.deflate.slide(m.p)
		wire = m.wire
	}
	c.framed++
	c.opts.Hooks.message(c, m.op, true, payload, wire)
}

// growOut makes room for n more bytes in out.
func (c *Conn) growOut(n int) { c.out = growBuffer(c.out, c.out.len()+n) }

func (b *buffer) len() int {
	if b == nil {
		return 0
	}
	return len(b.b)
}

// gather frames the small messages at the head of the queue.
// With compression every message is written by its own writer: its window moves
// only when the message is out.
func (c *Conn) gather() (others *waiter) {
	if c.queued.Load() == 0 {
		return nil
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	tail := &others
	for c.deflate == nil && !c.sender.closed && c.out.len() < maxGather {
		w := c.first
		if w == nil || !w.small() {
			break
		}
		if w = c.popLocked(); w == nil {
			break
		}
		w.next = nil
		if _, err := c.encode(&w.outgoing); err != nil {
			w.wake(c.sendError(err))
			continue
		}
		*tail, tail = w, &w.next
	}
	return others
}

// requeue puts those back whose frames were dropped with ours.
func (c *Conn) requeue(others *waiter) {
	if others == nil {
		return
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	last := others
	for c.queued.Add(1); last.next != nil; c.queued.Add(1) {
		last = last.next
	}
	last.next = c.first
	c.first = others
	if c.last == nil {
		c.last = last
	}
}

// writeOut writes out and then direct, and returns how many bytes went.
func (c *Conn) writeOut(ctx context.Context, direct []byte) (n int, err error) {
	if c.out.len() == 0 && direct == nil {
		c.dropOut()
		return 0, nil
	}
	switch {
	case direct == nil:
		n, err = c.tr.write(ctx, c.out.b, c.opts.WriteTimeout)
	case c.role == RoleServer:
		n, err = c.tr.writeVec(ctx, c.out.b, direct, c.opts.WriteTimeout)
	default:
		n, err = c.writeMasked(ctx, direct)
	}
	c.stats.sent(n)
	if err == nil {
		c.dropOut()
	} else if n <= len(c.out.b) {
		c.out.b = c.out.b[:copy(c.out.b, c.out.b[n:])]
	}
	return n, err
}

// writeMasked writes out and then p, masked piece by piece: p itself is not ours
// to change, and a copy of all of it would be as large as it is.
func (c *Conn) writeMasked(ctx context.Context, p []byte) (n int, err error) {
	c.out = growBuffer(c.out, maskChunk)
	for pos := 0; pos < len(p); {
		at := len(c.out.b)
		k := min(cap(c.out.b)-at, len(p)-pos)
		c.out.b = c.out.b[:at+k]
		Mask(c.out.b[at:], p[pos:pos+k], c.key, pos)
		m, err := c.tr.write(ctx, c.out.b, c.opts.WriteTimeout)
		n += m
		if err != nil {
			return n, err
		}
		pos += k
		c.out.b = c.out.b[:0]
	}
	return n, nil
}

// dropOut lets go of out, all of which is written, or never will be.
func (c *Conn) dropOut() {
	c.out.put()
	c.out, c.held, c.due = nil, false, false
	if c.sender.closed {
		c.mu.Lock()
		c.closeWritten = true
		c.tellLocked()
		c.mu.Unlock()
	}
}

// passPen gives the pen to the next in the queue, or puts it down. What the
// reader left in the meantime goes along with the next, or goes now; with wait
// false, by a goroutine of its own.
func (c *Conn) passPen(wait bool) {
	if !c.held {
		c.countOut()
	}
	for {
		c.wmu.Lock()
		c.appendOwedLocked()
		w := c.popLocked()
		failed := c.werr != nil
		if w == nil && (failed || !c.due) {
			if failed || c.out.len() == 0 {
				c.out.put() // what was in it has been given up
				c.out, c.held, c.due, c.framed = nil, false, false, 0
			} else {
				c.armHoldLocked() // what it was framed with was given up
			}
			c.busy = false
			c.wmu.Unlock()
			return
		}
		c.wmu.Unlock()
		switch {
		case w != nil && failed:
			w.wake(c.writeError())
		case w != nil:
			w.lead = true
			w.wake(nil)
			return
		case !wait:
			go c.flushRest(false)
			return
		default:
			c.writeRest(false)
			c.countOut()
		}
	}
}

func (c *Conn) appendOwedLocked() {
	o := c.owed
	if o == nil || !o.pong && !o.close || c.werr != nil {
		return
	}
	c.growOut(2 * (maxControl + maxHeader))
	if o.pong {
		c.out.b, _ = c.sender.AppendPong(c.out.b, o.ping)
		o.pong = false
	}
	if o.close {
		c.out.b = c.sender.AppendClose(c.out.b, o.code, o.reason)
		o.close = false
	}
	c.due = true
}

func (c *Conn) owedLocked() *owed {
	if c.owed == nil {
		c.owed = new(owed)
	}
	return c.owed
}

// owePong answers a ping, for the reader, which may not wait. If the pen is free
// the pong is framed at once and goes out before the reader waits or returns.
//
// "If an endpoint receives a Ping frame and has not yet sent Pong frame(s) in
// response to previous Ping frame(s), the endpoint MAY elect to send a Pong frame
// for only the most recently processed Ping frame." (section 5.5.3)
func (c *Conn) owePong(data []byte) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.werr != nil || c.stateNow() != stateOpen {
		return
	}
	if c.busy {
		o := c.owedLocked()
		o.pong, o.ping = true, append(o.ping[:0], data...)
		return
	}
	c.growOut(maxControl + maxHeader)
	c.out.b, _ = c.sender.AppendPong(c.out.b, data)
	c.ponged = true
	c.armHoldLocked()
}

// oweClose leaves the close frame to whoever has the pen, or to a goroutine: the
// caller may be the reader, which may not wait.
func (c *Conn) oweClose(code StatusCode, reason string) {
	c.wmu.Lock()
	o := c.owedLocked()
	o.close, o.code, o.reason = true, code, reason
	o.pong = false
	free := !c.busy
	c.busy = true
	c.wmu.Unlock()
	if free {
		go c.passPen(true)
	}
}

// flushHeld writes what is held back, for the reader before it waits. Pongs alone
// never keep it; replies of the handler do with wait, as its writes would. Else a
// goroutine sees to what the peer does not take at once, and the next write waits
// behind it.
func (c *Conn) flushHeld(wait bool) {
	c.ponged = false
	if !c.takePen() {
		return
	}
	c.tr.out.yield(context.Background())
	n, err := c.tr.tryWrite(c.out.b)
	c.stats.sent(n)
	if err == nil && n == len(c.out.b) {
		c.dropOut()
		c.passPen(false)
		return
	}
	c.out.b = c.out.b[:copy(c.out.b, c.out.b[n:])]
	if c.held && wait {
		c.flushRest(true)
	} else {
		go c.flushRest(false)
	}
}

// flushRest writes out, with the pen, waiting for the peer, and passes the pen.
func (c *Conn) flushRest(reader bool) {
	c.writeRest(reader)
	c.passPen(!reader)
}

func (c *Conn) writeRest(reader bool) {
	if _, err := c.writeOut(context.Background(), nil); err != nil {
		c.writeFailed(context.Background(), err, reader)
	}
}

// writeFailed ends the connection's outgoing direction: nothing more can be sent
// on a stream that failed, or in whose last frame bytes are missing. It returns
// what the writer is told. reader tells that the caller is the reader, who will
// see for itself what else the stream has to say.
func (c *Conn) writeFailed(ctx context.Context, err error, reader bool) error {
	look := false
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("websocket: write cut in the middle of a frame, which ends the connection: %w", ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("websocket: the peer took no bytes for %v (see Options.WriteTimeout): %w", c.opts.WriteTimeout, err)
	default:
		look = true
	}
	c.wmu.Lock()
	if c.werr == nil {
		c.werr = err
	}
	c.wmu.Unlock()
	lost := &CloseError{Code: StatusAbnormalClosure, Remote: look, Err: err}
	c.mu.Lock()
	if !c.closeWritten && c.unclean == nil {
		c.unclean = lost
	}
	c.closeWritten = true // or never will be
	c.tellLocked()
	c.mu.Unlock()
	if !look || !reader && !c.lookForClose() {
		c.step(closeEOF, lost)
	}
	c.mu.Lock()
	if c.stateNow() == stateOpen {
		c.endWithinLocked(c.opts.CloseTimeout) // so long a reader may find messages that came before
	}
	c.mu.Unlock()
	c.out.put()
	c.out, c.held, c.due, c.framed = nil, false, false, 0
	return c.writeError()
}

// lookForClose tells whether the stream that took no more bytes has something to
// say for itself: a close frame that the peer had sent before, which then is the
// connection's error, or messages, which a reader may still want.
func (c *Conn) lookForClose() bool {
	c.beginPeek()
	if c.reading.TryLock() {
		defer c.endPeek()
		defer c.unlockReading()
		ctx, cancel := context.WithTimeout(context.Background(), lookAround)
		defer cancel()
		return c.peek(ctx)
	}
	c.endPeek()
	// Somebody is reading, and will find what there is to find: we wait a little
	// for it, to have the better error.
	until := time.Now().Add(lookAround)
	timer := time.AfterFunc(lookAround, c.wakeWaiters)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.stateNow() == stateOpen && time.Now().Before(until) {
		c.awaitLocked()
	}
	return true
}

func (c *Conn) wakeWaiters() {
	c.mu.Lock()
	c.tellLocked()
	c.mu.Unlock()
}

// writeError returns what a write is told that cannot be done.
func (c *Conn) writeError() error {
	if err := c.permanent(); err != nil {
		return err
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	return &CloseError{Code: StatusAbnormalClosure, Remote: true, Err: c.werr}
}

// sendError translates an error of the Sender.
func (c *Conn) sendError(err error) error {
	if err == errSendClosed {
		return c.writeError()
	}
	return err
}

// endWriter fails everything that waits to be written.
func (c *Conn) endWriter(err error) {
	c.wmu.Lock()
	if c.werr == nil {
		c.werr = err
	}
	if c.holdTimer != nil {
		c.holdTimer.Stop()
	}
	free := !c.busy
	c.busy = true
	c.wmu.Unlock()
	if free {
		c.out.put()
		c.out, c.held, c.due, c.framed = nil, false, false, 0
		c.passPen(false)
	}
	c.pings.end(err)
}
