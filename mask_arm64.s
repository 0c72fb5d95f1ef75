//go:build !purego

// The kernel of Mask for arm64.
//
// The last vectors, as many as one turn of the loop takes, are loaded, and kept in registers, before anything is
// stored; the loop takes whole turns; the kept ones are stored last. So a remainder needs no loop of its own, nothing
// outside dst and src is touched, and where a kept vector overlaps its neighbour, in place too, the same bytes are
// stored twice and no byte is masked twice.

#include "textflag.h"

// func maskKernel(dst, src *byte, n int, key uint64)
//
// R1, R0: the bytes to be masked next, and where to; R2: how many; R4, R5: where the kept vectors come from and go to.
// V0, V1: the key for the first bytes and for the last; a key of two equal halves turned right by 8n bits is the key
// for what begins at byte n, and so at the last whole vector of n bytes.
TEXT ·maskKernel(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD n+16(FP), R2
	MOVD key+24(FP), R3
	VDUP R3, V0.D2
	LSL $3, R2, R6
	ROR R6, R3, R3
	VDUP R3, V1.D2
	CMP $64, R2
	BHI long

	// 32 to 64 bytes: two vectors from either end.
	SUB $32, R2, R6
	ADD R6, R1, R4
	ADD R6, R0, R5
	VLD1 (R1), [V2.B16, V3.B16]
	VLD1 (R4), [V4.B16, V5.B16]
	VEOR V0.B16, V2.B16, V2.B16
	VEOR V0.B16, V3.B16, V3.B16
	VEOR V1.B16, V4.B16, V4.B16
	VEOR V1.B16, V5.B16, V5.B16
	VST1 [V2.B16, V3.B16], (R0)
	VST1 [V4.B16, V5.B16], (R5)
	RET

long:
	SUB $64, R2, R2
	ADD R2, R1, R4
	ADD R2, R0, R5
	VLD1 (R4), [V4.B16, V5.B16, V6.B16, V7.B16]
	VEOR V1.B16, V4.B16, V4.B16
	VEOR V1.B16, V5.B16, V5.B16
	VEOR V1.B16, V6.B16, V6.B16
	VEOR V1.B16, V7.B16, V7.B16

loop:
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]
	VEOR V0.B16, V16.B16, V16.B16
	VEOR V0.B16, V17.B16, V17.B16
	VEOR V0.B16, V18.B16, V18.B16
	VEOR V0.B16, V19.B16, V19.B16
	VST1.P [V16.B16, V17.B16, V18.B16, V19.B16], 64(R0)
	SUBS $64, R2, R2
	BHI loop

	VST1 [V4.B16, V5.B16, V6.B16, V7.B16], (R5)
	RET
