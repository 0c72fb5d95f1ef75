package websocket

// A socket is an accepted TCP connection that was taken from Go's poller and waits at
// one of ours: what a net.TCPConn can do, as far as a Conn needs it, and one thing
// more: a service can wait in it for bytes, which takes no goroutine (park).
//
// What always holds: the descriptor is closed by the last who uses it, so nobody's
// system call meets another connection's. A gate that opens wakes whoever waits
// behind it, or runs the service that is parked there, exactly once.
//
// Who calls: transport.go, with the reader's lock for one direction and the pen for
// the other; deadlines and Close come from anywhere; poller_linux.go says what happened.

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket implements io.ReadWriteCloser and what transport makes use of beside it.
type socket struct {
	fd       int
	poller   *poller
	in, out  gate
	parked   *service      // who waits behind in, instead of a goroutine, while its gateWaiting is set
	users    atomic.Int32  // of the descriptor; see use
	ended    atomic.Bool   // there may be an end, or an error, behind what can be read
	drained  bool          // the reader's: the last read took all there was
	turns    bool          // the reader's: it is a service, and does not wait
	looked   bool          // the reader's: it has read in this turn
	woken    bool          // the reader's: the poller woke it, and it has not read since
	watchOut bool          // the writer's: the poller tells when it can go on
	wokenAt  time.Duration // the moment of that
	remote   netip.AddrPort
}

// A gate is where one direction waits. Its flags are one word, so that no event is
// lost between a look at them and the wait: who waits sets gateWaiting in place of no
// flag at all, and who takes that away wakes it.
type gate struct {
	flags atomic.Uint32
	turn  atomic.Uint32 // of deadlines, with mu: a timer that fires too late finds another one
	wake  chan struct{} // has room for one; made when first needed

	mu    sync.Mutex // of the deadline
	timer *time.Timer
}

const (
	gateReady   = 1 << iota // something has come, or can be written again, and nobody waited for it
	gateExpired             // the deadline has passed
	gateClosed
	gateWaiting
)

// takeSocket takes the socket of conn, which is then closed, and what has been read from
// it. It returns nil, and conn is as it was, if that cannot be done.
func takeSocket(conn net.Conn) (s *socket, rest []byte) {
	switch conn := conn.(type) {
	case interface{ take() (*socket, []byte) }: // a requestConn, which programs without a RequestListener do not contain
		return conn.take()
	case *net.TCPConn:
		return takeTCP(conn), nil
	}
	return nil, nil
}

func takeTCP(conn *net.TCPConn) *socket {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || fakeClock() {
		return nil
	}
	rc, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	fd, err := duplicateOf(rc)
	if err != nil {
		return nil
	}
	s, err := newSocket(fd, remote.AddrPort())
	if err != nil {
		return nil
	}
	conn.Close() // it goes out of Go's poller
	return s
}

// newSocket returns a socket that waits at a poller. fd is closed if that fails.
func newSocket(fd int, remote netip.AddrPort) (*socket, error) {
	p, err := joinPoller()
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	s := &socket{fd: fd, poller: p, drained: true, remote: remote}
	s.users.Store(1)
	if err := p.add(s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// duplicateOf returns a second descriptor of what rc has one of.
func duplicateOf(rc syscall.RawConn) (fd int, err error) {
	if ctl := rc.Control(func(from uintptr) { fd, err = duplicate(from) }); ctl != nil {
		return 0, ctl
	}
	return fd, err
}

// duplicate returns a second descriptor of what from is one of.
func duplicate(from uintptr) (fd int, err error) {
	to, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, from, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(to), nil
}

// fakeClock tells whether the caller is in a bubble of testing/synctest: what waits in
// one must not be woken from outside.
func fakeClock() bool {
	var tv syscall.Timeval
	if syscall.Gettimeofday(&tv) != nil {
		return false
	}
	return time.Since(time.Unix(tv.Unix())).Abs() > 24*time.Hour
}

// use keeps the descriptor open until unuse, unless Close has been called.
func (s *socket) use() bool {
	if s.users.Add(1) < socketClosing {
		return true
	}
	s.unuse()
	return false
}

// unuse closes the descriptor if the caller is the last after Close. Who comes later
// finds socketClosed, and does not do it again.
func (s *socket) unuse() {
	if s.users.Add(-1) == socketClosing && s.users.CompareAndSwap(socketClosing, socketClosed) {
		s.poller.remove(s)
		syscall.Close(s.fd)
		s.poller.leave()
	}
}

const (
	socketClosing = 1 << 29 // added to users by Close
	socketClosed  = 1 << 30 // the descriptor is closed
)

// Close ends all that waits, and lets go of the descriptor.
func (s *socket) Close() error {
	for {
		n := s.users.Load()
		if n >= socketClosing {
			return net.ErrClosed
		}
		if s.users.CompareAndSwap(n, n+socketClosing) {
			break
		}
	}
	for _, g := range [...]*gate{&s.in, &s.out} {
		s.open(g, gateClosed)
		g.mu.Lock()
		g.stopLocked()
		g.mu.Unlock()
	}
	s.unuse()
	return nil
}

// CloseWrite ends our direction of the stream.
func (s *socket) CloseWrite() error {
	if !s.use() {
		return net.ErrClosed
	}
	defer s.unuse()
	return os.NewSyscallError("shutdown", syscall.Shutdown(s.fd, syscall.SHUT_WR))
}

// LocalAddr is asked of the system, as long as the socket is open.
func (s *socket) LocalAddr() net.Addr {
	if s.use() {
		defer s.unuse()
		switch a, _ := syscall.Getsockname(s.fd); a := a.(type) {
		case *syscall.SockaddrInet4:
			return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
		case *syscall.SockaddrInet6:
			addr := &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
			if a.ZoneId != 0 {
				addr.Zone = s.remote.Addr().Zone() // both ends are on the same link
			}
			return addr
		}
	}
	return &net.TCPAddr{}
}

func (s *socket) RemoteAddr() net.Addr { return tcpAddr(s.remote) }

// tcpAddr is net.TCPAddrFromAddrPort in one piece of memory.
func tcpAddr(a netip.AddrPort) net.Addr {
	addr := new(struct {
		net.TCPAddr
		ip [16]byte
	})
	addr.ip = a.Addr().As16()
	addr.IP, addr.Zone, addr.Port = addr.ip[:], a.Addr().Zone(), int(a.Port())
	if a.Addr().Is4() {
		addr.IP = addr.ip[12:]
	}
	return &addr.TCPAddr
}

// happened takes note of what the poller saw at the moment now, and returns the service
// that waited for it.
func (s *socket) happened(events uint32, now time.Duration) *service {
	if events&pollEnded != 0 {
		s.ended.Store(true)
	}
	if events&pollWritten != 0 && s.out.pass(gateReady) {
		s.awake(&s.out)
	}
	if !s.in.pass(gateReady) {
		return nil
	}
	s.woken, s.wokenAt = true, now // between pass and awake they are ours
	return s.awake(&s.in)
}

// pass opens g, and tells whether somebody waits, who then is to be woken by the
// caller. The flag is set, but for gateReady if somebody is woken: it knows.
func (g *gate) pass(flag uint32) (waits bool) {
	for {
		was := g.flags.Load()
		waits, next := was&gateWaiting != 0, was|flag
		if waits {
			next = was&^gateWaiting | flag&^gateReady
		}
		if g.flags.CompareAndSwap(was, next) {
			return waits
		}
	}
}

// awake wakes who waited behind g, or returns the service that was parked, which the
// caller has run.
func (s *socket) awake(g *gate) (sv *service) {
	if g == &s.in {
		sv, s.parked = s.parked, nil
	}
	if sv == nil {
		g.wake <- struct{}{}
	}
	return sv
}

// open opens g for everybody but the poller.
func (s *socket) open(g *gate, flag uint32) {
	if !g.pass(flag) {
		return
	}
	if sv := s.awake(g); sv != nil {
		s.poller.enqueue(sv, sv)
	}
}

// arrived returns when the poller woke the reader for what it has just read, or else the
// moment that it is.
func (s *socket) arrived() time.Duration {
	if !s.woken {
		return moment()
	}
	s.woken = false
	return s.wokenAt
}

// wait waits until the gate is opened, unless it has been.
func (g *gate) wait() {
	if g.wake == nil {
		g.wake = make(chan struct{}, 1)
	}
	if g.flags.CompareAndSwap(0, gateWaiting) {
		<-g.wake
	}
}

// unready takes gateReady back, before a try that finds out.
func (g *gate) unready() {
	if g.flags.Load()&gateReady != 0 {
		g.flags.And(^uint32(gateReady))
	}
}

// err tells why nothing can be done any more.
func (g *gate) err() error {
	switch flags := g.flags.Load(); {
	case flags&gateClosed != 0:
		return net.ErrClosed
	case flags&gateExpired != 0:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// park leaves sv until there is something for it to see, with the reader's lock, which
// stays locked. If there is already, it is queued behind the others, and again is true.
// In both cases it may be running anew when park returns.
func (s *socket) park(sv *service) (again bool) {
	if s.drained {
		s.parked = sv
		if s.in.flags.CompareAndSwap(0, gateWaiting) {
			return false
		}
		s.parked = nil
	}
	s.poller.enqueue(sv, sv)
	return true
}

// kick has a service that is parked look around.
func (s *socket) kick() { s.open(&s.in, gateReady) }

func (s *socket) SetReadDeadline(t time.Time) error  { return s.setDeadline(&s.in, t) }
func (s *socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.out, t) }

// setDeadline opens g at t, in place of the time set before; never if t is zero.
func (s *socket) setDeadline(g *gate, t time.Time) error {
	if t.IsZero() && g.turn.Load() == 0 && g.flags.Load()&gateClosed == 0 {
		return nil // most are: net/http and Accept leave nothing to chance
	}
	g.mu.Lock()
	if g.flags.Load()&gateClosed != 0 {
		g.mu.Unlock()
		return net.ErrClosed
	}
	g.stopLocked()
	turn := g.turn.Load()
	g.flags.And(^uint32(gateExpired))
	var past bool
	if !t.IsZero() {
		d := time.Until(t)
		if past = d <= 0; !past {
			g.timer = time.AfterFunc(d, func() { s.expire(g, turn) })
		}
	}
	g.mu.Unlock()
	if past {
		s.expire(g, turn)
	}
	return nil
}

// stopLocked stops the timer of a deadline.
func (g *gate) stopLocked() {
	if g.turn.Add(1) == 0 {
		g.turn.Store(1) // 0 is that there has been none
	}
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
}

func (s *socket) expire(g *gate, turn uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if turn == g.turn.Load() {
		s.open(g, gateExpired)
	}
}

// read is what transport wants of a descriptor. A service gets errWouldBlock instead
// of waiting, and also if it has read in this turn: others are waiting for theirs.
func (s *socket) read(room []byte, size int) ([]byte, *buffer, error) {
	for {
		if err := s.in.err(); err != nil {
			return nil, nil, err
		}
		b, buf, err := s.readReady(room, size)
		if err != errWouldBlock || s.turns {
			return b, buf, err
		}
		s.in.wait()
		s.drained = false // there is something, for all we know
	}
}

// readReady reads what there is. The flag is taken back before that, or what comes
// meanwhile would be missed.
func (s *socket) readReady(room []byte, size int) (b []byte, buf *buffer, err error) {
	if s.turns && s.looked || s.drained && s.in.flags.Load()&gateReady == 0 {
		return nil, nil, errWouldBlock
	}
	s.looked = true
	s.in.unready()
	if room == nil {
		buf = newBuffer(size)
		room = buf.b[:cap(buf.b)]
	}
	if !s.use() {
		buf.put()
		return nil, nil, net.ErrClosed
	}
	n, err := readSocket(s.fd, room)
	s.unuse()
	if err != nil {
		buf.put()
		s.drained, s.woken = err == errWouldBlock, false
		return nil, nil, err
	}
	// Of TCP a short read is all there is, and more of it opens the gate anew; only an
	// end that came with it has been told of already. (A peer that marks data as urgent
	// can hold up what it sent behind that, until it sends more.)
	s.drained = n < len(room) && !s.ended.Load()
	return room[:n], buf, nil
}

// Read reads into b, waiting for something to come.
func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	b, _, err := s.read(b, 0)
	return len(b), err
}

// tryWrite writes what the kernel takes.
func (s *socket) tryWrite(b []byte) (n int, err error) {
	if !s.use() {
		return 0, net.ErrClosed
	}
	defer s.unuse()
	return writeSocket(s.fd, b)
}

// tryBoth is tryWrite for head and then p, in one system call.
func (s *socket) tryBoth(head, p []byte) (n int, err error) {
	if !s.use() {
		return 0, net.ErrClosed
	}
	defer s.unuse()
	for {
		n, err := sysWrite2(s.fd, head, p)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, socketError("writev", err)
		}
	}
}

// Write writes b, waiting for the peer to take it. n bytes of it went.
func (s *socket) Write(b []byte) (n int, err error) {
	for {
		if err := s.out.err(); err != nil {
			return n, err
		}
		s.out.unready()
		m, err := s.tryWrite(b[n:])
		if n += m; err != nil || n == len(b) {
			return n, err
		}
		if err := s.awaitOut(); err != nil {
			return n, err
		}
	}
}

// awaitOut waits until the kernel takes more.
func (s *socket) awaitOut() error {
	if !s.watchOut {
		if !s.use() {
			return net.ErrClosed
		}
		err := s.poller.addOut(s)
		s.unuse()
		if err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
		s.watchOut = true
	}
	s.out.wait()
	return nil
}
