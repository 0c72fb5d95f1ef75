package websocket

// Who waits for accepted TCP connections on Linux: a poller with an epoll of its own,
// beside the one in Go's runtime. A Serve that is idle waits in it on a stack that has
// never grown, and what becomes ready is served by a few goroutines, one connection
// after the other, whose stacks and buffers are warm. A message takes a system call
// less: an epoll of our own tells of the peer's end together with its last bytes, so
// that a read that was not filled need not be tried again.
//
// What always holds: a handler may block. Whoever takes a service out of the queue and
// leaves others in it has woken one more worker before it begins, so that Go's
// scheduler, which knows who is blocked, finds somebody to go on with. The poller's
// own goroutine never runs a handler.
//
// Who calls: socket_linux.go, to join, and to be heard of; serve.go is what is run.

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	pollBatch   = 128                    // events taken from the kernel at once
	pollWorkers = 16                     // idle goroutines that are kept
	pollProcs   = 4                      // processors for each poller
	pollSpins   = 32                     // looks before a wait; about 8 microseconds
	pollMisses  = 1023                   // waits without them, at most, after looks that were in vain
	pollHold    = 250 * time.Microsecond // how long spinning goes on until Go's poller has its turn
	pollLinger  = 20 * time.Millisecond  // how long a poller without sockets stays
	epollET     = uint32(1 << 31)        // syscall.EPOLLET is a negative number
	pollIn      = syscall.EPOLLIN | syscall.EPOLLRDHUP | epollET
	pollInOut   = pollIn | syscall.EPOLLOUT
	pollBell    = syscall.EPOLLIN | epollET
	pollEnded   = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	pollWritten = syscall.EPOLLOUT | syscall.EPOLLHUP | syscall.EPOLLERR
)

// A poller is one epoll, the goroutine that waits at it, and the workers that serve
// what it found.
type poller struct {
	epfd  int
	bell  int // an eventfd that is always readable; see ring
	joint int // sockets, those about to join included; with pollers locked

	mu    sync.Mutex
	socks []*socket // by descriptor

	alarms alarms

	wmu     sync.Mutex
	first   *service // the queue
	last    *service
	idle    []*worker // the last one in is the first to be woken: its stack is warm
	waking  bool      // a worker has been woken and has not come for work yet
	stopped bool

	events [pollBatch]syscall.EpollEvent // the poller's goroutine's
	found  [pollBatch]*socket
	skip   int // how many waits are left in which spin does not look
	misses int // what skip was at its last miss, and half of that for each hit since
}

// worker is a goroutine that serves. A send on wake ends its idleness.
type worker struct{ wake chan struct{} }

// pollers are those that run.
var pollers struct {
	sync.Mutex
	all  []*poller
	next int
}

// joinPoller returns the poller of a new socket, which leaves it again.
func joinPoller() (*poller, error) {
	pollers.Lock()
	defer pollers.Unlock()
	if len(pollers.all) < (runtime.GOMAXPROCS(0)+pollProcs-1)/pollProcs {
		p, err := newPoller()
		if err != nil {
			return nil, err
		}
		pollers.all = append(pollers.all, p)
	}
	pollers.next++
	p := pollers.all[pollers.next%len(pollers.all)]
	p.joint++
	return p, nil
}

// leave is for a socket that is closed. A poller that nobody needs ends, and leaves no
// goroutine behind.
func (p *poller) leave() {
	pollers.Lock()
	defer pollers.Unlock()
	if p.joint--; p.joint == 0 {
		time.AfterFunc(pollLinger, p.retire)
	}
}

func (p *poller) retire() {
	pollers.Lock()
	defer pollers.Unlock()
	i := slices.Index(pollers.all, p)
	if p.joint > 0 || i < 0 {
		return
	}
	pollers.all = slices.Delete(pollers.all, i, i+1)
	p.wmu.Lock()
	defer p.wmu.Unlock()
	p.stopped = true
	for _, w := range p.idle {
		w.wake <- struct{}{} // there is room
	}
	p.idle = nil
	p.ring() // before the descriptors are closed, by who sees stopped
}

// newPoller returns a poller that runs. How many processors there are then decides how
// it waits.
//
// On one it waits through Go's own poller, in whose epoll ours is then a
// descriptor like others: in a system call of its own it would keep the processor from
// the rest of the program for up to 10 ms, which was measured. On several it waits in
// epoll_wait itself: Go's poller would be woken by each byte that comes, also while
// ours is at work.
func newPoller() (*poller, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	bell, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 1, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		syscall.Close(epfd)
		return nil, errno
	}
	p := &poller{epfd: epfd, bell: int(bell)}
	wait := p.wait
	if runtime.GOMAXPROCS(0) == 1 {
		wait = p.waitInGo
	}
	go func() {
		defer syscall.Close(p.bell)
		wait()
	}()
	return p, nil
}

// ring wakes the poller's goroutine, by watching the bell anew. To change how it is
// watched would not do: that wakes nobody if it waits behind others to be taken.
func (p *poller) ring() {
	syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_DEL, p.bell, nil)
	syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_ADD, p.bell, &syscall.EpollEvent{Events: pollBell, Fd: int32(p.bell)})
}

// wait is what the poller's goroutine does on several processors.
func (p *poller) wait() {
	defer syscall.Close(p.epfd)
	for !p.over() {
		n, err := syscall.EpollWait(p.epfd, p.events[:], -1)
		if err == nil {
			p.follow(p.epfd, n)
			runtime.Gosched() // who is ready goes first: what comes meanwhile is the next batch
		}
	}
}

// waitInGo is what it does on one. After each batch it waits even if there is more to
// be had, so that Go looks at its own descriptors as well.
func (p *poller) waitInGo() {
	fd, err := duplicate(uintptr(p.epfd))
	if err != nil {
		p.wait()
		return
	}
	syscall.SetNonblock(fd, true) // or os.NewFile would not show it to Go's poller
	epoll := os.NewFile(uintptr(fd), "epoll")
	rc, err := epoll.SyscallConn()
	for err == nil && !p.over() {
		err = rc.Read(func(fd uintptr) bool {
			n, err := sysPoll(int(fd), p.events[:])
			if full := p.follow(int(fd), n); full || err == syscall.EINTR {
				p.ring() // or nothing would wake us for what is left
			}
			return p.over()
		})
	}
	epoll.Close()
	p.wait() // which ends at once, unless Go's poller has refused us
}

// follow dispatches n events, and behind one that came alone those that spinning finds.
// It tells whether there may be more.
func (p *poller) follow(epfd, n int) (full bool) {
	start := p.dispatch(n)
	for now := start; n == 1 && now-start < pollHold; {
		if n = p.spin(epfd); n > 0 {
			now = p.dispatch(n)
		}
	}
	return n == len(p.events)
}

// spin looks for the next events a few times, instead of a wait in the kernel: who talks
// with one peer is likely to hear from it soon, and to sleep and be woken costs more than
// to look. Where that is in vain more often than not it is done less and less.
func (p *poller) spin(epfd int) (n int) {
	if p.skip > 0 {
		p.skip--
		return 0
	}
	for range pollSpins {
		runtime.Gosched() // who is ready goes first
		if n, _ = sysPoll(epfd, p.events[:]); n > 0 {
			p.misses /= 2
			return n
		}
	}
	p.misses = min(2*p.misses+1, pollMisses)
	p.skip = p.misses
	return 0
}

func (p *poller) over() bool {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	return p.stopped
}

// dispatch tells the sockets what happened, in the first n events, queues the services
// that waited for it, and lets them run. It returns the moment that it was.
func (p *poller) dispatch(n int) (now time.Duration) {
	events := p.events[:max(n, 0)]
	p.mu.Lock()
	for i, ev := range events {
		if int(ev.Fd) < len(p.socks) {
			p.found[i] = p.socks[ev.Fd]
		}
	}
	p.mu.Unlock()
	now = moment()
	var first, last *service
	for i, ev := range events {
		s := p.found[i]
		if s == nil {
			continue // the bell, or a socket that has been closed since
		}
		if sv := s.happened(ev.Events, now); sv != nil {
			if first == nil {
				first = sv
			} else {
				last.next = sv
			}
			last = sv
		}
	}
	clear(p.found[:len(events)])
	if first != nil {
		p.enqueue(first, last)
	}
	return now
}

// add begins to watch s.
func (p *poller) add(s *socket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s.fd >= len(p.socks) {
		p.socks = append(p.socks, nil)
	}
	p.socks[s.fd] = s
	err := syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_ADD, s.fd, &syscall.EpollEvent{Events: pollIn, Fd: int32(s.fd)})
	if err != nil {
		p.socks[s.fd] = nil
	}
	return err
}

// addOut watches also whether s can be written.
func (p *poller) addOut(s *socket) error {
	return syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_MOD, s.fd, &syscall.EpollEvent{Events: pollInOut, Fd: int32(s.fd)})
}

// remove forgets s, before its descriptor is closed and can be another's. That it is
// closed ends the watch.
func (p *poller) remove(s *socket) {
	p.alarms.remove(s.fd)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.socks[s.fd] = nil
}

// enqueue has the services from first to last run.
func (p *poller) enqueue(first, last *service) {
	p.wmu.Lock()
	if p.first == nil {
		p.first = first
	} else {
		p.last.next = first
	}
	p.last = last
	w := p.callLocked()
	p.wmu.Unlock()
	p.call(w)
}

// callLocked returns a worker to be called, or nil if one is on its way.
func (p *poller) callLocked() *worker {
	if p.waking {
		return nil
	}
	p.waking = true
	n := len(p.idle)
	if n == 0 {
		return &worker{}
	}
	w := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return w
}

// call wakes w, or sets it to work if it is new.
func (p *poller) call(w *worker) {
	switch {
	case w == nil:
	case w.wake != nil:
		w.wake <- struct{}{}
	default:
		w.wake = make(chan struct{}, 1)
		go p.work(w)
	}
}

// work is a worker's goroutine.
func (p *poller) work(w *worker) {
	for woken := true; ; woken = false {
		sv := p.take(w, woken)
		if sv == nil {
			return
		}
		if again := sv.turn(); again {
			runtime.Gosched() // the others, and the poller, have their turn first
		}
	}
}

// take returns the next service that is due, waiting for one. It returns nil if w is
// not needed any more.
func (p *poller) take(w *worker, woken bool) *service {
	p.wmu.Lock()
	for {
		if woken {
			p.waking = false
		}
		if sv := p.first; sv != nil {
			p.first, sv.next = sv.next, nil
			var other *worker
			if p.first != nil {
				other = p.callLocked()
			}
			p.wmu.Unlock()
			p.call(other)
			return sv
		}
		if p.stopped || len(p.idle) == pollWorkers {
			p.wmu.Unlock()
			return nil
		}
		p.idle = append(p.idle, w)
		p.wmu.Unlock()
		<-w.wake
		woken = true
		p.wmu.Lock()
	}
}
