package websocket

// This file is the ground floor: the names and bits of a frame header, and the
// rules that can be read off them alone. It is pure; recv.go applies the rules,
// send.go writes by them. Reading order from here: mask.go, utf8.go, close.go,
// recv.go, send.go, message.go, handshake.go, then the drivers from conn.go on.
//
// RFC 6455, section 5.2:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| length      |    16 or 64 bits of length    |
//	|I|S|S|S|  (4)  |A|   (7)       |      if length is 126 or 127  |
//	|N|V|V|V|       |S|             |                               |
//	| |1|2|3|       |K|             |                               |
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|  masking key (32 bits, if MASK)  |  payload                   |
//	+----------------------------------+----------------------------+

import (
	"encoding/binary"
	"math"
	"strconv"
)

// Opcode says what a frame carries (RFC 6455, section 5.2).
type Opcode uint8

// The opcodes that RFC 6455 defines. A message is [Text] or [Binary]; the others
// are how messages are cut into frames and how a connection is kept and closed,
// and matter only to users of [Receiver] and [Sender].
const (
	Continuation Opcode = 0x0 // a further frame of a fragmented message
	Text         Opcode = 0x1 // a message of UTF-8 text
	Binary       Opcode = 0x2 // a message of bytes
	Close        Opcode = 0x8 // the closing handshake (section 5.5.1)
	Ping         Opcode = 0x9 // a question that the peer answers with a pong (section 5.5.2)
	Pong         Opcode = 0xA // the answer to a ping, or a one-way heartbeat (section 5.5.3)
)

// String returns the opcode's name in lower case, as in "text", or "opcode 3"
// for one that is reserved.
func (op Opcode) String() string {
	switch op {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "opcode " + strconv.Itoa(int(op))
}

// isControl: "Control frames are identified by opcodes where the most
// significant bit of the opcode is 1." (section 5.5)
func (op Opcode) isControl() bool { return op&0x8 != 0 }

// isMessage tells whether op can begin a message.
func (op Opcode) isMessage() bool { return op == Text || op == Binary }

// isReserved: 3 to 7 and 0xB to 0xF "are reserved for further" frames yet to be
// defined (section 5.2).
func (op Opcode) isReserved() bool { return op&0x7 > 2 }

// Role is the side of the connection that we are. It decides who masks: frames
// from client to server are masked, frames from server to client are not
// (RFC 6455, section 5.1).
type Role uint8

// The two roles. The zero value is the server's.
const (
	RoleServer Role = iota
	RoleClient
)

const (
	finBit  = 0x80 // first header byte
	rsv1Bit = 0x40
	rsv2Bit = 0x20
	rsv3Bit = 0x10

	maskBit = 0x80 // second header byte
	len16   = 126  // the length is in the next two bytes
	len64   = 127  // the length is in the next eight bytes

	maxHeader  = 14  // two bytes, eight of length, four of masking key
	maxControl = 125 // payload of a control frame (section 5.5)
)

// headerLen returns how many bytes the header has whose second byte is b1.
func headerLen(b1 byte) int {
	n := 2
	switch b1 &^ maskBit {
	case len16:
		n += 2
	case len64:
		n += 8
	}
	if b1&maskBit != 0 {
		n += 4
	}
	return n
}

// payloadLen reads the payload length from the header h, of which everything
// but the masking key must be there.
func payloadLen(h []byte) (uint64, *ProtocolError) {
	switch n := uint64(h[1] &^ maskBit); n {
	case len16:
		// "the minimal number of bytes MUST be used to encode the length"
		// (section 5.2). Two parsers in a chain that disagree on this can be
		// played against each other.
		if n = uint64(binary.BigEndian.Uint16(h[2:])); n < len16 {
			return 0, errNotMinimal
		}
		return n, nil
	case len64:
		n = binary.BigEndian.Uint64(h[2:])
		if n > math.MaxInt64 {
			// "the most significant bit MUST be 0" (section 5.2)
			return 0, errLength63
		}
		if n <= math.MaxUint16 {
			return 0, errNotMinimal
		}
		return n, nil
	default:
		return n, nil
	}
}

// appendHeader appends the header of a frame with n bytes of payload and no
// masking key. b0 holds the FIN and RSV bits and the opcode, m is maskBit or 0.
func appendHeader(dst []byte, b0, m byte, n int) []byte {
	switch {
	case n < len16:
		return append(dst, b0, m|byte(n))
	case n <= math.MaxUint16:
		return append(dst, b0, m|len16, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, m|len64), uint64(n))
	}
}
