package suite

// This file turns the facts about a connection into verdicts and into the report of
// the case. The order of the questions about the close is part of the format: the
// first that finds fault decides.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// judgeClose judges how the connection ended.
func judgeClose(e *end, server bool, want result.ExpectedClose) (verdict, why string) {
	switch {
	case !e.opened:
		return result.Failed, "The opening handshake was not completed"
	case e.closedByMe != want.ClosedByMe:
		return result.Failed, "The connection was failed by the wrong endpoint"
	case want.RequireClean && !e.wasClean:
		return result.Unclean, "The connection had to be closed cleanly here"
	case e.remoteCode != nil && !slices.Contains(want.CloseCode, *e.remoteCode):
		return result.WrongCode, fmt.Sprintf("The close code should have been %s or empty", join(want.CloseCode))
	case !server && e.droppedByMe:
		return result.FailedByClient, "The server should have closed the TCP connection"
	}
	return result.OK, "Connection was properly closed"
}

func join(codes []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(codes), " ", ","), "[]")
}

// report writes the report of the case that the session played.
func (s *session) report(c *Case, agent string, started time.Time) *result.Case {
	v := s.play.verdict(s)
	behaviorClose, resultClose := judgeClose(&s.end, s.server, v.close)
	switch {
	case v.unopened:
		behaviorClose, resultClose = result.OK, "The connection did not open, as it should be"
	case v.informational && s.opened:
		v.behavior, behaviorClose = result.Informational, result.Informational
	case v.codeMatters && behaviorClose == result.WrongCode:
		v.behavior = result.Failed
	case v.close.ClosedByWrongEndpointIsFatal && s.closedByMe:
		v.behavior = result.Failed
	}
	if v.expected == nil {
		v.expected = map[string][]result.Event{}
	}
	if v.received == nil {
		v.received = []result.Event{}
	}
	r := &result.Case{
		Agent: agent, ID: c.ID, Case: c.Number, Description: c.Description, Expectation: c.Expectation, RFC: &c.RFC,
		Behavior: v.behavior, BehaviorClose: behaviorClose, Result: v.result, ResultClose: resultClose,
		Expected: v.expected, ExpectedClose: v.close, Received: v.received,
		ReportTime: v.time, ReportCompressionRatio: v.ratio, TrafficStats: v.traffic,
		Started:  started.UTC().Format("2006-01-02T15:04:05.000Z"),
		Duration: int(time.Since(started).Round(time.Millisecond).Milliseconds()),
		IsServer: s.server, CreateStats: true, CreateWirelog: s.log.on, Wirelog: s.log.entries,
		RxFrameStats: s.log.rxFrames, RxOctetStats: s.log.rxSizes,
		TxFrameStats: s.log.txFrames, TxOctetStats: s.log.txSizes,
		HTTPRequest: s.log.request, HTTPResponse: s.log.response,
	}
	s.end.fill(r)
	return r
}

// fill copies the facts of the end.
func (e *end) fill(r *result.Case) {
	r.ClosedByMe, r.FailedByMe, r.DroppedByMe, r.WasClean = e.closedByMe, e.failedByMe, e.droppedByMe, e.wasClean
	r.WasOpenHandshakeTimeout, r.WasCloseHandshakeTimeout = e.openTimedOut, e.closeTimedOut
	r.WasServerConnectionDropped = e.dropTimedOut
	r.LocalCloseCode, r.LocalCloseReason = e.localCode, e.localReason
	r.RemoteCloseCode, r.RemoteCloseReason = e.remoteCode, e.remoteReason
	if e.wasNotCleanReason != "" && !e.wasClean && !e.droppedByMe || e.closeTimedOut || e.dropTimedOut || e.openTimedOut {
		r.WasNotCleanReason = &e.wasNotCleanReason
	}
}
