// Masking and UTF-8 next to memory that may not be touched: a kernel that reads a byte outside the payload, which no
// comparison of results would show, ends the test.

package websocket

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// fenced returns size bytes between two pages without access.
func fenced(t *testing.T, size int) []byte {
	page := syscall.Getpagesize()
	size = (size + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, page+size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(all)) })
	require.NoError(t, syscall.Mprotect(all[:page], syscall.PROT_NONE))
	require.NoError(t, syscall.Mprotect(all[page+size:], syscall.PROT_NONE))
	return all[page : page+size]
}

func TestMaskTouchesNothingElse(t *testing.T) {
	a, b := fenced(t, 1), fenced(t, 1)
	r := rand.New(rand.NewPCG(6455, 56))
	copy(a, randomBytes(r, len(a)))
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	want := make([]byte, len(a))
	forEachMask(t, func(t *testing.T) {
		for n := range 700 {
			last := len(a) - n
			for _, at := range [][2]int{{0, 0}, {0, last}, {last, 0}, {last, last}} {
				dst, src := b[at[0]:at[0]+n], a[at[1]:at[1]+n]
				maskSlowly(want, src, key, n)
				Mask(dst, src, key, n)
				require.True(t, bytes.Equal(want[:n], dst), "length %d at %v", n, at)
				Mask(dst, dst, key, n)
				require.True(t, bytes.Equal(src, dst), "length %d at %v, in place", n, at)
			}
		}
	})
}

func TestUTF8TouchesNothingElse(t *testing.T) {
	a := fenced(t, 1)
	text := []byte("Ünïcödé — текст, 文字列, 🏳️‍🌈 ")
	for i := 0; i < len(a); i += copy(a[i:], text) {
	}
	for n := range 300 {
		for _, p := range [][]byte{a[:n], a[len(a)-n:]} {
			var u utf8Stream
			got := u.write(p)
			require.Equal(t, viableUTF8(p), got, "length %d", n)
			if got {
				require.Equal(t, utf8.Valid(p), u.complete(), "length %d", n)
			}
		}
	}
}
