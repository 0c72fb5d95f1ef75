// Package brokenpeer is an echo peer for the tests of the conformance suite: sound by
// itself, with defects that can be switched on one by one. A suite that cannot find
// them is no suite.
//
// It shares no code with the suite but the compressor, and none with the library.
package brokenpeer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/deflate"
)

// Opcodes and bits of a frame (RFC 6455, section 5.2).
const (
	opCont, opText, opBinary  = 0x0, 0x1, 0x2
	opClose, opPing, opPong   = 0x8, 0x9, 0xA
	finBit, rsv1Bit, rsv23Bit = 0x80, 0x40, 0x30
)

// errDone ends a connection that was closed as it should be.
var errDone = errors.New("closed")

// protocolError makes the peer fail the connection with a code.
type protocolError int

func (e protocolError) Error() string { return "the connection fails" }

// conn is one connection of the peer.
type conn struct {
	net.Conn
	r      *bufio.Reader
	server bool
	bad    Defect
	comp   *compression

	op         byte // of the message that is being read, 0 for none
	compressed bool
	fragments  int
	msg        []byte
	text       checker
	closing    bool
	pongs      [][]byte // held back, with PongsReversed
}

// compression is permessage-deflate as agreed on.
type compression struct {
	out *deflate.Compressor
	in  *deflate.Inflater
}

// echo serves the connection until it ends.
func (c *conn) echo() {
	defer c.Close()
	for {
		err := c.frame()
		if err == nil {
			continue
		}
		var p protocolError
		if errors.As(err, &p) {
			c.failWith(int(p))
		}
		return
	}
}

// failWith sends a close frame, and waits for the other side as a server or client
// should: not long.
func (c *conn) failWith(code int) {
	if c.bad == FailsWithoutClosing {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, c.r)
		return
	}
	if c.bad == WrongFailCode {
		code = 1011
	}
	_ = c.write(finBit|opClose, []byte{byte(code >> 8), byte(code)})
	c.waitEOF(10 * time.Second)
}

// waitEOF reads until the other side closes TCP, at most for d, so that closing with
// unread data does not destroy what was sent.
func (c *conn) waitEOF(d time.Duration) {
	if t, ok := c.Conn.(*net.TCPConn); ok && c.server && c.bad != NeverClosesTCP {
		_ = t.CloseWrite()
	}
	if c.bad == NeverClosesTCP {
		d = 10 * time.Second
	}
	_ = c.SetReadDeadline(time.Now().Add(d))
	_, _ = io.Copy(io.Discard, c.r)
}

// header is a frame header.
type header struct {
	first  byte
	op     byte
	fin    bool
	masked bool
	key    [4]byte
	n      uint64
	small  bool // the length is in its shortest form
}

func (c *conn) header() (h header, err error) {
	var b [8]byte
	if _, err = io.ReadFull(c.r, b[:2]); err != nil {
		return h, err
	}
	h.first, h.op, h.fin, h.masked = b[0], b[0]&0xf, b[0]&finBit != 0, b[1]&0x80 != 0
	h.n, h.small = uint64(b[1]&0x7f), true
	switch h.n {
	case 126:
		_, err = io.ReadFull(c.r, b[:2])
		h.n = uint64(binary.BigEndian.Uint16(b[:]))
		h.small = h.n > 125
	case 127:
		_, err = io.ReadFull(c.r, b[:8])
		h.n = binary.BigEndian.Uint64(b[:])
		h.small = h.n > 0xffff
	}
	if err == nil && h.masked {
		_, err = io.ReadFull(c.r, h.key[:])
	}
	return h, err
}

// check holds a header against the rules.
func (c *conn) check(h header) error {
	control := h.op >= opClose
	rsv := h.first & (rsv1Bit | rsv23Bit)
	if rsv == rsv1Bit && c.comp != nil && (h.op == opText || h.op == opBinary) {
		rsv = 0
	}
	if rsv == rsv1Bit && c.comp != nil && c.bad == AcceptsRSV1Anywhere {
		rsv = 0
	}
	switch {
	case rsv != 0 && c.bad != AcceptsRSV,
		h.masked != c.server && c.bad != AcceptsWrongMask,
		!h.small && c.bad != AcceptsLongLengths,
		h.n>>63 != 0,
		control && !h.fin && c.bad != AcceptsSplitControl,
		control && h.n > 125 && c.bad != AcceptsLongPing,
		(h.op > opPong || h.op > opBinary && h.op < opClose) && c.bad != AcceptsOpcodes,
		h.op == opCont && c.op == 0 && c.bad != AcceptsStrayContinuation,
		(h.op == opText || h.op == opBinary) && c.op != 0 && c.bad != AcceptsInterleaving:
		return protocolError(1002)
	}
	return nil
}

// frame reads a frame and acts on it.
func (c *conn) frame() error {
	if len(c.pongs) > 0 && c.r.Buffered() == 0 {
		c.releasePongs()
	}
	h, err := c.header()
	if err != nil {
		return err
	}
	if err := c.check(h); err != nil {
		return err
	}
	if h.op >= opClose || h.op > opBinary {
		p := make([]byte, h.n)
		if _, err := io.ReadFull(c.r, p); err != nil {
			return err
		}
		c.unmask(p, h.key, 0)
		return c.control(h, p)
	}
	c.begin(h)
	if c.bad == Fragments1000 && c.fragments > 1000 || c.bad != NoFragmentLimit && c.fragments > 131072 {
		return protocolError(1008)
	}
	if err := c.body(h); err != nil {
		return err
	}
	if h.fin && !(c.bad == LosesEmptyFin && h.n == 0 && h.op == opCont) {
		return c.message()
	}
	return nil
}

// begin prepares for a data frame.
func (c *conn) begin(h header) {
	if h.op != opCont {
		c.op, c.compressed = h.op, h.first&rsv1Bit != 0 && c.comp != nil
		c.msg, c.text, c.fragments = c.msg[:0], checker{bad: c.bad}, 0
	} else if c.op == 0 {
		c.op = opText // only with AcceptsStrayContinuation
	}
	c.fragments++
}

// body reads the payload of a data frame as it comes.
func (c *conn) body(h header) error {
	buf, read := make([]byte, min(h.n, 32<<10)), c.r.Read
	if c.bad == UnmasksAtZero {
		// Pieces of a size of its own, so that the defect does not hang on how TCP cuts.
		buf = buf[:min(len(buf), 1021)]
		read = func(p []byte) (int, error) { return io.ReadFull(c.r, p) }
	}
	for pos := uint64(0); pos < h.n; {
		n, err := read(buf[:min(uint64(len(buf)), h.n-pos)])
		if err != nil {
			return err
		}
		p := buf[:n]
		c.unmask(p, h.key, pos)
		pos += uint64(n)
		c.msg = append(c.msg, p...)
		if c.op == opText && !c.compressed && c.bad != NoUTF8Check && c.bad != LateUTF8Check && !c.text.write(p) {
			return protocolError(1007)
		}
	}
	return nil
}

func (c *conn) unmask(p []byte, key [4]byte, pos uint64) {
	if c.bad == UnmasksAtZero {
		pos = 0 // as if every piece began a frame
	}
	for i := range p {
		p[i] ^= key[(pos+uint64(i))&3]
	}
}

// message echoes a message that is complete.
func (c *conn) message() error {
	op, p, compressed := c.op, c.msg, c.compressed
	c.op = 0
	if compressed {
		out, err := c.comp.in.Message(p)
		if err != nil {
			if c.bad == IgnoresCorruptData {
				return nil
			}
			return protocolError(1007)
		}
		p = out
	}
	if op == opText && c.bad != NoUTF8Check && !(compressed && c.bad == NoUTF8CheckCompressed) {
		if compressed || c.bad == LateUTF8Check {
			c.text = checker{bad: c.bad}
			if !c.text.write(p) {
				return protocolError(1007)
			}
		}
		if !c.text.complete() {
			return protocolError(1007)
		}
	}
	if c.closing && c.bad != EchoesAfterClose {
		return nil
	}
	return c.reply(op, slices.Clone(p))
}
