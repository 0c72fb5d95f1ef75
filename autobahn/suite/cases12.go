package suite

// This file holds categories 12 and 13 of the catalogue: permessage-deflate, with
// different payloads and with different parameters. As in the original it is not
// looked at whether the peer compresses at all, nor whether it keeps to what was
// offered; category 24 does that.

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// deflated is the player that sends count compressed messages, each after the echo of
// the last.
type deflated struct {
	data  *dataset
	size  int
	count int
	cut   int // size of frames; 0 is one frame
	limit time.Duration

	stream           *stream
	check            *echoCheck
	sent             int
	behavior, result string
	traffic          *result.Traffic
}

func (p *deflated) open(s *session) {
	s.log.enable(false)
	if s.ext == nil {
		p.behavior, p.result = result.Unimplemented, "The peer did not agree on permessage-deflate."
		s.sendClose(1000, nil)
		return
	}
	s.rx.raw = true
	p.behavior, p.count = result.Failed, s.atMost(p.count)
	p.result = fmt.Sprintf("Case did not finish within %d seconds.", int(p.limit.Seconds()))
	p.stream = openStream(streamKey{p.data, p.size, s.ext.sendBits, s.ext.sendContext})
	p.check = newEchoCheck(s.ext, p.data, p.size)
	s.closeAfter(p.limit)
	p.next(s)
}

func (p *deflated) next(s *session) {
	op := opText
	if p.data.binary {
		op = opBinary
	}
	s.sendMessage(op, p.stream.message(p.sent), p.cut, rsv1)
	p.sent++
}

func (p *deflated) message(s *session, m message) {
	fault := p.fault(s, m)
	if fault == "" && p.sent < p.count {
		p.next(s)
		return
	}
	s.log.enable(true)
	if p.behavior, p.result = result.Failed, fault; fault == "" {
		p.behavior, p.result = result.OK, "Ok, received all echo'ed messages in time."
		p.traffic = s.traffic(p.count, p.count*p.size)
	}
	s.sendClose(1000, nil)
}

// fault tells why m is not the echo that is due; "" means that it is.
func (p *deflated) fault(s *session, m message) string {
	k := p.sent - 1
	switch {
	case m.binary != p.data.binary:
		return "Echo'ed message type differs from what I sent."
	case m.compressed:
		return p.check.fault(s.ext, k, m.data)
	case !bytes.Equal(m.data, p.data.message(k, p.size)):
		return "Echo'ed message contents differs from what I sent."
	}
	return ""
}

func (p *deflated) pong(*session, []byte) {}

func (p *deflated) verdict(s *session) verdict {
	if p.stream != nil {
		p.stream.release()
		p.stream = nil
	}
	v := plainVerdict(s, p.behavior, p.result)
	v.ratio, v.traffic = true, p.traffic
	return v
}

// traffic sums up what went over the wire for messages of plain octets in all, in
// each direction.
func (s *session) traffic(messages, plain int) *result.Traffic {
	t := &result.Traffic{
		IncomingOctetsAppLevel: plain, IncomingOctetsWebSocketLevel: s.rx.payload,
		IncomingOctetsWireLevel: s.rx.octets, IncomingWebSocketFrames: s.rx.frames, IncomingWebSocketMessages: messages,
		OutgoingOctetsAppLevel: plain, OutgoingOctetsWebSocketLevel: s.sentPayload,
		OutgoingOctetsWireLevel: s.sentOctets, OutgoingWebSocketFrames: s.sentFrames, OutgoingWebSocketMessages: messages,
		PreopenIncomingOctetsWireSize: len(s.log.response), PreopenOutgoingOctetsWireSize: len(s.log.request),
	}
	if s.server {
		t.PreopenIncomingOctetsWireSize, t.PreopenOutgoingOctetsWireSize = len(s.log.request), len(s.log.response)
	}
	t.IncomingCompressionRatio = float64(t.IncomingOctetsWebSocketLevel) / float64(plain)
	t.OutgoingCompressionRatio = float64(t.OutgoingOctetsWebSocketLevel) / float64(plain)
	t.IncomingWebSocketOverhead = overhead(t.IncomingOctetsWireLevel, t.IncomingOctetsWebSocketLevel)
	t.OutgoingWebSocketOverhead = overhead(t.OutgoingOctetsWireLevel, t.OutgoingOctetsWebSocketLevel)
	return t
}

func overhead(wire, payload int) float64 {
	return float64(wire-payload) / float64(max(payload, 1))
}

// deflateRow is a row of the table that all groups of 12 and 13 share.
type deflateRow struct {
	size, cut int
	limit     time.Duration
}

var deflateRows = []deflateRow{
	{16, 0, 60 * second}, {64, 0, 60 * second}, {256, 0, 120 * second}, {1024, 0, 240 * second},
	{4096, 0, 480 * second}, {8192, 0, 480 * second}, {16384, 0, 480 * second}, {32768, 0, 480 * second},
	{65536, 0, 480 * second}, {131072, 0, 480 * second},
	{8192, 256, 480 * second}, {16384, 256, 480 * second}, {32768, 256, 480 * second}, {65536, 256, 480 * second},
	{131072, 256, 480 * second}, {131072, 1024, 480 * second}, {131072, 4096, 480 * second}, {131072, 32768, 480 * second},
}

// acceptFunc chooses from a client's offers.
type acceptFunc func([]deflateParams) *deflateParams

// firstOffer accepts the first offer that suits, asking the client for the limits.
func firstOffer(noTakeover bool, bits int) acceptFunc {
	return func(offers []deflateParams) *deflateParams {
		for _, o := range offers {
			if bits == 0 || o.allowsClientBits() {
				return o.accept(noTakeover, bits)
			}
		}
		return nil
	}
}

// oneOf tries one way after the other.
func oneOf(ways ...acceptFunc) acceptFunc {
	return func(offers []deflateParams) *deflateParams {
		for _, way := range ways {
			if p := way(offers); p != nil {
				return p
			}
		}
		return nil
	}
}

// offer is what the suite, as a client, offers in every case; limits are added to it.
func offer(noTakeover bool, bits int) deflateParams {
	return deflateParams{clientNoTakeover: true, anyClientBits: true, serverNoTakeover: noTakeover, serverBits: bits}
}

// deflateGroup is a group of 13: what is offered to a server, and accepted of a client.
type deflateGroup struct {
	offers []deflateParams
	accept acceptFunc
}

var deflateGroups = []deflateGroup{
	{[]deflateParams{offer(false, 0)}, firstOffer(false, 0)},
	{[]deflateParams{offer(true, 0)}, firstOffer(true, 0)},
	{[]deflateParams{offer(false, 9)}, firstOffer(false, 9)},
	{[]deflateParams{offer(false, 15)}, firstOffer(false, 15)},
	{[]deflateParams{offer(true, 9)}, firstOffer(true, 9)},
	{[]deflateParams{offer(true, 15)}, firstOffer(true, 15)},
	{[]deflateParams{offer(true, 9), offer(true, 0), offer(false, 0)},
		oneOf(firstOffer(true, 9), firstOffer(true, 0), firstOffer(false, 0))},
}

// deflateCase makes row x of a group.
func deflateCase(id string, x int, data *dataset, g deflateGroup) *Case {
	row := deflateRows[x]
	kind, frames := "text", "one frame each"
	if data.binary {
		kind = "binary"
	}
	if row.cut > 0 {
		frames = fmt.Sprintf("in frames of %d octets", row.cut)
	}
	var offers []string
	for _, o := range g.offers {
		offers = append(offers, o.String())
	}
	c := heavyCase(id, fmt.Sprintf("1000 compressed %s messages of %d octets (%s), each after the echo of the last, %s. A server is offered: %s.",
		kind, row.size, data.name, frames, strings.Join(offers, ", ")),
		fmt.Sprintf("All messages come back within %d seconds.", int(row.limit.Seconds())),
		func() player {
			return &deflated{data: data, size: row.size, count: 1000, cut: row.cut, limit: row.limit}
		})
	c.offers, c.accept = g.offers, g.accept
	c.order = data.size<<20 | row.size
	return c
}

func cases12() (list []*Case) {
	for i, data := range datasets {
		for x := range deflateRows {
			list = append(list, deflateCase(fmt.Sprintf("12.%d.%d", i+1, x+1), x, data, deflateGroups[0]))
		}
	}
	return list
}

func cases13() (list []*Case) {
	for i, g := range deflateGroups {
		for x := range deflateRows {
			list = append(list, deflateCase(fmt.Sprintf("13.%d.%d", i+1, x+1), x, datasets[0], g))
		}
	}
	return list
}
