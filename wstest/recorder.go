package wstest

// A Recorder parses what crosses a stream into frames, with a parser of its own:
// it checks nothing and believes everything, so that it shows what was really
// sent, also by a library that is wrong.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/seed9f1f0156/websocket"
)

// A Frame is a frame as it crossed (RFC 6455, section 5.2).
type Frame struct {
	From    websocket.Role // who sent it
	Op      websocket.Opcode
	Fin     bool
	RSV     byte // the three reserved bits, RSV1 being 4: it marks a compressed message
	Masked  bool
	Payload []byte // unmasked; never nil
}

// String returns the frame in one line, as in `server: text fin "hello"`.
func (f Frame) String() string {
	var b strings.Builder
	if f.From == websocket.RoleClient {
		b.WriteString("client: ")
	} else {
		b.WriteString("server: ")
	}
	b.WriteString(f.Op.String())
	if f.Fin {
		b.WriteString(" fin")
	}
	if f.RSV != 0 {
		fmt.Fprintf(&b, " rsv=%03b", f.RSV)
	}
	if f.Masked {
		b.WriteString(" masked")
	}
	if len(f.Payload) > 0 {
		fmt.Fprintf(&b, " %q", f.Payload)
	}
	return b.String()
}

// A Recorder records frames. The zero value is ready; it is for one connection
// and any number of goroutines. An opening handshake before the frames is left
// out.
type Recorder struct {
	mu     sync.Mutex
	frames []Frame
	begun  [2]bool   // something came that is no opening handshake
	rest   [2][]byte // of each role: bytes of a frame that is not complete
}

// Frames returns the frames of both sides so far, in the order in which they
// became complete. The slice is yours; the payloads are shared.
func (r *Recorder) Frames() []Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.frames)
}

// From returns the frames that one side has sent so far. The slice is yours; the
// payloads are shared.
func (r *Recorder) From(role websocket.Role) []Frame {
	return slices.DeleteFunc(r.Frames(), func(f Frame) bool { return f.From != role })
}

// Rest returns a copy of what one side has sent of a frame that is not complete.
func (r *Recorder) Rest(role websocket.Role) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.rest[role])
}

// Wrap returns c, an end of a stream that role reads and writes, with everything
// that crosses recorded: what is written as sent by role, what is read as sent by
// the other side. A write is recorded when it returns: an answer may have come
// before, and then stands before it in Frames.
func (r *Recorder) Wrap(c net.Conn, role websocket.Role) net.Conn {
	return &tap{Conn: c, r: r, role: role}
}

// record adds what role sent.
func (r *Recorder) record(role websocket.Role, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := append(r.rest[role], p...)
	if !r.begun[role] {
		b = r.skipHandshake(role, b)
	}
	for r.begun[role] {
		f, n := parseFrame(b)
		if n == 0 {
			break
		}
		f.From = role
		r.frames = append(r.frames, f)
		b = b[n:]
	}
	r.rest[role] = slices.Clone(b)
}

// skipHandshake drops a request or a response: no frame begins like one, since
// "G" and "H" are reserved opcodes and control frames without FIN.
func (r *Recorder) skipHandshake(role websocket.Role, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	if b[0] != 'G' && b[0] != 'H' {
		r.begun[role] = true
		return b
	}
	_, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		return b
	}
	r.begun[role] = true
	return rest
}

// parseFrame returns the first frame of b and its length, 0 if it is not complete.
func parseFrame(b []byte) (Frame, int) {
	if len(b) < 2 {
		return Frame{}, 0
	}
	f := Frame{
		Fin:    b[0]&0x80 != 0,
		RSV:    b[0] >> 4 & 7,
		Op:     websocket.Opcode(b[0] & 15),
		Masked: b[1]&0x80 != 0,
	}
	at, size := 2, uint64(b[1]&0x7f)
	wide := map[uint64]int{126: 2, 127: 8}[size]
	if f.Masked {
		at += 4
	}
	if len(b) < at+wide {
		return Frame{}, 0 // its length is not there yet
	}
	if wide > 0 {
		var long [8]byte
		copy(long[8-wide:], b[2:])
		size, at = binary.BigEndian.Uint64(long[:]), at+wide
	}
	if len(b) < at || uint64(len(b)-at) < size {
		return Frame{}, 0
	}
	end := at + int(size)
	f.Payload = append([]byte{}, b[at:end]...)
	if f.Masked {
		for i := range f.Payload {
			f.Payload[i] ^= b[at-4+i%4]
		}
	}
	return f, end
}

// tap is a net.Conn that tells a Recorder what it sees.
type tap struct {
	net.Conn
	r    *Recorder
	role websocket.Role
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.r.record(1-t.role, p[:n])
	return n, err
}

func (t *tap) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.r.record(t.role, p[:n])
	return n, err
}

// CloseWrite ends the outgoing direction, if the stream below can.
func (t *tap) CloseWrite() error {
	if h, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Reset breaks the stream off, if the stream below can, or else closes it.
func (t *tap) Reset() {
	if h, ok := t.Conn.(interface{ Reset() }); ok {
		h.Reset()
		return
	}
	t.Close()
}
