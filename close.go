package websocket

// Status codes, the errors that carry them, the payload of a close frame, and
// the table of the closing handshake (RFC 6455, section 7). Everything here is
// pure: a driver feeds the table and does what it says.

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// StatusCode is the reason, as a number, why a connection is closed
// (RFC 6455, section 7.4).
type StatusCode uint16

// The registered status codes. Codes from 3000 to 3999 are for libraries and
// frameworks, those from 4000 to 4999 for applications; any of them may be given
// to [Conn.Close]. StatusNoStatus and StatusAbnormalClosure are never on the
// wire: they stand for a close frame without a code, and for no close frame.
const (
	StatusNormalClosure      StatusCode = 1000
	StatusGoingAway          StatusCode = 1001 // a server shuts down, a page is left
	StatusProtocolError      StatusCode = 1002
	StatusUnsupportedData    StatusCode = 1003 // for example binary where text was expected
	StatusNoStatus           StatusCode = 1005
	StatusAbnormalClosure    StatusCode = 1006
	StatusInvalidPayload     StatusCode = 1007 // text that is not UTF-8, a compressed message that does not inflate
	StatusPolicyViolation    StatusCode = 1008
	StatusMessageTooBig      StatusCode = 1009
	StatusMandatoryExtension StatusCode = 1010 // only a client sends it
	StatusInternalError      StatusCode = 1011
	StatusServiceRestart     StatusCode = 1012
	StatusTryAgainLater      StatusCode = 1013
	StatusBadGateway         StatusCode = 1014
)

// onWire tells whether c may be in a close frame: "1005 is a reserved value and
// MUST NOT be set as a status code in a Close control frame by an endpoint", so
// too 1006 and 1015; 1004 and everything undefined below 3000 is reserved, and
// 5000 and up is outside the ranges of section 7.4.2.
func (c StatusCode) onWire() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}

// A CloseError ends a connection that was closed by a closing handshake, by this
// side, or by the loss of the network. Reads and writes return it, the same one
// for ever. errors.Is(err, net.ErrClosed) is true when this side closed.
type CloseError struct {
	// Code is the status code: what the peer sent if Remote, else what was sent
	// to it. It is StatusNoStatus when the close frame had none, and
	// StatusAbnormalClosure when there was no close frame.
	Code StatusCode
	// Reason is the text beside the code, valid UTF-8 of at most 123 bytes. It is
	// the peer's word: escape it where you show it.
	Reason string
	// Remote tells that the peer began: its close frame came, or its end of the
	// connection was lost, before this side closed.
	Remote bool
	// Err is the cause when there was no close frame, such as
	// io.ErrUnexpectedEOF or a *net.OpError; else nil.
	Err error
}

// Error describes the close in one line.
func (e *CloseError) Error() string {
	s := "websocket: "
	switch {
	case e.Code == StatusAbnormalClosure:
		s += "connection ended without a close frame"
	case e.Remote:
		s += "closed by the peer, status " + strconv.Itoa(int(e.Code))
	default:
		s += "closed here, status " + strconv.Itoa(int(e.Code))
	}
	if e.Reason != "" {
		s += " (" + strconv.Quote(e.Reason) + ")"
	}
	if e.Err != nil {
		s += ": " + causeText(e.Err)
	}
	return s
}

// causeText returns the text of err without this package's prefix, to stand inside
// a text that has it.
func causeText(err error) string { return strings.TrimPrefix(err.Error(), "websocket: ") }

// Unwrap returns e.Err.
func (e *CloseError) Unwrap() error { return e.Err }

// A ProtocolError is a rule of the protocol that the peer broke. The connection
// is then failed with Code (RFC 6455, section 7.1.7).
type ProtocolError struct {
	Code StatusCode // sent to the peer: 1002, 1007 or 1008
	Rule string     // the rule, with its section
}

// Error names the broken rule.
func (e *ProtocolError) Error() string { return "websocket: peer broke the protocol: " + e.Rule }

// A MessageTooBigError is returned by a read when the peer's message passes the
// limit. The connection is failed with status 1009; raise Options.ReadLimit if
// such messages are wanted.
type MessageTooBigError struct {
	Limit int64 // bytes
}

// Error names the limit and the option that sets it.
func (e *MessageTooBigError) Error() string {
	return "websocket: message is larger than the limit of " + strconv.FormatInt(e.Limit, 10) +
		" bytes (see Options.ReadLimit)"
}

// ErrPeerTimeout is the cause when the keepalive found the peer silent: nothing
// was received for a whole interval, nor within the timeout of the ping after it.
// It is also what a connection ends with on which nobody reads here, and so nobody
// sees the answer; the text then says so. Test for it with errors.Is.
var ErrPeerTimeout = errors.New("websocket: peer did not answer the keepalive ping")

// The rules a Receiver enforces, one variable each: no allocation on the way
// out, and a test can compare identities.
var (
	errRSV           = &ProtocolError{StatusProtocolError, "a reserved bit is set without an extension that defines it (RFC 6455, 5.2)"}
	errOpcode        = &ProtocolError{StatusProtocolError, "reserved opcode (RFC 6455, 5.2)"}
	errNotMinimal    = &ProtocolError{StatusProtocolError, "payload length not in its shortest form (RFC 6455, 5.2)"}
	errLength63      = &ProtocolError{StatusProtocolError, "payload length with its highest bit set (RFC 6455, 5.2)"}
	errControlLength = &ProtocolError{StatusProtocolError, "control frame longer than 125 bytes (RFC 6455, 5.5)"}
	errControlFin    = &ProtocolError{StatusProtocolError, "fragmented control frame (RFC 6455, 5.5)"}
	errNotMasked     = &ProtocolError{StatusProtocolError, "frame from a client is not masked (RFC 6455, 5.1)"}
	errMasked        = &ProtocolError{StatusProtocolError, "frame from a server is masked (RFC 6455, 5.1)"}
	errContinuation  = &ProtocolError{StatusProtocolError, "continuation frame without a message to continue (RFC 6455, 5.4)"}
	errInterleaved   = &ProtocolError{StatusProtocolError, "new message before the last fragment of the one before (RFC 6455, 5.4)"}
	errUTF8          = &ProtocolError{StatusInvalidPayload, "text that is not valid UTF-8 (RFC 6455, 8.1)"}
	errCloseLength   = &ProtocolError{StatusProtocolError, "close frame with a payload of one byte (RFC 6455, 5.5.1)"}
	errCloseCode     = &ProtocolError{StatusProtocolError, "close frame with a status code that may not be sent (RFC 6455, 7.4)"}
	errCloseReason   = &ProtocolError{StatusInvalidPayload, "close reason that is not valid UTF-8 (RFC 6455, 5.5.1)"}
	errFrames        = &ProtocolError{StatusPolicyViolation, "message of too many frames (see Options.MaxFrames)"}
	errEmptyFrames   = &ProtocolError{StatusPolicyViolation, "message of too many empty frames"}
	errDeflate       = &ProtocolError{StatusInvalidPayload, "compressed message that does not inflate (RFC 7692, 7.2.2)"}
	errRatio         = &ProtocolError{StatusPolicyViolation, "compressed message inflates beyond the permitted ratio (see Compression.MaxRatio)"}
)

// failCode returns the status code that a peer is told when err ends the
// connection.
func failCode(err error) StatusCode {
	switch e := err.(type) {
	case *ProtocolError:
		return e.Code
	case *MessageTooBigError:
		return StatusMessageTooBig
	}
	return StatusInternalError
}

// maxReason: a control frame holds 125 bytes, two of them are the code.
const maxReason = maxControl - 2

// appendClosePayload appends a close frame's payload. StatusNoStatus gives an
// empty one. A reason that is too long is cut before the rune that would not fit.
func appendClosePayload(dst []byte, code StatusCode, reason string) []byte {
	if code == StatusNoStatus {
		return dst
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), cutReason(reason)...)
}

func cutReason(reason string) string {
	// "Following the 2-byte integer, the body MAY contain UTF-8-encoded data"
	// (section 5.5.1)
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	n := maxReason
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// parseClosePayload splits the payload of a close frame that was received.
func parseClosePayload(p []byte) (code StatusCode, reason []byte, err *ProtocolError) {
	if len(p) == 0 {
		// "If this Close control frame contains no status code, The WebSocket
		// Connection Close Code is considered to be 1005." (section 7.1.5)
		return StatusNoStatus, nil, nil
	}
	if len(p) == 1 {
		// "If there is a body, the first two bytes of the body MUST be a
		// 2-byte unsigned integer" (section 5.5.1)
		return 0, nil, errCloseLength
	}
	code = StatusCode(binary.BigEndian.Uint16(p))
	if !code.onWire() {
		return 0, nil, errCloseCode
	}
	if !utf8.Valid(p[2:]) {
		return 0, nil, errCloseReason
	}
	return code, p[2:], nil
}

// closeState is where a connection stands in its closing handshake.
type closeState uint8

const (
	stateOpen   closeState = iota
	stateSent              // our close frame is owed or sent, theirs has not come
	stateBoth              // nothing more will be said: only TCP is still to be closed
	stateClosed            // the transport is closed
)

// closeEvent is what can happen to a connection that matters to its closing.
type closeEvent uint8

const (
	closeByUser closeEvent = iota // Close was called
	closeByPeer                   // a close frame came
	closeFailed                   // the peer broke a rule
	closeEOF                      // the transport ended, or failed
	closeTimer                    // the closing handshake took too long, or CloseNow was called
)

// closeAction is what the driver does next, as a set of bits.
type closeAction uint8

const (
	actSend   closeAction = 1 << iota // send a close frame
	actTimer                          // wait for theirs, but no longer than CloseTimeout
	actFinish                         // end TCP in order: see finish in conn.go
	actAbort                          // close the transport now
)

type closeStep struct {
	next closeState
	do   closeAction
}

// closeTable is the closing handshake. At most one actSend can be met on any way
// through it, so at most one close frame is sent.
var closeTable = [4][5]closeStep{
	stateOpen: {
		// "Once an endpoint has both sent and received a Close control frame,
		// that endpoint SHOULD _Close the WebSocket Connection_" (section 7.1.2)
		closeByUser: {stateSent, actSend | actTimer},
		// "If an endpoint receives a Close frame and did not previously send a
		// Close frame, the endpoint MUST send a Close frame in response."
		// (section 5.5.1)
		closeByPeer: {stateBoth, actSend | actFinish},
		// "the endpoint SHOULD send a Close frame with an appropriate status code
		// before proceeding to _Close the WebSocket Connection_", and "MUST NOT
		// continue to attempt to process data (including a responding Close
		// frame)" (section 7.1.7)
		closeFailed: {stateBoth, actSend | actFinish},
		closeEOF:    {stateClosed, actAbort},
		closeTimer:  {stateClosed, actAbort},
	},
	stateSent: {
		closeByUser: {stateSent, 0},
		closeByPeer: {stateBoth, actFinish},
		closeFailed: {stateBoth, actFinish},
		closeEOF:    {stateClosed, actAbort},
		closeTimer:  {stateClosed, actAbort},
	},
	stateBoth: {
		closeByUser: {stateBoth, 0},
		closeByPeer: {stateBoth, 0},
		closeFailed: {stateBoth, 0},
		closeEOF:    {stateClosed, actAbort},
		closeTimer:  {stateClosed, actAbort},
	},
	stateClosed: {
		closeByUser: {stateClosed, 0},
		closeByPeer: {stateClosed, 0},
		closeFailed: {stateClosed, 0},
		closeEOF:    {stateClosed, 0},
		closeTimer:  {stateClosed, 0},
	},
}
