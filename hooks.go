package websocket

// What a connection lets others see: hooks that are called as things happen, and
// figures that can be asked for. Both are free when they are not used.

import (
	"errors"
	"sync/atomic"
	"time"
)

// Hooks are functions that a connection calls as things happen. Any of them may
// be nil. They are called from the goroutine in which the thing happens, those of
// one direction one at a time, and hold it up: they should be quick, and must not
// call a method of the connection that reads, writes or closes.
type Hooks struct {
	// Open is called when the connection is made.
	Open func(c *Conn)
	// Message is called for a whole message, before it is returned by a read, and
	// after it went out or was held back. payload is its size in bytes, wire its
	// size as it was on the wire without frame headers: smaller if it was
	// compressed.
	Message func(c *Conn, op Opcode, sent bool, payload, wire int)
	// Control is called for a control frame received. payload is valid until it
	// returns; that of a close frame is its reason, whose code Close is told.
	Control func(c *Conn, op Opcode, payload []byte)
	// Close is called once, when the connection has ended. err is its error, as
	// reads and writes return it; code is the status code, and remote tells that
	// the peer began. It may be called from a goroutine of the connection's own, where
	// a panic ends the program, unless the connection is a [Server]'s.
	Close func(c *Conn, code StatusCode, remote bool, err error)
}

func (h *Hooks) open(c *Conn) {
	if h == nil || h.Open == nil {
		return
	}
	returned := false
	defer func() {
		if !returned { // it panicked, and nobody will ever have this connection
			c.CloseNow()
		}
	}()
	h.Open(c)
	returned = true
}

func (h *Hooks) message(c *Conn, op Opcode, sent bool, payload, wire int) {
	if h != nil && h.Message != nil {
		h.Message(c, op, sent, payload, wire)
	}
}

func (h *Hooks) control(c *Conn, op Opcode, payload []byte) {
	if h != nil && h.Control != nil {
		h.Control(c, op, payload)
	}
}

func (h *Hooks) close(c *Conn, err error) {
	if h == nil || h.Close == nil {
		return
	}
	var e *CloseError
	if errors.As(err, &e) {
		h.Close(c, e.Code, e.Remote, err)
		return
	}
	h.Close(c, failCode(err), false, err)
}

// Stats are figures of a connection since it was made. A reply that is held back
// counts when it goes out; messages that came together may be counted together,
// when the last of them is read. Those that CloseRead drops do not count.
type Stats struct {
	MessagesIn, MessagesOut uint64
	BytesIn, BytesOut       uint64        // of frames, as they were on the wire
	RTT                     time.Duration // of the last ping answered; 0 before that
}

// Stats returns the connection's figures as they are now.
func (c *Conn) Stats() Stats {
	return Stats{
		MessagesIn:  c.stats.messagesIn.Load(),
		MessagesOut: c.stats.messagesOut.Load(),
		BytesIn:     c.inflow.Load(),
		BytesOut:    c.stats.bytesOut.Load(),
		RTT:         c.pings.lastRTT(),
	}
}

// stats are the counters behind Stats; reader has the bytes received. Messages are
// added many at a time: at 16 bytes each an addition of its own can be felt.
type stats struct {
	messagesIn, messagesOut, bytesOut atomic.Uint64
}

// countIn adds the messages that have been returned, for the reader.
func (c *Conn) countIn() {
	if c.returned > 0 {
		c.stats.messagesIn.Add(uint64(c.returned))
		c.returned = 0
	}
}

// countOut adds the messages that have been framed, all of which are out. Who calls
// has the pen.
func (c *Conn) countOut() {
	if c.framed > 0 {
		c.stats.messagesOut.Add(uint64(c.framed))
		c.framed = 0
	}
}

func (s *stats) sent(n int) { s.bytesOut.Add(uint64(n)) }
