package websocket

// RequestListener over TCP on Linux: it accepts the sockets itself, and they wait at
// the pollers of poller_linux.go from the beginning. A client that has sent half a
// request costs no goroutine, and one that has sent all of it less than net's: nothing
// is set on its socket, which inherits what it needs, and Accept finds it where it
// would have been taken to.
//
// What always holds: a connection is in one of two lists until net/http has it or it is
// closed. Until then one turn of its service at a time reads it; afterwards it is a
// net.Conn, until Accept takes its socket, and one that is closed from then on.
//
// Who calls: listen.go; the poller's workers (turn); net/http and Accept.

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socketListener is a RequestListener over TCP.
type socketListener struct {
	net.Listener
	own     syscall.RawConn // of Listener: the descriptor to accept at
	second  *os.File        // and another, since net's cannot be waited at without its Accept
	waits   syscall.RawConn // of second
	local   net.Addr        // of all connections; nil if each has its own
	timeout time.Duration
	start   sync.Once
	more    chan struct{} // has room for one: some may be ready
	failed  chan error
	closed  chan struct{}

	mu    sync.Mutex
	held  requestConns // their requests are not whole
	ready requestConns // they are, and nobody has asked for them
	timer *time.Timer  // for those whose time is up first
	over  bool
}

// requestConns is a list, those first whose time is up first.
type requestConns struct{ first, last *requestConn }

// newSocketListener returns a listener that accepts the connections of l itself, or nil.
func newSocketListener(l net.Listener, timeout time.Duration) net.Listener {
	tcp, ok := l.(*net.TCPListener)
	if !ok || fakeClock() {
		return nil
	}
	own, err := tcp.SyscallConn()
	if err != nil || own.Control(func(fd uintptr) { err = setAccepted(int(fd)) }) != nil || err != nil {
		return nil
	}
	fd, err := duplicateOf(own)
	if err != nil {
		return nil
	}
	second := os.NewFile(uintptr(fd), "listener")
	waits, err := second.SyscallConn()
	if err != nil {
		second.Close()
		return nil
	}
	s := &socketListener{
		Listener: tcp,
		own:      own,
		second:   second,
		waits:    waits,
		timeout:  min(timeout, forever), // what is added to a moment
		more:     make(chan struct{}, 1),
		failed:   make(chan error),
		closed:   make(chan struct{}),
	}
	if addr, ok := tcp.Addr().(*net.TCPAddr); ok && !addr.IP.IsUnspecified() && len(addr.IP) > 0 {
		s.local = addr
	}
	return s
}

// setAccepted sets what net sets on the connections of a listener. They inherit it from
// a socket that listens.
func setAccepted(fd int) error {
	return errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 15),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 9),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1),
	)
}

func (l *socketListener) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.accept() })
	for {
		if c := l.next(); c != nil {
			return c, nil
		}
		select {
		case <-l.more:
		case err := <-l.failed:
			return nil, err
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// next returns a connection that is ready, or nil.
func (l *socketListener) next() *requestConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.ready.first
	if c != nil {
		c.leaveLocked()
	}
	if l.ready.first != nil {
		l.tell()
	}
	return c
}

// tell wakes an Accept that waits.
func (l *socketListener) tell() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// accept takes connections in. An error is left to who calls Accept, and knows whether
// to come again.
func (l *socketListener) accept() {
	var fd int
	var from syscall.Sockaddr
	var err error
	at := func(listening uintptr) { fd, from, err = acceptSocket(int(listening)) }
	once := func(uintptr) bool {
		if ctl := l.own.Control(at); ctl != nil {
			err = ctl // it has been closed, by somebody else
		}
		return err != syscall.EAGAIN
	}
	for {
		if failed := l.waits.Read(once); failed != nil {
			err = failed
		}
		if err == nil {
			l.hold(fd, from)
			continue
		}
		select {
		case l.failed <- l.acceptError(err):
		case <-l.closed:
			return
		}
	}
}

// acceptError returns what net's Accept returns for err.
func (l *socketListener) acceptError(err error) error {
	if e, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError("accept4", e)
	}
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: err}
}

// acceptSocket returns a connection's descriptor, and where it comes from.
func acceptSocket(listening int) (fd int, from syscall.Sockaddr, err error) {
	for {
		fd, from, err = syscall.Accept4(listening, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != syscall.EINTR && err != syscall.ECONNABORTED {
			return fd, from, err
		}
	}
}

// hold sees a connection to its first request, or to its end. One that no poller takes
// is closed: it is one too many, and no reason to stop listening.
func (l *socketListener) hold(fd int, from syscall.Sockaddr) {
	s, err := newSocket(fd, addrPort(from))
	if err != nil {
		return
	}
	c := &requestConn{l: l}
	c.sv.held = c.turn
	c.sock.Store(s)
	if !l.enter(c, &l.held) {
		s.Close()
		return
	}
	s.turns = true
	s.park(&c.sv)
}

func addrPort(from syscall.Sockaddr) netip.AddrPort {
	switch a := from.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				addr = addr.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// enter puts c into a list, for as long as timeout, and tells whether that could be done.
func (l *socketListener) enter(c *requestConn, in *requestConns) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || in == &l.ready && c.in == nil {
		return false // the listener is closed, or c's time is up
	}
	c.leaveLocked()
	c.in, c.before, c.due = in, in.last, moment()+l.timeout
	if in.last == nil {
		in.first = c
	} else {
		in.last.after = c
	}
	in.last = c
	if l.timer == nil {
		l.timer = time.AfterFunc(l.timeout, l.expire)
	}
	return true
}

// leave takes c out of its list.
func (l *socketListener) leave(c *requestConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.leaveLocked()
}

func (c *requestConn) leaveLocked() {
	if c.in == nil {
		return
	}
	if c.before == nil {
		c.in.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		c.in.last = c.before
	} else {
		c.after.before = c.before
	}
	c.in, c.before, c.after = nil, nil, nil
}

// expire closes those whose time is up.
func (l *socketListener) expire() {
	now := moment()
	l.mu.Lock()
	defer l.mu.Unlock()
	next := time.Duration(math.MaxInt64)
	for _, in := range []*requestConns{&l.held, &l.ready} {
		in.closeLocked(now)
		if in.first != nil {
			next = min(next, in.first.due)
		}
	}
	l.timer = nil
	if next < math.MaxInt64 && !l.over {
		l.timer = time.AfterFunc(next-now, l.expire)
	}
}

// closeLocked closes those that are due at the moment to.
func (in *requestConns) closeLocked(to time.Duration) {
	for in.first != nil && in.first.due <= to {
		c := in.first
		c.leaveLocked()
		c.Close()
	}
}

func (l *socketListener) Close() error {
	l.mu.Lock()
	if !l.over {
		l.over = true
		close(l.closed)
	}
	l.held.closeLocked(math.MaxInt64)
	l.ready.closeLocked(math.MaxInt64)
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.mu.Unlock()
	l.second.Close() // and again, which it says is an error
	return l.Listener.Close()
}

// requestConn is a connection of a socketListener: first a service, that waits for the
// request's header, and then the net.Conn that net/http gets.
type requestConn struct {
	l    *socketListener
	sv   service
	sock atomic.Pointer[socket] // nil when it has been taken

	in            *requestConns // the list it is in, or nil; guarded by l.mu, as is what follows
	before, after *requestConn
	due           time.Duration // the moment at which its time is up

	rmu, wmu sync.Mutex // of whoever reads, or writes
	head     []byte     // has been read and is not handed on yet
	buf      *buffer    // what head lies in, if it is borrowed

	mu      sync.Mutex // of what follows
	waiting bool       // there is a Read that knows of no deadline but the socket's
	later   bool       // the socket has not been told of until
	until   time.Time
}

// turn reads what has come, and hands c on when that is enough.
func (c *requestConn) turn() (again bool) {
	s := c.sock.Load()
	switch err := c.look(s); err {
	case errWouldBlock:
		return s.park(&c.sv)
	case nil:
		s.turns, s.woken = false, false
		if c.l.enter(c, &c.l.ready) {
			c.l.tell()
		}
	default:
		c.l.leave(c)
		s.Close()
	}
	return false
}

// look reads until the request is whole, or fails.
func (c *requestConn) look(s *socket) error {
	s.looked, s.drained = false, false
	for {
		b, buf, err := s.read(nil, 1<<minBufferBits)
		if err != nil || c.keep(b, buf) {
			return err
		}
	}
}

// keep keeps what has been read, in no more room than it needs if the rest may take a
// while, and tells whether it is enough.
func (c *requestConn) keep(b []byte, buf *buffer) (enough bool) {
	if c.head == nil && !mayGrow(b) {
		c.head, c.buf = b, buf
		return true
	}
	c.head = append(c.head, b...)
	buf.put()
	return len(c.head) >= 1<<minBufferBits || !mayGrow(c.head)
}

// Read first returns what was read while the connection was held.
func (c *requestConn) Read(b []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	s := c.sock.Load()
	if s == nil {
		return 0, net.ErrClosed
	}
	if err := c.begin(s); err != nil {
		return 0, err
	}
	if len(c.head) == 0 {
		defer c.end()
		return s.Read(b)
	}
	n := copy(b, c.head)
	if c.head = c.head[n:]; len(c.head) == 0 {
		c.buf.put()
		c.head, c.buf = nil, nil
	}
	return n, nil
}

// begin sees to the deadline before a Read. The socket is told of one when it has to
// wait: most of net/http's are gone before that.
func (c *requestConn) begin(s *socket) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.later && !c.until.IsZero() && time.Until(c.until) <= 0:
		return os.ErrDeadlineExceeded
	case len(c.head) > 0:
		return s.in.err()
	case c.later:
		c.later = false
		if err := s.SetReadDeadline(c.until); err != nil {
			return err
		}
	}
	c.waiting = true
	return nil
}

func (c *requestConn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
}

func (c *requestConn) SetReadDeadline(t time.Time) error {
	s := c.sock.Load()
	if s == nil || s.in.flags.Load()&gateClosed != 0 {
		return net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		return s.SetReadDeadline(t)
	}
	c.later, c.until = true, t
	return nil
}

func (c *requestConn) SetWriteDeadline(t time.Time) error {
	if s := c.sock.Load(); s != nil {
		return s.SetWriteDeadline(t)
	}
	return net.ErrClosed
}

func (c *requestConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *requestConn) Write(b []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if s := c.sock.Load(); s != nil {
		return s.Write(b)
	}
	return 0, net.ErrClosed
}

func (c *requestConn) Close() error {
	if s := c.sock.Load(); s != nil {
		return s.Close()
	}
	return net.ErrClosed
}

// CloseWrite ends our direction of the stream, as net.TCPConn's does.
func (c *requestConn) CloseWrite() error {
	if s := c.sock.Load(); s != nil {
		return s.CloseWrite()
	}
	return net.ErrClosed
}

func (c *requestConn) LocalAddr() net.Addr {
	s := c.sock.Load()
	if c.l.local != nil || s == nil {
		return c.l.Addr()
	}
	return s.LocalAddr()
}

func (c *requestConn) RemoteAddr() net.Addr {
	if s := c.sock.Load(); s != nil {
		return s.RemoteAddr()
	}
	return &net.TCPAddr{}
}

// SyscallConn gives Control the descriptor. It cannot read and write past c.
func (c *requestConn) SyscallConn() (syscall.RawConn, error) {
	if s := c.sock.Load(); s != nil {
		return socketControl{s}, nil
	}
	return nil, net.ErrClosed
}

type socketControl struct{ s *socket }

func (c socketControl) Control(f func(fd uintptr)) error {
	if !c.s.use() {
		return net.ErrClosed
	}
	defer c.s.unuse()
	f(uintptr(c.s.fd))
	return nil
}

func (socketControl) Read(func(uintptr) bool) error  { return errors.ErrUnsupported }
func (socketControl) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// take returns c's socket, without deadlines, and what has been read from it, which are
// the caller's then; nil if somebody else has taken it, or reads.
func (c *requestConn) take() (s *socket, rest []byte) {
	if !c.rmu.TryLock() {
		return nil, nil
	}
	defer c.rmu.Unlock()
	if s = c.sock.Swap(nil); s == nil {
		return nil, nil
	}
	rest = append(rest, c.head...)
	c.buf.put()
	c.head, c.buf = nil, nil
	s.SetReadDeadline(time.Time{}) // if it is closed, whoever uses it will see
	s.SetWriteDeadline(time.Time{})
	return s, rest
}
