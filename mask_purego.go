//go:build purego || !(amd64 || arm64)

// Mask without kernels: for other processors, and for who wants no assembler.

package websocket

const hasKernel = false

// maskKernel is never called: hasKernel says so to the compiler.
func maskKernel(dst, src *byte, n int, key uint64) {}
