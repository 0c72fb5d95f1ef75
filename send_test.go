package websocket

// Tests of the Sender: exact bytes from a server; from a client the same behind a
// mask that is taken off here, byte by byte; what may not be sent; and the law
// that a Receiver of the other role reads back what was sent.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unmaskFrame takes the mask off a client's frame, of which it returns the key,
// what the server's frame would be, and what follows it.
func unmaskFrame(t testing.TB, b []byte) (key [4]byte, frame, rest []byte) {
	t.Helper()
	require.GreaterOrEqual(t, len(b), 6)
	require.NotZero(t, b[1]&0x80, "the MASK bit of % X", b[:2])
	header, n := 2, int(b[1]&0x7F)
	switch n {
	case 126:
		header, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		header, n = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	copy(key[:], b[header:])
	rest = b[header+4+n:]
	frame = append(bytes.Clone(b[:header]), b[header+4:header+4+n]...)
	frame[1] &= 0x7F
	for i := range frame[header:] {
		frame[header+i] ^= key[i%4]
	}
	return key, frame, rest
}

// sender returns a Sender, and a function that returns what it sends as a server
// would have sent it: for a client, without its masks.
func sender(t testing.TB, role Role) (*Sender, func([]byte) []byte) {
	s := &Sender{}
	s.Reset(role)
	return s, func(wire []byte) (plain []byte) {
		if role == RoleServer {
			return wire
		}
		for len(wire) > 0 {
			var frame []byte
			_, frame, wire = unmaskFrame(t, wire)
			plain = append(plain, frame...)
		}
		return plain
	}
}

// ascending is a payload of n bytes of which no two neighbours are the same.
func ascending(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func TestSendMessages(t *testing.T) {
	for _, role := range bothRoles {
		for _, row := range []struct {
			size   int
			length string // bits of the second byte and on
		}{
			{0, "0 0000000"},
			{1, "0 0000001"},
			{125, "0 1111101"},
			{126, "0 1111110 00000000 01111110"},
			{127, "0 1111110 00000000 01111111"},
			{128, "0 1111110 00000000 10000000"},
			{65535, "0 1111110 11111111 11111111"},
			{65536, "0 1111111 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000"},
			{65537, "0 1111111 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000001"},
			{1 << 18, "0 1111111 00000000 00000000 00000000 00000000 00000000 00000100 00000000 00000000"},
		} {
			p, kept := ascending(row.size), ascending(row.size)
			for _, kind := range []struct {
				first string
				send  func(s *Sender, dst []byte) ([]byte, error)
			}{
				{"1 000 0001", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendMessage(dst, Text, p) }},
				{"1 000 0010", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendMessage(dst, Binary, p) }},
				{"1 100 0001", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendCompressed(dst, Text, p) }},
				{"1 100 0010", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendCompressed(dst, Binary, p) }},
				{"1 000 0001", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendFragment(dst, Text, p, true) }},
				{"0 000 0010", func(s *Sender, dst []byte) ([]byte, error) { return s.AppendFragment(dst, Binary, p, false) }},
			} {
				name := fmt.Sprintf("%s: %s %s, %d bytes", roleName(role), kind.first, row.length, row.size)
				want := append(fromBits(kind.first+row.length), p...)
				s, plain := sender(t, role)
				for _, dst := range [][]byte{nil, []byte("before"), make([]byte, 6, 1<<19)} {
					before := string(dst)
					got, err := kind.send(s, dst)
					require.NoError(t, err, name)
					require.Equal(t, before, string(got[:len(dst)]), name)
					if !bytes.Equal(want, plain(got[len(dst):])) {
						t.Fatalf("%s: not the bytes that are due", name)
					}
					if !bytes.Equal(p, kept) {
						t.Fatalf("%s: the payload that was given is changed", name)
					}
					s.Reset(role)
				}
			}
		}
	}
}

// A server may send the payload itself, behind a header from here.
func TestSendHeader(t *testing.T) {
	s, _ := sender(t, RoleServer)
	for _, row := range []struct {
		op      Opcode
		n       int
		picture string
	}{
		{Text, 0, "1 000 0001 0 0000000"},
		{Binary, 125, "1 000 0010 0 1111101"},
		{Binary, 126, "1 000 0010 0 1111110 00000000 01111110"},
		{Text, 65535, "1 000 0001 0 1111110 11111111 11111111"},
		{Text, 65536, "1 000 0001 0 1111111 00000000 00000000 00000000 00000000 00000000 00000001 00000000 00000000"},
		{Binary, 1<<31 - 1, "1 000 0010 0 1111111 00000000 00000000 00000000 00000000 01111111 11111111 11111111 11111111"},
	} {
		got, err := s.AppendHeader([]byte("before"), row.op, row.n)
		require.NoError(t, err)
		require.Equal(t, append([]byte("before"), fromBits(row.picture)...), got)
	}
	client, _ := sender(t, RoleClient)
	got, err := client.AppendHeader([]byte("before"), Binary, 5)
	require.Same(t, errSendMustMask, err)
	require.Equal(t, "before", string(got))
	got, err = s.AppendHeader([]byte("before"), Binary, -1)
	require.Same(t, errSendLength, err)
	require.Equal(t, "before", string(got))
}

// For payloads that are masked elsewhere, both roles can have a header alone.
func TestSendBareHeader(t *testing.T) {
	for _, role := range bothRoles {
		for _, n := range []int{0, 5, 126, 65536} {
			s, plain := sender(t, role)
			wire, key, err := s.appendBareHeader([]byte("before"), Text, n)
			require.NoError(t, err)
			p := ascending(n)
			for i := range p {
				p[i] ^= key[i%4]
			}
			want, err := (&Sender{}).AppendMessage(nil, Text, ascending(n))
			require.NoError(t, err)
			require.Equal(t, "before", string(wire[:6]))
			require.True(t, bytes.Equal(want, plain(append(wire[6:], p...))), "%s, %d bytes", roleName(role), n)
			_, next, err := s.appendBareHeader(nil, Text, n)
			require.NoError(t, err)
			require.Equal(t, role == RoleServer, key == next, "a client draws a key each time, a server never")
			require.Equal(t, role == RoleServer, key == [4]byte{})
		}
		s, _ := sender(t, role)
		wire, _, err := s.appendBareHeader([]byte("before"), Ping, 1)
		require.Same(t, errSendOpcode, err)
		require.Equal(t, "before", string(wire))
		s.AppendClose(nil, 1000, "")
		_, _, err = s.appendBareHeader(nil, Text, 1)
		require.Same(t, errSendClosed, err)
	}
}

func TestSendFragments(t *testing.T) {
	for _, role := range bothRoles {
		s, plain := sender(t, role)
		var wire []byte
		step := func(op Opcode, p string, fin bool) {
			var err error
			wire, err = s.AppendFragment(wire, op, []byte(p), fin)
			require.NoError(t, err)
		}
		step(Text, "Hel", false)
		step(Text, "", false)
		wire, _ = s.AppendPing(wire, []byte("in between"))
		step(Text, "lo", true)
		step(Binary, "\xFF", true)
		step(Binary, "", false)
		step(Binary, "", true)
		want, _ := draw("01 03 'Hel' / 00 00 / 89 0A 'in' 20 'between' / 80 02 'lo' / 82 01 FF / 02 00 / 80 00", RoleClient)
		require.Equal(t, want, plain(wire))
	}
}

func TestSendControl(t *testing.T) {
	for _, role := range bothRoles {
		for _, n := range []int{0, 1, 124, 125} {
			s, plain := sender(t, role)
			p := ascending(n)
			ping, err := s.AppendPing([]byte("before"), p)
			require.NoError(t, err)
			require.Equal(t, append([]byte{0x89, byte(n)}, p...), plain(ping[6:]))
			pong, err := s.AppendPong([]byte("before"), p)
			require.NoError(t, err)
			require.Equal(t, append([]byte{0x8A, byte(n)}, p...), plain(pong[6:]))
			require.Equal(t, ascending(n), p)
			require.Equal(t, "beforebefore", string(ping[:6])+string(pong[:6]))
		}
		s, _ := sender(t, role)
		for _, send := range []func(dst, p []byte) ([]byte, error){s.AppendPing, s.AppendPong} {
			got, err := send([]byte("before"), ascending(126))
			require.Same(t, errSendControl, err)
			require.Equal(t, "before", string(got))
		}
	}
}

func TestSendClose(t *testing.T) {
	long := strings.Repeat("r", 123)
	for _, role := range bothRoles {
		for _, row := range []struct {
			code    StatusCode
			reason  string
			picture string
		}{
			{1000, "", "88 02 03E8"},
			{1001, "bye", "88 05 03E9 'bye'"},
			{StatusNoStatus, "", "88 00"},
			{StatusNoStatus, "dropped", "88 00"},
			{4999, long, "88 7D 1387 72*123"},
			{4000, long + "r", "88 7D 0FA0 72*123"},
			{4000, long[:121] + "€", "88 7B 0FA0 72*121"},
			{4000, long[:120] + "€", "88 7D 0FA0 72*120 E282AC"},
			{4000, long[:120] + "😊", "88 7A 0FA0 72*120"},
			{1000, "\xFF", "88 05 03E8 EFBFBD"},
			{StatusAbnormalClosure, "why", "88 05 03F3 'why'"},
			{0, "", "88 02 03F3"},
			{999, "", "88 02 03F3"},
			{1004, "", "88 02 03F3"},
			{1015, "", "88 02 03F3"},
			{1016, "", "88 02 03F3"},
			{2999, "", "88 02 03F3"},
			{5000, "", "88 02 03F3"},
			{65535, "", "88 02 03F3"},
		} {
			s, plain := sender(t, role)
			want, _ := draw(row.picture, RoleClient)
			got := s.AppendClose([]byte("before"), row.code, row.reason)
			require.Equal(t, "before", string(got[:6]))
			require.Equal(t, want, plain(got[6:]), "%d %q", row.code, row.reason)
			require.Equal(t, "again", string(s.AppendClose([]byte("again"), 1000, "a second close frame")))
		}
		// RFC 6455, section 7.4.1: what must never be set by an endpoint.
		for code := range 1 << 16 {
			var s Sender
			got := s.AppendClose(nil, StatusCode(code), "")
			if code == int(StatusNoStatus) {
				require.Equal(t, unhex("88 00"), got)
				continue
			}
			if sent := int(got[2])*256 + int(got[3]); len(got) != 4 || !wireCode(sent) || wireCode(code) && sent != code {
				t.Fatalf("%d is sent as % X", code, got)
			}
		}
	}
}

// After the close frame nothing is sent, whatever is asked for.
func TestSendNothingAfterClose(t *testing.T) {
	for _, role := range bothRoles {
		s, _ := sender(t, role)
		_, err := s.AppendFragment(nil, Text, nil, false) // a message is open, too
		require.NoError(t, err)
		s.AppendClose(nil, 1000, "")
		p := []byte("late")
		for name, send := range map[string]func(dst []byte) ([]byte, error){
			"message":        func(dst []byte) ([]byte, error) { return s.AppendMessage(dst, Text, p) },
			"compressed":     func(dst []byte) ([]byte, error) { return s.AppendCompressed(dst, Text, p) },
			"fragment":       func(dst []byte) ([]byte, error) { return s.AppendFragment(dst, Text, p, false) },
			"last fragment":  func(dst []byte) ([]byte, error) { return s.AppendFragment(dst, Text, p, true) },
			"ping":           func(dst []byte) ([]byte, error) { return s.AppendPing(dst, p) },
			"pong":           func(dst []byte) ([]byte, error) { return s.AppendPong(dst, p) },
			"too long a one": func(dst []byte) ([]byte, error) { return s.AppendPong(dst, ascending(126)) },
		} {
			got, err := send([]byte("before"))
			require.Same(t, errSendClosed, err, name)
			require.Equal(t, "before", string(got), name)
		}
		if role == RoleServer {
			got, err := s.AppendHeader([]byte("before"), Text, 4)
			require.Same(t, errSendClosed, err)
			require.Equal(t, "before", string(got))
		}
		for _, kind := range []Kind{KindNone, KindChunk, KindPing, KindPong, KindClose, KindFail} {
			require.Equal(t, "before", string(s.AppendReply([]byte("before"), Event{Kind: kind, Code: 1000, Data: p})))
		}
		s.Reset(role)
		_, err = s.AppendMessage(nil, Text, p)
		require.NoError(t, err, "Reset begins anew")
	}
}

// What a program may not ask for leaves no trace: the next right call succeeds.
func TestSendMisuse(t *testing.T) {
	p := []byte("p")
	for _, role := range bothRoles {
		s, plain := sender(t, role)
		refuse := func(want error, got []byte, err error) {
			t.Helper()
			require.Same(t, want, err)
			require.Equal(t, "before", string(got))
		}
		dst := []byte("before")
		for op := range Opcode(20) {
			if op == Text || op == Binary {
				continue
			}
			want := errSendOpcode
			if op == Continuation {
				want = errSendContinued
			}
			got, err := s.AppendMessage(dst, op, p)
			refuse(want, got, err)
			got, err = s.AppendCompressed(dst, op, p)
			refuse(want, got, err)
			got, err = s.AppendFragment(dst, op, p, true)
			refuse(errSendOpcode, got, err)
			if role == RoleServer {
				got, err = s.AppendHeader(dst, op, 1)
				refuse(want, got, err)
			}
		}
		wire, err := s.AppendFragment(nil, Text, p, false)
		require.NoError(t, err)
		got, err := s.AppendMessage(dst, Text, p)
		refuse(errSendFragment, got, err)
		got, err = s.AppendCompressed(dst, Binary, p)
		refuse(errSendFragment, got, err)
		if role == RoleServer {
			got, err = s.AppendHeader(dst, Text, 1)
			refuse(errSendFragment, got, err)
		}
		wire, err = s.AppendFragment(wire, Text, p, true)
		require.NoError(t, err)
		wire, err = s.AppendMessage(wire, Text, p)
		require.NoError(t, err)
		require.Equal(t, unhex("01 01 70 80 01 70 81 01 70"), plain(wire))
	}
}

// What is owed for what has been received. The replies are exact, so no byte of
// anything else gets into them.
func TestSendReplies(t *testing.T) {
	for _, role := range bothRoles {
		for _, row := range []struct {
			received, owed string
			lim            Limits
		}{
			{received: "89 00", owed: "8A 00"},
			{received: "89 05 'Hello'", owed: "8A 05 'Hello'"},
			{received: "89 7D DB*125", owed: "8A 7D DB*125"},
			{received: "8A 05 'Hello'"},
			{received: "81 05 'Hello'"},
			{received: "81 05 'Hel'"},
			{received: "88 00", owed: "88 00"},
			{received: "88 02 03E8", owed: "88 02 03E8"},
			{received: "88 06 0FA0 'ciao'", owed: "88 02 0FA0"},
			{received: "88 01 03", owed: "88 02 03EA"},
			{received: "88 02 03EE", owed: "88 02 03EA"},
			{received: "88 03 03E8 FF", owed: "88 02 03EF"},
			{received: "81 01 FF", owed: "88 02 03EF"},
			{received: "83 00", owed: "88 02 03EA"},
			{received: "82 05 'Hello'", owed: "88 02 03F1", lim: Limits{Message: 4}},
			{received: "02 00 / 80 00", owed: "88 02 03F0", lim: Limits{Frames: 1}},
			{received: "89 01 'a' / 81 01 'b' / 89 01 'c' / 88 00 / 89 01 'd'", owed: "8A 01 'a' / 8A 01 'c' / 88 00"},
			{received: "88 02 03E8 / 88 02 03E9", owed: "88 02 03E8"},
		} {
			in, _ := draw(row.received, role)
			want, _ := draw(row.owed, RoleClient)
			s, plain := sender(t, role)
			var r Receiver
			r.Reset(role, false, row.lim)
			wire := []byte{}
			for len(in) > 0 {
				ev, n := r.Next(in)
				wire = s.AppendReply(wire, ev)
				for i := range in[:n] {
					in[i] = canary // the buffer is used again at once
				}
				in = in[n:]
			}
			require.True(t, bytes.Equal(want, plain(wire)), "%s: % X owed for %s", roleName(role), plain(wire), row.received)
		}
	}
}

// RFC 6455, section 5.3: a fresh key for every frame, empty ones too, that nobody
// can tell beforehand. Of a million keys about 116 pairs are the same by chance.
func TestSendMaskingKeys(t *testing.T) {
	const frames = 1_000_000
	s, _ := sender(t, RoleClient)
	seen := make(map[[4]byte]bool, frames)
	var counts [4][256]int
	var last [4]byte
	same, twice := 0, 0
	buf := make([]byte, 0, 64)
	p := []byte("payload")
	for i := range frames {
		size := i % 3 * 3 // 0, 3 or 6 bytes
		if i%100 == 0 {
			buf, _ = s.AppendPing(buf[:0], p[:size])
		} else {
			buf, _ = s.AppendMessage(buf[:0], Binary, p[:size])
		}
		if len(buf) != 6+size || buf[1] != 0x80|byte(size) {
			t.Fatalf("frame % X", buf)
		}
		key := [4]byte(buf[2:6])
		for k, b := range buf[6:] {
			if b^key[k&3] != p[k] {
				t.Fatalf("frame % X does not unmask to %q", buf, p[:size])
			}
		}
		if key == last {
			same++
		}
		if seen[key] {
			twice++
		}
		seen[key], last = true, key
		for k, b := range key {
			counts[k][b]++
		}
	}
	require.Equal(t, "payload", string(p))
	require.LessOrEqual(t, same, 1, "keys equal to the one before")
	require.LessOrEqual(t, twice, 250, "keys seen twice")
	for k := range counts {
		// 255 degrees of freedom: the sum is 255 on average, 23 its deviation.
		chi := 0.0
		for _, n := range counts[k] {
			const mean = float64(frames) / 256
			chi += (float64(n) - mean) * (float64(n) - mean) / mean
		}
		require.Less(t, chi, 255+10*23.0, "byte %d of the keys is not even", k)
	}
}

// Two connections, or one that is used again, share no keys.
func TestSendKeysNotShared(t *testing.T) {
	seen := map[[4]byte]int{}
	again := &Sender{}
	for range 200 {
		fresh := &Sender{}
		fresh.Reset(RoleClient)
		again.Reset(RoleClient)
		for _, s := range []*Sender{fresh, again} {
			for range 40 { // more than one reserve
				wire, err := s.AppendMessage(nil, Text, nil)
				require.NoError(t, err)
				seen[[4]byte(wire[2:])]++
			}
		}
	}
	require.Greater(t, len(seen), 200*2*40-5)
}

// script is what a fuzzer lets a Sender do, and what a Receiver must say of it.
type script struct {
	wire []byte
	want []joined
	open *joined
}

// play does one step, of which b tells what to do, with p.
func (sc *script) play(t *testing.T, s *Sender, b byte, p []byte) {
	var err error
	op := Text
	if b&0x10 != 0 {
		op = Binary
	}
	if sc.open != nil && b%8 < 3 {
		op = sc.open.op
	}
	if op == Text {
		p = bytes.ToValidUTF8(p, []byte("?"))
	}
	given := string(p)
	whole := joined{kind: KindChunk, op: op, data: string(p)}
	switch b % 8 {
	case 0, 1, 2:
		if sc.open != nil {
			fin := b&0x20 != 0
			sc.wire, err = s.AppendFragment(sc.wire, op, p, fin)
			if sc.open.data += whole.data; fin {
				sc.want, sc.open = append(sc.want, *sc.open), nil
			}
			break
		}
		sc.wire, err = s.AppendMessage(sc.wire, op, p)
		sc.want = append(sc.want, whole)
	case 3:
		if sc.open == nil {
			sc.wire, err = s.AppendFragment(sc.wire, op, p, false)
			sc.open = &whole
		}
	case 4:
		if sc.open == nil {
			sc.wire, err = s.AppendCompressed(sc.wire, op, p)
			whole.compressed = true
			sc.want = append(sc.want, whole)
		}
	case 5:
		p = p[:min(len(p), maxControl)]
		sc.wire, err = s.AppendPing(sc.wire, p)
		sc.want = append(sc.want, joined{kind: KindPing, op: Ping, data: string(p)})
	case 6:
		p = p[:min(len(p), maxControl)]
		sc.wire, err = s.AppendPong(sc.wire, p)
		sc.want = append(sc.want, joined{kind: KindPong, op: Pong, data: string(p)})
	case 7:
		if sc.open == nil && s.role == RoleServer {
			sc.wire, err = s.AppendHeader(sc.wire, op, len(p))
			sc.wire = append(sc.wire, p...)
			sc.want = append(sc.want, whole)
		}
	}
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(given, string(p)), "the payload that was given is changed")
}

// FuzzRoundTrip holds that what a Sender sends, a Receiver of the other role reads
// back, however it is cut. Text is cut into fragments only between its runes;
// that it may be cut anywhere is for the Receiver's tests.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 5, 'H', 'e', 'l', 'l', 'o'}, []byte{1}, uint8(0), uint16(1000))
	f.Add([]byte{0x13, 2, 0xFF, 0xFE, 5, 1, 'p', 0x20, 2, 'l', 'o', 0x14, 0, 7, 3, 'a', 'b', 'c', 6, 0}, []byte{2, 3}, uint8(1), uint16(4999))
	f.Add([]byte{0x10, 125, 0x10, 126, 0x10, 127, 0x10, 200, 5, 255, 6, 125}, []byte{13, 0, 200}, uint8(3), uint16(1005))
	f.Add([]byte{3, 1, 'a', 0, 1, 'b', 0x20, 0}, []byte{}, uint8(0x80), uint16(1006))
	f.Add([]byte{0x11, 0, 0x12, 0, 4, 0, 0x14, 1, 0}, []byte{1}, uint8(0x81), uint16(0))
	f.Fuzz(func(t *testing.T, in, cuts []byte, setting uint8, code uint16) {
		role := Role(setting & 1)
		s := &Sender{}
		s.Reset(role)
		sc := &script{}
		for len(in) >= 2 && len(sc.wire) < 1<<16 {
			// The second byte is the size of the payload: itself, or for some its
			// multiple, of bytes of the script over and over.
			b, n := in[0], int(in[1])
			if setting&2 != 0 {
				n *= 521
			}
			in = in[2:]
			p := bytes.Repeat([]byte{'-'}, n)
			for i := range p[:min(n, len(in))] {
				p[i] = in[i]
			}
			in = in[min(n, len(in), 8):]
			sc.play(t, s, b, p)
		}
		if setting&0x80 != 0 {
			sc.wire = s.AppendClose(sc.wire, StatusCode(code), "end")
			ev := joined{kind: KindClose, op: Close, code: StatusCode(code), data: "end"}
			switch {
			case ev.code == StatusNoStatus:
				ev.data = ""
			case !wireCode(int(code)):
				ev.code = StatusInternalError
			}
			if sc.open != nil && len(sc.open.data) > 0 {
				sc.open.partial = true
				sc.want = append(sc.want, *sc.open)
			}
			sc.want, sc.open = append(sc.want, ev), nil
		}
		if sc.open != nil && len(sc.open.data) > 0 {
			sc.open.partial = true
			sc.want = append(sc.want, *sc.open)
		}
		m := model{role: 1 - role, deflate: true}
		for _, pieces := range [][][]byte{{sc.wire}, cutBy(sc.wire, cuts)} {
			got, err := m.join(t, pieces...)
			if err != nil || !slices.Equal(sc.want, got) {
				t.Fatalf("%d frames read back as %d, %v", len(sc.want), len(got), err)
			}
		}
	})
}

// With room in dst a Sender allocates nothing; a client draws keys from a reserve
// that it allocates once.
func TestSendAllocatesNothing(t *testing.T) {
	for _, role := range bothRoles {
		for _, size := range []int{0, 16, 125, 1 << 10, 64 << 10} {
			s, _ := sender(t, role)
			dst, p := make([]byte, 0, 128<<10), ascending(size)
			small := p[:min(size, maxControl)]
			ping := Event{Kind: KindPing, Data: small}
			allocs := testing.AllocsPerRun(100, func() {
				s.AppendMessage(dst, Binary, p)
				s.AppendCompressed(dst, Binary, p)
				s.AppendFragment(dst, Binary, p, false)
				s.AppendFragment(dst, Binary, p, true)
				s.AppendPing(dst, small)
				s.AppendPong(dst, small)
				s.AppendReply(dst, ping)
				s.AppendHeader(dst, Binary, size)
				s.AppendClose(dst, 1000, "a reason")
				s.Reset(role)
			})
			require.Zero(t, allocs, "%s, %d bytes", roleName(role), size)
		}
	}
}
