//go:build !purego

package websocket

import "testing"

func init() {
	if hasAVX2 {
		utf8Variants = append(utf8Variants, maskVariant{"without AVX2", func(t testing.TB) {
			t.Cleanup(func() { hasAVX2 = true })
			hasAVX2 = false
		}})
	}
}
