package suite

// This file holds category 9 of the catalogue: large messages, many fragments, small
// writes, many round trips. As in the original only the type and the length of the
// echo are looked at; case 23.1 looks at the octets.

import (
	"bytes"
	"fmt"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// bulk is the player of a single large message.
type bulk struct {
	op      int
	size    int
	pattern string
	cut     int // size of fragments, 0 for one frame
	chop    int // size of writes, 0 for one
	limit   time.Duration

	behavior, result string
}

// repeated is pattern repeated to n octets.
func repeated(pattern string, n int) []byte {
	return bytes.Repeat([]byte(pattern), n/len(pattern)+1)[:n]
}

func (p *bulk) open(s *session) {
	s.log.on = false
	p.behavior = result.Failed
	p.result = fmt.Sprintf("Did not receive message within %d seconds.", int(p.limit.Seconds()))
	data := repeated(p.pattern, p.size)
	if p.cut > 0 {
		s.sendMessage(p.op, data, p.cut, 0)
	} else {
		s.send(frame{op: p.op, payload: data, chop: p.chop})
	}
	s.closeAfter(p.limit)
}

func (p *bulk) message(s *session, m message) {
	switch {
	case m.binary != (p.op == opBinary):
		p.result = "Expected a " + kindName(p.op) + " message, but got the other type."
	case len(m.data) != p.size:
		p.result = fmt.Sprintf("Expected a message of length %d, but got %d.", p.size, len(m.data))
	default:
		p.behavior = result.OK
		p.result = fmt.Sprintf("Received %s message of length %d.", kindName(p.op), p.size)
	}
	s.log.on = true
	s.sendClose(1000, nil)
}

func (p *bulk) pong(*session, []byte) {}

func (p *bulk) verdict(s *session) verdict { return plainVerdict(s, p.behavior, p.result) }

// plainVerdict is that of a player without lists of events.
func plainVerdict(s *session, behavior, why string) verdict {
	if !s.opened {
		behavior, why = result.Failed, "The opening handshake was not completed."
	}
	return verdict{behavior: behavior, result: why, close: suiteCloses, time: true}
}

// rounds is the player that sends count messages, each after the echo of the last.
type rounds struct {
	op    int
	data  []byte
	count int
	limit time.Duration

	sent             int
	behavior, result string
}

func (p *rounds) open(s *session) {
	s.log.on = false
	p.behavior, p.count = result.Failed, s.atMost(p.count)
	p.result = fmt.Sprintf("Case did not finish within %d seconds.", int(p.limit.Seconds()))
	s.closeAfter(p.limit)
	p.next(s)
}

func (p *rounds) next(s *session) {
	p.sent++
	s.send(frame{op: p.op, payload: p.data})
}

func (p *rounds) message(s *session, m message) {
	switch {
	case m.binary != (p.op == opBinary) || len(m.data) != len(p.data):
		p.result = "An echo had another type or length than the message."
	case p.sent < p.count:
		p.next(s)
		return
	default:
		p.behavior, p.result = result.OK, "Ok, received all echo'ed messages in time."
	}
	s.log.on = true
	s.sendClose(1000, nil)
}

func (p *rounds) pong(*session, []byte) {}

func (p *rounds) verdict(s *session) verdict { return plainVerdict(s, p.behavior, p.result) }

const (
	textPattern   = "BAsd7&jh23"
	binaryPattern = "\x00\xfe\x23\xfa\xf0"
)

// bulkRow is a row of the table of 9.1 to 9.6.
type bulkRow struct {
	size, cut, chop int
	limit           time.Duration
}

func bulkRows(group int) (rows []bulkRow) {
	const kib, mib = 1 << 10, 1 << 20
	switch group {
	case 1, 2:
		for i, size := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			limit := 100 * second
			if i < 2 || group == 2 && i < 4 {
				limit = 10 * second
			}
			rows = append(rows, bulkRow{size: size, limit: limit})
		}
	case 3, 4:
		for cut := 64; cut <= 4*mib; cut *= 4 {
			rows = append(rows, bulkRow{size: 4 * mib, cut: cut, limit: 100 * second})
		}
	case 5, 6:
		for chop := 64; chop <= 2048; chop *= 2 {
			rows = append(rows, bulkRow{size: mib, chop: chop, limit: 1000 * second})
		}
	}
	return rows
}

func cases9() (list []*Case) {
	for group := 1; group <= 6; group++ {
		op := opText
		if group%2 == 0 {
			op = opBinary
		}
		for i, row := range bulkRows(group) {
			p := bulk{op: op, size: row.size, cut: row.cut, chop: row.chop, limit: row.limit, pattern: bulkPattern(group, i)}
			about := fmt.Sprintf("A %s message of %d octets", kindName(op), row.size)
			switch {
			case row.cut >= row.size:
				about += " in one frame"
			case row.cut > 0:
				about += fmt.Sprintf(" in fragments of %d octets, with an empty one at the end", row.cut)
			case row.chop > 0:
				about += fmt.Sprintf(" in one frame, written in pieces of %d octets", row.chop)
			}
			list = append(list, heavyCase(fmt.Sprintf("9.%d.%d", group, i+1), about+".",
				"A message of the same type and length comes back.", func() player { q := p; return &q }))
		}
	}
	for group, op := range []int{opText, opBinary} {
		for i, n := range []int{0, 16, 64, 256, 1024, 4096} {
			limit := []time.Duration{60, 60, 60, 120, 240, 480}[i] * second
			p := rounds{op: op, count: 1000, limit: limit, data: repeated([]string{textPattern, binaryPattern}[group], n)}
			list = append(list, heavyCase(fmt.Sprintf("9.%d.%d", group+7, i+1),
				fmt.Sprintf("1000 %s messages of %d octets, each after the echo of the last.", kindName(op), n),
				fmt.Sprintf("All messages come back within %d seconds.", int(limit.Seconds())), func() player { q := p; return &q }))
		}
	}
	return list
}

// bulkPattern is what the message repeats: the catalogue varies it.
func bulkPattern(group, i int) string {
	switch {
	case group == 3, group == 4 && i > 0:
		return "*"
	case group == 4:
		return "\xfe"
	case group%2 == 1:
		return textPattern
	}
	return binaryPattern
}

func heavyCase(id, about, want string, play func() player) *Case {
	return &Case{ID: id, Description: about, Expectation: want, RFC: rule(id), Heavy: true, play: play}
}
