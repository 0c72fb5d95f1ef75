//go:build !purego

// A check of UTF-8, 32 bytes at a time, for amd64.
//
// Whether a byte may stand where it stands is told by three half bytes: the two of the byte before it and its own
// upper one. Each of the three tables below maps a half byte to the errors it leaves possible, one bit each; an error
// that all three leave possible is there:
//
//	01  a byte that begins a code point after one that needs a continuation      C0..FF, then 00..7F or C0..FF
//	02  a continuation byte after ASCII                                          00..7F, then 80..BF
//	04  an overlong form of three bytes                                          E0, then 80..9F
//	08  beyond U+10FFFF                                                          F4, then 90..BF; F5..FF, then 90..BF
//	10  a surrogate                                                              ED, then A0..BF
//	20  an overlong form of two bytes                                            C0 or C1, then 80..BF
//	40  an overlong form of four bytes, or beyond U+10FFFF                       F0 or F5..FF, then 80..8F
//	80  two continuation bytes in a row
//
// The last of them is an error exactly where no third or fourth byte is due: where neither the byte two before is
// E0..FF nor the byte three before F0..FF. Where one is due, nothing else than the last of them is right.
//
// The method is that of J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", 2021.

#include "textflag.h"

// By the upper half of the byte before: 0..7, 8..B, C, D, E, F.
DATA upperBefore<>+0(SB)/8, $0x0202020202020202
DATA upperBefore<>+8(SB)/8, $0x4915012180808080
GLOBL upperBefore<>(SB), NOPTR|RODATA, $16

// By the lower half of the byte before. 01, 02 and 80 do not depend on it.
DATA lowerBefore<>+0(SB)/8, $0xcbcbcb8b8383a3e7
DATA lowerBefore<>+8(SB)/8, $0xcbcbdbcbcbcbcbcb
GLOBL lowerBefore<>(SB), NOPTR|RODATA, $16

// By the upper half of the byte: 0..7, 8, 9, A, B, C..F.
DATA upper<>+0(SB)/8, $0x0101010101010101
DATA upper<>+8(SB)/8, $0x01010101babaaee6
GLOBL upper<>(SB), NOPTR|RODATA, $16

// func utf8Kernel(p *byte, n int) bool
//
// SI: 32 bytes of p; R8: the last 32, which may overlap the ones before. Y0: the bytes at SI; Y1, Y2, Y3: the bytes
// one, two and three before each of them. Y9: all errors found.
TEXT ·utf8Kernel(SB), NOSPLIT, $0-17
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), BX
	LEAQ -32(SI)(BX*1), R8
	VBROADCASTI128 upperBefore<>(SB), Y10
	VBROADCASTI128 lowerBefore<>(SB), Y11
	VBROADCASTI128 upper<>(SB), Y12
	MOVL $0x0F, AX
	VMOVD AX, X13
	VPBROADCASTB X13, Y13
	MOVL $0x60, AX // brings E0..FF, and nothing less, to 80 and above
	VMOVD AX, X14
	VPBROADCASTB X14, Y14
	MOVL $0x70, AX // the same for F0..FF
	VMOVD AX, X15
	VPBROADCASTB X15, Y15
	MOVL $0x80, AX
	VMOVD AX, X8
	VPBROADCASTB X8, Y8
	VPXOR Y9, Y9, Y9

	// Before the first byte there is nothing: zeros, as good as any ASCII.
	VMOVDQU (SI), Y0
	VPERM2I128 $0x08, Y0, Y0, Y4
	VPALIGNR $15, Y4, Y0, Y1
	VPALIGNR $14, Y4, Y0, Y2
	VPALIGNR $13, Y4, Y0, Y3

check:
	VPSRLW $4, Y1, Y4
	VPAND Y13, Y4, Y4
	VPSHUFB Y4, Y10, Y4
	VPAND Y13, Y1, Y5
	VPSHUFB Y5, Y11, Y5
	VPSRLW $4, Y0, Y6
	VPAND Y13, Y6, Y6
	VPSHUFB Y6, Y12, Y6
	VPAND Y4, Y5, Y4
	VPAND Y4, Y6, Y4
	VPSUBUSB Y14, Y2, Y2
	VPSUBUSB Y15, Y3, Y3
	VPOR Y2, Y3, Y2
	VPAND Y8, Y2, Y2 // 80 where a third or fourth byte is due
	VPXOR Y4, Y2, Y2
	VPOR Y2, Y9, Y9

	CMPQ SI, R8
	JE done
	ADDQ $32, SI
	CMPQ SI, R8
	CMOVQHI R8, SI
	VMOVDQU (SI), Y0
	VMOVDQU -1(SI), Y1
	VMOVDQU -2(SI), Y2
	VMOVDQU -3(SI), Y3
	JMP check

done:
	VPTEST Y9, Y9
	SETEQ ret+16(FP)
	VZEROUPPER
	RET
