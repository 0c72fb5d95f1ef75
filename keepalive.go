package websocket

// Is the peer still there? Ping asks once, for a caller who waits for the pong;
// the keepalive asks whenever nothing has come for an interval. One timer for a
// connection, no goroutine.

import (
	"context"
	"encoding/binary"
	"sync"
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
	mark  uint64    // bytes received when the keepalive last looked
	asked bool      // it has pinged since, and waits for anything to come
	due   time.Time // when the timer should fire
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
	c.pings.due = time.Now().Add(c.opts.KeepaliveInterval)
	c.pings.timer = time.AfterFunc(c.opts.KeepaliveInterval, c.keepalive)
}

func (c *Conn) stopKeepalive() {
	c.pings.pmu.Lock()
	defer c.pings.pmu.Unlock()
	if c.pings.timer != nil {
		c.pings.timer.Stop()
	}
}

// keepalive is what the timer calls. Any byte received since it last looked is
// life. Otherwise it pings, and when it looks again, after the timeout, and still
// nothing has come, the peer is gone.
//
// A timer that fires much too late tells that the machine, or this process, was
// suspended: then what the peer sent may still lie unread, and it is asked anew
// instead of being given up.
func (c *Conn) keepalive() {
	if c.stateNow() != stateOpen {
		return
	}
	now, heard := time.Now(), c.inflow.Load()
	c.pings.pmu.Lock()
	alive := heard != c.pings.mark
	slept := now.Sub(c.pings.due) > c.opts.KeepaliveTimeout/2
	lost := c.pings.asked && !alive && !slept
	c.pings.mark, c.pings.asked = heard, !alive
	wait := c.opts.KeepaliveInterval
	var number uint64
	if c.pings.asked {
		wait = c.opts.KeepaliveTimeout
		c.pings.numberLocked()
		number = c.pings.sent
	}
	c.pings.due = now.Add(wait)
	c.pings.timer.Reset(wait)
	c.pings.pmu.Unlock()
	switch {
	case lost:
		c.abort(&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: ErrPeerTimeout})
	case number > 0:
		c.sendPing(context.Background(), number) // if it fails the connection ends by itself
	}
}
