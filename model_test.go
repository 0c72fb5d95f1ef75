package websocket

// What the tests of the core measure it by, none of it made by the code under
// test: pictures of frames, the reading of them by a slow model of the RFC, and
// the joining of a Receiver's events so that the two can be compared.
//
// A picture of frames is written as a server sends them, without masks:
//
//	81 05 'Hello' / 88 02 03E8
//
// A slash ends a frame; a word is hex, or ASCII between quotes, and may be
// repeated: 00*126. For a Receiver in the server's role the frames are masked
// here. A "!" stands behind the byte with which a broken rule must be noticed, a
// "$" at the end of a frame that must be noticed when it is complete.

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// unhex turns hex digits into bytes. Blanks only help the eye.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, s))
	}
	return b
}

// testKeys are the masking keys of pictures, in turn. Two of them show in the
// payload only at some positions, or not at all.
var testKeys = [][]byte{{0x37, 0xFA, 0x21, 0x3D}, {0x01, 0x02, 0x03, 0x04}, {0, 0, 0, 0}, {0xFF, 0, 0x80, 0x7F}}

// draw returns the bytes of a picture as a Receiver in this role gets them, and
// how many of them it takes to notice the broken rule that is marked, or -1.
func draw(picture string, role Role) (wire []byte, noticed int) {
	noticed = -1
	for i, one := range strings.Split(picture, "/") {
		frame, mark, whole := drawFrame(one)
		header := len(frame)
		if role == RoleServer {
			frame, header = maskFrame(frame, testKeys[i%len(testKeys)])
		}
		if mark > header {
			mark += len(frame) - len(unmasked(one)) // payload lies behind the masking key
		}
		if whole {
			mark = len(frame)
		}
		if mark >= 0 {
			noticed = len(wire) + mark
		}
		wire = append(wire, frame...)
	}
	return wire, noticed
}

func unmasked(picture string) []byte {
	frame, _, _ := drawFrame(picture)
	return frame
}

// drawFrame reads the picture of one frame. mark is the place of a "!", or -1.
func drawFrame(picture string) (frame []byte, mark int, whole bool) {
	mark = -1
	for _, word := range strings.Fields(picture) {
		if word == "$" {
			whole = true
			continue
		}
		word, marked := strings.CutSuffix(word, "!")
		word, count, repeated := strings.Cut(word, "*")
		n := 1
		if repeated {
			n, _ = strconv.Atoi(count)
		}
		var b []byte
		if text, ok := strings.CutPrefix(word, "'"); ok {
			b = []byte(strings.TrimSuffix(text, "'"))
		} else {
			b = unhex(word)
		}
		frame = append(frame, bytes.Repeat(b, n)...)
		if marked {
			mark = len(frame)
		}
	}
	return frame, mark, whole
}

// maskFrame masks a frame that may be cut off anywhere, and returns the length of
// what stands before the masking key.
func maskFrame(frame, key []byte) (masked []byte, header int) {
	if len(frame) < 2 {
		return frame, len(frame)
	}
	header = 2
	switch frame[1] {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	masked = bytes.Clone(frame)
	masked[1] |= 0x80
	if len(frame) < header {
		return masked, len(frame)
	}
	masked = append(masked[:header], key...)
	for i, b := range frame[header:] {
		masked = append(masked, b^key[i%4])
	}
	return masked, header
}

// joined is a message, whole or the part of it that has come, or a control frame.
type joined struct {
	kind       Kind
	op         Opcode
	compressed bool
	partial    bool // the last chunk has not come
	code       StatusCode
	data       string
}

// model is RFC 6455, sections 5 to 8, said as plainly as possible: it looks at
// the whole input again and again, counts with big numbers, and copies freely.
type model struct {
	role    Role
	deflate bool
	lim     Limits
}

// modelMessage is the message that the model is inside of.
type modelMessage struct {
	open       bool
	op         Opcode
	compressed bool
	size       *big.Int // of the frames begun
	frames     int
	empty      int
	data       []byte
}

// firstTwo returns every rule that the first two bytes of a header break.
func (m model) firstTwo(b0, b1 byte, inside bool) (broken []error) {
	check := func(rule error, isBroken bool) {
		if isBroken {
			broken = append(broken, rule)
		}
	}
	fin, rsv1, rsv2, rsv3, op := b0>>7 == 1, b0>>6&1 == 1, b0>>5&1 == 1, b0>>4&1 == 1, b0%16
	isMasked, length := b1 >= 128, b1%128
	known := op == 0 || op == 1 || op == 2 || op == 8 || op == 9 || op == 10
	data := op == 1 || op == 2
	control := op >= 8

	check(errOpcode, !known)
	check(errRSV, rsv2 || rsv3)
	check(errRSV, rsv1 && !m.deflate)
	check(errRSV, rsv1 && !data)
	check(errNotMasked, m.role == RoleServer && !isMasked)
	check(errMasked, m.role == RoleClient && isMasked)
	check(errControlFin, control && !fin)
	check(errControlLength, control && length > 125)
	check(errContinuation, op == 0 && !inside)
	check(errInterleaved, data && inside)
	return broken
}

var (
	big63  = new(big.Int).Lsh(big.NewInt(1), 63)
	bigMax = new(big.Int).Sub(big63, big.NewInt(1))
)

// length returns the payload length of a header of which everything but the
// masking key is there, and every rule that it breaks.
func (m model) length(h []byte, msg modelMessage) (n *big.Int, broken []error) {
	check := func(rule error, isBroken bool) {
		if isBroken {
			broken = append(broken, rule)
		}
	}
	n = big.NewInt(int64(h[1] % 128))
	if len(h) > 2 {
		n.SetBytes(h[2:])
	}
	check(errNotMinimal, len(h) == 4 && n.Cmp(big.NewInt(126)) < 0)
	check(errNotMinimal, len(h) == 10 && n.Cmp(big.NewInt(65536)) < 0)
	check(errLength63, n.Cmp(big63) >= 0)
	if h[0]%16 >= 8 {
		return n, broken
	}
	if h[0]%16 != 0 {
		msg = modelMessage{size: new(big.Int)}
	}
	total := new(big.Int).Add(msg.size, n)
	check(&MessageTooBigError{m.lim.Message}, m.lim.Message > 0 && total.Cmp(big.NewInt(m.lim.Message)) > 0)
	check(&MessageTooBigError{1<<63 - 1}, total.Cmp(bigMax) > 0)
	check(errFrames, m.lim.Frames > 0 && msg.frames+1 > m.lim.Frames)
	check(errEmptyFrames, m.lim.Empty > 0 && n.Sign() == 0 && h[0] < 128 && msg.empty+1 > m.lim.Empty)
	return n, broken
}

// closed returns the rules that the payload of a close frame breaks.
func (m model) closed(p []byte) (ev joined, broken []error) {
	ev = joined{kind: KindClose, op: Close, code: StatusNoStatus}
	switch {
	case len(p) == 0:
	case len(p) == 1:
		broken = append(broken, errCloseLength)
	default:
		code := int(p[0])*256 + int(p[1])
		ev.code, ev.data = StatusCode(code), string(p[2:])
		if !wireCode(code) {
			broken = append(broken, errCloseCode)
		}
		if !utf8.Valid(p[2:]) {
			broken = append(broken, errCloseReason)
		}
	}
	return ev, broken
}

// canBecomeText tells whether some valid text begins with p: whether there are up
// to three bytes that complete it. The bytes tried are the ends of all the ranges
// that a byte within a code point can have (RFC 3629, section 4).
func canBecomeText(p []byte) bool {
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		if r == utf8.RuneError && size == 1 {
			break
		}
		p = p[size:]
	}
	if len(p) > 3 {
		return false
	}
	tries := [][]byte{{}}
	for len(tries[0]) < 4 {
		var longer [][]byte
		for _, try := range tries {
			if utf8.Valid(append(bytes.Clone(p), try...)) {
				return true
			}
			for _, b := range []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF} {
				longer = append(longer, append(bytes.Clone(try), b))
			}
		}
		tries = longer
	}
	return false
}

// run reads in. If a rule is broken it returns what came before and every error
// that would be right; of the message that failed nothing is returned.
func (m model) run(in []byte) (events []joined, broken []error) {
	msg := modelMessage{size: new(big.Int)}
	for {
		if len(in) < 2 {
			break
		}
		if broken = m.firstTwo(in[0], in[1], msg.open); len(broken) > 0 {
			return events, broken
		}
		header := 2
		if in[1]%128 == 126 {
			header = 4
		}
		if in[1]%128 == 127 {
			header = 10
		}
		if len(in) < header {
			break
		}
		n, broken := m.length(in[:header], msg)
		if len(broken) > 0 {
			return events, broken
		}
		fin, op := in[0] >= 128, Opcode(in[0]%16)
		rsv1 := in[0]>>6&1 == 1
		key := make([]byte, 4)
		if in[1] >= 128 {
			if len(in) < header+4 {
				break
			}
			key = in[header : header+4]
			header += 4
		}
		in = in[header:]
		whole := n.Cmp(big.NewInt(int64(len(in)))) <= 0
		payload := bytes.Clone(in)
		if whole {
			payload, in = payload[:n.Int64()], in[n.Int64():]
		} else {
			in = nil
		}
		for i := range payload {
			payload[i] ^= key[i%4]
		}
		if op >= 8 {
			if !whole {
				break
			}
			ev := joined{kind: KindPing, op: op, data: string(payload)}
			if op == Pong {
				ev.kind = KindPong
			}
			if op == Close {
				if ev, broken = m.closed(payload); len(broken) > 0 {
					return events, broken
				}
				events = m.partial(events, msg)
				return append(events, ev), nil
			}
			events = append(events, ev)
			continue
		}
		if op != Continuation {
			msg = modelMessage{open: true, op: op, compressed: rsv1, size: new(big.Int)}
		}
		msg.size.Add(msg.size, n)
		msg.frames++
		if n.Sign() == 0 && !fin {
			msg.empty++
		}
		msg.data = append(msg.data, payload...)
		complete := fin && whole
		if msg.op == Text && !msg.compressed && (!canBecomeText(msg.data) || complete && !utf8.Valid(msg.data)) {
			return events, []error{errUTF8}
		}
		if complete {
			events = append(events, joined{kind: KindChunk, op: msg.op, compressed: msg.compressed, data: string(msg.data)})
			msg = modelMessage{size: new(big.Int)}
		}
	}
	return m.partial(events, msg), nil
}

// partial adds what has come of a message that is not complete. Since nothing
// joins it any more, where it stands among the control frames does not matter.
func (m model) partial(events []joined, msg modelMessage) []joined {
	if len(msg.data) == 0 {
		return events
	}
	return append(events, joined{kind: KindChunk, op: msg.op, compressed: msg.compressed, partial: true, data: string(msg.data)})
}

// joiner drives a Receiver and joins its events, and holds each step against what
// Next promises.
type joiner struct {
	t      testing.TB
	r      *Receiver
	events []joined
	cur    *joined // the message that is being joined
	data   []byte  // of it
	ended  bool    // a close frame has come
	failed *Event
	before []byte // what Next was given
}

const canary = 0xDB

// feed gives one piece to the Receiver, in a buffer that is overwritten as soon
// as Next no longer needs it.
func (j *joiner) feed(piece []byte) {
	stale := bytes.Repeat([]byte{canary}, len(piece)+8)
	buf := append(bytes.Clone(piece), stale[:8]...)
	b := buf[:len(piece):len(piece)]
	for {
		before := append(j.before[:0], b...)
		j.before = before
		ev, n := j.r.Next(b)
		if n < 0 || n > len(b) || n == 0 && len(b) > 0 {
			j.t.Fatalf("%d of %d bytes used", n, len(b))
		}
		if !bytes.Equal(b[n:], before[n:]) {
			j.t.Fatalf("bytes beyond the %d used are changed: %x to %x", n, before[n:], b[n:])
		}
		j.event(ev)
		copy(b[:n], stale)
		if b = b[n:]; len(b) == 0 {
			break
		}
	}
	for _, c := range buf[len(piece):] {
		if c != canary {
			j.t.Fatalf("written beyond the end of the input: % x", buf[len(piece):])
		}
	}
}

func (j *joiner) event(ev Event) {
	if j.failed != nil {
		if ev.Kind != KindFail || ev.Code != j.failed.Code || len(ev.Data) != 0 {
			j.t.Fatalf("%+v after %+v", ev, *j.failed)
		}
		return
	}
	if j.ended && ev.Kind != KindNone {
		j.t.Fatalf("%+v after a close frame", ev)
	}
	if (ev.Kind == KindFail) != (j.r.Err() != nil) {
		j.t.Fatalf("%+v, but the error is %v", ev, j.r.Err())
	}
	switch ev.Kind {
	case KindNone:
		if ev.Data != nil || ev.Op != 0 || ev.First || ev.Fin || ev.Compressed || ev.Code != 0 {
			j.t.Fatalf("an event of no kind says %+v", ev)
		}
	case KindChunk:
		j.chunk(ev)
	case KindPing, KindPong, KindClose:
		if ev.First || !ev.Fin || ev.Compressed || (ev.Kind == KindClose) != (ev.Code != 0) {
			j.t.Fatalf("a control frame says %+v", ev)
		}
		if j.r.Pending() != 0 {
			j.t.Fatalf("%d bytes pending after a control frame", j.r.Pending())
		}
		j.events = append(j.events, joined{kind: ev.Kind, op: ev.Op, code: ev.Code, data: string(ev.Data)})
		j.ended = ev.Kind == KindClose
	case KindFail:
		if ev.Code != failCode(j.r.Err()) || ev.Data != nil {
			j.t.Fatalf("%+v for %v", ev, j.r.Err())
		}
		j.failed = &ev
	default:
		j.t.Fatalf("unknown kind of event %+v", ev)
	}
}

func (j *joiner) chunk(ev Event) {
	if ev.First != (j.cur == nil) {
		j.t.Fatalf("first is %v in %+v, with %+v open", ev.First, ev, j.cur)
	}
	if ev.Code != 0 || len(ev.Data) == 0 && !ev.Fin {
		j.t.Fatalf("a chunk says %+v", ev)
	}
	if j.cur == nil {
		j.cur, j.data = &joined{kind: KindChunk, op: ev.Op, compressed: ev.Compressed}, nil
	}
	if ev.Op != j.cur.op || ev.Compressed != j.cur.compressed {
		j.t.Fatalf("%+v does not go on with %+v", ev, j.cur)
	}
	if ev.Fin && j.r.Pending() != 0 {
		j.t.Fatalf("%d bytes pending after the last chunk", j.r.Pending())
	}
	j.data = append(j.data, ev.Data...)
	if ev.Fin {
		j.cur.data = string(j.data)
		j.events = append(j.events, *j.cur)
		j.cur = nil
	}
}

// join feeds the pieces to a new Receiver and returns its joined events, and the
// error if a rule was broken.
func (m model) join(t testing.TB, pieces ...[]byte) ([]joined, error) {
	t.Helper()
	var r Receiver
	r.Reset(m.role, m.deflate, m.lim)
	j := joiner{t: t, r: &r}
	for _, piece := range pieces {
		j.feed(piece)
	}
	if j.failed != nil {
		return j.events, r.Err()
	}
	if j.cur != nil {
		// A close frame ends the joining, and with it the message before it.
		j.cur.partial, j.cur.data = true, string(j.data)
		at := len(j.events)
		if j.ended {
			at--
		}
		j.events = slices.Insert(j.events, at, *j.cur)
	}
	return j.events, nil
}

// agrees holds what join returned against what the model says.
func (m model) agrees(in []byte, got []joined, err error) error {
	want, broken := m.run(in)
	if !slices.Equal(want, got) {
		return fmt.Errorf("events %+v, should be %+v", got, want)
	}
	if len(broken) == 0 {
		if err != nil {
			return fmt.Errorf("fails with %v, should not", err)
		}
		return nil
	}
	for _, rule := range broken {
		if sameError(rule, err) {
			return nil
		}
	}
	return fmt.Errorf("fails with %v, should with one of %v", err, broken)
}

// sameError compares errors of a Receiver: rules by their identity, limits by
// their value.
func sameError(a, b error) bool {
	x, ok := a.(*MessageTooBigError)
	y, ok2 := b.(*MessageTooBigError)
	if ok && ok2 {
		return *x == *y
	}
	return a == b
}

// be64 is a length in 64 bits, in hex.
func be64(n uint64) string { return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, n)) }
