// Handshakes: connect, upgrade, verify the answer, disconnect, as fast as the
// server goes, with a fixed number of clients at a time.
//
// The figure is the server's processor time for all of it: accepting, parsing,
// answering, starting the handler, and taking the connection down again when
// the client has gone.

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// shakers is how many handshakes are on the way at any time.
const shakers = 32

func handshakeMeasurement() measurement {
	return measurement{
		name:  "handshake",
		fits:  func(p peer) bool { return !p.raw },
		label: func(*config, cell) string { return fmt.Sprintf("%d at once", shakers) },
		take: func(c *config, p peer, _ cell, emit func(string, float64)) error {
			return c.withServer(p, serveOptions{}, func(server *child, addr string) error {
				return c.takeHandshakes(server, addr, emit)
			})
		},
	}
}

func (c *config) takeHandshakes(server *child, addr string, emit func(string, float64)) error {
	load, err := c.startLoad(loadPlan{Mode: "handshake", Addr: addr, PID: server.pid(), Warm: c.window / 4, Window: c.window})
	if err != nil {
		return err
	}
	defer load.stop()
	limit := 30*time.Second + 2*c.window
	if err := load.receive(limit, &ready{}); err != nil {
		return err
	}
	var before, after serverStats
	if err := server.ask("stats", limit, &before); err != nil {
		return err
	}
	var r loadResult
	if err := load.ask("go", limit, &r); err != nil {
		return err
	}
	if err := server.ask("stats", limit, &after); err != nil {
		return err
	}
	if r.Messages == 0 {
		return errNothing
	}
	n := float64(r.Messages)
	emit("cpu_us", r.CPU*1e6/n)
	emit("waited", r.Waited)
	emit("per_s", n/r.Seconds)
	emit("p50_us", float64(r.P50)/1e3)
	emit("p99_us", float64(r.P99)/1e3)
	emit("allocs", float64(after.Mallocs-before.Mallocs)/float64(max(r.AllMessages, 1)))
	emit("alloc_bytes", float64(after.Bytes-before.Bytes)/float64(max(r.AllMessages, 1)))
	return nil
}

// shaker is one client that connects again and again.
type shaker struct {
	fd    int
	id    int // numbers the handshake, and so its key
	begun int64
	sent  bool
	have  int
	buf   [4096]byte
}

// shakeLoop drives all shakers on one epoll descriptor.
type shakeLoop struct {
	t       *destination
	ep      int
	spin    bool
	slots   []shaker
	events  []unix.EpollEvent
	next    int
	begin   time.Time
	lat     hist
	done    uint64
	flying  int
	stopped bool
}

// loadHandshakes is the generator's side.
func loadHandshakes(p loadPlan, wait func(any) error) (any, error) {
	t, err := newDestination(p.Addr, false, p.offer())
	if err != nil {
		return nil, err
	}
	l := &shakeLoop{t: t, spin: p.Spin, slots: make([]shaker, shakers), events: make([]unix.EpollEvent, shakers), begin: time.Now()}
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if err := l.window(p.Warm); err != nil {
		return nil, err
	}
	if err := l.drain(); err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	l.lat.reset()
	l.done = 0
	r, err := timed(p.PID, func() error { return l.window(p.Window) })
	if err != nil {
		return nil, err
	}
	r.Messages = l.done
	r.latencies(&l.lat)
	err = l.drain()
	r.AllMessages = l.done
	return r, err
}

func (l *shakeLoop) now() int64 { return int64(time.Since(l.begin)) }

func (l *shakeLoop) window(d time.Duration) error {
	l.stopped = false
	for i := range l.slots {
		if err := l.start(i); err != nil {
			return err
		}
	}
	for stop := l.now() + int64(d); l.now() < stop; {
		if err := l.poll(); err != nil {
			return err
		}
	}
	return nil
}

func (l *shakeLoop) drain() error {
	l.stopped = true
	for stop := l.now() + int64(10*time.Second); l.flying > 0; {
		if l.now() > stop {
			return fmt.Errorf("%d handshakes were never answered", l.flying)
		}
		if err := l.poll(); err != nil {
			return err
		}
	}
	return nil
}

// start begins a new handshake in slot i.
func (l *shakeLoop) start(i int) error {
	s := &l.slots[i]
	s.id, s.sent, s.have, s.begun = l.next, false, 0, l.now()
	l.next++
	fd, err := l.t.socket(s.id % (8 * portsPerSource))
	if err != nil {
		return err
	}
	s.fd = fd
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	if err := unix.Connect(fd, &l.t.addr); err != nil && err != unix.EINPROGRESS {
		return fmt.Errorf("connecting: %w", err)
	}
	l.flying++
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(i)})
}

func (l *shakeLoop) poll() error {
	timeout := 10
	if l.spin {
		timeout = 0
	}
	n, err := unix.EpollWait(l.ep, l.events, timeout)
	if err != nil && err != unix.EINTR {
		return err
	}
	for _, ev := range l.events[:max(n, 0)] {
		if err := l.step(int(ev.Fd)); err != nil {
			return err
		}
	}
	return nil
}

// step moves one handshake on: the request when connected, the answer when it
// comes, and then the next handshake.
func (l *shakeLoop) step(i int) error {
	s := &l.slots[i]
	if !s.sent {
		s.sent = true
		// The request is shorter than any socket buffer.
		if err := writeFull(s.fd, l.t.request(s.id)); err != nil {
			return fmt.Errorf("sending the handshake: %w", err)
		}
		return unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
	}
	n, err := unix.Read(s.fd, s.buf[s.have:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n == 0 {
		return fmt.Errorf("the handshake's answer ended after %d bytes: %v", s.have, err)
	}
	s.have += n
	done, err := l.t.answered(s.buf[:s.have], s.id)
	if err != nil || !done {
		return err
	}
	l.lat.record(l.now() - s.begun)
	l.done++
	l.flying--
	unix.Close(s.fd)
	if l.stopped {
		return nil
	}
	return l.start(i)
}
