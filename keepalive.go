package websocket

// Is the peer still there? Ping asks once, for a caller who waits for the pong;
// the keepalive asks whenever nothing has come for an interval. One timer for a
// connection, or one for all those at a poller; no goroutine.

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultKeepaliveInterval = 30 * time.Second
	defaultKeepaliveTimeout  = 10 * time.Second
)

// pings are the pings of a connection and those who wait for their pongs. A
// ping's payload is its number, so that a pong for a later one answers the
// earlier ones too: the peer may answer only the newest (RFC 6455, 5.5.3).
//
// Moments are those of moment, with 0 for never.
type pings struct {
	heard atomic.Int64 // when the last bytes came, or a moment before that

	pmu     sync.Mutex
	sent    uint64        // number of the last ping
	sentAt  time.Duration // 0 if its pong has come
	rtt     time.Duration
	waiting []*pinger // in the order of their numbers
	gone    error     // the connection's, when it has ended

	timer  *time.Timer   // nil where there is an alarm instead (alarm_linux.go)
	asked  time.Duration // when the keepalive pinged; 0 if it does not wait
	since  time.Duration // from when on it waits
	due    time.Duration // when keepalive should be called
	unsent bool          // its ping waits behind a message that is being written
	over   bool          // the timer is not to be set again

	had     uint32 // the lower half of inflow, when it pinged, to see it change
	wasOut  uint32 // transport.moved, when the ping was last found to be unsent
	wasRead uint32 // how far the reader was (behind), when its pong was last found to be behind input
}

// pinger is a call of Ping that waits.
type pinger struct {
	number uint64     // 0 until its ping is framed
	done   chan error // has room for one
}

// Ping sends a ping and waits for its pong (RFC 6455, section 5.5.2), so that
// everything written before it has reached the peer's WebSocket layer when it
// returns nil. The round trip is in Stats. Somebody has to be reading meanwhile:
// it is the reader that sees the pong. It returns ctx.Err() when ctx ends first,
// and the connection's error when that ends.
func (c *Conn) Ping(ctx context.Context) error {
	ctx = c.watched(ctx)
	w := &pinger{done: make(chan error, 1)}
	if err := c.submit(ctx, &outgoing{op: Ping, ping: w}); err != nil {
		c.pings.forget(w)
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		c.pings.forget(w)
		return c.endedOr(ctx.Err())
	}
}

// next returns the payload of the next ping, which w waits for; nil if nobody
// does. Numbers are given when the ping is framed, in the order of the wire: a
// pong for one answers those before it.
func (p *pings) next(w *pinger) (payload [8]byte) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	p.sent++
	p.sentAt = moment()
	binary.BigEndian.PutUint64(payload[:], p.sent)
	switch {
	case w == nil:
	case p.gone != nil:
		w.done <- p.gone
	default:
		p.forgetLocked(w) // if it is framed anew
		w.number = p.sent
		p.waiting = append(p.waiting, w)
	}
	return payload
}

// forget is for a caller that no longer waits.
func (p *pings) forget(w *pinger) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	p.forgetLocked(w)
}

func (p *pings) forgetLocked(w *pinger) {
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// answered takes note of a pong. One that answers no ping of ours is what
// section 5.5.3 allows, "a unidirectional heartbeat", and changes nothing.
func (p *pings) answered(payload []byte) {
	if len(payload) != 8 {
		return
	}
	number := binary.BigEndian.Uint64(payload)
	p.pmu.Lock()
	defer p.pmu.Unlock()
	if number > p.sent {
		return
	}
	if number == p.sent && p.sentAt != 0 {
		p.rtt, p.sentAt = moment()-p.sentAt, 0
	}
	for len(p.waiting) > 0 && p.waiting[0].number <= number {
		p.waiting[0].done <- nil
		p.waiting = p.waiting[1:]
	}
}

// end answers everybody with err.
func (p *pings) end(err error) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	p.gone = err
	for _, w := range p.waiting {
		w.done <- err
	}
	p.waiting = nil
}

func (p *pings) lastRTT() time.Duration {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	return p.rtt
}

// startKeepalive arms the timer, if keepalive is on.
func (c *Conn) startKeepalive() {
	if c.opts.KeepaliveInterval <= 0 {
		return
	}
	c.pings.pmu.Lock()
	defer c.pings.pmu.Unlock()
	now := moment()
	c.pings.heard.Store(int64(now))
	c.pings.due = now + c.opts.KeepaliveInterval
	if c.tr.sock == nil {
		c.pings.timer = time.AfterFunc(c.opts.KeepaliveInterval, c.keepalive)
	}
	c.alarmLocked()
}

// alarmLocked sees to it that keepalive is called when it is due, or soon after, on a
// connection that has no timer for that, with pmu held.
func (c *Conn) alarmLocked() {
	if c.tr.sock != nil && !c.pings.over {
		c.tr.sock.alarm(c, c.pings.due, min(c.opts.KeepaliveInterval, c.opts.KeepaliveTimeout))
	}
}

func (c *Conn) stopKeepalive() {
	c.pings.pmu.Lock()
	defer c.pings.pmu.Unlock()
	c.pings.over = true
	if c.pings.timer != nil {
		c.pings.timer.Stop()
	}
}

// heard takes note of n bytes that came, for the reader.
func (c *Conn) heard(n int) {
	c.inflow.Add(uint64(n))
	if c.opts.KeepaliveInterval > 0 {
		c.pings.heard.Store(int64(c.tr.arrived()))
	}
}

// keepalive is what the timer calls, or the poller's. Any byte received is life. A peer that has
// been silent for the interval is pinged, and if nothing has come when the timeout
// has passed, it is gone: so it is found within both of its last byte.
//
// A timer that fires much too late tells that the machine, or this process, was
// suspended: then what the peer sent may still lie unread, and it is asked anew
// instead of being given up.
func (c *Conn) keepalive() {
	if c.stateNow() != stateOpen {
		return
	}
	c.pings.pmu.Lock()
	ping, lost := c.pings.look(moment(), c.inflow.Load(), c.opts.KeepaliveInterval, c.opts.KeepaliveTimeout)
	if ping {
		c.pings.wasOut = c.tr.moved.Load()
	}
	if !lost {
		c.alarmLocked()
	}
	c.pings.pmu.Unlock()
	switch {
	case lost && c.excused():
	case lost:
		c.abort(&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: c.timeoutCause()})
	case ping:
		c.submit(context.Background(), &outgoing{op: Ping}) // if it fails the connection ends by itself
		c.pings.pingSent()
	}
}

// excused tells whether the silence is ours, and gives the peer another timeout: our
// ping waits behind a message of which the peer has taken more since, or its pong
// behind input that a busy reader has come further in.
func (c *Conn) excused() bool {
	reads, behind := c.behind()
	out := c.tr.moved.Load()
	p := &c.pings
	p.pmu.Lock()
	defer p.pmu.Unlock()
	ours := p.unsent && out != p.wasOut || behind && reads != p.wasRead
	p.wasOut, p.wasRead = out, reads
	if ours && !p.over {
		p.since = moment()
		p.waitLocked(p.since, c.opts.KeepaliveTimeout)
		c.alarmLocked()
	}
	return ours
}

// behind tells how far the reader is, as a number that changes, and whether the next
// read will find input that has been read from the stream before.
func (c *Conn) behind() (mark uint32, behind bool) {
	c.beginPeek()
	defer c.endPeek()
	if !c.tryBriefly() {
		return c.inHook()
	}
	defer c.unlockReading()
	return c.reads, len(c.in) > 0 || c.incoming != nil && len(c.incoming.rest) > 0
}

// pingSent takes note that the keepalive's ping is out, perhaps long after it was due.
func (p *pings) pingSent() {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	p.unsent = false
	p.since = moment()
}

var errNobodyReads = fmt.Errorf("%w, or nobody was reading, who would have seen the answer: a connection that only writes needs CloseRead", ErrPeerTimeout)

// timeoutCause is ErrPeerTimeout, with a hint if it may be this side's fault.
func (c *Conn) timeoutCause() error {
	c.beginPeek()
	defer c.endPeek()
	if !c.reading.TryLock() {
		return ErrPeerTimeout
	}
	c.unlockReading()
	return errNobodyReads
}

// look decides, with pmu held, what the keepalive does now: give the peer up, ping
// it, or wait, and for how long.
func (p *pings) look(now time.Duration, inflow uint64, interval, timeout time.Duration) (ping, lost bool) {
	if p.over {
		return false, false
	}
	heard := time.Duration(p.heard.Load())
	slept := now-p.due > timeout/2
	waiting := p.asked != 0 && uint32(inflow) == p.had
	wait := interval - (now - heard)
	switch {
	case waiting && !slept:
		if wait = timeout - (now - p.since); wait <= 0 {
			return false, true
		}
	case waiting || wait <= 0:
		p.asked, p.had, p.since, ping = now, uint32(inflow), now, true
		p.unsent = true
		// If it answers it is to be pinged an interval from now, even if the timeout
		// is longer.
		wait = min(interval, timeout)
	default:
		p.asked = 0
	}
	p.waitLocked(now, wait)
	return ping, false
}

// waitLocked makes the keepalive due at wait from now.
func (p *pings) waitLocked(now, wait time.Duration) {
	p.due = now + wait
	if p.timer != nil {
		p.timer.Reset(wait)
	}
}
