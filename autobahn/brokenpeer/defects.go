package brokenpeer

import "unicode/utf8"

// Defect is one thing that a peer does wrong.
type Defect int

// The defects. Sound is none.
const (
	Sound Defect = iota

	// What it accepts.
	AcceptsRSV               // RSV bits
	AcceptsRSV1Anywhere      // RSV1 on control and continuation frames, once compression is agreed on
	AcceptsOpcodes           // reserved opcodes
	AcceptsSplitControl      // control frames with FIN=0
	AcceptsLongPing          // control frames of more than 125 octets
	AcceptsStrayContinuation // continuations of nothing
	AcceptsInterleaving      // a new message inside a fragmented one
	AcceptsWrongMask         // frames masked by a server, or not masked by a client
	AcceptsLongLengths       // lengths that are not in their shortest form
	AcceptsShortClose        // a close frame with 1 octet
	AcceptsBadCodes          // close codes that may not be sent
	AcceptsBadReason         // a reason that is not UTF-8
	RejectsPrivateCodes      // close codes from 3000 on

	// What it makes of text.
	NoUTF8Check           // echoes before the text is valid
	LateUTF8Check         // checks only whole messages
	NoUTF8CheckCompressed // does not check what it inflated
	AcceptsSurrogates
	AcceptsOverlong
	AcceptsBeyondMax     // code points beyond U+10FFFF
	RejectsNonCharacters // U+FFFE, U+FFFF and their like

	// What it loses and mixes up.
	DropsPongs
	PongsReversed
	PongsNewestOnly
	PongsEmpty
	PongsAsPing
	SplitsPongs
	AnswersPongs
	LosesPingsInMessage
	LosesEmptyFin // an empty last fragment
	EmptyIsLost   // empty messages
	BinaryAsText
	EchoesTwice
	TruncatesAt64K
	DropsLastOctet   // of messages of 127 octets and more
	CorruptsBeyond4K // one bit, length unchanged
	FragmentsWithOpcode
	Fragments1000 // gives up after 1000 fragments
	NoFragmentLimit
	UnmasksAtZero // with the wrong offset, when a frame is read in pieces
	WrongMask     // masks as a server, does not as a client
	Length125Long
	Length126Short
	Length65535Long
	Length65536Short

	// How it closes.
	WrongCloseCode
	WrongFailCode
	NoCloseFrame
	NeverClosesTCP
	FailsWithoutClosing
	EchoesAfterClose
	PongsAfterClose
	DataAfterClose

	// How it compresses.
	NeverCompresses
	RSV1OnContinuation
	IgnoresWindowBits
	OmitsWindowBits
	KeepsContext // after it agreed to no_context_takeover
	LosesContext // of its peer, who goes on with it
	IgnoresCorruptData
	DeclinesCompression
	AcceptsParameters // that are unknown, wrong, or there twice
	OmitsNoContext    // from its answer
	LimitsUnasked     // answers with client_max_window_bits, which the offer may not allow

	// How it opens.
	WrongAccept
	AnyVersion        // serves Sec-WebSocket-Version 8 too
	AcceptsNoKey      // serves a request without a key
	AcceptsAnyAccept  // a client that does not check Sec-WebSocket-Accept
	AcceptsAnyStatus  // a client that does not check the status
	AcceptsExtensions // a client that believes in extensions it never offered
	NeverAnswers      // the opening handshake
)

// checker validates UTF-8 in pieces, with the defects that concern single sequences.
type checker struct {
	bad  Defect
	tail []byte
}

// write takes the next octets and tells whether the text can still become valid.
func (k *checker) write(p []byte) bool {
	k.tail = append(k.tail, p...)
	for len(k.tail) > 0 {
		n, ok := k.sequence(k.tail)
		if !ok {
			return false
		}
		if n == 0 {
			return true
		}
		k.tail = k.tail[n:]
	}
	return true
}

func (k *checker) complete() bool { return len(k.tail) == 0 }

// sequence returns the length of the first character, 0 when it is not complete.
func (k *checker) sequence(p []byte) (int, bool) {
	if n := k.tolerated(p); n > 0 {
		return n, true
	}
	if !utf8.FullRune(p) {
		if k.bad == AcceptsBeyondMax && p[0] == 0xf4 {
			return 0, true
		}
		return 0, !(len(p) > 3)
	}
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError && n < 3 {
		return 0, k.mayBecome(p)
	}
	if k.bad == RejectsNonCharacters && r&0xfffe == 0xfffe {
		return 0, false
	}
	return n, true
}

// tolerated is the length of an invalid sequence that the defect lets pass.
func (k *checker) tolerated(p []byte) int {
	cont := func(n int) bool {
		if len(p) < n {
			return false
		}
		for _, b := range p[1:n] {
			if b&0xc0 != 0x80 {
				return false
			}
		}
		return true
	}
	switch {
	case k.bad == AcceptsSurrogates && p[0] == 0xed && cont(3):
		return 3
	case k.bad == AcceptsOverlong && p[0]&0xfe == 0xc0 && cont(2):
		return 2
	case k.bad == AcceptsOverlong && p[0] == 0xe0 && cont(3):
		return 3
	case k.bad == AcceptsOverlong && p[0] == 0xf0 && cont(4):
		return 4
	case k.bad == AcceptsBeyondMax && p[0] >= 0xf4 && p[0] <= 0xf7 && cont(4):
		return 4
	}
	return 0
}

// mayBecome tells whether more octets could make p something that is tolerated.
func (k *checker) mayBecome(p []byte) bool {
	for _, b := range p[1:] {
		if b&0xc0 != 0x80 {
			return false
		}
	}
	switch {
	case k.bad == AcceptsSurrogates:
		return p[0] == 0xed && len(p) < 3
	case k.bad == AcceptsOverlong:
		return p[0]&0xfe == 0xc0 && len(p) < 2 || p[0] == 0xe0 && len(p) < 3 || p[0] == 0xf0 && len(p) < 4
	case k.bad == AcceptsBeyondMax:
		return p[0] >= 0xf4 && p[0] <= 0xf7 && len(p) < 4
	}
	return false
}
