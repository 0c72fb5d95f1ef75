package suite

// This file holds category 24, permessage-deflate where the original does not look:
// the negotiation to the letter, the window and the context that were agreed on,
// whether an echo is compressed at all, data that does not inflate, and frames that
// do not go with compression.

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/deflate"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

var (
	rfcServerBits = rfc7692("7.1.2.1", `A server accepts an extension negotiation offer with this parameter by including the "server_max_window_bits" extension parameter in the extension negotiation response to send back to the client with the same or smaller value as the offer.`)
	rfcClientBits = rfc7692("7.1.2.2", `If a received extension negotiation offer doesn't have the "client_max_window_bits" extension parameter, the corresponding extension negotiation response to the offer MUST NOT include the "client_max_window_bits" extension parameter.`)
	rfcServerNo   = rfc7692("7.1.1.1", `A server accepts an extension negotiation offer that includes the "server_no_context_takeover" extension parameter by including the "server_no_context_takeover" extension parameter in the corresponding extension negotiation response to send back to the client.`)
	rfcDecline    = rfc7692("7.1", `A server MUST decline an extension negotiation offer for this extension if any of the following conditions are met: The negotiation offer contains an extension parameter not defined for use in an offer. The negotiation offer contains an extension parameter with an invalid value. The negotiation offer contains multiple extension parameters with the same name.`)
	rfcBadAnswer  = rfc7692("7.1", `A client MUST _Fail the WebSocket Connection_ if the peer server accepted an extension negotiation offer for this extension with an extension negotiation response meeting any of the following conditions: The negotiation response contains an extension parameter not defined for use in a response. The negotiation response contains an extension parameter with an invalid value. The negotiation response contains multiple extension parameters with the same name.`)
	rfcRSV1       = rfc7692("6", `An endpoint MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments of a data message. An endpoint receiving such a frame MUST _Fail the WebSocket Connection_.`)
	rfcInflate    = rfc7692("7.2.2", `An endpoint uses the following algorithm to decompress a message. Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message. Decompress the resulting data using DEFLATE.`)
	rfcContext    = rfc7692("7.2.2", `If the "agreed parameters" contain the "server_no_context_takeover" extension parameter, the client MAY decompress each new message with an empty LZ77 sliding window. Otherwise, the client MUST decompress each new message using the LZ77 sliding window used to process the last compressed message.`)
	rfcBlocks     = rfc7692("7.2.1", `An endpoint MAY use multiple DEFLATE blocks to compress one message. An endpoint MAY use DEFLATE blocks of any type. An endpoint MAY use both DEFLATE blocks with the "BFINAL" bit set to 0 and DEFLATE blocks with the "BFINAL" bit set to 1.`)
	rfcPerMessage = rfc7692("6", `An endpoint that has received a message with the "Per-Message Compressed" bit unset treats it as a message that is not compressed.`)
	rfcMayPlain   = rfc7692("6", `When a PMCE is in use, an endpoint compresses or does not compress each message.`)
)

// plainOffer is an offer without limits.
var plainOffer = deflateParams{anyClientBits: true}

// compressed makes a case that needs compression of one that has a script.
func compressed(c *Case, offers []deflateParams, accept acceptFunc) *Case {
	play := c.play
	c.offers, c.accept = offers, accept
	c.play = func() player { return &needsDeflate{player: play()} }
	return c
}

// needsDeflate plays only if compression was agreed on.
type needsDeflate struct {
	player
	missing bool
}

func (p *needsDeflate) open(s *session) {
	if p.missing = s.ext == nil; p.missing {
		s.sendClose(1000, nil)
		return
	}
	p.player.open(s)
}

func (p *needsDeflate) verdict(s *session) verdict {
	if p.missing {
		return plainVerdict(s, result.Unimplemented, "The peer did not agree on permessage-deflate.")
	}
	return p.player.verdict(s)
}

// packed is a step that sends p compressed, in frames of cut octets.
func packed(op int, p []byte, cut int) step {
	return step{do: func(s *session) { s.sendMessage(op, s.ext.deflate(p), cut, rsv1) }}
}

// rawPacked is a step that sends octets as they are, as the payload of a compressed
// message.
func rawPacked(op int, payload string) step {
	return send(frame{op: op, rsv: rsv1, payload: []byte(payload)})
}

func cases24() (list []*Case) {
	for _, group := range [][]*Case{
		cases24Offers(), cases24Answers(), cases24Windows(), cases24Contexts(), cases24Frames(), cases24Data(), cases24Text(), cases24Forms(),
	} {
		list = append(list, group...)
	}
	return list
}

// bargain is the player that judges the response of a server to an offer, and then
// wants an echo.
type bargain struct {
	script
	judge func(p *deflateParams) string // what is wrong with it; nil stands for a decline
	fault string
}

func (p *bargain) open(s *session) {
	var params *deflateParams
	if s.ext != nil {
		params = &s.ext.params
	}
	p.fault = p.judge(params)
	p.script.open(s)
}

func (p *bargain) refused(_ string, err error) {
	p.fault = "The response is not valid: " + err.Error() + "."
}

func (p *bargain) verdict(s *session) verdict {
	v := p.script.verdict(s)
	if p.fault != "" {
		v.behavior, v.result = result.Failed, p.fault
	}
	return v
}

// cases24Offers is about the answers of servers.
func cases24Offers() (list []*Case) {
	add := func(about, want string, rule result.RFC, header string, judge func(*deflateParams) string) {
		c := own(fmt.Sprintf("24.1.%d", len(list)+1), about+".", want+" Then a text comes back.", rule, script{})
		c.NoClient, c.offers, c.edit = true, []deflateParams{plainOffer}, setLine("Sec-WebSocket-Extensions", header)
		c.play = func() player { return &bargain{script: opens(), judge: judge} }
		list = append(list, c)
	}
	const offer = "permessage-deflate; client_no_context_takeover; client_max_window_bits; "
	for _, bits := range []int{8, 9, 12, 15} {
		add(fmt.Sprintf("An offer with server_max_window_bits=%d", bits), "The answer has the same or a smaller value, or declines.",
			rfcServerBits, fmt.Sprintf("%sserver_max_window_bits=%d", offer, bits), func(p *deflateParams) string {
				switch {
				case p == nil:
					return ""
				case p.serverBits == 0:
					return "The server accepts the offer and leaves server_max_window_bits out."
				case p.serverBits > bits:
					return fmt.Sprintf("The server accepts the offer with server_max_window_bits=%d.", p.serverBits)
				}
				return ""
			})
	}
	add("An offer with server_no_context_takeover", "The answer has it too, or declines.", rfcServerNo,
		offer+"server_no_context_takeover", func(p *deflateParams) string {
			if p != nil && !p.serverNoTakeover {
				return "The server accepts the offer and leaves server_no_context_takeover out."
			}
			return ""
		})
	add("An offer without client_max_window_bits", "The answer does not have it either.", rfcClientBits,
		deflateName, func(p *deflateParams) string {
			if p != nil && p.clientBits != 0 {
				return "The server limits the window of a client that did not allow it to."
			}
			return ""
		})
	unsoundOffers(add)
	return list
}

// unsoundOffers adds the cases of offers that a server must decline.
func unsoundOffers(add func(about, want string, rule result.RFC, header string, judge func(*deflateParams) string)) {
	declined := func(p *deflateParams) string {
		if p != nil {
			return "The server accepts the offer: " + p.String() + "."
		}
		return ""
	}
	for _, bad := range []string{"x_unknown", "server_max_window_bits=16", "server_max_window_bits=7", "server_max_window_bits=09",
		"server_max_window_bits", "client_max_window_bits=99", "server_no_context_takeover=1",
		"server_no_context_takeover; server_no_context_takeover"} {
		add("An offer with "+bad, "The server declines it.", rfcDecline, deflateName+"; "+bad, declined)
	}
	add("An offer with server_max_window_bits=99, and then a sound one", "The server takes the sound one, or none.", rfcDecline,
		deflateName+"; server_max_window_bits=99, "+deflateName+"; server_no_context_takeover", func(p *deflateParams) string {
			if p != nil && !p.serverNoTakeover {
				return "The server accepts the offer that is not sound: " + p.String() + "."
			}
			return ""
		})
}

// cases24Answers is about what clients make of answers.
func cases24Answers() (list []*Case) {
	for _, bad := range []string{"x_unknown", "server_max_window_bits=16", "server_max_window_bits=7", "server_max_window_bits",
		"client_max_window_bits", "server_no_context_takeover=1", "server_no_context_takeover; server_no_context_takeover"} {
		list = append(list, &Case{
			ID: fmt.Sprintf("24.2.%d", len(list)+1), Description: "A response with permessage-deflate; " + bad + ", and a text.", RFC: rfcBadAnswer,
			Expectation: "The client closes TCP and echoes nothing.", NoServer: true,
			edit: setLine("Sec-WebSocket-Extensions", deflateName+"; "+bad),
			play: func() player { return &absence{} },
		})
	}
	return list
}

// windowed is the player that measures how far the peer's compressor reaches back.
type windowed struct {
	data  []byte
	count int
	bits  int

	sent, packed int
	fault        string
	done         bool
}

func (p *windowed) open(s *session) {
	s.rx.raw = true
	s.ext.in = deflate.NewInflater(p.bits, s.ext.recvContext, messageLimit)
	s.killAfter(10 * second)
	p.next(s)
}

func (p *windowed) next(s *session) {
	p.sent++
	s.sendMessage(opBinary, s.ext.deflate(p.data), 0, rsv1)
}

func (p *windowed) message(s *session, m message) {
	got, err := m.data, error(nil)
	if m.compressed {
		p.packed++
		got, err = s.ext.in.Message(m.data)
	}
	var beyond *deflate.WindowError
	switch {
	case errors.As(err, &beyond):
		p.fault = fmt.Sprintf("The echo reaches %d octets back; the window that was agreed on has %d.", beyond.Distance, 1<<p.bits)
	case err != nil:
		p.fault = "The echo does not inflate: " + err.Error() + "."
	case !bytes.Equal(got, p.data) || !m.binary:
		p.fault = "The echo is not the message."
	case p.sent < p.count:
		p.next(s)
		return
	}
	p.done = true
	s.sendClose(1000, nil)
}

func (p *windowed) pong(*session, []byte) {}

func (p *windowed) verdict(s *session) verdict {
	v := plainVerdict(s, result.OK, "The echo keeps to the window.")
	switch {
	case p.fault != "":
		v.behavior, v.result = result.Failed, p.fault
	case !p.done:
		v.behavior, v.result = result.Failed, "The echo did not come."
	case p.packed == 0:
		v.behavior, v.result = result.Unimplemented, "The peer does not compress what it sends, so nothing was seen of its window."
	}
	return v
}

// cases24Windows is about the size of the window. The messages repeat something, at
// just the distance that is not allowed.
func cases24Windows() (list []*Case) {
	for bits := 9; bits <= 14; bits++ {
		n := 1<<bits + 1
		data := bytes.Repeat(noise(n, true), 6)
		server := deflateParams{clientNoTakeover: true, anyClientBits: true, serverBits: bits}
		c := own(fmt.Sprintf("24.3.%d", bits-8), fmt.Sprintf("Messages that repeat %d octets, with a window of 2^%d octets agreed on.", n, bits),
			"The echoes are compressed without reaching back further than that.", rfcBits, script{})
		c.play = func() player { return &windowed{data: data, count: 3, bits: bits} }
		list = append(list, compressed(c, []deflateParams{server}, firstOffer(false, bits)))
	}
	return list
}

// cases24Contexts is about what goes over from one message to the next.
func cases24Contexts() []*Case {
	data := noise(500, true)
	fresh := own("24.4.1", "The same message of 500 octets three times, with no_context_takeover agreed on for the peer.",
		"No echo refers to the one before.", rfcNoCtx, script{})
	fresh.play = func() player { return &windowed{data: data, count: 3, bits: 15} }
	kept := own("24.4.2", "The same message three times; the second and third refer to the first.", "All three come back.", rfcContext,
		echoes([]step{packed(opText, data, 0), packed(opText, data, 0), packed(opText, data, 0)}, 2*second, textBytes(data), textBytes(data), textBytes(data)))
	between := own("24.4.3", "A compressed message, the same plain, and compressed again, referring to the first.", "All three come back.", rfcContext,
		echoes([]step{packed(opText, data, 0), send(frame{op: opText, payload: data}), packed(opText, data, 0)}, 2*second,
			textBytes(data), textBytes(data), textBytes(data)))
	does := own("24.4.4", "A message of 8192 octets of JSON.", "The echo is compressed. Sending it plain is allowed, but not what was agreed on the extension for.",
		rfcMayPlain, script{})
	does.play = func() player {
		return &compresses{script: echoes([]step{packed(opText, datasets[0].message(0, 8192), 0)}, 2*second, textBytes(datasets[0].message(0, 8192)))}
	}
	return []*Case{
		compressed(fresh, []deflateParams{{serverNoTakeover: true, anyClientBits: true}}, firstOffer(true, 0)),
		compressed(kept, []deflateParams{plainOffer}, firstOffer(false, 0)),
		compressed(between, []deflateParams{plainOffer}, firstOffer(false, 0)),
		compressed(does, []deflateParams{plainOffer}, firstOffer(false, 0)),
	}
}

// compresses is a script that also looks at whether the echo is compressed.
type compresses struct {
	script
	packed bool
}

func (p *compresses) message(s *session, m message) {
	p.packed = m.compressed && m.wire < len(m.data)
	p.script.message(s, m)
}

func (p *compresses) verdict(s *session) verdict {
	v := p.script.verdict(s)
	if v.behavior == result.OK && !p.packed {
		v.behavior, v.result = result.NonStrict, "The echo is not compressed."
	}
	return v
}

// helloPacked is "Hello" as RFC 7692, section 7.2.3.1, compresses it.
const helloPacked = "\xf2\x48\xcd\xc9\xc9\x07\x00"

// cases24Frames is about RSV bits once compression is agreed on.
func cases24Frames() (list []*Case) {
	add := func(about string, steps ...step) {
		list = append(list, compressed(own(fmt.Sprintf("24.5.%d", len(list)+1), about, wantFail, rfcRSV1, fails(peerFails, second, steps)),
			[]deflateParams{plainOffer}, firstOffer(false, 0)))
	}
	add("A ping with RSV1.", send(frame{op: opPing, rsv: rsv1, payload: []byte("x")}))
	add("A pong with RSV1.", send(frame{op: opPong, rsv: rsv1}))
	add("A close frame with RSV1.", send(frame{op: opClose, rsv: rsv1, payload: []byte{1000 >> 8, 1000 & 0xff}}))
	add("A compressed text in two fragments, both with RSV1.", send(frame{op: opText, rsv: rsv1, more: true, payload: []byte(helloPacked[:3])}),
		send(frame{op: opCont, rsv: rsv1, payload: []byte(helloPacked[3:])}))
	add("A plain text in two fragments, the second with RSV1.", send(frame{op: opText, more: true, payload: []byte("Hel")}),
		send(frame{op: opCont, rsv: rsv1, payload: []byte("lo")}))
	add("A text with RSV1 and RSV2.", send(frame{op: opText, rsv: rsv1 | 2, payload: []byte(helloPacked)}))
	add("A text with RSV3.", send(frame{op: opText, rsv: 1, payload: []byte("Hello")}))
	return list
}

// cases24Data is about data that does not inflate.
func cases24Data() (list []*Case) {
	corrupt := result.ExpectedClose{CloseCode: []int{1002, 1003, 1007, 1008, 1009, 1011}}
	add := func(about, payload string, tolerated ...event) {
		p := fails(corrupt, second, []step{rawPacked(opBinary, payload)})
		p.tolerated = tolerated
		want := "The peer fails the connection."
		if len(tolerated) > 0 {
			want += " Echoing what there is, is not quite strict."
		}
		list = append(list, compressed(own(fmt.Sprintf("24.6.%d", len(list)+1), "A compressed binary message that "+about+".",
			want, rfcInflate, p),
			[]deflateParams{plainOffer}, firstOffer(false, 0)))
	}
	add("has a block of the reserved type 3", "\x07\x00\x01\x02\x03")
	add("has a stored block whose lengths do not match", "\x00\x05\x00\x05\x00Hello\x00")
	// What zlib reads as the beginning of more, others may take for the whole.
	add("ends in the middle of a stored block", "\x00\xff\x0f\x00\xf0Hello", binaryBytes([]byte("Hello\x00\x00\xff\xff")))
	add("refers to what is before its beginning", "\x4b\x04\x01\x02\x03\x04\x13\x13\x13\x13")
	add("has a dynamic block with too many codes", "\x04\xff\xff\xff\xff\xff\xff\xff")
	add("is noise", strings.Repeat("\xff\xfe\xed\xba\xad", 20))
	return list
}

// cases24Text is about UTF-8 inside compressed messages.
func cases24Text() (list []*Case) {
	add := func(about, want string, p script) {
		list = append(list, compressed(own(fmt.Sprintf("24.7.%d", len(list)+1), about, want, rfcUTF8, p), []deflateParams{plainOffer}, firstOffer(false, 0)))
	}
	bad := func(steps ...step) script { return fails(peerFailsData, second, steps) }
	add("A compressed text with a surrogate in it.", wantBad, bad(packed(opText, []byte(badText), 0)))
	add("A compressed text that ends in the middle of a character.", wantBad, bad(packed(opText, []byte(kosme[:4]), 0)))
	add("A compressed text with a surrogate in it, in frames of one octet.", wantBad, bad(packed(opText, []byte(badText), 1)))
	long := append(bytes.Repeat([]byte("plain text "), 10_000), 0xff)
	add("A compressed text of 110001 octets, the last invalid.", wantBad, bad(packed(opText, long, 0)))
	add("A compressed valid text, in frames of one octet: the frames are no UTF-8.", wantEcho,
		echoes([]step{packed(opText, []byte(umlauts), 1)}, second, text(umlauts)))
	add("A compressed binary message that is no UTF-8.", wantEcho,
		echoes([]step{packed(opBinary, []byte(badText), 0)}, second, binaryBytes([]byte(badText))))
	return list
}

// cases24Forms is about forms that are rare, and right.
func cases24Forms() (list []*Case) {
	add := func(about string, rule result.RFC, steps []step, want ...event) {
		list = append(list, compressed(own(fmt.Sprintf("24.8.%d", len(list)+1), about, "The message comes back. The connection is then closed cleanly with code 1000.",
			rule, echoes(steps, second, want...)), []deflateParams{plainOffer}, firstOffer(false, 0)))
	}
	one := func(payload string) []step { return []step{rawPacked(opText, payload)} }
	const hello = "Hello"
	add("A text in a stored block.", rfcBlocks, one("\x00\x05\x00\xfa\xffHello\x00"), text(hello))
	add("A text in a block with BFINAL set.", rfcBlocks, one("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), text(hello))
	add("A text in two blocks, with an empty one between.", rfcBlocks, one("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), text(hello))
	add("An empty text, compressed.", rfcBlocks, one("\x00"), text(""))
	add("An empty text, compressed to a fixed block.", rfcBlocks, one("\x02\x00"), text(""))
	add("An empty text without RSV1.", rfcPerMessage, sendAll(frame{op: opText}), text(""))
	add("A plain text.", rfcPerMessage, sendAll(frame{op: opText, payload: []byte(hello)}), text(hello))
	refers := step{do: func(s *session) {
		p := "\xf2\x00\x11\x00\x00"
		if !s.ext.sendContext {
			p = helloPacked // the peer was promised that no message refers to another
		}
		s.send(frame{op: opText, rsv: rsv1, payload: []byte(p)})
	}}
	add("A text in a block with BFINAL set, then another that refers to it where contexts are taken over.", rfcBlocks,
		[]step{rawPacked(opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), refers}, text(hello), text(hello))
	cut := func(from, to int, more bool) frame {
		f := frame{op: opCont, more: more, payload: []byte(helloPacked[from:to])}
		if from == 0 {
			f.op, f.rsv = opText, rsv1
		}
		return f
	}
	add("A compressed text in two fragments, a ping between them.", rfcInject,
		sendAll(cut(0, 3, true), frame{op: opPing, payload: []byte("ping payload")}, cut(3, 7, false)), pong("ping payload"), text(hello))
	add("A compressed text in three fragments, a ping and an unsolicited pong between them.", rfcInject,
		sendAll(cut(0, 1, true), frame{op: opPing}, cut(1, 4, true), frame{op: opPong, payload: []byte("x")}, cut(4, 7, false)), pong(""), text(hello))
	add("A compressed text whose first and last fragments are empty.", rfcFrag,
		sendAll(frame{op: opText, rsv: rsv1, more: true}, frame{op: opCont, more: true, payload: []byte(helloPacked)}, frame{op: opCont}), text(hello))
	closing := closesWith([]step{send(cut(0, 3, true)), closeFrame(1000, ""), send(cut(3, 7, false))}, 1000)
	list = append(list, compressed(own(fmt.Sprintf("24.8.%d", len(list)+1), "A close frame between the two fragments of a compressed text.",
		wantClose+" The text is not echoed.", rfcAfter, closing), []deflateParams{plainOffer}, firstOffer(false, 0)))
	return list
}
