package fuzz

// Text that is not UTF-8 never reaches the application, whichever way it is cut
// into frames, fragments and segments.

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// texts are the strings, in hex, that validators have stumbled over, bad and good.
var texts = []string{
	"ff", "fe", "80", "bf", "c0", "c1", "f5", "f8", "fc",
	"c080", "c1bf", "e08080", "e09fbf", "f0808080", "f08fbfbf", // overlong
	"eda080", "edadbf", "edb080", "edbfbf", "eda080edb080", // surrogates
	"f4908080", "f7bfbfbf", "f8888080af", "fc84808080af", // above U+10FFFF
	"c3", "e2", "e282", "f0", "f09f", "f09f98", "48e2", // cut off
	"e228", "e22828", "e28228", "f028", "f09f28", "f09f9828", "c328", // an ASCII byte where none may be
	"c3c3", "e2e2", "e282e2", "f09f98f0", "80ff", "41ff42", "e282acff", "ffe282ac",
	"", "41", "c3a9", "e282ac", "f09f9880", "ed9fbf", "ee8080", "efbfbf", "f48fbfbf", "c280", "dfbf", "e0a080", "f0908080",
	"48c3a96ce282ac6ff09f9880", "00", "7f",
}

// inFragments returns the frames of a text of which each byte of cut begins a new
// fragment.
func inFragments(text []byte, cut uint) string {
	var words []string
	b0, from := byte(0x01), 0
	for i := 1; i <= len(text); i++ {
		if i < len(text) && cut>>(i-1)&1 == 0 {
			continue
		}
		if i == len(text) {
			b0 |= 0x80
		}
		words = append(words, frame(b0, text[from:i]))
		b0, from = 0x00, i
	}
	if len(text) == 0 {
		words = []string{"8100"}
	}
	return strings.Join(words, " ")
}

func textRow(name string, text []byte, cut uint) row {
	r := row{name: name, in: inFragments(text, cut), code: 1007}
	if utf8.Valid(text) {
		r.want, r.code = []string{"text:" + string(text)}, 0
	}
	return r
}

// Whatever three bytes do is also known to the Receiver, in one frame and in
// fragments of one byte: a stride over all 2^24 that meets every pair.
func TestUTF01AgainstUnicode(t *testing.T) {
	for n := 0; n < 1<<24; n += 251 * thin(16) {
		p := []byte{byte(n >> 16), byte(n >> 8), byte(n)}
		for _, cut := range []uint{0, 3} {
			in := frames(websocket.RoleServer, inFragments(p, cut))
			want := "fail 1007"
			if utf8.Valid(p) {
				want = fmt.Sprintf("message 1:false:%x", p)
			}
			if got := recvEvents(websocket.RoleServer, false, websocket.Limits{}, [][]byte{in}); len(got) != 1 || got[0] != want {
				t.Fatalf("% x: %v, want %s", p, got, want)
			}
		}
	}
	check(t, textRow("E2 28", unhex("e228"), 0), textRow("F0 28", unhex("f028"), 0), textRow("E2, 28", unhex("e228"), 1))
}

func TestUTF02InvalidText(t *testing.T) {
	var rows []row
	for _, s := range texts {
		rows = append(rows, textRow("text "+s, unhex(s), 0))
	}
	check(t, rows...)
}

// The code is 1007, not 1002, also for text that was compressed (stored blocks).
func TestUTF03CodeIs1007(t *testing.T) {
	check(t,
		row{name: "plain", in: "8101ff", code: 1007},
		row{name: "compressed", in: "c103fa0f00", code: 1007, ext: noTakeover, opts: deflating()},
		row{name: "compressed, cut off", in: "c1047ad40400", code: 1007, ext: noTakeover, opts: deflating()},
		row{name: "compressed binary is not text", in: "c203fa0f00", want: []string{"binary:\xff"}, ext: noTakeover, opts: deflating()})
}

// Each text cut into two fragments at every byte, and into as many as it has bytes.
func TestUTF04InFragments(t *testing.T) {
	for _, s := range texts {
		text := unhex(s)
		all := map[uint]bool{1<<len(text) - 1: true}
		for i := range len(text) - 1 {
			all[1<<i] = true
		}
		for cut := range all {
			for _, role := range bothRoles {
				r := textRow(s, text, cut)
				synctest.Test(t, func(t *testing.T) {
					in := frames(role, r.in)
					r.judge(t, play(t, role, "", r.opts, [][]byte{in}), 0)
					r.judge(t, play(t, role, "", r.opts, [][]byte{in[:len(in)/2], in[len(in)/2:]}), 0)
				})
			}
		}
	}
}

func TestUTF05FailsFast(t *testing.T) {
	check(t,
		row{name: "first byte of 1 GiB", in: "0103616263 807f0000000040000000ff", code: 1007, opts: unlimited},
		row{name: "an ASCII byte is due to be none", in: "0102e282 807f000000004000000041", code: 1007, opts: unlimited})
}

// What the application gets as text is valid, whatever random bytes come.
func TestUTF06ApplicationGetsText(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	synctest.Test(t, func(t *testing.T) {
		delivered := 0
		for range 2000 {
			p := make([]byte, random.IntN(6))
			for i := range p {
				p[i] = "aZ\x80\xbf\xc3\xa9\xe2\x82\xac\xed\xa0\xf0\x9f\x98\xff"[random.IntN(15)]
			}
			in := frames(websocket.RoleClient, inFragments(p, uint(random.IntN(64))))
			out := play(t, websocket.RoleClient, "", websocket.Options{}, [][]byte{in})
			require.Equal(t, utf8.Valid(p), len(out.messages) == 1, "% x", p)
			delivered += len(out.messages)
		}
		require.Greater(t, delivered, 100)
	})
}

// Errors and frames can be printed whatever the peer has put into them; what has
// control characters is escaped.
func TestUTF07PrintingIsSafe(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	for range 2000 {
		p := make([]byte, random.IntN(60))
		for i := range p {
			p[i] = byte(random.UintN(256))
		}
		for _, s := range []string{
			(&websocket.CloseError{Code: websocket.StatusCode(random.UintN(1 << 16)), Reason: string(p), Remote: true}).Error(),
			wstest.Frame{Op: websocket.Opcode(random.UintN(16)), Payload: p, RSV: byte(random.UintN(8))}.String(),
			(&websocket.HandshakeError{Status: 400, Reason: "r", Body: p}).Error(),
		} {
			require.True(t, utf8.ValidString(s), "%x", s)
			require.NotContains(t, s, "\n", "%s", hex.EncodeToString(p))
			require.NotContains(t, s, "\x1b")
			require.NotContains(t, s, "\x00")
		}
	}
}
