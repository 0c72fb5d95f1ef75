//go:build !purego

// The kernel of Mask for arm64, where every processor has NEON.

package websocket

const hasKernel = true

// maskKernel masks n bytes, 32 or more, from src to dst.
//
//go:noescape
func maskKernel(dst, src *byte, n int, key uint64)
