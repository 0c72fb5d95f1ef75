package websocket

// When the keepalive of each connection at a poller looks at it next: an entry for each
// descriptor, and one timer that goes through all of them, in place of a timer for each,
// which takes eight times the memory.
//
// What always holds: an alarm goes off once, at its moment or up to a tick later, and is
// gone before its descriptor is closed and can be another's.
//
// Who calls: keepalive.go through the socket; poller_linux.go, when a socket goes.

import (
	"runtime"
	"sync"
	"time"
)

const (
	alarmTicks = 8  // how many of them an alarm that can be set is at least away
	alarmBurst = 64 // how many go off until those have their turn: each has a goroutine
)

type alarms struct {
	mu    sync.Mutex
	set   []alarm       // by descriptor
	tick  time.Duration // of the shortest wait seen while the timer was set; 0 while it is not
	timer *time.Timer
}

// alarm is c's, who is nil when it is not set.
type alarm struct {
	at time.Duration
	c  *Conn
}

// alarm has c.keepalive called at the moment at. shortest is the shortest wait that c will
// ever want.
func (s *socket) alarm(c *Conn, at, shortest time.Duration) {
	if s.use() { // or the descriptor may be another's
		s.poller.alarms.put(s.fd, alarm{at, c}, max(shortest/alarmTicks, time.Millisecond))
		s.unuse()
	}
}

func (a *alarms) put(fd int, to alarm, tick time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for fd >= len(a.set) {
		a.set = append(a.set, alarm{})
	}
	a.set[fd] = to
	switch {
	case a.tick == 0:
		a.tick, a.timer = tick, time.AfterFunc(tick, a.ring)
	case tick < a.tick:
		a.tick = tick
		a.timer.Reset(tick)
	}
}

// remove forgets the alarm of a descriptor that will be closed.
func (a *alarms) remove(fd int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if fd < len(a.set) {
		a.set[fd] = alarm{}
	}
}

// ring is what the timer calls.
func (a *alarms) ring() {
	for i, c := range a.due(moment()) {
		go c.keepalive()
		if i%alarmBurst == alarmBurst-1 {
			runtime.Gosched()
		}
	}
}

// due takes those whose moment has come, and sets the timer if others are left.
func (a *alarms) due(now time.Duration) (due []*Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := false
	for i := range a.set {
		switch e := &a.set[i]; {
		case e.c == nil:
		case e.at <= now:
			due = append(due, e.c)
			*e = alarm{}
		default:
			left = true
		}
	}
	if left {
		a.timer.Reset(a.tick)
	} else {
		a.tick = 0 // who comes sets it
	}
	return due
}
