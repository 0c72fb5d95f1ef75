//go:build !purego

// The kernels of Mask for amd64, and the two instructions that tell which of them the machine can run.
//
// Both kernels have the same form. The first vector, and as many of the last as one turn of the loop takes, are loaded
// and kept in registers before anything is stored; the loop takes whole, aligned vectors between them; the kept ones
// are stored last. So a remainder needs no loop of its own, nothing outside dst and src is touched, and where a kept
// vector overlaps its neighbour, in place too, the same bytes are stored twice and no byte is masked twice. Up to four
// vectors need no loop.
//
// A key of two equal halves turned right by 8n bits is the key for what begins at byte n, and so for the last whole
// vector of n bytes.

#include "textflag.h"

// func maskKernel(dst, src *byte, n int, key uint64)
//
// SI, DI: the bytes to be masked next, and where to; BX: how many; R8, R9: the ends of src and dst; R10: the start of
// dst. AX, DX: the key for the first bytes and for the last; vectors 0 and 1, or 16 and 17: the same, repeated.
TEXT ·maskKernel(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), BX
	MOVQ key+24(FP), AX
	LEAQ (SI)(BX*1), R8
	LEAQ (DI)(BX*1), R9
	LEAQ (BX*8), CX
	MOVQ AX, DX
	RORQ CL, DX
	CMPB ·hasAVX512(SB), $0
	JEQ avx2

	// AVX-512: vectors of 64 bytes, or two of 32. Registers 16 to 31 have no lower half known to SSE code, so that
	// nothing needs to be zeroed before the return.
	VPBROADCASTQ AX, Z16
	VPBROADCASTQ DX, Z17
	CMPQ BX, $64
	JA over64
	VPXORQ (SI), Y16, Y18
	VPXORQ -32(R8), Y17, Y19
	VMOVDQU64 Y18, (DI)
	VMOVDQU64 Y19, -32(R9)
	RET

over64:
	VPXORQ (SI), Z16, Z18
	VPXORQ -64(R8), Z17, Z19
	CMPQ BX, $128
	JA over128
	VMOVDQU64 Z18, (DI)
	VMOVDQU64 Z19, -64(R9)
	RET

over128:
	VPXORQ -128(R8), Z17, Z20
	CMPQ BX, $256
	JA over256
	VPXORQ 64(SI), Z16, Z21
	VMOVDQU64 Z18, (DI)
	VMOVDQU64 Z21, 64(DI)
	VMOVDQU64 Z20, -128(R9)
	VMOVDQU64 Z19, -64(R9)
	RET

over256:
	VPXORQ -192(R8), Z17, Z21
	VPXORQ -256(R8), Z17, Z22
	MOVQ DI, R10
	MOVQ DI, CX
	NEGQ CX
	ANDQ $63, CX // from here to where dst is aligned
	ADDQ CX, SI
	ADDQ CX, DI
	SUBQ CX, BX
	SHLQ $3, CX
	RORQ CL, AX
	VPBROADCASTQ AX, Z16
	SUBQ $256, BX // what is kept of the end need not be looped over
	JBE last512

loop512:
	VPXORQ (SI), Z16, Z23
	VPXORQ 64(SI), Z16, Z24
	VPXORQ 128(SI), Z16, Z25
	VPXORQ 192(SI), Z16, Z26
	VMOVDQA64 Z23, (DI)
	VMOVDQA64 Z24, 64(DI)
	VMOVDQA64 Z25, 128(DI)
	VMOVDQA64 Z26, 192(DI)
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, BX
	JA loop512

last512:
	VMOVDQU64 Z18, (R10)
	VMOVDQU64 Z22, -256(R9)
	VMOVDQU64 Z21, -192(R9)
	VMOVDQU64 Z20, -128(R9)
	VMOVDQU64 Z19, -64(R9)
	RET

avx2:
	// AVX2: the same in vectors of 32 bytes.
	VMOVQ AX, X0
	VPBROADCASTQ X0, Y0
	VMOVQ DX, X1
	VPBROADCASTQ X1, Y1
	VPXOR (SI), Y0, Y2
	VPXOR -32(R8), Y1, Y3
	CMPQ BX, $64
	JA above64
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, -32(R9)
	VZEROUPPER
	RET

above64:
	VPXOR -64(R8), Y1, Y4
	CMPQ BX, $128
	JA above128
	VPXOR 32(SI), Y0, Y5
	VMOVDQU Y2, (DI)
	VMOVDQU Y5, 32(DI)
	VMOVDQU Y4, -64(R9)
	VMOVDQU Y3, -32(R9)
	VZEROUPPER
	RET

above128:
	VPXOR -96(R8), Y1, Y5
	VPXOR -128(R8), Y1, Y6
	MOVQ DI, R10
	MOVQ DI, CX
	NEGQ CX
	ANDQ $31, CX
	ADDQ CX, SI
	ADDQ CX, DI
	SUBQ CX, BX
	SHLQ $3, CX
	RORQ CL, AX
	VMOVQ AX, X0
	VPBROADCASTQ X0, Y0
	SUBQ $128, BX
	JBE last256

loop256:
	VPXOR (SI), Y0, Y7
	VPXOR 32(SI), Y0, Y8
	VPXOR 64(SI), Y0, Y9
	VPXOR 96(SI), Y0, Y10
	VMOVDQA Y7, (DI)
	VMOVDQA Y8, 32(DI)
	VMOVDQA Y9, 64(DI)
	VMOVDQA Y10, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $128, BX
	JA loop256

last256:
	VMOVDQU Y2, (R10)
	VMOVDQU Y6, -128(R9)
	VMOVDQU Y5, -96(R9)
	VMOVDQU Y4, -64(R9)
	VMOVDQU Y3, -32(R9)
	VZEROUPPER
	RET

// func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL subleaf+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

// func xgetbv() (eax uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, eax+0(FP)
	RET
