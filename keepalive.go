package websocket

// Is the peer still there? Ping asks once, for a caller who waits for the pong;
// the keepalive asks whenever nothing has come for an interval. One timer for a
// connection, no goroutine.

import (
	"context"
	"encoding/binary"
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
type pings struct {
	pmu     sync.Mutex
	sent    uint64 // number of the last ping
	sentAt  time.Time
	rtt     time.Duration
	waiting []pinger
	gone    error // the connection's, when it has ended

	timer *time.Timer
	made  time.Time    // when the keepalive began
	heard atomic.Int64 // when the last bytes came, in nanoseconds since then
	asked time.Time    // when the keepalive pinged and began to wait; zero if it does not wait
	due   time.Time    // when the timer should fire
}

// pinger is a call of Ping that waits.
type pinger struct {
	number uint64
	done   chan error // has room for one
}

// Ping sends a ping and waits for its pong (RFC 6455, section 5.5.2), so that
// everything written before it has reached the peer's WebSocket layer when it
// returns nil. The round trip is in Stats. Somebody has to be reading meanwhile:
// it is the reader that sees the pong. It returns ctx.Err() when ctx ends first,
// and the connection's error when that ends.
func (c *Conn) Ping(ctx context.Context) error {
	number, done, err := c.pings.begin()
	if err != nil {
		return err
	}
	if err := c.sendPing(ctx, number); err != nil {
		c.pings.forget(number)
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		c.pings.forget(number)
		return ctx.Err()
	}
}

func (c *Conn) sendPing(ctx context.Context, number uint64) error {
	return c.submit(ctx, outgoing{op: Ping, p: binary.BigEndian.AppendUint64(make([]byte, 0, 8), number)})
}

// begin numbers a ping and makes its caller wait for it.
func (p *pings) begin() (number uint64, done chan error, err error) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	if p.gone != nil {
		return 0, nil, p.gone
	}
	done = make(chan error, 1)
	p.numberLocked()
	p.waiting = append(p.waiting, pinger{p.sent, done})
	return p.sent, done, nil
}

func (p *pings) numberLocked() {
	p.sent++
	p.sentAt = time.Now()
}

// forget is for a caller that no longer waits.
func (p *pings) forget(number uint64) {
	p.pmu.Lock()
	defer p.pmu.Unlock()
	for i, w := range p.waiting {
		if w.number == number {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
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
	if number == p.sent && !p.sentAt.IsZero() {
		p.rtt, p.sentAt = time.Since(p.sentAt), time.Time{}
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
	c.pings.made = time.Now()
	c.pings.due = c.pings.made.Add(c.opts.KeepaliveInterval)
	c.pings.timer = time.AfterFunc(c.opts.KeepaliveInterval, c.keepalive)
}

func (c *Conn) stopKeepalive() {
	c.pings.pmu.Lock()
	defer c.pings.pmu.Unlock()
	if c.pings.timer != nil {
		c.pings.timer.Stop()
	}
}

// heard takes note of n bytes that came, for the reader.
func (c *Conn) heard(n int) {
	c.inflow.Add(uint64(n))
	if c.opts.KeepaliveInterval > 0 {
		c.pings.heard.Store(int64(time.Since(c.pings.made)))
	}
}

// keepalive is what the timer calls. Any byte received is life. A peer that has
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
	number, lost := c.pings.look(time.Now(), c.opts.KeepaliveInterval, c.opts.KeepaliveTimeout)
	c.pings.pmu.Unlock()
	switch {
	case lost:
		c.abort(&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: ErrPeerTimeout})
	case number > 0:
		c.sendPing(context.Background(), number) // if it fails the connection ends by itself
	}
}

// look decides, with pmu held, what the keepalive does now: give the peer up, send
// the ping of this number, or, number being 0, wait. It sets the timer anew.
func (p *pings) look(now time.Time, interval, timeout time.Duration) (number uint64, lost bool) {
	heard := p.made.Add(time.Duration(p.heard.Load()))
	slept := now.Sub(p.due) > timeout/2
	waiting := !p.asked.IsZero() && heard.Before(p.asked)
	wait := interval - now.Sub(heard)
	switch {
	case waiting && !slept:
		if wait = timeout - now.Sub(p.asked); wait <= 0 {
			return 0, true
		}
	case waiting || wait <= 0:
		p.asked = now
		p.numberLocked()
		number = p.sent
		// If it answers it is to be pinged an interval from now, even if the timeout
		// is longer.
		wait = min(interval, timeout)
	default:
		p.asked = time.Time{}
	}
	p.due = now.Add(wait)
	p.timer.Reset(wait)
	return number, false
}
