package websocket

// Tests of the Receiver: every first two bytes of a header, limits, and the law
// that how the input is cut does not matter. Each rule by itself is in
// recv_rules_test.go.

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var bothRoles = []Role{RoleServer, RoleClient}

func roleName(role Role) string { return [...]string{"server", "client"}[role] }

// singly cuts in into single bytes.
func singly(in []byte) [][]byte { return slices.Collect(slices.Chunk(in, 1)) }

// RFC 6455, section 5.7: the examples.
func TestRecvExamplesOfTheRFC(t *testing.T) {
	binary256, binary64k := bytes.Repeat([]byte{0x5A}, 256), bytes.Repeat([]byte{0xA5}, 65536)
	for _, row := range []struct {
		role Role
		wire []byte
		want joined
	}{
		{RoleClient, unhex("81 05 48 65 6c 6c 6f"), joined{kind: KindChunk, op: Text, data: "Hello"}},
		{RoleServer, unhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), joined{kind: KindChunk, op: Text, data: "Hello"}},
		{RoleClient, unhex("01 03 48 65 6c 80 02 6c 6f"), joined{kind: KindChunk, op: Text, data: "Hello"}},
		{RoleClient, unhex("89 05 48 65 6c 6c 6f"), joined{kind: KindPing, op: Ping, data: "Hello"}},
		{RoleServer, unhex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"), joined{kind: KindPong, op: Pong, data: "Hello"}},
		{RoleClient, append(unhex("82 7E 0100"), binary256...), joined{kind: KindChunk, op: Binary, data: string(binary256)}},
		{RoleClient, append(unhex("82 7F 0000000000010000"), binary64k...), joined{kind: KindChunk, op: Binary, data: string(binary64k)}},
	} {
		m := model{role: row.role}
		for _, pieces := range [][][]byte{{row.wire}, singly(row.wire)} {
			got, err := m.join(t, pieces...)
			require.NoError(t, err)
			require.Equal(t, []joined{row.want}, got)
		}
	}
}

// RFC 6455, section 5.1: who masks and who does not, for every kind of frame, an
// empty one too, known at the second byte.
func TestRecvMasking(t *testing.T) {
	for _, picture := range []string{
		"81 00", "81 05 'Hello'", "82 7E 0100 00*256", "82 7F 0000000000010000 00*65536", "01 00", "89 00", "8A 05 'Hello'",
		"88 00", "88 02 03E8",
	} {
		bare, _ := draw(picture, RoleClient)
		masked, _ := draw(picture, RoleServer)
		for _, row := range []struct {
			role Role
			in   []byte
			err  error
		}{{RoleServer, bare, errNotMasked}, {RoleClient, masked, errMasked}} {
			for _, pieces := range [][][]byte{{row.in}, {row.in[:2]}, {row.in[:1], row.in[1:]}, {row.in[:1], row.in[1:2]}} {
				got, err := model{role: row.role}.join(t, pieces...)
				require.Same(t, row.err, err, picture)
				require.Empty(t, got)
			}
		}
		for _, row := range []struct {
			role Role
			in   []byte
		}{{RoleServer, masked}, {RoleClient, bare}} {
			_, err := model{role: row.role}.join(t, row.in)
			require.NoError(t, err, picture)
		}
	}
}

// Every first two bytes, followed by every length that is a boundary, outside a
// message and inside each kind of one, in both roles, with and without
// compression: what the Receiver says is what the model says.
func TestRecvEveryFirstTwoBytes(t *testing.T) {
	lengths16 := []uint64{0, 5, 125, 126, 127, 32767, 65535}
	lengths64 := []uint64{0, 5, 126, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 5, 1 << 62,
		1<<63 - 1, 1 << 63, 1<<63 + 5, 1<<64 - 4, 1<<64 - 1}
	payload := bytes.Repeat(testKeys[0], 40) // unmasks to zeros, if masked
	before := []string{"", "01 01 'a'", "02 01 'a'", "42 01 'a'"}
	count := 0
	in := make([]byte, 0, 512)
	for _, role := range bothRoles {
		for _, deflate := range []bool{false, true} {
			for _, picture := range before {
				if picture == "42 01 'a'" && !deflate {
					continue
				}
				prelude := []byte{}
				if picture != "" {
					prelude, _ = draw(picture, role)
				}
				m := model{role: role, deflate: deflate, lim: Limits{Message: 1 << 40}}
				for first := range 1 << 16 {
					b0, b1 := byte(first>>8), byte(first)
					lengths := []uint64{uint64(b1 & 127)}
					var ext int
					switch b1 & 127 {
					case 126:
						lengths, ext = lengths16, 2
					case 127:
						lengths, ext = lengths64, 8
					}
					for _, n := range lengths {
						in = append(append(in[:0], prelude...), b0, b1)
						for i := ext - 1; i >= 0; i-- {
							in = append(in, byte(n>>(8*i)))
						}
						if b1 >= 128 {
							in = append(in, testKeys[0]...)
						}
						in = append(in, payload[:min(n, 130)]...)
						count++
						got, err := m.join(t, in)
						if err := m.agrees(in, got, err); err != nil {
							t.Fatalf("%s, deflate %v, after %q: % X: %v", roleName(role), deflate, picture, in, err)
						}
					}
				}
			}
		}
	}
	require.Equal(t, 14*(1<<16+512*(len(lengths16)-1)+512*(len(lengths64)-1)), count)
}

// All 65,536 codes in a close frame, split inside the code.
func TestRecvCloseCodes(t *testing.T) {
	for _, role := range bothRoles {
		for code := range 1 << 16 {
			in, _ := draw(fmt.Sprintf("88 04 %04X 'ok'", code), role)
			var r Receiver
			r.Reset(role, false, Limits{})
			cut := len(in) - 3
			if ev, n := r.Next(in[:cut]); n != cut || ev.Kind != KindNone {
				t.Fatalf("%d: %+v before the code is whole", code, ev)
			}
			ev, _ := r.Next(in[cut:])
			if wireCode(code) {
				if ev.Kind != KindClose || ev.Code != StatusCode(code) || string(ev.Data) != "ok" || r.Err() != nil {
					t.Fatalf("%d: %+v, %v", code, ev, r.Err())
				}
			} else if ev.Kind != KindFail || ev.Code != StatusProtocolError || r.Err() != errCloseCode {
				t.Fatalf("%d: %+v, %v", code, ev, r.Err())
			}
		}
	}
}

// Limits hold exactly: at the limit a message is delivered, one above it fails
// with its header, cut into however many frames.
func TestRecvMessageLimit(t *testing.T) {
	for _, role := range bothRoles {
		for _, limit := range []int{1, 2, 125, 126, 127, 1000, 65535, 65536, 65537, 1 << 20} {
			for _, fragments := range []int{1, 2, 3} {
				for _, size := range []int{limit - 1, limit, limit + 1} {
					if size < fragments {
						continue
					}
					var pictures []string
					for i := range fragments {
						n, b0 := size/fragments, 0
						if i == 0 {
							n, b0 = n+size%fragments, 2
						}
						if i == fragments-1 {
							b0 |= 0x80
						}
						length := fmt.Sprintf("%02X", n)
						if n > 125 {
							length = fmt.Sprintf("7E %04X", n)
						}
						if n > 65535 {
							length = "7F" + be64(uint64(n))
						}
						pictures = append(pictures, fmt.Sprintf("%02X %s 61*%d", b0, length, n))
					}
					m := model{role: role, lim: Limits{Message: int64(limit)}}
					in, _ := draw(strings.Join(pictures, "/"), role)
					got, err := m.join(t, in)
					if size <= limit {
						require.NoError(t, err)
						require.Equal(t, []joined{{kind: KindChunk, op: Binary, data: strings.Repeat("a", size)}}, got)
						continue
					}
					require.Equal(t, &MessageTooBigError{int64(limit)}, err)
					require.Empty(t, got)
				}
			}
		}
	}
}

func TestRecvFrameLimits(t *testing.T) {
	const limit = 1000
	first, middle, last, empty := "02 01 61 /", "00 01 61 /", "80 01 61", "00 00 /"
	for _, role := range bothRoles {
		for _, row := range []struct {
			picture string
			lim     Limits
			size    int
			err     error
		}{
			{first + strings.Repeat(middle, limit-3) + last, Limits{Frames: limit}, limit - 1, nil},
			{first + strings.Repeat(middle, limit-2) + last, Limits{Frames: limit}, limit, nil},
			{first + strings.Repeat(middle, limit-1) + last, Limits{Frames: limit}, 0, errFrames},
			{first + strings.Repeat(middle, limit-1) + last, Limits{}, limit + 1, nil},
			{first + strings.Repeat(empty, limit-1) + last, Limits{Empty: limit}, 2, nil},
			{first + strings.Repeat(empty, limit) + last, Limits{Empty: limit}, 2, nil},
			{first + strings.Repeat(empty, limit) + "80 00", Limits{Empty: limit}, 1, nil},
			{first + strings.Repeat(empty, limit+1) + last, Limits{Empty: limit}, 0, errEmptyFrames},
			{first + strings.Repeat(empty, limit+1) + last, Limits{}, 2, nil},
			{first + strings.Repeat(empty, limit+1) + last, Limits{Frames: limit}, 0, errFrames},
		} {
			in, _ := draw(row.picture, role)
			got, err := model{role: role, lim: row.lim}.join(t, in)
			require.Equal(t, row.err, err)
			if row.err == nil {
				require.Equal(t, []joined{{kind: KindChunk, op: Binary, data: strings.Repeat("a", row.size)}}, got)
			}
		}
	}
}

// sessions are what peers send who keep to the rules, and some who do not. They
// are cut everywhere.
var sessions = []struct {
	picture string
	deflate bool
	lim     Limits
}{
	{picture: "81 00"},
	{picture: "82 00"},
	{picture: "81 05 'Hello'"},
	{picture: "82 05 00FF8000FF / 82 01 80"},
	{picture: "81 7D 61*125"},
	{picture: "81 7E 007E 61*126"},
	{picture: "82 7E 0101 C3*257 / 81 02 'ok'"},
	{picture: "81 03 'one' / 81 03 'two' / 82 05 'three' / 81 00 / 81 04 'five'"},
	{picture: "01 03 'Hel' / 80 02 'lo'"},
	{picture: "01 00 / 00 00 / 80 00"},
	{picture: "01 00 / 00 01 'a' / 00 00 / 80 00 / 82 00"},
	{picture: "01 01 'H' / 00 01 'e' / 00 01 'l' / 00 01 'l' / 80 01 'o'"},
	{picture: "01 03 'Hel' / 89 04 'ping' / 80 02 'lo' / 8A 04 'pong'"},
	{picture: "02 02 F00F / 89 00 / 8A 00 / 00 01 5A / 89 7D 70*125 / 80 03 A5A5A5"},
	{picture: "89 00 / 89 00 / 8A 00 / 89 01 FF"},
	{picture: "89 7D 70*125 / 8A 7D 71*125"},
	{picture: "88 00"},
	{picture: "88 02 03E8"},
	{picture: "88 7D 0FA0 72*123"},
	{picture: "81 02 'hi' / 88 05 03E9 'bye'"},
	{picture: "88 02 03E8 / 81 04 'late' / 88 02 03E8"},
	{picture: "88 00 / FF FF FF FF FF FF FF FF FF FF FF"},
	{picture: "01 03 'Hel' / 88 02 03E8 / 80 02 'lo'"},
	{picture: "01 03 'Hel' / 88 02 0BB8 / 83 00"},
	{picture: "81 0C CEBA E1BDB9 CF83 CEBC CEB5"},
	{picture: "81 03 E282AC / 81 04 F09F988A / 81 02 C3A9"},
	{picture: "01 01 F0 / 00 01 9F / 89 01 FF / 00 01 98 / 80 01 8A"},
	{picture: "01 02 E282 / 00 00 / 80 01 AC"},
	{picture: "02 03 FFFEFD / 80 01 80"},
	{picture: "C1 07 F248CDC9C90700", deflate: true},
	{picture: "41 03 F248CD / 89 02 'pi' / 80 04 C9C90700 / 81 02 'hi'", deflate: true},
	{picture: "C2 01 00 / C1 00 / 82 01 00", deflate: true},
	{picture: "C1 03 FFFFFF / 81 03 'abc'", deflate: true}, // its text is looked at after it is inflated
	{picture: "81 0A 'half-of-'"},
	{picture: "82 7F 7FFFFFFFFFFFFFFF 'a-beginning'"},
	{picture: "82 7F 4000000000000000"},
	{picture: "01 03 'abc' / 89 05 'pin'"},
	{picture: "02 0A 'ten-bytes.' / 80 0A 'ten-more.' 2E", lim: Limits{Message: 20, Frames: 2, Empty: 1}},
	{picture: "02 00 / 80 00 / 02 00 / 80 00", lim: Limits{Message: 20, Frames: 2, Empty: 1}},
	{picture: "81 03 'one' / 81 05 'tw' FF 'o' 00"},
	{picture: "81 03 'one' / 01 01 E2 / 80 01 28"},
	{picture: "81 03 'one' / 02 01 'a' / 89 00 / 81 00"},
	{picture: "81 03 'one' / 82 7E 0005 'Hello'"},
	{picture: "81 03 'one' / 82 7F FFFFFFFFFFFFFFFF 00"},
	{picture: "89 01 00 / 88 01 03"},
	{picture: "89 01 00 / 88 04 03E8 E282"},
	{picture: "02 0A 'ten-bytes.' / 80 7F 7FFFFFFFFFFFFFFF 00"},
	{picture: "02 01 00 / 00 02 0000 / 80 01 00 / 82 05 0000000000", lim: Limits{Message: 4}},
}

// The law: for any way of cutting the input the joined events are the same. Here
// for every cut in two, into single bytes, and for the short ones every cut in
// three.
func TestRecvSplit(t *testing.T) {
	require.GreaterOrEqual(t, len(sessions), 30)
	for _, role := range bothRoles {
		for _, s := range sessions {
			name := roleName(role) + ": " + s.picture
			m := model{role: role, deflate: s.deflate, lim: s.lim}
			in, _ := draw(s.picture, role)
			whole, err := m.join(t, in)
			require.NoError(t, m.agrees(in, whole, err), name)

			same := func(pieces ...[]byte) {
				got, err2 := m.join(t, pieces...)
				if !slices.Equal(whole, got) || !sameError(err, err2) {
					t.Fatalf("%s\ncut as % X: %+v %v\nnot cut: %+v %v", name, pieces, got, err2, whole, err)
				}
			}
			same(singly(in)...)
			same(append(singly(in), nil)...)
			for i := range len(in) + 1 {
				same(in[:i], in[i:])
				same(in[:i], nil, in[i:])
				if len(in) > 100 {
					continue
				}
				for k := i; k <= len(in); k++ {
					same(in[:i], in[i:k], in[k:])
				}
				// And every beginning is as good a session as any.
				got, err := m.join(t, in[:i])
				require.NoError(t, m.agrees(in[:i], got, err), name)
			}
		}
	}
}

// What is lent ends where its capacity does: to append to it is not to write into the
// frame behind it.
func TestRecvLendsNoMore(t *testing.T) {
	for name, first := range map[string]string{"message": "8203 6f6e65", "fragment": "0203 6f6e65", "ping": "8903 6f6e65"} {
		t.Run(name, func(t *testing.T) {
			for cut := range 5 { // before the payload, and within it
				var r Receiver
				r.Reset(RoleClient, false, Limits{})
				last := "8203 74776f"
				if name == "fragment" {
					last = "8003 74776f"
				}
				b := unhex(first + last)
				var got []string
				for _, part := range [][]byte{b[:cut], b[cut:]} {
					for len(part) > 0 {
						ev, n := r.Next(part)
						require.NoError(t, r.Err())
						part = part[n:]
						if len(ev.Data) > 0 {
							got = append(got, string(ev.Data))
							_ = append(ev.Data, 0xFF, 0xFF)
						}
					}
				}
				require.Equal(t, "onetwo", strings.Join(got, ""))
			}
		})
	}
}

// What looks like a message that came in one frame, and is none: within a header that
// is cut, or with a rule broken that shows only in what comes after it.
func TestRecvLooksWhole(t *testing.T) {
	for _, row := range []struct {
		role Role
		in   string
	}{
		{RoleClient, "82 82 01 00"},
		{RoleClient, "82 7F 8203616263000000 00"},
		{RoleClient, "82 7F 007E000000000000" + strings.Repeat("AA", 130)},
		{RoleServer, "82 82 81000000 0041"},
		{RoleServer, "82 FF 8281000000000041 00000000"},
		{RoleServer, "82 FF 00FE000000000000 00000000" + strings.Repeat("AA", 260)},
		{RoleServer, "82 FF 007E000000000000 00000000" + strings.Repeat("AA", 130)},
		{RoleServer, "82 05 48656C6C6F 82 05 48656C6C6F"},
		{RoleServer, "81 85 80808080 68656C6C6F"}, // text as long as it is masked
	} {
		m, in := model{role: row.role}, unhex(row.in)
		for i := range in {
			got, err := m.join(t, in[:i], in[i:])
			require.NoError(t, m.agrees(in, got, err), "%s, cut at %d", row.in, i)
		}
	}
}

// fuzzModel turns a byte of a fuzzer into a Receiver's settings.
func fuzzModel(setting byte) model {
	m := model{role: Role(setting & 1), deflate: setting&2 != 0}
	if setting&4 != 0 {
		m.lim.Message = 1 << (setting >> 5)
	}
	if setting&8 != 0 {
		m.lim.Frames = 3
	}
	if setting&16 != 0 {
		m.lim.Empty = 1
	}
	return m
}

// FuzzSplit holds the law and the model for any bytes, any cut and any limits.
func FuzzSplit(f *testing.F) {
	for _, role := range bothRoles {
		for i, s := range sessions {
			in, _ := draw(s.picture, role)
			setting := byte(role) | byte(i)<<4
			if s.deflate {
				setting |= 2
			}
			f.Add(in, []byte{byte(i), 1, 2, 3}, setting)
		}
		for i, row := range brokenRows {
			in, _ := draw(row.picture, role)
			setting := byte(role)
			if row.lim != (Limits{}) {
				setting |= 0x5C
			}
			f.Add(in, []byte{byte(i % 7)}, setting)
		}
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte, setting byte) {
		if len(in) > 1<<10 {
			return // the model is slow, and longer input shows nothing new
		}
		m := fuzzModel(setting)
		whole, err := m.join(t, in)
		if err := m.agrees(in, whole, err); err != nil {
			t.Fatalf("whole: %v", err)
		}
		for _, pieces := range [][][]byte{cutBy(in, cuts), singly(in)} {
			got, err2 := m.join(t, pieces...)
			if !slices.Equal(whole, got) || !sameError(err, err2) {
				t.Fatalf("cut as % X: %+v %v\nnot cut: %+v %v", pieces, got, err2, whole, err)
			}
		}
	})
}

// cutBy cuts in into pieces of the lengths in cuts, over and over.
func cutBy(in, cuts []byte) (pieces [][]byte) {
	for i := 0; len(in) > 0 && len(cuts) > 0; i++ {
		n := min(int(cuts[i%len(cuts)]), len(in))
		if n == 0 && i%len(cuts) == len(cuts)-1 {
			n = 1
		}
		pieces = append(pieces, in[:n])
		in = in[n:]
	}
	return append(pieces, in)
}

// Half a frame is half an event: nothing waits for the rest, and Pending says how
// much that is.
func TestRecvPending(t *testing.T) {
	for _, role := range bothRoles {
		var r Receiver
		r.Reset(role, false, Limits{})
		require.Zero(t, r.Pending())

		in, _ := draw("02 7F 0000000100000005 'abcdef'", role)
		in = in[:len(in)-3]
		header := len(in) - 3
		ev, n := r.Next(in[:header-1])
		require.Equal(t, header-1, n)
		require.Equal(t, Event{}, ev)
		require.Zero(t, r.Pending(), "not known before the header is whole")
		ev, n = r.Next(in[header-1 : header])
		require.Equal(t, 1, n)
		require.Equal(t, Event{}, ev)
		require.Equal(t, uint64(1<<32+5), r.Pending())
		ev, n = r.Next(in[header:])
		require.Equal(t, 3, n)
		require.Equal(t, Event{Kind: KindChunk, Op: Binary, First: true, Data: []byte("abc")}, ev)
		require.Equal(t, uint64(1<<32+2), r.Pending())
		ev, n = r.Next(nil)
		require.Zero(t, n)
		require.Equal(t, Event{}, ev)

		r.Reset(role, false, Limits{})
		in, _ = draw("89 05 'Hello'", role)
		ev, _ = r.Next(in[:len(in)-1])
		require.Equal(t, Event{}, ev)
		require.Zero(t, r.Pending(), "a control frame is not read into place")
		ev, _ = r.Next(in[len(in)-1:])
		require.Equal(t, "Hello", string(ev.Data))
	}
}

// After a failure the same is said for ever, and everything is used up; after a
// close frame nothing is said any more.
func TestRecvEnds(t *testing.T) {
	for _, role := range bothRoles {
		var r Receiver
		r.Reset(role, false, Limits{Message: 4})
		in, _ := draw("82 05 'Hello' / 81 04 'more'", role)
		ev, _ := r.Next(in)
		want := Event{Kind: KindFail, Code: StatusMessageTooBig}
		require.Equal(t, want, ev)
		first := r.Err()
		require.Equal(t, &MessageTooBigError{4}, first)
		sound, _ := draw("82 04 'more'", role)
		for _, more := range [][]byte{nil, {}, in, {0x88, 0x00}, sound} {
			ev, n := r.Next(more)
			require.Equal(t, want, ev)
			require.Equal(t, len(more), n)
			require.Same(t, first, r.Err())
		}

		r.Reset(role, false, Limits{})
		require.NoError(t, r.Err(), "Reset forgets a failure")
		in, _ = draw("88 02 03E8", role)
		ev, _ = r.Next(in)
		require.Equal(t, Event{Kind: KindClose, Op: Close, Fin: true, Code: 1000, Data: []byte{}}, ev)
		for _, more := range [][]byte{nil, in, {0xFF, 0xFF, 0xFF}, sound} {
			ev, n := r.Next(more)
			require.Equal(t, Event{}, ev)
			require.Equal(t, len(more), n)
			require.NoError(t, r.Err())
		}
	}
}

// The zero value is a server's, without limits, and knows no compression.
func TestRecvZeroValue(t *testing.T) {
	var r Receiver
	ev, n := r.Next(unhex("81 85 37FA213D 7F9F4D5158"))
	require.Equal(t, 11, n)
	require.Equal(t, Event{Kind: KindChunk, Op: Text, First: true, Fin: true, Data: []byte("Hello")}, ev)
	ev, _ = r.Next(unhex("C1 80 00000000"))
	require.Equal(t, KindFail, ev.Kind)
	require.Same(t, errRSV, r.Err())
}

// What Next hands out lies in its argument or in the Receiver, and what a header
// claims costs nothing: not one allocation, whatever is sent.
func TestRecvAllocatesNothing(t *testing.T) {
	for _, role := range bothRoles {
		for _, picture := range []string{
			"82 7F 4000000000000000 00",
			"81 05 'Hello' / 01 05 'Hello' / 89 7D 70*125 / 80 05 'Hello' / 8A 00 / 82 7F 0000000000010000 00*65536",
			"83 00",
			"88 05 03E8 'bye' / 81 00",
		} {
			in, _ := draw(picture, role)
			buf := make([]byte, len(in))
			var r Receiver
			for _, size := range []int{1, 7, len(in)} {
				allocs := testing.AllocsPerRun(10, func() {
					r.Reset(role, true, Limits{Message: 1 << 62, Frames: 10, Empty: 10})
					copy(buf, in)
					for b := buf; len(b) > 0; {
						piece := b[:min(size, len(b))]
						for len(piece) > 0 {
							_, n := r.Next(piece)
							piece, b = piece[n:], b[n:]
						}
					}
				})
				require.Zero(t, allocs, "%s: %s by %d", roleName(role), picture, size)
			}
		}
	}
}

// A hundred thousand connections have a hundred thousand Receivers, and events
// are passed by value: neither grows unnoticed.
func TestRecvSizes(t *testing.T) {
	require.LessOrEqual(t, int(reflect.TypeFor[Event]().Size()), 40)
	require.LessOrEqual(t, int(reflect.TypeFor[Receiver]().Size()), 232)
}
