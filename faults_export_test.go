package websocket

// What the tests of package websocket_test cannot see from outside: what a
// connection that has ended still holds. Called by those that end connections at
// bad moments, or have many use one.

// ErrCloseTimeout is what Close returns if the peer is silent.
var ErrCloseTimeout = errCloseTimeout

// RaceDetector tells whether it is on: everything takes ten times as long with it.
const RaceDetector = raceDetector

// LeftOver returns what c holds although it has ended, and has been read since:
// buffers, timers that run, contexts it watches, goroutines that wait. It is to be
// empty.
func LeftOver(c *Conn) (left []string) {
	note := func(is bool, what string) {
		if is {
			left = append(left, what)
		}
	}
	if note(!c.reading.TryLock(), "a reader"); len(left) == 0 {
		note(c.buf != nil, "a read buffer")
		note(c.msg != nil, "the buffer of a message")
		note(c.plain != nil, "the buffer of an inflated message")
		note(c.lent != nil, "a message that was lent")
		c.reading.Unlock()
	}
	c.wmu.Lock()
	note(c.out != nil, "a write buffer")
	note(c.first != nil || c.queued.Load() != 0, "a writer that waits")
	note(c.holdTimer != nil && c.holdTimer.Stop(), "the timer of held replies")
	c.wmu.Unlock()
	c.mu.Lock()
	note(!c.ended, "the stream")
	note(c.closeTimer != nil && c.closeTimer.Stop(), "the timer of the closing handshake")
	c.mu.Unlock()
	c.pings.pmu.Lock()
	note(len(c.pings.waiting) > 0, "a Ping that waits")
	note(c.pings.timer != nil && c.pings.timer.Stop(), "the timer of the keepalive")
	c.pings.pmu.Unlock()
	for _, i := range []*interrupt{&c.tr.in, &c.tr.out} {
		i.mu.Lock()
		note(i.stop != nil, "a context that is watched")
		i.mu.Unlock()
	}
	return left
}
