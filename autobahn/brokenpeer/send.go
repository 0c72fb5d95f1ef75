package brokenpeer

// This file is what the peer sends: echoes, pongs, close frames; most defects of the
// sending side are here.

import (
	"encoding/binary"
	"io"
	"slices"
	"time"
)

// write sends a frame as it should be, or with the defects that concern all frames.
func (c *conn) write(first byte, p []byte) error {
	masked := !c.server
	if c.bad == WrongMask && first&0xf != opClose {
		masked = !masked
	}
	var bit byte
	if masked {
		bit = 0x80
	}
	b := []byte{first}
	n := len(p)
	switch {
	case n == 125 && c.bad == Length125Long:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	case n == 126 && c.bad == Length126Short:
		b = append(b, bit|125)
		p = p[:125]
	case n <= 125:
		b = append(b, bit|byte(n))
	case n == 65535 && c.bad == Length65535Long:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	case n == 65536 && c.bad == Length65536Short:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n-1))
		p = p[:n-1]
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	}
	if masked {
		key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
		b = append(b, key[:]...)
		p = slices.Clone(p)
		for i := range p {
			p[i] ^= key[i&3]
		}
	}
	_, err := c.Conn.Write(append(b, p...))
	return err
}

// reply sends the echo of a message.
func (c *conn) reply(op byte, p []byte) error {
	switch c.bad {
	case BinaryAsText:
		op = opText
	case TruncatesAt64K:
		p = p[:min(len(p), 65535)]
	case CorruptsBeyond4K:
		if len(p) > 4096 {
			p[4096] ^= 1
		}
	case EchoesTwice:
		if err := c.write(finBit|op, p); err != nil {
			return err
		}
	case EmptyIsLost:
		if len(p) == 0 {
			return nil
		}
	case DropsLastOctet:
		if len(p) >= 127 {
			p = p[:len(p)-1]
		}
	}
	first := op
	if c.comp != nil && c.bad != NeverCompresses {
		p = c.comp.out.Append(nil, p)
		first |= rsv1Bit
	}
	return c.frames(first, p)
}

// frames sends a message in one frame, or, as a defect, in several.
func (c *conn) frames(first byte, p []byte) error {
	if c.bad != FragmentsWithOpcode && c.bad != RSV1OnContinuation || len(p) < 2 {
		return c.write(finBit|first, p)
	}
	second := byte(finBit | opCont)
	switch {
	case c.bad == FragmentsWithOpcode:
		second = finBit | first&0xf
	case first&rsv1Bit != 0:
		second |= rsv1Bit
	}
	if err := c.write(first, p[:1]); err != nil {
		return err
	}
	return c.write(second, p[1:])
}

// control acts on a control frame, or on one with a reserved opcode.
func (c *conn) control(h header, p []byte) error {
	switch h.op {
	case opPing:
		return c.pinged(p)
	case opPong:
		if c.bad == AnswersPongs {
			return c.write(finBit|opPong, p)
		}
	case opClose:
		return c.closed(p)
	}
	return nil
}

func (c *conn) pinged(p []byte) error {
	switch {
	case c.closing && c.bad != PongsAfterClose, c.bad == DropsPongs, c.bad == LosesPingsInMessage && c.op != 0:
		return nil
	case c.bad == PongsEmpty:
		p = nil
	case c.bad == PongsAsPing:
		return c.write(finBit|opPing, p)
	case c.bad == SplitsPongs && len(p) > 1:
		if err := c.write(opPong, p[:1]); err != nil {
			return err
		}
		return c.write(finBit|opCont, p[1:])
	case c.bad == PongsReversed:
		c.pongs = append(c.pongs, p)
		return nil
	case c.bad == PongsNewestOnly:
		c.pongs = [][]byte{p}
		return nil
	}
	return c.write(finBit|opPong, p)
}

// releasePongs sends the pongs that were held back, the newest first.
func (c *conn) releasePongs() {
	for _, p := range slices.Backward(c.pongs) {
		_ = c.write(finBit|opPong, p)
	}
	c.pongs = nil
}

// closed answers a close frame.
func (c *conn) closed(p []byte) error {
	if c.bad == NoCloseFrame {
		return errDone
	}
	if err := c.checkClose(p); err != nil {
		return err
	}
	code := []byte{1000 >> 8, 1000 & 0xff}
	switch {
	case c.bad == WrongCloseCode:
		code[1]++
	case len(p) >= 2:
		code = p[:2]
	case len(p) == 0:
		code = nil
	}
	if c.bad == DataAfterClose {
		_ = c.write(finBit|opClose, code)
		_ = c.write(finBit|opText, []byte("one more thing"))
	} else if err := c.write(finBit|opClose, code); err != nil {
		return err
	}
	if c.bad == EchoesAfterClose || c.bad == PongsAfterClose {
		c.closing = true
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		return nil
	}
	c.waitEOF(10 * time.Second)
	return io.EOF
}

// checkClose checks the payload of a close frame (RFC 6455, sections 5.5.1 and 7.4).
func (c *conn) checkClose(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if len(p) == 1 {
		if c.bad == AcceptsShortClose {
			return nil
		}
		return protocolError(1002)
	}
	code := int(p[0])<<8 | int(p[1])
	sound := code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006 || code >= 3000 && code <= 4999
	if c.bad == RejectsPrivateCodes && code >= 3000 || !sound && c.bad != AcceptsBadCodes {
		return protocolError(1002)
	}
	reason := checker{}
	if c.bad != AcceptsBadReason && !(reason.write(p[2:]) && reason.complete()) {
		return protocolError(1007)
	}
	return nil
}
