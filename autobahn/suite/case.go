package suite

// This file says what a case is. Most cases are a script: frames to send, waits
// between them, and the lists of events that are right. The others bring a player of
// their own (cases9.go, cases12.go, own.go).

import (
	"bytes"
	"slices"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// Case is one case of the catalogue, or one of the suite's own.
type Case struct {
	ID          string
	Number      int // from 1 on, in the order of the catalogue; own cases go on from there
	Description string
	Expectation string
	RFC         result.RFC

	// Heavy cases move megabytes or thousands of messages. Few of them run at a time,
	// and after all others, so that no time limit is missed for want of a CPU.
	Heavy bool

	order int // among heavy cases: what can share compressed messages stands together

	// NoServer and NoClient mark own cases that cannot be put to a server, or to a
	// client.
	NoServer, NoClient bool

	play   func() player                 // a new player for a new connection
	offers []deflateParams               // to a server; none means no compression
	accept acceptFunc                    // of a client's offers; nil accepts none
	edit   func(lines []string) []string // changes the request to a server, or the response to a client
	slow   bool                          // the request is written octet by octet, or the response
}

// player plays one case on one connection.
type player interface {
	open(s *session)               // the opening handshake is done
	message(s *session, m message) // m.data is valid during the call
	pong(s *session, p []byte)
	verdict(s *session) verdict // the connection is closed
}

// refuser is a player that wants to know why the opening handshake failed.
type refuser interface {
	refused(response string, err error)
}

// verdict is what a player thinks of the peer. The close behavior is judged for all
// cases alike, in judge.go, from the expected close.
type verdict struct {
	behavior string
	result   string

	expected map[string][]result.Event
	received []result.Event
	close    result.ExpectedClose

	unopened      bool // that the connection did not open is right
	informational bool // both verdicts are INFORMATIONAL, whatever happened
	codeMatters   bool // WRONG CODE makes the behavior FAILED too

	ratio, time bool // the report shows the compression ratio, the duration
	traffic     *result.Traffic
}

// event is something that the peer sent, or a wait that ended.
type event struct {
	kind    string
	payload []byte
	binary  bool
}

func (e event) equal(o event) bool {
	return e.kind == o.kind && e.binary == o.binary && bytes.Equal(e.payload, o.payload)
}

func text(s string) event          { return event{result.EventMessage, []byte(s), false} }
func textBytes(p []byte) event     { return event{result.EventMessage, p, false} }
func binaryBytes(p []byte) event   { return event{result.EventMessage, p, true} }
func pong(s string) event          { return event{result.EventPong, []byte(s), false} }
func timedOut(tag string) event    { return event{result.EventTimeout, []byte(tag), false} }
func sameEvents(a, b []event) bool { return slices.EqualFunc(a, b, event.equal) }
func brief(l []event) []result.Event {
	out := make([]result.Event, 0, len(l))
	for _, e := range l {
		out = append(out, result.Event{Kind: e.kind, Text: snippet(e.payload, len(e.payload)).Text, Binary: e.binary})
	}
	return out
}

// step is one thing that a script does, or a wait.
type step struct {
	do func(*session)

	wait time.Duration
	tag  string // of a wait; with counts, the end of the wait is an event
	// counts makes the script end here when the peer has begun to close.
	counts bool
}

func send(f frame) step { return step{do: func(s *session) { s.send(f) }} }

func sendAll(frames ...frame) (list []step) {
	for _, f := range frames {
		list = append(list, send(f))
	}
	return list
}

// closeFrame is the suite's own start of the closing handshake.
func closeFrame(code int, reason string) step {
	return step{do: func(s *session) { s.sendClose(code, []byte(reason)) }}
}

func pause(d time.Duration) step { return step{wait: d} }

func watch(d time.Duration, tag string) step { return step{wait: d, tag: tag, counts: true} }

// Kinds of expected ends.
var (
	// The suite closes after what it expected has come.
	suiteCloses = result.ExpectedClose{CloseCode: []int{1000}, ClosedByMe: true, RequireClean: true}
	// The peer must fail the connection because of a protocol error, or of bad data.
	peerFails     = result.ExpectedClose{CloseCode: []int{1002}}
	peerFailsData = result.ExpectedClose{CloseCode: []int{1007}, ClosedByWrongEndpointIsFatal: true}
)

// script is the player of most cases.
type script struct {
	steps     []step
	ok        []event
	nonStrict []event
	twoWays   bool // nonStrict is a second right outcome
	close     result.ExpectedClose
	limit     time.Duration
	byClosing bool // at the limit, send a close frame instead of failing the connection

	noClose       bool // do not close by itself
	informational bool
	codeMatters   bool

	// tolerated are events that the RFC does not quite allow; they give NON-STRICT, and
	// the suite closes.
	tolerated []event
	mild      bool

	received []event
}

func (p *script) open(s *session) { p.run(s, p.steps) }

// run does the steps up to the next wait, which goes on with the rest.
func (p *script) run(s *session, steps []step) {
	for i, st := range steps {
		if st.wait == 0 {
			st.do(s)
			continue
		}
		s.later(st.wait, st.tag, func() {
			if st.counts {
				if s.state != open {
					return
				}
				p.received = append(p.received, timedOut(st.tag))
			}
			p.run(s, steps[i+1:])
		})
		return
	}
	switch {
	case p.limit == 0:
	case p.byClosing:
		s.closeAfter(p.limit)
	default:
		s.killAfter(p.limit)
	}
}

func (p *script) message(s *session, m message) {
	p.received = append(p.received, event{result.EventMessage, slices.Clone(m.data), m.binary})
	p.closeWhenDone(s)
}

func (p *script) pong(s *session, b []byte) {
	p.received = append(p.received, event{result.EventPong, b, false})
	p.closeWhenDone(s)
}

// closeWhenDone closes as soon as everything came that was expected, whichever of
// the expected lists one looks at.
func (p *script) closeWhenDone(s *session) {
	if len(p.tolerated) > 0 && sameEvents(p.received, p.tolerated) {
		p.mild, p.close = true, suiteCloses
		s.sendClose(1000, nil)
		return
	}
	if !sameEvents(p.received, p.ok) || p.twoWays && !sameEvents(p.received, p.nonStrict) {
		return
	}
	if p.close.ClosedByMe && !p.noClose {
		s.sendClose(p.close.CloseCode[0], nil)
	}
}

func (p *script) verdict(s *session) verdict {
	v := verdict{
		behavior: result.Failed, result: "Actual events differ from any expected.",
		expected: map[string][]result.Event{}, received: brief(p.received), close: p.close,
		informational: p.informational, codeMatters: p.codeMatters,
	}
	if !s.opened {
		return v
	}
	v.expected[result.OK] = brief(p.ok)
	if p.twoWays {
		v.expected[result.NonStrict] = brief(p.nonStrict)
	}
	switch {
	case sameEvents(p.received, p.ok):
		v.behavior = result.OK
	case p.twoWays && sameEvents(p.received, p.nonStrict), p.mild && sameEvents(p.received, p.tolerated):
		v.behavior = result.NonStrict
	}
	if v.behavior != result.Failed {
		v.result = "Actual events match at least one expected."
	}
	return v
}
