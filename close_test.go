package websocket

// Tests of status codes, of the errors that carry them, of the payload of a
// close frame, and of the table of the closing handshake, row by row.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// wireCode says which codes may be in a close frame, from the list of RFC 6455,
// section 7.4.1, with the codes registered since (1012 to 1014), and the ranges
// of section 7.4.2.
func wireCode(code int) bool {
	switch code {
	case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
		return true
	}
	return code/1000 == 3 || code/1000 == 4
}

func TestCloseCodes(t *testing.T) {
	for code := range 1 << 16 {
		c := StatusCode(code)
		if c.onWire() != wireCode(code) {
			t.Fatalf("%d: on the wire %v", code, c.onWire())
		}
		payload := binary.BigEndian.AppendUint16(nil, uint16(code))
		got, reason, err := parseClosePayload(append(payload, "why"...))
		switch {
		case wireCode(code) && (got != c || string(reason) != "why" || err != nil):
			t.Fatalf("%d: parsed as %d %q %v", code, got, reason, err)
		case !wireCode(code) && (got != 0 || reason != nil || err != errCloseCode):
			t.Fatalf("%d: let through as %d %q %v", code, got, reason, err)
		}
	}
	require.Equal(t, []StatusCode{1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014},
		[]StatusCode{StatusNormalClosure, StatusGoingAway, StatusProtocolError, StatusUnsupportedData, StatusNoStatus,
			StatusAbnormalClosure, StatusInvalidPayload, StatusPolicyViolation, StatusMessageTooBig,
			StatusMandatoryExtension, StatusInternalError, StatusServiceRestart, StatusTryAgainLater, StatusBadGateway})
}

func TestClosePayloadParsed(t *testing.T) {
	for _, row := range []struct {
		payload string
		code    StatusCode
		reason  string
		err     *ProtocolError
	}{
		{"", StatusNoStatus, "", nil},
		{"03", 0, "", errCloseLength},
		{"03E8", 1000, "", nil},
		{"03E9 676F", 1001, "go", nil},
		{"03ED", 0, "", errCloseCode},
		{"0000", 0, "", errCloseCode},
		{"FFFF 676F", 0, "", errCloseCode},
		{"03E8 FF", 0, "", errCloseReason},
		{"03E8 E282", 0, "", errCloseReason},
		{"03E8 EDA080", 0, "", errCloseReason},
		{"0FA0 E282AC F09F988A", 4000, "€😊", nil},
		{"03EB" + strings.Repeat("61", 123), 1003, strings.Repeat("a", 123), nil},
	} {
		code, reason, err := parseClosePayload(unhex(row.payload))
		require.Same(t, row.err, err, row.payload)
		require.Equal(t, row.code, code, row.payload)
		require.Equal(t, row.reason, string(reason), row.payload)
	}
}

func TestClosePayloadAppended(t *testing.T) {
	long := strings.Repeat("a", 123)
	for _, row := range []struct {
		code   StatusCode
		reason string
		want   string // after the code
		empty  bool
	}{
		{code: 1000},
		{code: 1000, reason: "bye", want: "bye"},
		{code: StatusNoStatus, empty: true},
		{code: StatusNoStatus, reason: "without a code there is no place for it", empty: true},
		{code: 4999, reason: long, want: long},
		{code: 1000, reason: long + "a", want: long},
		{code: 1000, reason: strings.Repeat("a", 1<<20), want: long},
		{code: 1000, reason: "a\xFFb", want: "a\uFFFDb"},
		{code: 1000, reason: "\xE2\x82", want: "\uFFFD"},
		{code: 1000, reason: strings.Repeat("€", 41), want: strings.Repeat("€", 41)},
		{code: 1000, reason: strings.Repeat("€", 42), want: strings.Repeat("€", 41)},
		{code: 1000, reason: long[:122] + "€", want: long[:122]},
		{code: 1000, reason: long[:121] + "€", want: long[:121]},
		{code: 1000, reason: long[:120] + "€", want: long[:120] + "€"},
		{code: 1000, reason: long[:122] + "\xFF", want: long[:122]}, // the replacement has three bytes
	} {
		want := "before"
		if !row.empty {
			want += string([]byte{byte(row.code >> 8), byte(row.code)}) + row.want
		}
		require.Equal(t, want, string(appendClosePayload([]byte("before"), row.code, row.reason)), "%d %q", row.code, row.reason)
	}
}

// A reason of 100 to 140 bytes, of runes of 1 to 4 bytes after a shift of 0 to 3
// bytes, is valid, no longer than 123 bytes, and loses no rune that would fit.
func TestCloseReasonCut(t *testing.T) {
	for _, unit := range []string{"a", "é", "€", "😊", "a😊", "é€"} {
		for shift := range 4 {
			for n := 100; n <= 140; n++ {
				whole := strings.Repeat("-", shift) + strings.Repeat(unit, n/len(unit)+1)
				for !utf8.ValidString(whole[:n]) {
					n++
				}
				reason := whole[:n]
				got := cutReason(reason)
				require.True(t, utf8.ValidString(got), "%q", got)
				require.True(t, strings.HasPrefix(reason, got))
				require.LessOrEqual(t, len(got), 123)
				if len(got) < len(reason) {
					_, next := utf8.DecodeRuneInString(reason[len(got):])
					require.Greater(t, len(got)+next, 123, "a rune that would fit was cut from %q", reason)
				}
			}
		}
	}
}

// The closing handshake, written out a second time: a row for each state and event.
func TestCloseTable(t *testing.T) {
	rows := []struct {
		state closeState
		event closeEvent
		next  closeState
		do    closeAction
	}{
		{stateOpen, closeByUser, stateSent, actSend | actTimer},
		{stateOpen, closeByPeer, stateBoth, actSend | actFinish},
		{stateOpen, closeFailed, stateBoth, actSend | actFinish},
		{stateOpen, closeEOF, stateClosed, actAbort},
		{stateOpen, closeTimer, stateClosed, actAbort},
		{stateSent, closeByUser, stateSent, 0},
		{stateSent, closeByPeer, stateBoth, actFinish},
		{stateSent, closeFailed, stateBoth, actFinish},
		{stateSent, closeEOF, stateClosed, actAbort},
		{stateSent, closeTimer, stateClosed, actAbort},
		{stateBoth, closeByUser, stateBoth, 0},
		{stateBoth, closeByPeer, stateBoth, 0},
		{stateBoth, closeFailed, stateBoth, 0},
		{stateBoth, closeEOF, stateClosed, actAbort},
		{stateBoth, closeTimer, stateClosed, actAbort},
		{stateClosed, closeByUser, stateClosed, 0},
		{stateClosed, closeByPeer, stateClosed, 0},
		{stateClosed, closeFailed, stateClosed, 0},
		{stateClosed, closeEOF, stateClosed, 0},
		{stateClosed, closeTimer, stateClosed, 0},
	}
	require.Len(t, rows, len(closeTable)*len(closeTable[0]))
	for _, row := range rows {
		require.Equal(t, closeStep{row.next, row.do}, closeTable[row.state][row.event], "state %d, event %d", row.state, row.event)
	}
}

// Whatever happens in whatever order: at most one close frame is sent, and none
// once the transport is going; the transport is told to end once in order and
// once for good at most; no way leads back; and the timer ends it from anywhere.
func TestCloseTableWays(t *testing.T) {
	const steps = 5
	ways := 0
	var walk func(s closeState, depth int, done []closeAction)
	walk = func(s closeState, depth int, done []closeAction) {
		count := map[closeAction]int{}
		for _, do := range done {
			require.False(t, do&actSend != 0 && count[actFinish]+count[actAbort] > 0, "a close frame after the end: %v", done)
			require.False(t, do != 0 && count[actAbort] > 0, "something to do after the transport was closed: %v", done)
			for _, bit := range []closeAction{actSend, actTimer, actFinish, actAbort} {
				if do&bit != 0 {
					count[bit]++
				}
			}
		}
		for bit, n := range count {
			require.LessOrEqual(t, n, 1, "action %d in %v", bit, done)
		}
		require.Equal(t, stateClosed, closeTable[s][closeTimer].next)
		ways++
		if depth == steps {
			return
		}
		for ev, step := range closeTable[s] {
			require.GreaterOrEqual(t, step.next, s, "state %d, event %d leads back", s, ev)
			walk(step.next, depth+1, append(done[:len(done):len(done)], step.do))
		}
	}
	walk(stateOpen, 0, nil)
	require.Equal(t, (5*5*5*5*5*5-1)/4, ways)
}

func TestCloseErrorText(t *testing.T) {
	for _, row := range []struct {
		err  error
		text string
	}{
		{&CloseError{Code: 1000, Remote: true}, "websocket: closed by the peer, status 1000"},
		{&CloseError{Code: 1000}, "websocket: closed here, status 1000"},
		{&CloseError{Code: 1001, Reason: "moving house", Remote: true}, `websocket: closed by the peer, status 1001 ("moving house")`},
		{&CloseError{Code: StatusNoStatus, Remote: true}, "websocket: closed by the peer, status 1005"},
		{&CloseError{Code: 4000, Reason: "a\n\x1b[31m\"€", Remote: true},
			`websocket: closed by the peer, status 4000 ("a\n\x1b[31m\"€")`},
		{&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: io.ErrUnexpectedEOF},
			"websocket: connection ended without a close frame: unexpected EOF"},
		{&CloseError{Code: StatusAbnormalClosure}, "websocket: connection ended without a close frame"},
		{&CloseError{Code: StatusAbnormalClosure, Remote: true, Err: ErrPeerTimeout},
			"websocket: connection ended without a close frame: peer did not answer the keepalive ping"},
		{errNotMasked, "websocket: peer broke the protocol: frame from a client is not masked (RFC 6455, 5.1)"},
		{&MessageTooBigError{Limit: 1 << 20}, "websocket: message is larger than the limit of 1048576 bytes (see Options.ReadLimit)"},
		{ErrPeerTimeout, "websocket: peer did not answer the keepalive ping"},
	} {
		require.EqualError(t, row.err, row.text)
	}
}

func TestCloseErrorsBranch(t *testing.T) {
	cause := fmt.Errorf("a wire is cut: %w", io.ErrClosedPipe)
	var err error = fmt.Errorf("wrapped: %w", &CloseError{Code: 1006, Remote: true, Err: cause})

	var ce *CloseError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, StatusAbnormalClosure, ce.Code)
	require.Same(t, cause, ce.Unwrap())
	require.ErrorIs(t, err, io.ErrClosedPipe)
	require.NotErrorIs(t, err, io.EOF)
	require.NotErrorIs(t, err, ErrPeerTimeout)
	require.ErrorIs(t, &CloseError{Code: 1006, Err: ErrPeerTimeout}, ErrPeerTimeout)
	require.NoError(t, (&CloseError{Code: 1000, Remote: true}).Unwrap())

	var pe *ProtocolError
	err = fmt.Errorf("wrapped: %w", errUTF8)
	require.ErrorAs(t, err, &pe)
	require.Same(t, errUTF8, pe)
	require.False(t, errors.As(err, &ce))

	var tooBig *MessageTooBigError
	require.ErrorAs(t, fmt.Errorf("wrapped: %w", &MessageTooBigError{Limit: 5}), &tooBig)
	require.EqualValues(t, 5, tooBig.Limit)
}

// Every rule has its own words and a code that may be sent.
func TestCloseRules(t *testing.T) {
	rules := []*ProtocolError{
		errRSV, errOpcode, errNotMinimal, errLength63, errControlLength, errControlFin, errNotMasked, errMasked,
		errContinuation, errInterleaved, errUTF8, errCloseLength, errCloseCode, errCloseReason, errFrames, errEmptyFrames,
		errDeflate, errRatio,
	}
	words := map[string]bool{}
	for _, rule := range rules {
		require.False(t, words[rule.Rule], rule.Rule)
		words[rule.Rule] = true
		require.Contains(t, []StatusCode{StatusProtocolError, StatusInvalidPayload, StatusPolicyViolation}, rule.Code)
		require.Equal(t, rule.Code, failCode(rule))
		require.True(t, strings.Contains(rule.Rule, "(RFC ") || rule.Code == StatusPolicyViolation, rule.Rule)
	}
	require.Equal(t, StatusMessageTooBig, failCode(&MessageTooBigError{}))
	require.Equal(t, StatusInternalError, failCode(io.EOF))
	for _, rule := range []*ProtocolError{errUTF8, errCloseReason, errDeflate} {
		require.Equal(t, StatusInvalidPayload, rule.Code)
	}
}
