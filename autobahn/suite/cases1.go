package suite

// This file holds categories 1 to 5 of the catalogue: sizes, pings, reserved bits,
// reserved opcodes, fragmentation; and category 10. Ids, octets, expectations and
// limits are those of the original.

import (
	"bytes"
	"fmt"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

const (
	second = time.Second
	hello  = "Hello, world!"
)

// notUTF8 is the payload that the catalogue uses where the octets do not matter.
var notUTF8 = []byte{0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff}

// scripted makes a case of a script.
func scripted(id, description, expectation string, p script) *Case {
	return &Case{
		ID: id, Description: description, Expectation: expectation, RFC: rule(id),
		play: func() player { q := p; return &q },
	}
}

// echoes is the script whose messages must come back.
func echoes(steps []step, limit time.Duration, want ...event) script {
	return script{steps: steps, ok: want, close: suiteCloses, limit: limit}
}

// byClosing makes the suite send a close frame at the limit.
func byClosing(p script) script {
	p.byClosing = true
	return p
}

// fails is the script that the peer must answer by failing the connection; before
// that, the events in seen must happen, or, not quite strictly, none.
func fails(want result.ExpectedClose, limit time.Duration, steps []step, seen ...event) script {
	return script{steps: steps, ok: seen, twoWays: len(seen) > 0, close: want, limit: limit}
}

const (
	wantEcho = "The message comes back as it was sent. The connection is then closed cleanly with code 1000."
	wantFail = "The peer fails the connection at once."
)

func cases1() (list []*Case) {
	sizes := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	for kind, op := range []int{opText, opBinary} {
		for i, n := range sizes {
			p, want := bytes.Repeat([]byte{'*'}, n), text("")
			if want.payload = p; op == opBinary {
				p = bytes.Repeat([]byte{0xfe}, n)
				want = binaryBytes(p)
			}
			limit, chop, how := second, 0, ""
			if n >= 65535 {
				limit = 10 * second
			}
			if i == 7 {
				chop, how = 997, ", written in pieces of 997 octets"
			}
			list = append(list, scripted(fmt.Sprintf("1.%d.%d", kind+1, i+1),
				fmt.Sprintf("A %s message of %d octets%s.", kindName(op), n, how), wantEcho,
				echoes(sendAll(frame{op: op, payload: p, chop: chop}), limit, want)))
		}
	}
	return list
}

func kindName(op int) string {
	if op == opText {
		return "text"
	}
	return "binary"
}

func cases2() (list []*Case) {
	ping := func(id, about string, p []byte, chop int, limit time.Duration) {
		list = append(list, scripted(id, "A ping with "+about+".",
			"A pong with the same payload. The connection is then closed cleanly with code 1000.",
			byClosing(echoes(sendAll(frame{op: opPing, payload: p, chop: chop}), limit, pong(string(p))))))
	}
	full := bytes.Repeat([]byte{0xfe}, 125)
	ping("2.1", "no payload", nil, 0, second)
	ping("2.2", "ASCII as payload", []byte(hello), 0, second)
	ping("2.3", "a payload that is not UTF-8", notUTF8, 0, second)
	ping("2.4", "the longest payload, 125 octets", full, 0, second)
	list = append(list, scripted("2.5", "A ping with 126 octets, one too many.", wantFail,
		fails(peerFails, second, sendAll(frame{op: opPing, payload: bytes.Repeat([]byte{0xfe}, 126)}))))
	ping("2.6", "125 octets, written octet by octet", full, 1, 2*second)
	unsolicited := []byte("unsolicited pong payload")
	for i, p := range [][]byte{nil, unsolicited} {
		list = append(list, scripted(fmt.Sprintf("2.%d", 7+i),
			fmt.Sprintf("An unsolicited pong of %d octets, then close.", len(p)),
			"No answer to the pong. The connection is closed cleanly with code 1000.",
			byClosing(echoes(append(sendAll(frame{op: opPong, payload: p}), closeFrame(1000, "")), second))))
	}
	list = append(list, scripted("2.9", "An unsolicited pong, then a ping.",
		"A pong with the payload of the ping. The connection is then closed cleanly with code 1000.",
		byClosing(echoes(sendAll(frame{op: opPong, payload: unsolicited},
			frame{op: opPing, payload: []byte("ping payload")}), second, pong("ping payload")))))
	for i, chop := range []int{0, 1} {
		var steps []step
		var want []event
		for n := range 10 {
			p := fmt.Sprintf("payload-%d", n)
			steps = append(steps, send(frame{op: opPing, payload: []byte(p), chop: chop}))
			want = append(want, pong(p))
		}
		list = append(list, scripted(fmt.Sprintf("2.%d", 10+i),
			"Ten pings one after the other"+[]string{".", ", written octet by octet."}[i],
			"All pongs, in order. The connection is then closed cleanly with code 1000.",
			byClosing(echoes(steps, 3*second, want...))))
	}
	return list
}

// Texts of categories 3 and 4.
const wantFailAfter = "The text comes back, then the peer fails the connection; there is no pong. Failing it without the echo is not quite strict."

// goodThenBad is a good text, something bad, and a ping that nobody may answer.
func goodThenBad(bad frame, chop int, sync bool) []step {
	good := frame{op: opText, payload: []byte(hello), chop: chop, sync: sync}
	bad.chop, bad.sync = chop, sync
	return sendAll(good, bad, frame{op: opPing, chop: chop, sync: sync})
}

func cases3() []*Case {
	p := []byte(hello)
	one := func(id, about string, f frame) *Case {
		return scripted(id, about+", though no extension was agreed on.", wantFail, fails(peerFails, second, sendAll(f)))
	}
	three := func(id, about string, rsv, chop int, sync bool) *Case {
		return scripted(id, "A good text, a text with "+about+", a ping.", wantFailAfter,
			fails(peerFails, second, goodThenBad(frame{op: opText, rsv: rsv, payload: p}, chop, sync), text(hello)))
	}
	return []*Case{
		one("3.1", "A text with RSV3", frame{op: opText, rsv: 1, payload: p}),
		three("3.2", "RSV2", 2, 0, false),
		three("3.3", "RSV2 and RSV3, each in a write of its own", 3, 0, true),
		three("3.4", "RSV1, written octet by octet", 4, 1, false),
		one("3.5", "A binary message with RSV1 and RSV3", frame{op: opBinary, rsv: 5, payload: notUTF8}),
		one("3.6", "A binary message with RSV1 and RSV2", frame{op: opBinary, rsv: 6, payload: p}),
		one("3.7", "A close frame with all RSV bits", frame{op: opClose, rsv: 7}),
	}
}

func cases4() (list []*Case) {
	for i, first := range []int{3, 11} {
		id := func(n int) string { return fmt.Sprintf("4.%d.%d", i+1, n) }
		payloads := [][]byte{nil, []byte("reserved opcode payload"), nil, []byte(hello), []byte(hello)}
		for n, p := range payloads {
			bad := frame{op: first + n, payload: p}
			if n < 2 {
				list = append(list, scripted(id(n+1), fmt.Sprintf("A frame with the reserved opcode %d, %d octets.", bad.op, len(p)),
					wantFail, fails(peerFails, second, sendAll(bad))))
				continue
			}
			chop := 0
			if n == 4 {
				chop = 1
			}
			list = append(list, scripted(id(n+1), fmt.Sprintf("A good text, a frame with the reserved opcode %d, a ping.", bad.op),
				wantFailAfter, fails(peerFails, second, goodThenBad(bad, chop, false), text(hello))))
		}
	}
	return list
}

// delivery is one of the three ways in which the cases of category 5 are written.
var delivery = []struct {
	about string
	chop  int
	sync  bool
}{{"", 0, false}, {" Each frame in a write of its own.", 0, true}, {" Written octet by octet.", 1, false}}

func cases5() (list []*Case) {
	add := func(n int, about, want string, p script) {
		list = append(list, scripted(fmt.Sprintf("5.%d", n), about, want, p))
	}
	fragments := func(op int) []frame {
		return []frame{{op: op, more: true, payload: []byte("fragment1")}, {op: opCont, payload: []byte("fragment2")}}
	}
	both := text("fragment1fragment2")
	// three adds a case in each way of writing.
	three := func(first int, about, want string, frames []frame, p script) {
		for i, d := range delivery {
			var steps []step
			for _, f := range frames {
				f.chop, f.sync = d.chop, d.sync
				steps = append(steps, send(f))
			}
			p.steps = steps
			add(first+i, about+d.about, want, p)
		}
	}
	add(1, "A ping in two fragments.", wantFail, fails(peerFails, second, sendAll(fragments(opPing)...)))
	add(2, "A pong in two fragments.", wantFail, fails(peerFails, second, sendAll(fragments(opPong)...)))
	three(3, "A text in two fragments.", wantEcho, fragments(opText), byClosing(echoes(nil, second, both)))
	pinged := fragments(opText)
	pinged = []frame{pinged[0], {op: opPing, payload: []byte("ping payload")}, pinged[1]}
	three(6, "A text in two fragments, a ping between them.", "The pong, then the echo. The connection is then closed cleanly with code 1000.",
		pinged, byClosing(echoes(nil, second, pong("ping payload"), both)))
	for i, more := range []bool{false, true} {
		three(9+3*i, fmt.Sprintf("A continuation (FIN=%d) where there is nothing to continue, then a text.", 1-i), wantFail,
			[]frame{{op: opCont, more: more, payload: []byte("non-continuation payload")}, {op: opText, payload: []byte(hello)}},
			fails(peerFails, second, nil))
	}
	list = append(list, cases5Tail(fragments(opText), both)...)
	return list
}

func cases5Tail(two []frame, both event) []*Case {
	stray := func(more bool) []step {
		round := []frame{{op: opCont, more: more, payload: []byte("fragment1")},
			{op: opText, more: true, payload: []byte("fragment2")}, {op: opCont, payload: []byte("fragment3")}}
		return sendAll(append(round, round...)...)
	}
	list := []*Case{
		scripted("5.15", "A text in two fragments, a continuation (FIN=0) of nothing, a text.",
			"The text comes back, then the peer fails the connection. Failing it without the echo is not quite strict.",
			fails(peerFails, second, sendAll(two[0], two[1], frame{op: opCont, more: true, payload: []byte("fragment3")},
				frame{op: opText, payload: []byte("fragment4")}), both)),
		scripted("5.16", "Twice: a stray continuation (FIN=0), a text in two fragments.", wantFail, fails(peerFails, second, stray(true))),
		scripted("5.17", "Twice: a stray continuation (FIN=1), a text in two fragments.", wantFail, fails(peerFails, second, stray(false))),
		scripted("5.18", "A text in two fragments; the second has opcode text, not continuation.", wantFail,
			fails(peerFails, second, sendAll(two[0], frame{op: opText, payload: []byte("fragment2")}))),
	}
	for i, d := range delivery[:2] {
		part := func(op int, more bool, p string) step {
			return send(frame{op: op, more: more, payload: []byte(p), sync: d.sync})
		}
		steps := []step{part(opText, true, "fragment1"), part(opCont, true, "fragment2"), part(opPing, false, "pongme 1!"),
			pause(second), part(opCont, true, "fragment3"), part(opCont, true, "fragment4"),
			part(opPing, false, "pongme 2!"), part(opCont, false, "fragment5")}
		list = append(list, scripted(fmt.Sprintf("5.%d", 19+i),
			"A text in five fragments, with two pings and a pause of a second between them."+d.about,
			"Both pongs, the first before the pause ends, then the echo. The connection is then closed cleanly with code 1000.",
			byClosing(echoes(steps, second, pong("pongme 1!"), pong("pongme 2!"),
				text("fragment1fragment2fragment3fragment4fragment5")))))
	}
	return list
}

// cases10 has the one case in which the suite also counts its own frames.
func cases10() []*Case {
	p := bytes.Repeat([]byte{'*'}, 65536)
	c := scripted("10.1.1", "A text of 65536 octets, cut by the suite into frames of 1300 octets.", wantEcho, script{})
	c.play = func() player {
		return &counted{script: echoes([]step{{do: func(s *session) { s.sendMessage(opText, p, 1300, 0) }}}, 10*second, textBytes(p))}
	}
	return []*Case{c}
}

// counted is a script that was sent in 1 + 50 frames.
type counted struct{ script }

func (p *counted) verdict(s *session) verdict {
	v := p.script.verdict(s)
	if s.log.txFrames[opText] != 1 || s.log.txFrames[opCont] != 50 {
		v.behavior, v.result = result.Failed, "The suite did not cut the message as it should have."
	}
	return v
}
