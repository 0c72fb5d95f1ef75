// `bench load PLAN`: the load generator, a process of its own on a processor of
// its own.
//
// One goroutine, one epoll descriptor, no allocation per event. While the
// window is open it polls without sleeping, so that what is measured is the
// server and not the time the kernel takes to wake a client. Every connection
// keeps InFlight messages on the way: an echo that arrives is checked, and
// that many new messages leave in one write. PLAN is loadPlan as JSON.

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// loadPlan says what to do to a server.
type loadPlan struct {
	Mode     string // echo, idle, handshake, broadcast, shutdown or a hostile one
	Addr     string
	PID      int // of the server, whose processor time is read
	Raw      bool
	Text     bool
	Deflate  bool
	Takeover bool
	Conns    int
	InFlight int
	Size     int
	Warm     time.Duration
	Window   time.Duration
	Spin     bool // poll without sleeping
	Rounds   int  // of broadcasts, pings …
}

// offer is the extension offer that the plan's compression needs.
func (p loadPlan) offer() string {
	switch {
	case p.Takeover:
		return "permessage-deflate"
	case p.Deflate:
		return "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	}
	return ""
}

// loadResult is what a window gave. Latencies are in nanoseconds, from the
// moment a message was handed to the socket until its echo was checked.
type loadResult struct {
	Messages    uint64 // whose echo arrived inside the window
	AllMessages uint64 // that and those that arrived while the window closed
	Seconds     float64
	CPU         float64 // seconds of the server's processor time
	P50         int64
	P99         int64
	P999        int64
	Max         int64
	Waited      float64 // fraction of the window that the server or the generator stood in line for a processor
	Wire        int64   // bytes received
	EmptyPolls  float64 // fraction of polls that found nothing: 0 means that the generator was the bottleneck
}

// ready is printed when the server is warm and quiet.
type ready struct {
	Ready bool
}

func loadMain(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: bench load PLAN as JSON")
	}
	var p loadPlan
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return err
	}
	if _, err := raiseDescriptors(); err != nil {
		return err
	}
	debug.SetGCPercent(400)
	in := bufio.NewScanner(os.Stdin)
	// wait tells the parent that one step is done and blocks until it wants the next.
	wait := func(v any) error {
		reply(v)
		if !in.Scan() {
			return fmt.Errorf("the parent left")
		}
		return nil
	}
	mode, ok := loadModes[p.Mode]
	if !ok {
		return fmt.Errorf("unknown mode %q", p.Mode)
	}
	result, err := mode(p, wait)
	if err != nil {
		reply(failure{err.Error()})
		return nil
	}
	reply(result)
	in.Scan() // connections stay open until the parent has looked at the server
	return nil
}

// loadModes are the generator's measurements.
var loadModes = map[string]func(p loadPlan, wait func(any) error) (any, error){
	"echo":      loadEcho,
	"idle":      loadIdle,
	"handshake": loadHandshakes,
	"broadcast": loadBroadcast,
	"reference": loadReference,
	"shutdown":  loadShutdown,
}

// loadConn is one connection of the generator.
type loadConn struct {
	index   int
	fd      int
	at, end int     // bytes of stream.out: what is sent, what is due
	sendAt  int     // ring index of the next message to queue
	recvAt  int     // ring index of the next echo to come
	sent    []int64 // when the messages in flight were queued, oldest at head
	head    int
	n       int // in flight
	blocked bool
	v       verifier
}

// generator drives all connections of a window.
type generator struct {
	plan   loadPlan
	s      *stream
	ep     int
	conns  []loadConn
	events []unix.EpollEvent
	buf    []byte
	begin  time.Time
	lat    hist
	done   uint64
	flying int
	closed bool // no new messages
	polls  uint64
	empty  uint64
}

// newGenerator connects and registers all connections.
func newGenerator(p loadPlan) (*generator, error) {
	t, err := newDestination(p.Addr, p.Raw, p.offer())
	if err != nil {
		return nil, err
	}
	s, err := newStream(p)
	if err != nil {
		return nil, err
	}
	fds, err := t.connectAll(p.Conns)
	if err != nil {
		return nil, err
	}
	g := &generator{plan: p, s: s, begin: time.Now(), conns: make([]loadConn, p.Conns)}
	g.events = make([]unix.EpollEvent, min(p.Conns, 512))
	g.buf = make([]byte, min(max(64<<10, p.Size+64), 1<<20))
	if g.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	for i, fd := range fds {
		c := &g.conns[i]
		at := i % len(s.payload)
		*c = loadConn{index: i, fd: fd, at: s.ends[at], end: s.ends[at], sendAt: at, recvAt: at, sent: make([]int64, p.InFlight)}
		c.v.keep = p.Takeover
		if err := unix.EpollCtl(g.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// close ends all connections. A measurement that succeeded leaves that to the
// end of the process, so that the parent finds the server as it was.
func (g *generator) close() {
	for i := range g.conns {
		unix.Close(g.conns[i].fd)
	}
	unix.Close(g.ep)
}

// loadEcho is the echo measurement: warm up, fall quiet, wait for the parent,
// then one timed window.
func loadEcho(p loadPlan, wait func(any) error) (result any, err error) {
	g, err := newGenerator(p)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if err := g.window(p.Warm); err != nil {
		return nil, err
	}
	if err := g.drain(); err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	g.forget()
	r, err := timed(p.PID, func() error { return g.window(p.Window) })
	if err != nil {
		return nil, err
	}
	r.Messages, r.Wire = g.done, g.wire()
	r.latencies(&g.lat)
	r.EmptyPolls = float64(g.empty) / float64(max(g.polls, 1))
	err = g.drain()
	r.AllMessages = g.done
	return r, err
}

// timed runs a window and takes the clocks around it: time, the server's
// processor time, and how long either process waited for its processor.
func timed(pid int, window func() error) (loadResult, error) {
	var wait0, wait1, cpu0, cpu1 time.Duration
	waiting := func(sum *time.Duration) error {
		a, err1 := waitTime(pid)
		b, err2 := waitTime(os.Getpid())
		*sum = max(a, b)
		return errors.Join(err1, err2)
	}
	err := waiting(&wait0)
	if err == nil {
		cpu0, err = cpuTime(pid)
	}
	if err != nil {
		return loadResult{}, err
	}
	start := time.Now()
	if err := window(); err != nil {
		return loadResult{}, err
	}
	r := loadResult{Seconds: time.Since(start).Seconds()}
	cpu1, err = cpuTime(pid)
	r.CPU = (cpu1 - cpu0).Seconds()
	err = errors.Join(err, waiting(&wait1))
	r.Waited = (wait1 - wait0).Seconds() / r.Seconds
	return r, err
}

// latencies fills in the quantiles of h.
func (r *loadResult) latencies(h *hist) {
	r.P50, r.P99, r.P999, r.Max = h.quantile(0.5), h.quantile(0.99), h.quantile(0.999), h.max
}

// forget clears the figures of the warm-up.
func (g *generator) forget() {
	g.lat.reset()
	g.done, g.polls, g.empty = 0, 0, 0
	for i := range g.conns {
		g.conns[i].v.wire = 0
	}
}

func (g *generator) wire() (sum int64) {
	for i := range g.conns {
		sum += g.conns[i].v.wire
	}
	return sum
}

// window fills all connections and keeps them full for d.
func (g *generator) window(d time.Duration) error {
	g.closed = false
	stop := g.now() + int64(d)
	for i := range g.conns {
		if err := g.queue(&g.conns[i], g.plan.InFlight, g.now()); err != nil {
			return err
		}
	}
	for g.now() < stop {
		if err := g.poll(); err != nil {
			return err
		}
	}
	return nil
}

// drain waits until nothing is on the way. It gives up after ten seconds.
func (g *generator) drain() error {
	g.closed = true
	stop := g.now() + int64(10*time.Second)
	for g.flying > 0 {
		if g.now() > stop {
			return fmt.Errorf("%d messages were never echoed", g.flying)
		}
		if err := g.poll(); err != nil {
			return err
		}
	}
	return nil
}

// now is nanoseconds since the generator began.
func (g *generator) now() int64 { return int64(time.Since(g.begin)) }

// poll handles what is ready, once.
func (g *generator) poll() error {
	timeout := 10
	if g.plan.Spin {
		timeout = 0
	}
	n, err := unix.EpollWait(g.ep, g.events, timeout)
	if err != nil && err != unix.EINTR {
		return err
	}
	g.polls++
	if n <= 0 {
		g.empty++
		return nil
	}
	for _, ev := range g.events[:n] {
		c := &g.conns[ev.Fd]
		if ev.Events&^unix.EPOLLOUT != 0 {
			if err := g.receive(c); err != nil {
				return fmt.Errorf("connection %d: %w", ev.Fd, err)
			}
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			if err := g.flush(c); err != nil {
				return fmt.Errorf("connection %d: %w", ev.Fd, err)
			}
		}
	}
	return nil
}

// receive reads once, checks what came, and sends as many new messages as
// echoes were completed.
func (g *generator) receive(c *loadConn) error {
	n, err := unix.Read(c.fd, g.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("the server ended the connection: %v", err)
	}
	now := g.now()
	whole := 0
	for b := g.buf[:n]; len(b) > 0; {
		used, done, err := c.v.next(b, g.s, c.recvAt)
		if err != nil {
			return err
		}
		b = b[used:]
		if c.v.ping {
			c.v.ping = false
			if err := g.pong(c); err != nil {
				return err
			}
		}
		if !done {
			continue
		}
		if c.n == 0 {
			return fmt.Errorf("an echo of a message that was never sent")
		}
		g.lat.record(now - c.sent[c.head])
		if c.head++; c.head == len(c.sent) {
			c.head = 0
		}
		if c.recvAt++; c.recvAt == len(g.s.payload) {
			c.recvAt = 0
		}
		c.n--
		whole++
	}
	g.done += uint64(whole)
	g.flying -= whole
	if g.closed || whole == 0 {
		return nil
	}
	return g.queue(c, whole, now)
}

// queue adds k messages of the ring to what c owes and sends what it can.
func (g *generator) queue(c *loadConn, k int, now int64) error {
	for range k {
		tail := c.head + c.n
		if tail >= len(c.sent) {
			tail -= len(c.sent)
		}
		c.sent[tail] = now
		c.n++
	}
	g.flying += k
	c.end += g.s.ends[c.sendAt+k] - g.s.ends[c.sendAt]
	c.sendAt = (c.sendAt + k) % len(g.s.payload)
	return g.flush(c)
}

// flush writes what is due. When the socket is full it asks to be told of
// room, and when all is written it no longer asks.
func (g *generator) flush(c *loadConn) error {
	for c.at < c.end {
		n, err := unix.Write(c.fd, g.s.out[c.at:c.end])
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN {
			return g.watch(c, true)
		}
		if err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		c.at += n
		// Frame 0 stands in out a second time behind the ring's last frame.
		if ring := g.s.ends[len(g.s.payload)]; c.at >= ring {
			c.at -= ring
			c.end -= ring
		}
	}
	return g.watch(c, false)
}

// watch switches the news of room in the socket's buffer on or off.
func (g *generator) watch(c *loadConn, room bool) error {
	if c.blocked == room {
		return nil
	}
	c.blocked = room
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.index)}
	if room {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(g.ep, unix.EPOLL_CTL_MOD, c.fd, &ev)
}

// pong answers a ping, unless half a frame of ours is on the way: then the
// message that follows is sign of life enough.
func (g *generator) pong(c *loadConn) error {
	if c.at != c.end {
		return nil
	}
	_, err := unix.Write(c.fd, appendMasked(nil, 0x80|opPong, [4]byte{}, c.v.ctl))
	return err
}
