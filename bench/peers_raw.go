// The floor: TCP echo without WebSocket, once as Go programs are written (one
// goroutine per connection on net.Conn) and once on an epoll loop of our own.
//
// What a WebSocket library costs is its distance from these two.

package main

import (
	"net"

	"golang.org/x/sys/unix"
)

func rawPeers() []peer {
	return []peer{
		{name: "raw", about: "TCP echo, net.Conn, goroutine per connection", raw: true, serve: serveRaw},
		{name: "raw-epoll", about: "TCP echo, one epoll loop", raw: true, serve: serveRawEpoll},
	}
}

// rawBuffer is a buffer fit for the payload at hand: an echo of large messages
// through a small one would measure system calls that nobody would make.
func rawBuffer(o serveOptions) []byte {
	return make([]byte, min(max(o.Size, 4<<10), 256<<10))
}

func serveRaw(ln net.Listener, o serveOptions) error {
	return acceptLoop(ln, func(c net.Conn) {
		defer c.Close()
		buf := rawBuffer(o)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	})
}

// serveRawEpoll accepts on ln and echoes on one epoll descriptor in this
// goroutine. A reply that the socket does not take whole waits in pending.
func serveRawEpoll(ln net.Listener, o serveOptions) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	go acceptLoop(ln, func(c net.Conn) {
		fd, err := detach(c)
		if err == nil {
			unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		}
	})
	buf := rawBuffer(o)
	pending := map[int32][]byte{}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			if !echoReady(ep, ev.Fd, buf, pending) {
				delete(pending, ev.Fd)
				unix.Close(int(ev.Fd))
			}
		}
	}
}

// echoReady moves what one descriptor has or takes; false means it is over.
func echoReady(ep int, fd int32, buf []byte, pending map[int32][]byte) bool {
	rest := pending[fd]
	if len(rest) == 0 {
		n, err := unix.Read(int(fd), buf)
		if err == unix.EAGAIN || err == unix.EINTR {
			return true
		}
		if n <= 0 {
			return false
		}
		rest = buf[:n]
	}
	had := len(pending[fd]) > 0
	n, err := unix.Write(int(fd), rest)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		return false
	}
	rest = rest[max(n, 0):]
	switch {
	case len(rest) > 0 && !had:
		pending[fd] = append([]byte(nil), rest...)
		unix.EpollCtl(ep, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: fd})
	case len(rest) > 0:
		pending[fd] = rest
	case had:
		delete(pending, fd)
		unix.EpollCtl(ep, unix.EPOLL_CTL_MOD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: fd})
	}
	return true
}

// detach takes the descriptor out of Go's poller: a duplicate, non-blocking,
// with the original closed.
func detach(c net.Conn) (int, error) {
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return -1, err
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return -1, err
	}
	return fd, unix.SetNonblock(fd, true)
}
