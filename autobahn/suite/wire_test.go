package suite

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// Bit pictures, octet by octet:
//
//	FIN RSV opcode | MASK length | longer length | key
func TestHeaders(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	huge := uint64(1)<<63 | 5
	for want, f := range map[string]frame{
		"8105":                 {op: opText, payload: make([]byte, 5)},
		"0105":                 {op: opText, more: true, payload: make([]byte, 5)},
		"c200":                 {op: opBinary, rsv: 4},
		"f100":                 {op: opText, rsv: 7},
		"897d":                 {op: opPing, payload: make([]byte, 125)},
		"897e007e":             {op: opPing, payload: make([]byte, 126)},
		"827effff":             {op: opBinary, payload: make([]byte, 65535)},
		"827f0000000000010000": {op: opBinary, payload: make([]byte, 65536)},
		"817e0005":             {op: opText, payload: make([]byte, 5), lenBytes: 3},
		"817f0000000000000005": {op: opText, payload: make([]byte, 5), lenBytes: 9},
		"817f8000000000000005": {op: opText, payload: make([]byte, 5), length: &huge},
	} {
		require.Equal(t, want, hex.EncodeToString(appendHeader(nil, f, false, key)))
		masked := unhex(t, want)
		masked[1] |= 0x80
		masked = append(masked, key[:]...)
		require.Equal(t, masked, appendHeader(nil, f, true, key))

		for _, b := range [][]byte{unhex(t, want), masked} {
			h, n := parseHeader(append(b, 0xff, 0xff))
			require.Equal(t, len(b), n)
			require.Equal(t, f.op, h.op)
			require.Equal(t, f.more, !h.fin)
			require.Equal(t, f.rsv, h.rsv)
			require.Equal(t, b[1]&0x80 != 0, h.masked)
			require.Equal(t, f.lenBytes == 0, h.minimal)
			for short := range len(b) {
				_, n := parseHeader(b[:short])
				require.Zero(t, n)
			}
		}
	}
}

// The definition of RFC 6455, section 5.3, octet by octet.
func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 3))
	key := [4]byte{1, 0x80, 0xff, 0x5a}
	for n := range 100 {
		for pos := range 5 {
			p := make([]byte, n)
			for i := range p {
				p[i] = byte(r.Uint32())
			}
			want := bytes.Clone(p)
			for i := range want {
				want[i] ^= key[(pos+i)%4]
			}
			maskBytes(p, key, pos)
			require.Equal(t, want, p)
		}
	}
}

// Wherever a text is cut, the check says the same, and says no at the first octet that
// cannot be right.
func TestUTF8Check(t *testing.T) {
	for _, group := range sequences() {
		for _, s := range group {
			whole := utf8Check{}
			valid := whole.write([]byte(s)) && whole.complete()
			for cut := range len(s) + 1 {
				u := utf8Check{}
				got := u.write([]byte(s[:cut])) && u.write([]byte(s[cut:])) && u.complete()
				require.Equal(t, valid, got, "%x cut at %d", s, cut)
			}
		}
	}
	u := utf8Check{}
	require.True(t, u.write([]byte(kosme+"\xf4")))
	require.False(t, u.write([]byte{0x90}))
}
