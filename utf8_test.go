// UTF-8 in pieces against package unicode/utf8: every short string, every cut of the tricky ones, and the first
// impossible byte found where it stands.

package websocket

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var utf8Exhaustive = flag.Bool("utf8.exhaustive", false, "check all 2^32 strings of four bytes; takes up to 20 minutes")

// utf8Variants are the ways to check that this machine has.
var utf8Variants = []maskVariant{{name: "the default", use: func(testing.TB) {}}}

func forEachUTF8(t *testing.T, test func(t *testing.T)) {
	for _, v := range utf8Variants {
		t.Run(v.name, func(t *testing.T) {
			v.use(t)
			test(t)
		})
	}
}

// viableUTF8 reports whether p can be continued to valid UTF-8. After the lead of a code point, 80 or A0 may follow,
// whatever the lead, and after that 80.
func viableUTF8(p []byte) bool {
	for _, end := range []string{"", "\x80", "\xA0", "\x80\x80", "\xA0\x80", "\x80\x80\x80", "\xA0\x80\x80"} {
		if utf8.ValidString(string(p) + end) {
			return true
		}
	}
	return false
}

// edgeBytes are the first and the last of each range of RFC 3629, section 4, and their neighbours.
var edgeBytes = []byte("\x00a\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC2\xDF\xE0\xE1\xEC\xED\xEE\xEF\xF0\xF1\xF3\xF4\xF5\xF7\xF8\xFB\xFC\xFE\xFF")

// trickyTexts are valid and invalid, cut short, overlong, too large, and surrogates.
var trickyTexts = []string{
	"", "a", "ascii only", "\x00", "\x7F", "é", "ß", "\u0080", "\u07FF", "\u0800", "\uFFFF", "\uD7FF", "\uE000", "\uFEFF",
	"\U00010000", "\U0010FFFF", "κόσμε", "Hello-µ@ßöäüàá-UTF-8!!", "日本語", "a日b本c語", "🏳️‍🌈", "x🎉", "🎉🎉🎉🎉🎉", "\uFFFD", "\uFFFE",
	"\x80", "\xBF", "\x80\x80\x80\x80", "a\x80", "é\x80", "日\x80", "🎉\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2a", "\xC2\xC2",
	"\xE0\x80\x80", "\xE0\x9F\xBF", "\xE0\xA0", "\xE2\x82", "\xE2\x28\xA1", "\xE2\x82\x28", "\xED\xA0\x80", "\xED\xBF\xBF", "\xED\xAD\xBF\xED\xBF\xBF",
	"\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x28\x8C\xBC", "\xF0\x90\x28\xBC", "\xF0\x28\x8C\x28", "\xF0\x9F\x8E", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
	"\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80", "\xFE", "\xFF", "\xFF\xFE", "text\xFF", "text\xE2\x82", "\xE2\x82\xE2\x82\xAC", "\xF0\x9F\xC3\xA9",
	"κόσμε\xED\xA0\x80edited", "κόσμε\xF4\x90\x80\x80edited", "\xF0a", "\xF0\xC3", "\xE2\xF0\x9F\x8E\x89", "\xEF\xBB\xBF", "\xC3\xA9\xC3", "\xC3🎉", "\xDF€", "\xE2\x82🎉",
}

// checkPieces writes p cut at cuts and compares every answer with what the text so far allows.
func checkPieces(t *testing.T, p []byte, cuts ...int) {
	var u utf8Stream
	from := 0
	for _, to := range append(cuts, len(p)) {
		got := u.write(p[from:to])
		if got != viableUTF8(p[:to]) {
			t.Fatalf("%q cut at %v: write answers %v for what ends at %d", p, cuts, got, to)
		}
		if !got {
			return
		}
		if u.complete() != utf8.Valid(p[:to]) {
			t.Fatalf("%q cut at %v: complete answers %v at %d", p, cuts, u.complete(), to)
		}
		from = to
	}
}

func TestUTF8TrickyTextsInEveryCut(t *testing.T) {
	require.Greater(t, len(trickyTexts), 50)
	for _, text := range trickyTexts {
		p := []byte(text)
		n := len(p)
		for a := range n + 1 {
			for b := a; b <= n; b++ {
				for c := b; c <= n; c++ {
					for d := c; d <= n; d++ {
						checkPieces(t, p, a, b, c, d)
					}
				}
			}
		}
	}
}

// Long enough for the kernel: each tricky text at every place of a long one, in two pieces.
func TestUTF8TrickyTextsWithinLongOnes(t *testing.T) {
	around := []byte(strings.Repeat("Straße, улица, 通り, 🛣. ", 4))
	for at := range around {
		if !utf8.RuneStart(around[at]) {
			continue
		}
		for i, text := range trickyTexts {
			p := bytes.Join([][]byte{around[:at], []byte(text), around[at:]}, nil)
			checkPieces(t, p)
			checkPieces(t, p, (at*7+i)%len(p))
			checkPieces(t, p[:at+len(text)], at/2)
		}
	}
}

// ASCII is looked at many bytes at a time: each byte that is none is seen wherever it stands, and alone.
func TestUTF8OneByteWithinASCII(t *testing.T) {
	for n := range 80 {
		p := bytes.Repeat([]byte{'@'}, n) // one bit of seven: the rest could hide in no mask
		checkPieces(t, p)
		for at := range p {
			for _, b := range []byte{0x00, 0x7F, 0x80, 0x81, 0xBF, 0xC3, 0xFF} {
				p[at] = b
				checkPieces(t, p)
			}
			p[at] = '@'
		}
	}
}

// All 2^24 strings of three bytes, in every cut. After two bytes the state is the same in one piece or two.
func TestUTF8ThreeBytes(t *testing.T) {
	p := make([]byte, 3)
	for i := range 1 << 16 {
		p[0], p[1] = byte(i>>8), byte(i)
		var one utf8Stream
		ok1 := one.write(p[:1])
		oneOne := one
		ok11 := ok1 && oneOne.write(p[1:2])
		var two utf8Stream
		ok2 := two.write(p[:2])
		if ok2 != ok11 || ok2 && two.due > 0 && two != oneOne {
			t.Fatalf("% X", p[:2])
		}
		for c := range 256 {
			p[2] = byte(c)
			want := utf8.Valid(p)
			var whole utf8Stream
			u12, u21 := one, two
			if (whole.write(p) && whole.complete()) != want ||
				(ok1 && u12.write(p[1:]) && u12.complete()) != want ||
				(ok2 && u21.write(p[2:]) && u21.complete()) != want {
				t.Fatalf("% X", p)
			}
		}
	}
}

// All 2^24 again, now within a text that is long enough for the kernel, and across two of its steps.
func TestUTF8ThreeBytesWithinALongText(t *testing.T) {
	p := []byte(strings.Repeat("x", 48))
	for i := range 1 << 24 {
		p[30], p[31], p[32] = byte(i>>16), byte(i>>8), byte(i)
		if validUTF8(p) != utf8.Valid(p[30:33]) {
			t.Fatalf("% X", p)
		}
	}
}

// Four of the edge bytes at every place of a long text; byte by byte, the first impossible one is refused.
func TestUTF8EdgeBytes(t *testing.T) {
	const n = 70
	places := make([][]byte, n-3)
	for at := range places {
		places[at] = []byte(strings.Repeat("x", n))
	}
	p := make([]byte, 4)
	count := len(edgeBytes)
	for i := range count * count * count * count {
		for k, j := 0, i; k < 4; k++ {
			p[k] = edgeBytes[j%count]
			j /= count
		}
		valid := utf8.Valid(p)
		for k := range 4 {
			at := (i*4 + k*17) % len(places)
			copy(places[at][at:], p)
			if validUTF8(places[at]) != valid {
				t.Fatalf("% X at %d", p, at)
			}
			copy(places[at][at:], "xxxx")
		}
		if i%8 == 0 {
			checkPieces(t, p, 1, 2, 3)
		}
	}
}

func TestUTF8FourBytes(t *testing.T) {
	if !*utf8Exhaustive {
		t.Skip("2^32 strings take up to 20 minutes: -utf8.exhaustive")
	}
	long := []byte(strings.Repeat("x", 48))
	p := long[29:33]
	for i := range uint64(1 << 32) {
		p[0], p[1], p[2], p[3] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
		want := utf8.Valid(p)
		var u utf8Stream
		if (u.write(p[:3]) && u.write(p[3:]) && u.complete()) != want || validUTF8(long) != want {
			t.Fatalf("% X", p)
		}
	}
}

// randomText is valid UTF-8 in one script or several.
func randomText(r *rand.Rand, runes int) []byte {
	scripts := [][2]int{{0x20, 0x7E}, {0x80, 0x7FF}, {0x400, 0x44F}, {0x800, 0xD7FF}, {0x4E00, 0x9FFF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}}
	var b []byte
	s := scripts[r.IntN(len(scripts))]
	for range runes {
		if r.IntN(6) == 0 {
			s = scripts[r.IntN(len(scripts))]
		}
		b = utf8.AppendRune(b, rune(s[0]+r.IntN(s[1]-s[0]+1)))
	}
	return b
}

// Texts with at most one byte changed, in random pieces.
func TestUTF8RandomTexts(t *testing.T) {
	forEachUTF8(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3629, 4))
		invalid := 0
		for range 4000 {
			p := randomText(r, r.IntN(200))
			if len(p) > 0 && r.IntN(2) == 0 {
				p[r.IntN(len(p))] = byte(r.Uint32())
			}
			if !utf8.Valid(p) {
				invalid++
			}
			var cuts []int
			for at := r.IntN(150); at < len(p); at += r.IntN(150) {
				cuts = append(cuts, at)
			}
			checkPieces(t, p, cuts...)
		}
		require.Greater(t, invalid, 1000)
	})
}

func TestUTF8Reset(t *testing.T) {
	var u utf8Stream
	require.True(t, u.write([]byte("\xF0\x9F")))
	require.False(t, u.complete())
	u.reset()
	require.Equal(t, utf8Stream{}, u)
	require.True(t, u.write([]byte("text")))
	require.True(t, u.complete())
}

func TestUTF8CostsLittleMemory(t *testing.T) {
	require.LessOrEqual(t, reflect.TypeFor[utf8Stream]().Size(), uintptr(8))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := [50]byte{0: 0xC3, 1: 0xA9, 48: 0xE2, 49: 0x82}
		var u utf8Stream
		if !u.write(b[:]) || u.complete() {
			panic("wrong")
		}
	}))
}

func FuzzUTF8(f *testing.F) {
	for _, text := range trickyTexts {
		f.Add([]byte(text), uint16(0), uint16(1))
		f.Add([]byte(strings.Repeat("ж", 20)+text+strings.Repeat("語", 20)), uint16(41), uint16(60))
	}
	f.Fuzz(func(t *testing.T, p []byte, a, b uint16) {
		if len(p) == 0 {
			return
		}
		first, second := int(a)%len(p), int(b)%len(p)
		forEachUTF8(t, func(t *testing.T) {
			checkPieces(t, p, min(first, second), max(first, second))
		})
	})
}

// BenchmarkUTF8 checks whole texts, beside package unicode/utf8.
func BenchmarkUTF8(b *testing.B) {
	for _, text := range []struct{ name, sample string }{
		{"ASCII", `{"id":12345,"method":"subscribe","params":["trades","BTC-USD"]} `},
		{"JSON", `{"user":"Жанна","text":"Привет! Как дела? 👋","lang":"ru","id":4711} `},
		{"German", "Über den Wolken muß die Freiheit wohl grenzenlos sein. Alle Ängste, alle Sorgen, sagt man. "},
		{"Russian", "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. "},
		{"Chinese", "道可道，非常道。名可名，非常名。"},
	} {
		for _, n := range []int{16, 64, 125, 1 << 10, 64 << 10} {
			p := []byte(strings.Repeat(text.sample, n/len(text.sample)+1))[:n]
			for end := n - 1; !utf8.Valid(p); end-- {
				p[end] = '.'
			}
			b.Run(fmt.Sprintf("%s-%d/stream", text.name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					var u utf8Stream
					if !u.write(p) || !u.complete() {
						b.Fatal("valid text refused")
					}
				}
			})
			b.Run(fmt.Sprintf("%s-%d/utf8.Valid", text.name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					if !utf8.Valid(p) {
						b.Fatal("valid text refused")
					}
				}
			})
		}
	}
}
