package suite

// This file is the suite's end of one connection: what it sends, when it closes,
// fails or drops the connection, and the facts about the end that judge.go weighs.
// The names of those facts (closedByMe, wasClean, …) are the ones in the report;
// "me" is the suite.
//
// A session belongs to one goroutine, the one in run; only the writer in io.go
// works beside it. Cases are called from it and call it back.

import (
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// The suite's own time limits (before scaling).
const (
	openTimeout  = 5 * time.Second // for the opening handshake
	closeTimeout = time.Second     // for the reply to a close frame
	dropTimeout  = time.Second     // for a server to close TCP after the closing handshake
)

type state int

const (
	connecting state = iota
	open
	closing // a close frame was sent
	closed  // TCP is gone, or given up
)

// session is one connection of one case.
type session struct {
	play   player
	server bool    // the suite is the server
	scale  float64 // of every time limit
	most   int     // messages of a case that sends many; 0 is as many as it says
	state  state
	rand   *rand.Rand

	conn   net.Conn
	out    *writer
	batch  []byte // frames not yet given to out
	timers []*timer
	rx     receiver
	ext    *extension // what permessage-deflate agreed on; nil without
	log    recorder

	partKey [4]byte // of the frame that is sent in parts
	partPos int

	// What was sent since the opening handshake.
	sentFrames, sentPayload, sentOctets int

	// For cases about the end itself: a close frame is written in pieces, the peer's
	// close frame is not answered and TCP stays open.
	closeChop int
	linger    bool
	peerDone  bool // the peer's close frame has come

	closeTimer *timer // the reply to the suite's close frame is due
	end
}

// end is how the connection ended.
type end struct {
	closedByMe, failedByMe, droppedByMe bool
	wasClean                            bool
	wasNotCleanReason                   string
	openTimedOut, closeTimedOut         bool
	dropTimedOut                        bool
	badCode                             bool // the peer's close frame has a code that may not be sent
	opened                              bool // the opening handshake was finished
	localCode, remoteCode               *int
	localReason, remoteReason           *string
}

func newSession(conn net.Conn, server bool, cfg *Config, seed uint64) *session {
	return &session{
		conn: conn, server: server, scale: cfg.scale(), most: cfg.Messages, out: newWriter(conn),
		rand: rand.New(rand.NewPCG(seed, 0x6455)), log: newRecorder(),
	}
}

// opened starts the case: the opening handshake is done, and leftover came after it.
func (s *session) begin(leftover []byte) {
	s.state, s.opened = open, true
	s.play.open(s)
	s.flush()
	if len(leftover) > 0 {
		s.received(leftover)
	}
}

// send queues a frame as the case wants it.
func (s *session) send(f frame) {
	if s.state == closed {
		return
	}
	masked := !s.server != f.wrongMask
	var key [4]byte
	if masked {
		key = randomKey(s.rand)
	}
	s.log.txFrame(f, masked, key)
	alone := f.sync || f.chop > 0
	if alone {
		s.flush()
	}
	s.batch = slices.Grow(s.batch, len(f.payload)+14)
	start := len(s.batch)
	s.batch = appendHeader(s.batch, f, masked, key)
	body := len(s.batch)
	s.batch = append(s.batch, f.payload...)
	maskBytes(s.batch[body:], key, 0)
	s.log.txOctets(s.batch[start:], f.chop, alone)
	s.sentFrames++
	s.sentPayload += len(f.payload)
	s.sentOctets += len(s.batch) - start
	switch {
	case alone:
		s.out.write(s.batch, f.chop)
		s.batch = nil
	case len(s.batch) >= 64<<10:
		s.flush()
	}
}

// beginParts sends the header of a frame (FIN=0) of n octets, and sendPart what of
// its payload comes next.
func (s *session) beginParts(op, n int) {
	s.partKey, s.partPos = [4]byte{}, 0
	if !s.server {
		s.partKey = randomKey(s.rand)
	}
	length := uint64(n)
	s.sendRaw(appendHeader(nil, frame{op: op, more: true, length: &length}, !s.server, s.partKey))
}

func (s *session) sendPart(p []byte) {
	p = slices.Clone(p)
	maskBytes(p, s.partKey, s.partPos)
	s.partPos += len(p)
	s.sendRaw(p)
}

// atMost bounds the number of messages of a case.
func (s *session) atMost(n int) int {
	if s.most > 0 {
		return min(n, s.most)
	}
	return n
}

// sendRaw queues octets that need not be a whole frame.
func (s *session) sendRaw(b []byte) {
	if s.state == closed {
		return
	}
	s.flush()
	s.log.txOctets(b, 0, false)
	s.out.write(slices.Clone(b), 0)
}

// sendMessage queues a message in frames of size octets; 0 is one frame. As in the
// original, a message whose length is a multiple of size, and larger, ends with an
// empty frame. first carries RSV1 of the first frame.
func (s *session) sendMessage(op int, p []byte, size, rsv int) {
	if s.state != open {
		return
	}
	if size <= 0 || len(p) <= size {
		s.send(frame{op: op, payload: p, rsv: rsv})
		return
	}
	for {
		n := min(size, len(p))
		last := n < size
		s.send(frame{op: op, payload: p[:n], more: !last, rsv: rsv})
		if last {
			return
		}
		op, rsv, p = opCont, 0, p[n:]
	}
}

// sendClose begins the closing handshake. Without a code the frame is empty. It
// does nothing unless the connection is open.
func (s *session) sendClose(code int, reason []byte) {
	var payload []byte
	if code >= 0 {
		payload = append([]byte{byte(code >> 8), byte(code)}, reason...)
	} else {
		payload = reason
	}
	s.closeWith(payload, code, false)
}

// noCode is the code of an empty close frame.
const noCode = -1

func (s *session) closeWith(payload []byte, code int, reply bool) {
	if s.state != open {
		return
	}
	s.send(frame{op: opClose, payload: payload, chop: s.closeChop})
	s.flush()
	s.state, s.closedByMe = closing, !reply
	if code >= 0 {
		s.localCode = &code
		if len(payload) > 2 {
			text := snippet(payload[2:], len(payload)).Text
			s.localReason = &text
		}
	}
	if !reply {
		s.closeTimer = s.after(closeTimeout, func() {
			s.wasClean, s.closeTimedOut = false, true
			s.wasNotCleanReason = "the peer did not answer the close frame in time"
			s.drop()
		})
	}
}

// fail ends the connection because of the peer: with a close frame, or, when one was
// sent already, by closing TCP.
func (s *session) fail(code int, reason string) {
	if s.state == closed {
		return
	}
	s.failedByMe = true
	if s.state == closing {
		s.drop()
		return
	}
	s.sendClose(code, []byte(reason[:min(len(reason), 123)]))
}

// drop closes TCP. What was queued is still sent.
func (s *session) drop() {
	if s.state == closed {
		return
	}
	s.droppedByMe, s.state = true, closed
	s.flush()
	s.out.close()
}

// peerClosed takes the peer's close frame, whose payload is p.
func (s *session) peerClosed(p []byte) {
	if len(p) >= 2 {
		code := int(p[0])<<8 | int(p[1])
		if validCloseCode(code) {
			s.remoteCode = &code
		} else {
			s.badCode = true
			s.violation("invalid close code")
		}
		var text utf8Check
		if !text.write(p[2:]) || !text.complete() {
			s.invalidPayload("the reason of the close frame is not UTF-8")
		}
		if len(p) > 2 {
			reason := string(p[2:])
			s.remoteReason = &reason
		}
	}
	s.peerDone = true
	switch {
	case s.linger:
		s.closeTimer.stop()
		s.wasClean, s.state = true, closing
		return
	case s.state == closing:
		s.closeTimer.stop()
	case s.state == open:
		s.closeWith([]byte{1000 >> 8, 1000 & 0xff}, 1000, true)
	default:
		return
	}
	s.wasClean = true
	if s.server {
		// "The server MUST close the underlying TCP connection immediately; the client
		// SHOULD wait for the server to close the connection" (RFC 6455, section 5.5.1).
		s.drop()
		return
	}
	s.after(dropTimeout, func() {
		s.wasClean, s.dropTimedOut = false, true
		s.wasNotCleanReason = "the server did not close TCP in time after the closing handshake"
		s.drop()
	})
}

// peerDropped takes the end of TCP.
func (s *session) peerDropped() {
	if s.state == closed {
		return
	}
	s.state = closed
	if !s.wasClean && s.wasNotCleanReason == "" {
		s.wasNotCleanReason = "the peer dropped TCP without a closing handshake"
	}
	s.out.close()
}

// validCloseCode tells whether a close frame may carry code (RFC 6455, section 7.4).
func validCloseCode(code int) bool {
	switch {
	case code == 1004 || code == 1005 || code == 1006:
		return false
	case code >= 1000 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// violation fails the connection with 1002, invalidPayload with 1007.
func (s *session) violation(what string)      { s.fail(1002, what) }
func (s *session) invalidPayload(what string) { s.fail(1007, what) }

// killAfter makes the suite fail the connection after d, closeAfter makes it send
// an empty close frame.
func (s *session) killAfter(d time.Duration) {
	s.log.add(result.LogEntry{Kind: result.LogKillAfter, Delay: d.Seconds()})
	s.after(d, func() {
		s.log.add(result.LogEntry{Kind: result.LogKilled})
		s.fail(1001, "")
	})
}

func (s *session) closeAfter(d time.Duration) {
	s.log.add(result.LogEntry{Kind: result.LogCloseAfter, Delay: d.Seconds()})
	s.after(d, func() {
		s.log.add(result.LogEntry{Kind: result.LogClosed})
		s.sendClose(noCode, nil)
	})
}

// later goes on with f after d. The tag is for the log.
func (s *session) later(d time.Duration, tag string, f func()) {
	var name *string
	if tag != "" {
		name = &tag
	}
	s.log.add(result.LogEntry{Kind: result.LogContinue, Delay: d.Seconds(), Tag: name})
	s.after(d, func() {
		s.log.add(result.LogEntry{Kind: result.LogContinued, Tag: name})
		f()
	})
}
