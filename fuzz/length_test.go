package fuzz

// Frame lengths, the class of bugs that has come back most often: signs, overflow,
// truncation to 32 bits, forms that are too long.

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

var unlimited = websocket.Options{ReadLimit: -1, MaxFrames: -1}

// hostileLengths are rows that other tests play as well.
var hostileLengths = []row{
	{name: "negative as int64", in: "827fffffffffffffffff", code: 1002},
	{name: "negative, a byte of payload", in: "827fffffffffffffffff41", code: 1002},
	{name: "negative, no limit", in: "827fffffffffffffffff41", code: 1002, opts: unlimited},
	{name: "top bit alone", in: "817f8000000000000000", code: 1002},
	{name: "top bit, else 5", in: "827f800000000000000568656c6c6f", code: 1002},
	{name: "just under zero", in: "827ffffffffffffffffc41", code: 1002, opts: unlimited},
	{name: "upper word", in: "827f0080000000000001", code: 1009},
	{name: "2^63-1", in: "827f7fffffffffffffff41", code: 1009},
	{name: "2^62", in: "827f4000000000000000", code: 1009},
	{name: "2^32+5", in: "827f000000010000000568656c6c6f", code: 1009},
}

func TestLEN01NegativeContinuation(t *testing.T) {
	one := websocket.Options{ReadLimit: 1}
	check(t,
		row{name: "limit 1", in: "020141 007f8000000000000000 807f0000000000000005", code: 1002, opts: one},
		row{name: "no limit", in: "020141 007f8000000000000000 807f0000000000000005", code: 1002, opts: unlimited},
		row{name: "after the limit", in: "020141 000141", code: 1009, opts: one})
}

func TestLEN02NegativeLength(t *testing.T) { check(t, hostileLengths...) }

// A hundred connections whose peer sets the top bit and holds the line end at
// once: no time passes, and nobody spins, for then the bubble would never rest.
func TestLEN04TopBitDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		for range 100 {
			c, peer := open(t, websocket.RoleServer, "", nil, 256)
			_, err := peer.Write(frames(websocket.RoleServer, "817f8000000000000000"))
			require.NoError(t, err)
			_, err = readAll(c)
			var pe *websocket.ProtocolError
			require.ErrorAs(t, err, &pe)
			require.Equal(t, websocket.StatusProtocolError, pe.Code)
		}
		require.Zero(t, time.Since(begun))
	})
}

func TestLEN05UpperWord(t *testing.T) {
	check(t, row{name: "2^55+1", in: "827f0080000000000001", code: 1009},
		row{name: "2^55+1, no limit", in: "827f008000000000000141", opts: unlimited})
}

func TestLEN06LengthPlusHeaderWraps(t *testing.T) {
	check(t, row{name: "reserved opcode", in: "837fffffffffffffffff00000000", code: 1002},
		row{name: "binary", in: "827ffffffffffffffff500000000", code: 1002, opts: unlimited})
}

// The same lengths in frames that are masked by who must not, and not masked by
// who must.
func TestLEN07WrongSideOfTheMask(t *testing.T) {
	for _, r := range hostileLengths {
		for _, role := range bothRoles {
			t.Run(r.name+", "+roleName(role), func(t *testing.T) {
				wrong := r
				wrong.code = 1002
				playRow(t, wrong, role, frames(other(role), r.in))
			})
		}
	}
}

func TestLEN08SumWraps(t *testing.T) {
	for _, opts := range []websocket.Options{{}, {ReadLimit: 11}, unlimited} {
		check(t, row{name: fmt.Sprint("limit ", opts.ReadLimit),
			in: "020a30313233343536373839 807f7fffffffffffffff", code: 1009, opts: opts})
	}
}

func TestLEN09KeyPlusLengthWraps(t *testing.T) {
	check(t, row{name: "2^64-4", in: "827ffffffffffffffffc4141414141414141", code: 1002, opts: unlimited})
}

// Lengths around every power of two, limit 1 MiB and none: what they ask for is
// computed here in plain words.
func TestLEN10EveryPowerOfTwo(t *testing.T) {
	var rows []row
	for bit := 16; bit < 64; bit += 1 + bit%3 {
		for _, n := range []uint64{1<<bit - 1, 1 << bit, 1<<bit + 5} {
			for _, opts := range []websocket.Options{{}, unlimited} {
				r := row{name: fmt.Sprintf("%x, limit %d", n, opts.ReadLimit), in: fmt.Sprintf("827f%016x", n), opts: opts}
				switch {
				case n >= 1<<63 || n < 1<<16:
					r.code = 1002
				case n > 1<<20 && opts.ReadLimit == 0:
					r.code = 1009
				}
				rows = append(rows, r)
			}
		}
	}
	rows = append(rows, row{name: "2^64-1", in: "827fffffffffffffffff", code: 1002})
	check(t, rows...)
}

// With no limit such a frame is waited for: never is it taken for one of 5 bytes.
func TestLEN11Above32Bits(t *testing.T) {
	for _, n := range []string{"0000000080000000", "00000000ffffffff", "0000000100000000", "0000000100000005"} {
		check(t, row{name: n, in: "827f" + n + "68656c6c6f", opts: unlimited},
			row{name: n + ", limit", in: "827f" + n + "68656c6c6f", code: 1009})
	}
}

func TestLEN12TopBitIsNotMaskedOff(t *testing.T) {
	check(t, row{name: "5", in: "827f800000000000000568656c6c6f", code: 1002, opts: unlimited})
}

// Only version 13 of the protocol is spoken, so the lengths of drafts 75 and 76,
// which have no end, are never read.
func TestLEN13OnlyVersion13(t *testing.T) {
	for _, version := range []string{"", "0", "7", "8", "12", "14", "013", "13, 8"} {
		head := "Sec-WebSocket-Version: " + version + "\r\n"
		if version == "" {
			head = ""
		}
		w, err := accept(request("Sec-WebSocket-Version", head), nil)
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he, "version %q", version)
		require.Zero(t, w.written.Len())
		if version != "13, 8" {
			require.Equal(t, 426, w.Code, "version %q", version)
			var spoken []string // the name is spelled as in RFC 6455
			for name, values := range w.Header() {
				if strings.EqualFold(name, "Sec-WebSocket-Version") {
					spoken = append(spoken, values...)
				}
			}
			require.Equal(t, []string{"13"}, spoken)
		}
		require.GreaterOrEqual(t, w.Code, 400)
	}
}

func TestLEN14OwnLengths(t *testing.T) {
	for n, header := range map[int]string{
		0: "8200", 1: "8201", 125: "827d", 126: "827e007e", 127: "827e007f", 65534: "827efffe",
		65535: "827effff", 65536: "827f0000000000010000",
	} {
		for _, role := range bothRoles {
			synctest.Test(t, func(t *testing.T) {
				c, peer := open(t, role, "", nil, 0)
				sent := collect(peer)
				payload := bytes.Repeat([]byte{0xA5}, n)
				require.NoError(t, c.Write(t.Context(), websocket.Binary, payload))
				c.CloseNow()
				raw := <-sent
				want := unhex(header)
				if role == websocket.RoleClient {
					want[1] |= 0x80
				}
				require.Equal(t, want, raw[:len(want)])
				require.Equal(t, payload, refFrames(t, role, raw)[0].payload)
			})
		}
	}
}

func TestLEN15ShortestForm(t *testing.T) {
	check(t,
		row{name: "5 in 16 bits", in: "827e000568656c6c6f", code: 1002},
		row{name: "0 in 16 bits", in: "827e0000", code: 1002},
		row{name: "125 in 16 bits", in: "827e007d", code: 1002},
		row{name: "5 in 64 bits", in: "827f000000000000000568656c6c6f", code: 1002},
		row{name: "126 in 64 bits", in: "827f000000000000007e", code: 1002},
		row{name: "65535 in 64 bits", in: "827f000000000000ffff", code: 1002})
}

// Every length form, whole messages and fragments, cut at every byte: a header
// that is there without its payload is no message.
func TestLEN16CutAnywhere(t *testing.T) {
	p126, p64k := bytes.Repeat([]byte("x"), 126), bytes.Repeat([]byte("y"), 65536)
	check(t,
		row{name: "5", in: "810568656c6c6f", want: []string{"text:hello"}},
		row{name: "0", in: "8100 8200", want: []string{"text:", "binary:"}},
		row{name: "126", in: frame(0x81, p126), want: []string{"text:" + string(p126)}},
		row{name: "65536", in: frame(0x82, p64k), want: []string{"binary:" + string(p64k)}},
		row{name: "fragments", in: "01026865 00016c 80026c6f", want: []string{"text:hello"}},
		row{name: "fragments around a ping", in: "01026865 89027069 80036c6c6f", want: []string{"text:hello"}, pongs: []string{"pi"}},
		row{name: "header without payload", in: "8105"},
		row{name: "half a header", in: "827e01"})
}

// A cut is a partition of the input: nothing is lost by the harness itself.
func TestCutsJoin(t *testing.T) {
	in := frames(websocket.RoleServer, "810568656c6c6f")
	all := cuts(in)
	require.Len(t, all, len(in)+1)
	for _, chunks := range all {
		require.Equal(t, in, slices.Concat(chunks...))
	}
}
