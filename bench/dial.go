// The load generator's side of the opening handshake: plain sockets, blocking
// while they connect, from several source addresses so that the number of
// ports bounds nothing.
//
// Called by every measurement that needs connections.

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// portsPerSource bounds how many connections leave from one loopback address.
const portsPerSource = 5000

// dialTimeout bounds connecting and each read of the handshake.
const dialTimeout = 20 * time.Second

// destination is where a generator connects and what it asks for.
type destination struct {
	addr  unix.SockaddrInet4
	host  string
	raw   bool
	offer string // Sec-WebSocket-Extensions, "" = none
}

func newDestination(addr string, raw bool, offer string) (*destination, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	if !ap.Addr().Is4() || !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not an IPv4 loopback address; load goes nowhere else", addr)
	}
	t := &destination{host: addr, raw: raw, offer: offer}
	t.addr = unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	return t, nil
}

// socket makes the i-th connection's socket, bound to its source address.
func (t *destination) socket(i int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	// The port is chosen at connect, when the destination is known.
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// Closing resets: thousands of sockets in TIME_WAIT would outlive the run.
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	src := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i/portsPerSource)}}
	if err := unix.Bind(fd, &src); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// connect makes the i-th connection, handshake included, and leaves its socket
// non-blocking.
func (t *destination) connect(i int) (fd int, err error) {
	if fd, err = t.socket(i); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	tv := unix.NsecToTimeval(int64(dialTimeout))
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	if err = unix.Connect(fd, &t.addr); err == unix.EINTR {
		err = connected(fd)
	}
	if err != nil {
		return -1, fmt.Errorf("connecting: %w", err)
	}
	if !t.raw {
		if err = t.handshake(fd, i); err != nil {
			return -1, err
		}
	}
	return fd, unix.SetNonblock(fd, true)
}

// connected waits for the end of a connect that a signal interrupted: it goes
// on without the caller.
func connected(fd int) error {
	pfd := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(pfd, int(dialTimeout.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return unix.ETIMEDOUT
		}
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || code == 0 {
			return err
		}
		return unix.Errno(code)
	}
}

// connectAll makes n connections, one after the other.
func (t *destination) connectAll(n int) ([]int, error) {
	fds := make([]int, 0, n)
	for i := range n {
		fd, err := t.connect(i)
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// key is the Sec-WebSocket-Key of the i-th connection.
func key(i int) string {
	var nonce [16]byte
	binary.BigEndian.PutUint64(nonce[:], uint64(i)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(nonce[8:], uint64(i)+1)
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// acceptOf is the Sec-WebSocket-Accept that answers a key (RFC 6455, 4.2.2).
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// request is the upgrade request of the i-th connection, with the headers that
// a browser sends.
func (t *destination) request(i int) []byte {
	b := fmt.Appendf(nil, "GET /echo HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nOrigin: http://%s\r\nAccept-Language: en\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", t.host, t.host, key(i))
	if t.offer != "" {
		b = fmt.Appendf(b, "Sec-WebSocket-Extensions: %s\r\n", t.offer)
	}
	return append(b, "\r\n"...)
}

// handshake sends the request and reads the answer on a blocking socket.
func (t *destination) handshake(fd, i int) error {
	if err := writeFull(fd, t.request(i)); err != nil {
		return fmt.Errorf("sending the handshake: %w", err)
	}
	var buf [4096]byte
	have := 0
	for {
		n, err := unix.Read(fd, buf[have:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return fmt.Errorf("the handshake's answer ended after %d bytes: %v", have, err)
		}
		have += n
		done, err := t.answered(buf[:have], i)
		if done || err != nil {
			return err
		}
		if have == len(buf) {
			return errors.New("the handshake's answer is longer than 4096 bytes")
		}
	}
}

// answered checks the handshake's answer once it is whole.
func (t *destination) answered(b []byte, i int) (bool, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return false, nil
	}
	if end+4 != len(b) {
		return false, errors.New("the server spoke first")
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 101")) {
		return false, fmt.Errorf("the server refused: %q", b)
	}
	accept, extensions := headerValue(b, "Sec-WebSocket-Accept"), headerValue(b, "Sec-WebSocket-Extensions")
	switch {
	case accept != acceptOf(key(i)):
		return false, fmt.Errorf("wrong Sec-WebSocket-Accept %q", accept)
	case (t.offer != "") != strings.HasPrefix(extensions, "permessage-deflate"):
		return false, fmt.Errorf("offered %q, the server chose %q", t.offer, extensions)
	}
	return true, nil
}

// headerValue finds a header by name, in any case, in an HTTP/1.1 head.
func headerValue(head []byte, name string) string {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// writeFull writes p to a blocking socket.
func writeFull(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
