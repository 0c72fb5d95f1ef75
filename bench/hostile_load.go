// The attackers of hostile.go: each opens its connections, waits for the word,
// does its worst on plain blocking sockets, and reports what the server did.

package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// honestConns is how many well-behaved connections stand beside an attack.
const honestConns = 50

// attackPatience bounds how long an attacker waits for the server to act.
const attackPatience = 25 * time.Second

func init() {
	for name, run := range map[string]attackFunc{
		"declared": attackDeclared, "fragments": attackFragments, "pings": attackPings,
		"half-open": attackHalfOpen, "bomb": attackBomb,
	} {
		loadModes["hostile-"+name] = func(p loadPlan, wait func(any) error) (any, error) { return loadHostile(p, run, wait) }
	}
}

// attackFunc does its worst with connections of its own: fds are connected and
// blocking; those of the half-open handshake have sent nothing yet.
type attackFunc func(p loadPlan, t *destination, r *attackResult) error

// loadHostile stands honest connections up, lets the attack run, and has the
// honest ones echo once more.
func loadHostile(p loadPlan, run attackFunc, wait func(any) error) (any, error) {
	honest, err := newGenerator(loadPlan{Addr: p.Addr, Conns: honestConns, InFlight: 1, Size: 1024, Deflate: p.Deflate})
	if err != nil {
		return nil, err
	}
	if err := honest.round(); err != nil {
		return nil, err
	}
	t, err := newDestination(p.Addr, false, p.offer())
	if err != nil {
		return nil, err
	}
	if err := wait(ready{true}); err != nil {
		return nil, err
	}
	r := attackResult{Codes: map[int]int{}}
	start := time.Now()
	if err := run(p, t, &r); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(start).Seconds()
	if err := wait(r); err != nil {
		return nil, err
	}
	before := honest.done
	if err := honest.round(); err != nil {
		return nil, err
	}
	return attackResult{HonestOK: int(honest.done - before)}, nil
}

// blocking makes n connections that block, each read for attackPatience at most.
func blocking(t *destination, n int) ([]int, error) {
	fds, err := t.connectAll(n)
	if err != nil {
		return nil, err
	}
	tv := unix.NsecToTimeval(int64(attackPatience))
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, false); err != nil {
			return nil, err
		}
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	}
	return fds, nil
}

// attackDeclared sends the header of a frame of 2^62 bytes and one byte of it.
func attackDeclared(p loadPlan, t *destination, r *attackResult) error {
	fds, err := blocking(t, p.Conns)
	if err != nil {
		return err
	}
	frame := []byte{0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 'x'}
	for _, fd := range fds {
		if err := writeFull(fd, frame); err != nil {
			return err
		}
		r.Wire += int64(len(frame))
	}
	// Whatever the server does about it, it does within a second.
	time.Sleep(time.Second)
	return r.countGone(fds, 0)
}

// countGone sees which of fds the server has ended, after the close frame's
// code if it sent one, waiting for all of them up to patience.
func (r *attackResult) countGone(fds []int, patience time.Duration) error {
	start := time.Now()
	stop := start.Add(patience)
	var buf [4096]byte
	left := append([]int(nil), fds...)
	for {
		rest := left[:0]
		for _, fd := range left {
			n, _, err := unix.Recvfrom(fd, buf[:], unix.MSG_DONTWAIT)
			switch {
			case n >= 4 && buf[0] == 0x88:
				r.Codes[int(binary.BigEndian.Uint16(buf[2:]))]++
				rest = append(rest, fd)
			case n > 0, err == unix.EAGAIN, err == unix.EINTR:
				rest = append(rest, fd)
			default:
				r.Gone++
				r.GoneIn = time.Since(start).Seconds()
			}
		}
		if left = rest; len(left) == 0 || !time.Now().Before(stop) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// attackFragments sends p.Rounds one-byte fragments on each connection, and a
// ping behind them: its pong tells that the server has read them all.
func attackFragments(p loadPlan, t *destination, r *attackResult) error {
	fds, err := blocking(t, p.Conns)
	if err != nil {
		return err
	}
	wire := appendMasked(nil, opText, [4]byte{1, 2, 3, 4}, []byte("a"))
	for range p.Rounds - 1 {
		wire = appendMasked(wire, 0, [4]byte{5, 6, 7, 8}, []byte("b"))
	}
	wire = appendMasked(wire, 0x80|opPing, [4]byte{}, []byte("there"))
	for _, fd := range fds {
		if err := writeFull(fd, wire); err != nil {
			return err
		}
		r.Wire += int64(len(wire))
	}
	want := []byte("\x8a\x05there")
	var buf [64]byte
	for _, fd := range fds {
		if n, err := unix.Read(fd, buf[:]); err != nil || !bytes.Equal(buf[:max(n, 0)], want) {
			return fmt.Errorf("the pong behind the fragments is %q, %v", buf[:max(n, 0)], err)
		}
	}
	return nil
}

// attackPings sends rounds of 65,536 pings and reads none of the pongs, noting
// the server's memory after each round.
func attackPings(p loadPlan, t *destination, r *attackResult) error {
	fds, err := blocking(t, 1)
	if err != nil {
		return err
	}
	tv := unix.NsecToTimeval(int64(attackPatience))
	unix.SetsockoptTimeval(fds[0], unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	var wire []byte
	payload := bytes.Repeat([]byte("p"), 125)
	for range 65536 {
		wire = appendMasked(wire, 0x80|opPing, [4]byte{9, 8, 7, 6}, payload)
	}
	for range p.Rounds {
		if err := writeFull(fds[0], wire); err != nil {
			r.Gone++
			return nil
		}
		r.Wire += int64(len(wire))
		m, err := memoryOf(p.PID)
		if err != nil {
			return err
		}
		r.Marks = append(r.Marks, int64(m.RSS))
	}
	return nil
}

// attackHalfOpen begins handshakes, says no more, and waits to be thrown out.
func attackHalfOpen(p loadPlan, t *destination, r *attackResult) error {
	silent := *t
	silent.raw = true
	fds, err := blocking(&silent, p.Conns)
	if err != nil {
		return err
	}
	part := []byte("GET /echo HTTP/1.1\r\nHost: example.com\r\nUpgrade: webs")
	for _, fd := range fds {
		if err := writeFull(fd, part); err != nil {
			return err
		}
		r.Wire += int64(len(part))
	}
	return r.countGone(fds, attackPatience)
}

// attackBomb sends a message of about 1 MiB that inflates to 1 GiB.
func attackBomb(p loadPlan, t *destination, r *attackResult) error {
	fds, err := blocking(t, p.Conns)
	if err != nil {
		return err
	}
	packed, err := bomb(1 << 30)
	if err != nil {
		return err
	}
	frame := appendMasked(nil, 0xC0|opBinary, [4]byte{1, 2, 3, 4}, packed)
	if len(packed) >= mib {
		return fmt.Errorf("the bomb has %d bytes: the limit on the wire would stop it", len(packed))
	}
	// All but the last byte of each, then all last bytes: every message is held
	// at the same time.
	for _, part := range [][]byte{frame[:len(frame)-1], frame[len(frame)-1:]} {
		for _, fd := range fds {
			if err := writeFull(fd, part); err != nil {
				return err
			}
			r.Wire += int64(len(part))
		}
	}
	return r.countGone(fds, attackPatience)
}

// bomb deflates n zero bytes, as small as DEFLATE can: 1030 to 1.
func bomb(n int) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range n / len(zeros) {
		if _, err := w.Write(zeros); err != nil {
			return nil, err
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}
