package websocket

// Every rule that a Receiver enforces, broken in every way: noticed with the byte
// that breaks it, by its own variable, in both roles, however the input is cut.

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// brokenRows has a picture for every way in which every rule can be broken. What
// stands before the mark is delivered, what stands behind it does not matter.
var brokenRows = []struct {
	picture string
	err     error
	deflate bool
	lim     Limits
}{
	// 5.2: reserved bits
	{picture: "C1 00!", err: errRSV},
	{picture: "A1 00!", err: errRSV},
	{picture: "91 00!", err: errRSV},
	{picture: "F2 05! 'Hello'", err: errRSV},
	{picture: "A1 00!", err: errRSV, deflate: true},
	{picture: "D1 00!", err: errRSV, deflate: true},
	{picture: "E2 00!", err: errRSV, deflate: true},
	{picture: "C9 00!", err: errRSV, deflate: true},
	{picture: "CA 00!", err: errRSV, deflate: true},
	{picture: "C8 00!", err: errRSV, deflate: true},
	{picture: "41 01 'a' / C0 00!", err: errRSV, deflate: true},
	{picture: "41 01 'a' / 40 01! 'b'", err: errRSV, deflate: true},
	{picture: "01 01 'a' / C0 00!", err: errRSV, deflate: true},
	{picture: "41 01 'a' / C9 00!", err: errRSV, deflate: true},
	// 5.2: reserved opcodes
	{picture: "83 00!", err: errOpcode},
	{picture: "04 00!", err: errOpcode},
	{picture: "85 00!", err: errOpcode},
	{picture: "86 05! 'Hello'", err: errOpcode},
	{picture: "87 00!", err: errOpcode},
	{picture: "8B 00!", err: errOpcode},
	{picture: "8C 00!", err: errOpcode},
	{picture: "8D 00!", err: errOpcode},
	{picture: "8E 00!", err: errOpcode},
	{picture: "8F 00!", err: errOpcode},
	{picture: "01 01 'a' / 83 00!", err: errOpcode},
	// 5.2: length
	{picture: "82 7E 0000!", err: errNotMinimal},
	{picture: "82 7E 0005! 'Hello'", err: errNotMinimal},
	{picture: "82 7E 007D! 00*125", err: errNotMinimal},
	{picture: "82 7F 0000000000000000!", err: errNotMinimal},
	{picture: "82 7F 0000000000000005! 'Hello'", err: errNotMinimal},
	{picture: "82 7F 000000000000007E! 00*126", err: errNotMinimal},
	{picture: "82 7F 000000000000FFFF!", err: errNotMinimal},
	{picture: "02 01 00 / 80 7E 0005!", err: errNotMinimal},
	{picture: "82 7F 8000000000000000! 00", err: errLength63},
	{picture: "82 7F 8000000000000005! 'Hello'", err: errLength63},
	{picture: "82 7F FFFFFFFFFFFFFFFF! 00", err: errLength63},
	{picture: "82 7F FFFFFFFFFFFFFFFF!", err: errLength63},
	{picture: "82 7F FFFFFFFFFFFFFFFC! 00", err: errLength63},
	{picture: "81 7F 8000000100000005! 'Hello'", err: errLength63},
	{picture: "02 01 00 / 80 7F FFFFFFFFFFFFFFFF!", err: errLength63},
	// 5.5: control frames
	{picture: "89 7E! 007E 00*126", err: errControlLength},
	{picture: "8A 7E! 007D 00*125", err: errControlLength},
	{picture: "88 7F! 0000000000000002 03E8", err: errControlLength},
	{picture: "89 7F! FFFFFFFFFFFFFFFF", err: errControlLength},
	{picture: "01 01 'a' / 89 7E! 007E 00*126", err: errControlLength},
	{picture: "09 00!", err: errControlFin},
	{picture: "0A 05! 'Hello'", err: errControlFin},
	{picture: "08 02! 03E8", err: errControlFin},
	{picture: "01 01 'a' / 09 00!", err: errControlFin},
	// 5.4: fragments
	{picture: "80 00!", err: errContinuation},
	{picture: "00 05! 'Hello'", err: errContinuation},
	{picture: "81 05 'Hello' / 80 00!", err: errContinuation},
	{picture: "01 01 'a' / 80 00 / 80 00!", err: errContinuation},
	{picture: "89 00 / 80 00!", err: errContinuation},
	{picture: "01 01 'a' / 81 00!", err: errInterleaved},
	{picture: "01 00 / 01 00!", err: errInterleaved},
	{picture: "02 01 'a' / 89 00 / 82 00!", err: errInterleaved},
	{picture: "02 01 'a' / 00 01 'b' / 01 00!", err: errInterleaved},
	{picture: "42 01 'a' / C2 00!", err: errInterleaved, deflate: true},
	// 5.6, 8.1: text
	{picture: "81 01 FF!", err: errUTF8},
	{picture: "81 05 61 C0! 80 61 61", err: errUTF8},
	{picture: "81 03 ED A0! 80", err: errUTF8},
	{picture: "81 04 F4 90! 80 80", err: errUTF8},
	{picture: "81 03 E2 28! A1", err: errUTF8},
	{picture: "81 04 F0 28! 8C BC", err: errUTF8},
	{picture: "81 02 E2 82 $", err: errUTF8},
	{picture: "81 01 F0 $", err: errUTF8},
	{picture: "01 02 E2 82 / 80 00 $", err: errUTF8},
	{picture: "01 02 E2 82 / 89 01 AC / 80 01 28!", err: errUTF8},
	{picture: "01 01 CE / 00 00 / 00 02 BA FF! / 80 00", err: errUTF8},
	{picture: "01 05 'Hello' / 80 7F 0000000040000000 61 FF!", err: errUTF8}, // 1 GiB to come
	{picture: "81 0B 'Hello-world' / 81 02 'a' 80!", err: errUTF8},
	{picture: "81 7E 0100 41*200 F5! 41*55", err: errUTF8},
	// 5.5.1, 7.4: close
	{picture: "88 01 03 $", err: errCloseLength},
	{picture: "88 02 0000 $", err: errCloseCode},
	{picture: "88 02 03E7 $", err: errCloseCode},
	{picture: "88 02 03EC $", err: errCloseCode},
	{picture: "88 02 03ED $", err: errCloseCode},
	{picture: "88 02 03EE $", err: errCloseCode},
	{picture: "88 05 03F7 'why' $", err: errCloseCode},
	{picture: "88 02 1388 $", err: errCloseCode},
	{picture: "88 02 FFFF $", err: errCloseCode},
	{picture: "88 03 03E8 FF $", err: errCloseReason},
	{picture: "88 04 03E8 E282 $", err: errCloseReason},
	{picture: "88 05 03E8 EDA080 $", err: errCloseReason},
	{picture: "01 02 E2 82 / 88 01 03 $", err: errCloseLength},
	// limits
	{picture: "82 05! 'Hello'", err: &MessageTooBigError{4}, lim: Limits{Message: 4}},
	{picture: "82 04 'Hell' / 82 05!", err: &MessageTooBigError{4}, lim: Limits{Message: 4}},
	{picture: "02 04 'Hell' / 80 01!", err: &MessageTooBigError{4}, lim: Limits{Message: 4}},
	{picture: "02 02 'He' / 89 05 'Hello' / 80 03!", err: &MessageTooBigError{4}, lim: Limits{Message: 4}},
	{picture: "82 7E 007E!", err: &MessageTooBigError{125}, lim: Limits{Message: 125}},
	{picture: "82 7F 0000000000010000!", err: &MessageTooBigError{65535}, lim: Limits{Message: 65535}},
	{picture: "82 7F 0080000000000001! 00", err: &MessageTooBigError{1 << 20}, lim: Limits{Message: 1 << 20}},
	{picture: "82 7F 0000000100000005! 'Hello'", err: &MessageTooBigError{1 << 20}, lim: Limits{Message: 1 << 20}},
	{picture: "02 0A 'ten-bytes.' / 80 7F 7FFFFFFFFFFFFFFF!", err: &MessageTooBigError{11}, lim: Limits{Message: 11}},
	{picture: "02 0A 'ten-bytes.' / 80 7F 7FFFFFFFFFFFFFFF!", err: &MessageTooBigError{math.MaxInt64}, lim: Limits{Message: math.MaxInt64}},
	{picture: "02 0A 'ten-bytes.' / 80 7F 7FFFFFFFFFFFFFFF!", err: &MessageTooBigError{math.MaxInt64}},
	{picture: "02 0A 'ten-bytes.' / 80 7F 7FFFFFFFFFFFFFF6!", err: &MessageTooBigError{math.MaxInt64}},
	{picture: "02 7E 0080! 41", err: &MessageTooBigError{1}, lim: Limits{Message: 1}},
	{picture: "02 01 41 / 00 7F FF80000000000000!", err: errLength63, lim: Limits{Message: 1}},
	{picture: "C2 05! 'Hello'", err: &MessageTooBigError{4}, deflate: true, lim: Limits{Message: 4}},
	{picture: "82 01 'a' / 82 00 / 02 01 'b' / 80 00!", err: errFrames, lim: Limits{Frames: 1}},
	{picture: "02 01 'a' / 00 01 'b' / 80 01! 'c'", err: errFrames, lim: Limits{Frames: 2}},
	{picture: "02 01 'a' / 80 01 'b' / 02 01 'a' / 00 00 / 00 00!", err: errFrames, lim: Limits{Frames: 2}},
	{picture: "02 01 'a' / 89 00 / 89 00 / 00 01 'b' / 8A 00 / 80 00!", err: errFrames, lim: Limits{Frames: 2}},
	{picture: "82 00 / 02 00 / 80 00 / 02 00 / 00 00!", err: errEmptyFrames, lim: Limits{Empty: 1}},
	{picture: "02 00 / 00 00 / 00 00!", err: errEmptyFrames, lim: Limits{Empty: 2}},
	{picture: "02 00 / 00 01 'a' / 00 00 / 00 01 'b' / 00 00!", err: errEmptyFrames, lim: Limits{Empty: 2}},
	{picture: "01 00 / 00 00 / 80 00 / 01 00 / 00 00 / 00 00!", err: errEmptyFrames, lim: Limits{Empty: 2}},
}

// Each rule is enforced by its own variable, in both roles, at the first byte
// that breaks it, however the bytes before it were cut.
func TestRecvRules(t *testing.T) {
	seen := map[error]bool{}
	for _, role := range bothRoles {
		for _, row := range brokenRows {
			name := fmt.Sprintf("%s: %s (deflate %v, %+v)", roleName(role), row.picture, row.deflate, row.lim)
			in, at := draw(row.picture, role)
			require.Positive(t, at, "no mark in %s", name)
			m := model{role: role, deflate: row.deflate, lim: row.lim}

			before, err := m.join(t, in[:at-1])
			require.NoError(t, err, "too early: %s", name)
			want := before
			if n := len(want); n > 0 && want[n-1].partial {
				want = want[:n-1]
			}
			for cut := range at {
				got, err := m.join(t, in[:cut], in[cut:at])
				require.True(t, sameError(row.err, err), "cut at %d: %v in %s", cut, err, name)
				require.Equal(t, len(want), len(got), name)
				require.True(t, slices.Equal(want, got), name)
			}
			for _, pieces := range [][][]byte{{in}, singly(in), singly(in[:at])} {
				got, err := m.join(t, pieces...)
				require.True(t, sameError(row.err, err), "%v in %s", err, name)
				require.True(t, slices.Equal(want, got), name)
			}
			require.NoError(t, m.agrees(in, want, row.err), name)
			seen[row.err] = true
		}
	}
	for _, rule := range []error{errRSV, errOpcode, errNotMinimal, errLength63, errControlLength, errControlFin,
		errContinuation, errInterleaved, errUTF8, errCloseLength, errCloseCode, errCloseReason, errFrames, errEmptyFrames} {
		require.True(t, seen[rule], "no picture breaks: %v", rule)
	}
}

// The limits are those of each message: what one has used up the next has anew,
// whole or in fragments, whatever stands between them.
func TestRecvLimitsAreOfOneMessage(t *testing.T) {
	m := model{lim: Limits{Message: 4, Frames: 3, Empty: 1}}
	for _, m.role = range bothRoles {
		in, _ := draw("82 01 'a' / 02 02 'He' / 80 02 'll' / 82 04 'Hell' / 02 02 'He' / 89 00 / 80 02 'll' / 02 01 'a' / 00 00 / 80 03 'bcd' / 82 04 'Hell' / 01 00 / 00 04 'Hell' / 80 00", m.role)
		for cut := range in {
			got, err := m.join(t, in[:cut], in[cut:])
			require.NoError(t, err)
			var messages []string
			for _, j := range got {
				if j.kind == KindChunk {
					messages = append(messages, j.data)
				}
			}
			require.Equal(t, []string{"a", "Hell", "Hell", "Hell", "abcd", "Hell", "Hell"}, messages)
		}
	}
}
