package suite

// This file holds category 21, frames that the original never sends, and category 22,
// what it does not ask about closing.

import (
	"bytes"
	"fmt"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

var (
	rfcMinimal  = rfc6455("5.2", `Note that in all cases, the minimal number of bytes MUST be used to encode the length, for example, the length of a 124-byte-long string can't be encoded as the sequence 126, 0, 124.`)
	rfcUnmasked = rfc6455("5.1", `The server MUST close the connection upon receiving a frame that is not masked.`)
	rfcMasked   = rfc6455("5.1", `A client MUST close a connection if it detects a masked frame.`)
	rfcDiscard  = rfc6455("5.5.1", `The application MUST NOT send any more data frames after sending a Close frame.`)
	rfcReserved = rfc6455("7.4.2", `Status codes in the range 1000-2999 are reserved for definition by this protocol, its future revisions, and extensions specified in a permanent and readily available public specification.`)
	rfcBounded  = rfc6455("7.1.7", `An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from the remote endpoint after being instructed to _Fail the WebSocket Connection_.`)
	rfcMaskPos  = rfc6455("5.3", `Octet i of the transformed data ("transformed-octet-i") is the XOR of octet i of the original data ("original-octet-i") with octet at index i modulo 4 of the masking key ("masking-key-octet-j").`)
)

// own makes a case of the suite's own of a script.
func own(id, about, want string, rule result.RFC, p script) *Case {
	c := scripted(id, about, want, p)
	c.RFC = rule
	return c
}

func cases21() (list []*Case) {
	// Lengths. A peer that takes them is not strict: the rule is for who sends.
	long := func(about string, f frame, echo event) {
		p := fails(peerFails, second, sendAll(f))
		p.tolerated = []event{echo}
		list = append(list, own(fmt.Sprintf("21.1.%d", len(list)+1), about, wantFail+" Taking it is not quite strict.", rfcMinimal, p))
	}
	five := []byte("hello")
	full := bytes.Repeat([]byte{'*'}, 65535)
	long("A text of 5 octets, its length in 2 more octets.", frame{op: opText, payload: five, lenBytes: 3}, textBytes(five))
	long("A text of 5 octets, its length in 8 more octets.", frame{op: opText, payload: five, lenBytes: 9}, textBytes(five))
	long("A text of 125 octets, its length in 2 more octets.", frame{op: opText, payload: full[:125], lenBytes: 3}, textBytes(full[:125]))
	long("A text of 126 octets, its length in 8 more octets.", frame{op: opText, payload: full[:126], lenBytes: 9}, textBytes(full[:126]))
	long("A text of 65535 octets, its length in 8 more octets.", frame{op: opText, payload: full, lenBytes: 9}, textBytes(full))
	long("A ping of 5 octets, its length in 2 more octets.", frame{op: opPing, payload: five, lenBytes: 3}, pong("hello"))
	huge := uint64(1)<<63 | 5
	tooLong := result.ExpectedClose{CloseCode: []int{1002, 1009}}
	list = append(list, own("21.1.7", "A text whose length has its highest bit set.", wantFail+" 1009 is right too.", rfcLength,
		fails(tooLong, second, sendAll(frame{op: opText, payload: five, length: &huge}))))
	return append(list, casesMasking()...)
}

func casesMasking() (list []*Case) {
	five := []byte("hello")
	for _, role := range []struct {
		group    int
		noServer bool
		rule     result.RFC
		wrongly  string
	}{{2, false, rfcUnmasked, "not masked"}, {3, true, rfcMasked, "masked"}} {
		n := 0
		add := func(about string, frames ...frame) {
			n++
			c := own(fmt.Sprintf("21.%d.%d", role.group, n), about+" "+role.wrongly+".", wantFail, role.rule, fails(peerFails, second, sendAll(frames...)))
			c.NoServer, c.NoClient = role.noServer, !role.noServer
			list = append(list, c)
		}
		add("A text that is", frame{op: opText, payload: five, wrongMask: true})
		add("An empty binary message that is", frame{op: opBinary, wrongMask: true})
		add("A ping that is", frame{op: opPing, payload: five, wrongMask: true})
		add("A close frame that is", frame{op: opClose, payload: []byte{1000 >> 8, 1000 & 0xff}, wrongMask: true})
		add("The second fragment of a text, that is", frame{op: opText, more: true, payload: five}, frame{op: opCont, payload: five, wrongMask: true})
	}
	return list
}

func cases22() (list []*Case) {
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3500, 3999, 4000, 4001, 4500, 4999} {
		codes := []int{1000}
		if code != 1000 {
			codes = append(codes, code)
		}
		list = append(list, own(fmt.Sprintf("22.1.%d", i+1), fmt.Sprintf("A close frame with the good code %d and a reason.", code),
			fmt.Sprintf("A clean close with code 1000, %d or none.", code), rfcCodes, closesWith([]step{closeFrame(code, "bye")}, codes...)))
	}
	for i, code := range []int{0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1500, 1999, 2000, 2500, 2999} {
		rule := rfcReserved
		if code < 1000 {
			rule = rfcRange
		}
		c := own(fmt.Sprintf("22.2.%d", i+1), fmt.Sprintf("A close frame with the bad code %d and a reason.", code),
			wantWrong+" Not the bad code.", rule, script{})
		p := badClose([]step{closeFrame(code, "bye")}, 1002)
		c.play = func() player { return &sound{p} }
		list = append(list, c)
	}
	return append(list, casesEnds()...)
}

// sound is a script that also wants a code in the peer's close frame that may be sent;
// the original takes a bad one for none.
type sound struct{ script }

func (p *sound) verdict(s *session) verdict {
	v := p.script.verdict(s)
	if s.badCode {
		v.behavior, v.result = result.Failed, "The peer's close frame has a code that may not be sent."
	}
	return v
}

// casesEnds is about the end of the connection itself.
func casesEnds() (list []*Case) {
	hi := frame{op: opText, payload: []byte(helloWorld)}
	three := closesWith([]step{closeFrame(1000, ""), send(hi), send(hi), send(frame{op: opPing})}, 1000)
	silent := func(id, about string, steps []step) *Case {
		c := own(id, about+" Then nothing more; the suite reads on, whatever comes.", "The peer sends nothing after its close frame. A server closes TCP within 12 seconds.",
			rfcDiscard, script{})
		c.play = func() player {
			return &silence{steps: steps}
		}
		return c
	}
	broken := silent("22.3.3", "A frame with a reserved opcode.", sendAll(frame{op: 3}))
	broken.RFC = rfcBounded
	return []*Case{
		own("22.3.1", "A close frame, two texts and a ping.", wantClose+" Neither texts nor ping are answered.", rfcAfter, three),
		silent("22.3.2", "A text and a close frame.", append(sendAll(hi), closeFrame(1000, ""))),
		broken,
		own("22.3.4", "A close frame with code and reason, written octet by octet.", wantClose, rfcClose, closesWith([]step{
			{do: func(s *session) {
				s.closeChop = 1
				s.sendClose(1000, []byte("bye"))
			}}}, 1000)),
	}
}

// silence is the player that looks at what comes after the peer's close frame, until
// the peer closes TCP.
type silence struct {
	steps []step
	late  int
}

func (p *silence) open(s *session) {
	s.linger = true
	for _, st := range p.steps {
		st.do(s)
	}
	if s.server {
		// A client may wait for the server to close TCP as long as it likes.
		s.after(2*second, s.drop)
		return
	}
	s.after(12*second, s.drop)
}

func (p *silence) message(s *session, _ message) {
	if s.peerDone {
		p.late++
	}
}

func (p *silence) pong(s *session, _ []byte) {
	if s.peerDone {
		p.late++
	}
}

func (p *silence) verdict(s *session) verdict {
	v := plainVerdict(s, result.OK, "Nothing came after the close frame.")
	v.close = result.ExpectedClose{CloseCode: []int{1000, 1002}, ClosedByMe: s.closedByMe}
	switch {
	case !s.opened:
	case p.late > 0:
		v.behavior, v.result = result.Failed, fmt.Sprintf("%d frames came after the peer's close frame.", p.late)
	case s.droppedByMe && !(s.server && s.peerDone):
		v.behavior, v.result = result.Failed, "The peer did not close TCP within 12 seconds."
	}
	return v
}
