// The fixed server that clients are measured against: one epoll loop in the
// load generator's process that checks every byte a client sends and answers
// with frames made beforehand.
//
// It reads RFC 6455 as strictly as the verifier does, from the other side: a
// client's frames are masked and carry the ring's messages in order, in one
// piece or in fragments.

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// refConn is one client's connection.
type refConn struct {
	fd   int
	in   []byte // received and not yet used
	out  []byte // due
	open bool   // the handshake is done
	at   int    // ring index of the next message
	off  int    // bytes of it that came in earlier fragments
}

// reference is the server's loop.
type reference struct {
	s     *stream
	ep    int
	conns map[int32]*refConn
	buf   []byte
}

// loadReference listens, tells the parent where, and serves until the parent
// closes its input, which ends the process.
func loadReference(p loadPlan, wait func(any) error) (any, error) {
	s, err := newStream(p)
	if err != nil {
		return nil, err
	}
	r := &reference{s: s, conns: map[int32]*refConn{}, buf: make([]byte, 256<<10)}
	if r.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	accepted := make(chan int, p.Conns)
	go acceptLoop(ln, func(c net.Conn) {
		if fd, err := detach(c); err == nil {
			accepted <- fd
		}
	})
	left := make(chan error, 1)
	go func() { left <- wait(listening{ln.Addr().String()}) }()
	return nil, r.serve(accepted, left, p.Spin)
}

func (r *reference) serve(accepted <-chan int, left <-chan error, spin bool) error {
	events := make([]unix.EpollEvent, 256)
	timeout := 1
	for {
		select {
		case fd := <-accepted:
			r.conns[int32(fd)] = &refConn{fd: fd}
			if err := unix.EpollCtl(r.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
				return err
			}
		case err := <-left:
			return err
		default:
		}
		n, err := unix.EpollWait(r.ep, events, timeout)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, ev := range events[:max(n, 0)] {
			c := r.conns[ev.Fd]
			if err := r.serveConn(c); err != nil {
				delete(r.conns, ev.Fd)
				unix.Close(c.fd)
				if !errors.Is(err, io.EOF) {
					return err
				}
			}
		}
		// Once there is work the loop polls without sleeping, if it has a processor.
		if timeout = 1; spin && len(r.conns) > 0 {
			timeout = 0
		}
	}
}

// serveConn reads once and answers all that came.
func (r *reference) serveConn(c *refConn) error {
	n, err := unix.Read(c.fd, r.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n == 0 {
		return io.EOF
	}
	c.in = append(c.in, r.buf[:n]...)
	if !c.open {
		end := bytes.Index(c.in, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		c.open = true
		c.out = fmt.Appendf(c.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			acceptOf(headerValue(c.in[:end], "Sec-WebSocket-Key")))
		c.in = append(c.in[:0], c.in[end+4:]...)
	}
	used, err := r.frames(c)
	c.in = append(c.in[:0], c.in[used:]...)
	if len(c.out) > 0 {
		// A client reads what it asked for; it is not kept waiting here.
		if werr := blockingWrite(c.fd, c.out); werr != nil {
			return io.EOF
		}
		c.out = c.out[:0]
	}
	return err
}

// frames answers every complete frame of c.in and returns how much they took.
func (r *reference) frames(c *refConn) (used int, err error) {
	for {
		first, key, p, n, err := cutFrame(c.in[used:])
		if n == 0 || err != nil {
			return used, err
		}
		used += n
		for i := range p {
			p[i] ^= key[i&3]
		}
		if first == 0x80|opClose {
			c.out = append(appendHeader(c.out, first, len(p)), p...)
			return used, io.EOF
		}
		if err := r.payload(c, first, p); err != nil {
			return used, err
		}
	}
}

// payload checks one data frame, and answers when it ends the message.
func (r *reference) payload(c *refConn, first byte, p []byte) error {
	op := r.s.op
	if c.off > 0 {
		op = 0
	}
	want := r.s.payload[c.at]
	switch {
	case first&0x7f != op:
		return fmt.Errorf("%w: first byte %#02x", errOrder, first)
	case len(p) > len(want)-c.off:
		return errLong
	case !bytes.Equal(p, want[c.off:c.off+len(p)]):
		return errDiffers
	}
	c.off += len(p)
	if first&0x80 == 0 {
		return nil
	}
	if c.off != len(want) {
		return errDiffers
	}
	c.out = append(c.out, r.s.echo[c.at]...)
	c.off, c.at = 0, (c.at+1)%len(r.s.payload)
	return nil
}

var errUnmasked = errors.New("a client's frame is not masked")

// cutFrame splits off one client's frame; n is 0 while it is incomplete.
func cutFrame(b []byte) (first byte, key [4]byte, p []byte, n int, err error) {
	if len(b) < 2 {
		return
	}
	if b[1]&0x80 == 0 {
		err = errUnmasked
		return
	}
	head, size := 2, int(b[1]&0x7f)
	switch {
	case size == 126 && len(b) >= 4:
		head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		head, size = 10, int(binary.BigEndian.Uint64(b[2:]))
	case size >= 126:
		return
	}
	if size < 0 || size > 1<<30 {
		err = errLong
		return
	}
	if head += 4; len(b) < head+size {
		return
	}
	copy(key[:], b[head-4:])
	return b[0], key, b[head : head+size], head + size, nil
}

// blockingWrite writes all of p to a non-blocking socket.
func blockingWrite(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(pfd, 10000); err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}
