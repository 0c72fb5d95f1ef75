package suite

// This file holds category 6 of the catalogue: valid and invalid UTF-8.

import (
	"fmt"
	"time"
	"unicode/utf8"
)

const (
	kosme   = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"                            // five Greek letters
	umlauts = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!" //
	badText = kosme + "\xed\xa0\x80edited"                                              // a surrogate inside
	tooHigh = kosme + "\xf4\x90\x80\x80edited"                                          // beyond U+10FFFF
	half    = 500 * time.Millisecond
	wantBad = "The peer fails the connection at once, since the text is not valid UTF-8."
)

func cases6() (list []*Case) {
	add := func(id, about, want string, p script) { list = append(list, scripted(id, about, want, p)) }
	bytewise := func(s string) []step {
		return []step{{do: func(c *session) { c.sendMessage(opText, []byte(s), 1, 0) }}}
	}
	whole := func(s string) []step { return sendAll(frame{op: opText, payload: []byte(s)}) }
	three := func(middle string) []step {
		return sendAll(frame{op: opText, more: true}, frame{op: opCont, more: true, payload: []byte(middle)}, frame{op: opCont})
	}
	good := func(steps []step, s string) script { return byClosing(echoes(steps, second, text(s))) }

	add("6.1.1", "An empty text.", wantEcho, good(whole(""), ""))
	add("6.1.2", "A text in three empty fragments.", wantEcho, good(three(""), ""))
	add("6.1.3", "A text in three fragments, the first and the last empty.", wantEcho,
		good(three("middle frame payload"), "middle frame payload"))
	add("6.2.1", "A valid text in one frame.", wantEcho, good(whole(umlauts), umlauts))
	add("6.2.2", "A valid text in two fragments, cut between characters.", wantEcho,
		good(sendAll(frame{op: opText, more: true, payload: []byte(umlauts[:15])},
			frame{op: opCont, payload: []byte(umlauts[15:])}), umlauts))
	add("6.2.3", "A valid text in fragments of one octet.", wantEcho, good(bytewise(umlauts), umlauts))
	add("6.2.4", "A valid text in fragments of one octet.", wantEcho, good(bytewise(kosme), kosme))
	add("6.3.1", "An invalid text in one frame.", wantBad, fails(peerFailsData, second, whole(badText)))
	add("6.3.2", "An invalid text in fragments of one octet.", wantBad, fails(peerFailsData, second, bytewise(badText)))
	list = append(list, cases6Early()...)
	return append(list, cases6Sequences()...)
}

// cases6Early asks how early invalid text is noticed.
func cases6Early() (list []*Case) {
	const want = "Nothing happens in the first pause. The peer fails the connection in the second; doing so only at the end is not quite strict."
	cut := [][2]int{{11, 15}, {12, 13}}
	for i, c := range cut {
		parts := []string{tooHigh[:c[0]], tooHigh[c[0]:c[1]], tooHigh[c[1]:]}
		framed := []step{
			send(frame{op: opText, more: true, payload: []byte(parts[0])}), watch(second, "A"),
			send(frame{op: opCont, more: true, payload: []byte(parts[1])}), watch(second, "B"),
			send(frame{op: opCont, payload: []byte(parts[2])}),
		}
		list = append(list, earlyCase(fmt.Sprintf("6.4.%d", i+1), fmt.Sprintf(
			"A text in three fragments with pauses of a second: %x, %x, %x. The second makes it invalid.", parts[0], parts[1], parts[2]), want, framed))
	}
	for i, c := range cut {
		parts := []string{tooHigh[:c[0]], tooHigh[c[0]:c[1]], tooHigh[c[1]:]}
		list = append(list, earlyCase(fmt.Sprintf("6.4.%d", i+3), fmt.Sprintf(
			"A text in one frame, whose payload is written in three pieces with pauses of a second: %x, %x, %x. The second makes it invalid.", parts[0], parts[1], parts[2]), want, inPieces(parts)))
	}
	return list
}

func earlyCase(id, about, want string, steps []step) *Case {
	return scripted(id, about, want, script{
		steps: steps, ok: []event{timedOut("A")}, nonStrict: []event{timedOut("A"), timedOut("B")}, twoWays: true,
		close: peerFailsData, limit: second,
	})
}

// inPieces sends one frame (FIN=0, as the original does, followed at last by an empty
// continuation) in four writes: header, and three parts of the payload.
func inPieces(parts []string) []step {
	piece := func(n int) func(*session) {
		return func(s *session) { s.sendPart([]byte(parts[n])) }
	}
	return []step{
		{do: func(s *session) { s.beginParts(opText, len(parts[0])+len(parts[1])+len(parts[2])) }},
		{do: piece(0)}, watch(second, "A"),
		{do: piece(1)}, watch(second, "B"),
		{do: piece(2)}, send(frame{op: opCont}),
	}
}

// sequences lists, from 6.5 on, sequences of octets, valid or not.
func sequences() [][]string {
	var prefixes []string
	for n := range len(kosme) {
		prefixes = append(prefixes, kosme[:n+1])
	}
	incomplete := []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}
	joined, continuation := "", ""
	for _, s := range incomplete {
		joined += s
	}
	for b := 0x80; b < 0xbf; b++ {
		continuation += string([]byte{byte(b)})
	}
	const pairs = "\x80\xbf\x80\xbf\x80\xbf"
	stray := []string{"\x80", "\xbf", pairs[:2], pairs[:3], pairs[:4], pairs[:5], pairs, continuation}
	return [][]string{
		{"hello$world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", kosme},
		prefixes,
		{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"},
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80"},
		stray,
		{leads(0xc0, 0xdf), leads(0xe0, 0xef), leads(0xf0, 0xf7), leads(0xf8, 0xfb), leads(0xfc, 0xfd)},
		incomplete,
		{joined},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
		{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xad\xbf\xed\xbf\xbf",
			"\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"},
		nonCharacters(),
		{"\xef\xbf\xb9", "\xef\xbf\xba", "\xef\xbf\xbb", "\xef\xbf\xbc", "\xef\xbf\xbd", "\xef\xbf\xbe", "\xef\xbf\xbf"},
	}
}

// leads is each octet from first up to, but not including, last, followed by a blank.
func leads(first, last int) (s string) {
	for b := first; b < last; b++ {
		s += string([]byte{byte(b), ' '})
	}
	return s
}

// nonCharacters are the last two code points of each plane.
func nonCharacters() (list []string) {
	for plane := rune(0); plane <= 0x10; plane++ {
		list = append(list, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return list
}

func cases6Sequences() (list []*Case) {
	for i, group := range sequences() {
		for j, s := range group {
			id, steps := fmt.Sprintf("6.%d.%d", i+5, j+1), sendAll(frame{op: opText, payload: []byte(s)})
			if utf8.ValidString(s) {
				list = append(list, scripted(id, fmt.Sprintf("A valid text in one frame: 0x%x.", s), wantEcho, echoes(steps, half, text(s))))
				continue
			}
			c := scripted(id, fmt.Sprintf("An invalid text in one frame: 0x%x.", s), wantBad, fails(peerFailsData, half, steps))
			c.RFC = rfcUTF8
			list = append(list, c)
		}
	}
	return list
}
