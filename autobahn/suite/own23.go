package suite

// This file holds category 23: what the original takes on trust in its category 9,
// the octets of large echoes, and messages of endlessly many fragments.

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

var rfcProtect = rfc6455("10.4", `Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size after reassembly from multiple frames MUST protect themselves against exceeding those limits.`)

// noise is n octets without any pattern; letters, where it must be text.
func noise(n int, text bool) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 23))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
		if text {
			p[i] = 'A' + p[i]%58
		}
	}
	return p
}

// exact is the player whose message must come back octet by octet.
type exact struct {
	bulk
	data []byte
}

func (p *exact) open(s *session) {
	s.log.on = false
	p.behavior = result.Failed
	p.result = fmt.Sprintf("Did not receive message within %d seconds.", int(p.limit.Seconds()))
	p.data = noise(p.size, p.op == opText)
	if p.cut > 0 {
		s.sendMessage(p.op, p.data, p.cut, 0)
	} else {
		s.send(frame{op: p.op, payload: p.data, chop: p.chop})
	}
	s.closeAfter(p.limit)
}

func (p *exact) message(s *session, m message) {
	p.bulk.message(s, m)
	if p.behavior != result.OK || bytes.Equal(m.data, p.data) {
		return
	}
	at := 0
	for m.data[at] == p.data[at] {
		at++
	}
	p.behavior = result.Failed
	p.result = fmt.Sprintf("The echo differs from octet %d on: %#02x, not %#02x.", at, m.data[at], p.data[at])
}

// endless is the player of a message in very many fragments. To give up on it is
// right, as is to take it all.
type endless struct {
	fragments int
	payload   []byte // of each
	want      int    // size of the whole

	echoed, wrong bool
}

func (p *endless) open(s *session) {
	s.log.on = false
	s.send(frame{op: opText, more: true, payload: p.payload})
	for range p.fragments {
		s.send(frame{op: opCont, more: true, payload: p.payload})
	}
	s.send(frame{op: opCont})
	s.log.on = true
	s.killAfter(20 * second)
}

func (p *endless) message(s *session, m message) {
	p.echoed, p.wrong = true, len(m.data) != p.want
	s.sendClose(1000, nil)
}

func (p *endless) pong(*session, []byte) {}

func (p *endless) verdict(s *session) verdict {
	v := plainVerdict(s, result.OK, "The peer failed the connection.")
	v.close = result.ExpectedClose{CloseCode: []int{1000, 1002, 1008, 1009}, ClosedByMe: p.echoed}
	switch {
	case p.wrong:
		v.behavior, v.result = result.Failed, "The echo is not the message."
	case p.echoed:
		v.behavior, v.result = result.NonStrict, "The peer took all fragments: it has no limit that the suite could see."
	case s.failedByMe:
		v.behavior, v.result = result.Failed, "The peer neither failed the connection nor sent the echo."
	}
	return v
}

func cases23() (list []*Case) {
	const mib = 1 << 20
	for i, b := range []bulk{
		{op: opText, size: mib}, {op: opBinary, size: mib},
		{op: opText, size: mib, cut: 1000}, {op: opBinary, size: mib, cut: 1021},
		{op: opText, size: mib, chop: 1021}, {op: opBinary, size: mib, chop: 4099},
		{op: opBinary, size: 4*mib + 3},
	} {
		b.limit = 30 * second
		how := "in one frame"
		switch {
		case b.cut > 0:
			how = fmt.Sprintf("in fragments of %d octets", b.cut)
		case b.chop > 0:
			how = fmt.Sprintf("in one frame, written in pieces of %d octets", b.chop)
		}
		c := heavyCase(fmt.Sprintf("23.1.%d", i+1), fmt.Sprintf("A %s message of %d octets without any pattern, %s.", kindName(b.op), b.size, how),
			"The same octets come back.", func() player { return &exact{bulk: b} })
		c.RFC = rfcMaskPos
		list = append(list, c)
	}
	for i, e := range []endless{{fragments: 200_000}, {fragments: 200_000, payload: []byte{'*'}, want: 200_001}} {
		c := heavyCase(fmt.Sprintf("23.2.%d", i+1), fmt.Sprintf("A text in %d fragments of %d octets.", e.fragments+2, len(e.payload)),
			"The peer fails the connection (code 1002, 1008, 1009 or none). Taking it all is not quite strict.",
			func() player { q := e; return &q })
		c.RFC = rfcProtect
		list = append(list, c)
	}
	return list
}
