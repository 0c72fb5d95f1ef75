// Package result holds the two documents in which a conformance run is kept: the
// index (one line per agent and case) and the report of one case. Field names,
// order and layout are those of the Autobahn test suite, so tools written for the
// one read the other.
//
// The package knows the documents only: autobahn/suite fills them, autobahn/report
// draws them. Everything here is plain data, safe to read from several goroutines.
package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Verdicts. Behavior uses OK, NonStrict, Failed, Informational and Unimplemented;
// BehaviorClose uses OK, Unclean, WrongCode, FailedByClient, Failed and Informational.
const (
	OK             = "OK"
	NonStrict      = "NON-STRICT"
	Failed         = "FAILED"
	Informational  = "INFORMATIONAL"
	Unimplemented  = "UNIMPLEMENTED"
	Unclean        = "UNCLEAN"
	WrongCode      = "WRONG CODE"
	FailedByClient = "FAILED BY CLIENT"
)

// AlwaysInformational names the cases that cannot give anything but INFORMATIONAL:
// what they look at is left open by the RFC.
var AlwaysInformational = []string{"7.1.6", "7.13.1", "7.13.2"}

// Index is index.json: agent, then case id, then the verdicts.
type Index map[string]map[string]Entry

// Entry is the verdict of one case.
type Entry struct {
	Behavior        string `json:"behavior"`
	BehaviorClose   string `json:"behaviorClose"`
	Duration        int    `json:"duration"`        // milliseconds
	RemoteCloseCode *int   `json:"remoteCloseCode"` // null when the peer sent none
	ReportFile      string `json:"reportfile"`      // name of the case's JSON file, beside the index
}

// Passed tells whether the entry, of the case with the given id, is good enough.
// Strict accepts OK alone (INFORMATIONAL where the case gives nothing else);
// otherwise NON-STRICT and UNIMPLEMENTED, which the RFCs allow, are accepted too.
func (e Entry) Passed(id string, strict bool) bool {
	if e.Behavior == Informational && e.BehaviorClose == Informational {
		return slices.Contains(AlwaysInformational, id)
	}
	lenient := !strict && (e.Behavior == NonStrict || e.Behavior == Unimplemented)
	return (e.Behavior == OK || lenient) && e.BehaviorClose == OK
}

// Case is the report of one case against one agent. "Me" is the suite.
//
// RFC is the one field that the original format has not.
type Case struct {
	Agent                      string             `json:"agent"`
	Behavior                   string             `json:"behavior"`
	BehaviorClose              string             `json:"behaviorClose"`
	Case                       int                `json:"case"` // 1-based number of the case
	ClosedByMe                 bool               `json:"closedByMe"`
	CreateStats                bool               `json:"createStats"`
	CreateWirelog              bool               `json:"createWirelog"`
	Description                string             `json:"description"` // may hold <br>
	DroppedByMe                bool               `json:"droppedByMe"`
	Duration                   int                `json:"duration"` // milliseconds
	Expectation                string             `json:"expectation"`
	Expected                   map[string][]Event `json:"expected"` // by verdict
	ExpectedClose              ExpectedClose      `json:"expectedClose"`
	FailedByMe                 bool               `json:"failedByMe"`
	HTTPRequest                string             `json:"httpRequest"`
	HTTPResponse               string             `json:"httpResponse"`
	ID                         string             `json:"id"`
	IsServer                   bool               `json:"isServer"` // the suite is the server
	LocalCloseCode             *int               `json:"localCloseCode"`
	LocalCloseReason           *string            `json:"localCloseReason"`
	Received                   []Event            `json:"received"`
	RemoteCloseCode            *int               `json:"remoteCloseCode"`
	RemoteCloseReason          *string            `json:"remoteCloseReason"`
	ReportCompressionRatio     bool               `json:"reportCompressionRatio"`
	ReportTime                 bool               `json:"reportTime"`
	Result                     string             `json:"result"`
	ResultClose                string             `json:"resultClose"`
	RFC                        *RFC               `json:"rfc,omitempty"`
	RxFrameStats               Stats              `json:"rxFrameStats"` // frames by opcode
	RxOctetStats               Stats              `json:"rxOctetStats"` // reads by size
	Started                    string             `json:"started"`
	TrafficStats               *Traffic           `json:"trafficStats"`
	TxFrameStats               Stats              `json:"txFrameStats"`
	TxOctetStats               Stats              `json:"txOctetStats"`
	WasClean                   bool               `json:"wasClean"`
	WasCloseHandshakeTimeout   bool               `json:"wasCloseHandshakeTimeout"`
	WasNotCleanReason          *string            `json:"wasNotCleanReason"`
	WasOpenHandshakeTimeout    bool               `json:"wasOpenHandshakeTimeout"`
	WasServerConnectionDropped bool               `json:"wasServerConnectionDropTimeout"`
	Wirelog                    []LogEntry         `json:"wirelog"`
}

// Stats counts things by a number: frames by opcode, reads and writes by size.
type Stats map[int]int

// MarshalJSON writes the counts in the order of their numbers.
func (s Stats) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, k := range slices.Sorted(maps.Keys(s)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"%d":%d`, k, s[k])
	}
	return append(b, '}'), nil
}

// Entry returns the case's line of the index.
func (c *Case) Entry() Entry {
	return Entry{c.Behavior, c.BehaviorClose, c.Duration, c.RemoteCloseCode, ReportFile(c.Agent, c.ID, "json")}
}

// ExpectedClose is what the case demands of the end of the connection.
type ExpectedClose struct {
	CloseCode                    []int `json:"closeCode"` // the codes the peer may send; none is always allowed
	ClosedByMe                   bool  `json:"closedByMe"`
	ClosedByWrongEndpointIsFatal bool  `json:"closedByWrongEndpointIsFatal,omitempty"`
	RequireClean                 bool  `json:"requireClean"`
}

// RFC is the rule that a case is about.
type RFC struct {
	Document string `json:"document"` // "RFC 6455" or "RFC 7692"
	Section  string `json:"section"`
	Sentence string `json:"sentence"`
}

// Traffic counts the octets of a compression case, at each level.
type Traffic struct {
	IncomingCompressionRatio      float64 `json:"incomingCompressionRatio"`
	IncomingOctetsAppLevel        int     `json:"incomingOctetsAppLevel"`
	IncomingOctetsWebSocketLevel  int     `json:"incomingOctetsWebSocketLevel"`
	IncomingOctetsWireLevel       int     `json:"incomingOctetsWireLevel"`
	IncomingWebSocketFrames       int     `json:"incomingWebSocketFrames"`
	IncomingWebSocketMessages     int     `json:"incomingWebSocketMessages"`
	IncomingWebSocketOverhead     float64 `json:"incomingWebSocketOverhead"`
	OutgoingCompressionRatio      float64 `json:"outgoingCompressionRatio"`
	OutgoingOctetsAppLevel        int     `json:"outgoingOctetsAppLevel"`
	OutgoingOctetsWebSocketLevel  int     `json:"outgoingOctetsWebSocketLevel"`
	OutgoingOctetsWireLevel       int     `json:"outgoingOctetsWireLevel"`
	OutgoingWebSocketFrames       int     `json:"outgoingWebSocketFrames"`
	OutgoingWebSocketMessages     int     `json:"outgoingWebSocketMessages"`
	OutgoingWebSocketOverhead     float64 `json:"outgoingWebSocketOverhead"`
	PreopenIncomingOctetsWireSize int     `json:"preopenIncomingOctetsWireLevel"`
	PreopenOutgoingOctetsWireSize int     `json:"preopenOutgoingOctetsWireLevel"`
}

// ReportFile returns the name of the file with the report of a case, without a
// directory: every character of the agent but letters and digits becomes "_".
func ReportFile(agent, id, ext string) string {
	clean := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return ' '
	}, strings.ToLower(strings.TrimSpace(agent)))
	clean = strings.ReplaceAll(strings.TrimSpace(clean), " ", "_")
	return clean + "_case_" + strings.ReplaceAll(id, ".", "_") + "." + ext
}

// Marshal encodes an [Index] or a [Case] as the original suite lays it out: three
// blanks of indentation, "<" unescaped, no newline at the end.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "   ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
