//go:build !purego

// The kernels of Mask for amd64, chosen at start by what the processor and the operating system offer.

package websocket

var (
	//lint:ignore U1000 hasAVX512 is read by maskKernel, in assembler
	hasAVX2, hasAVX512 = detectAVX()
	hasKernel          = hasAVX2
)

// detectAVX reports which kernels can run: the processor must have the instructions, and the operating system must save
// the registers when it switches between threads.
func detectAVX() (avx2, avx512 bool) {
	const (
		osxsave  = 1 << 27 // leaf 1, ECX: XGETBV can be asked
		avx      = 1 << 28
		leafAVX2 = 1 << 5 // leaf 7, EBX
		avx512F  = 1 << 16
		avx512VL = 1 << 31
		ymm      = 0x06 // XCR0: SSE and AVX state
		zmm      = 0xE6 // and the mask registers, the upper halves, and registers 16 to 31
	)
	top, _, _, _ := cpuid(0, 0)
	if top < 7 {
		return false, false
	}
	if _, _, ecx, _ := cpuid(1, 0); ecx&(osxsave|avx) != osxsave|avx {
		return false, false
	}
	saved := xgetbv()
	_, ebx, _, _ := cpuid(7, 0)
	avx2 = saved&ymm == ymm && ebx&leafAVX2 != 0
	avx512 = saved&zmm == zmm && ebx&(avx512F|avx512VL) == avx512F|avx512VL
	return avx2, avx512
}

// maskKernel masks n bytes, 32 or more, from src to dst, with AVX-512 where hasAVX512 is set, else with AVX2.
//
//go:noescape
func maskKernel(dst, src *byte, n int, key uint64)

// cpuid asks the processor about itself.
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv returns the lower half of XCR0: which registers the operating system saves. It needs OSXSAVE.
func xgetbv() (eax uint32)
