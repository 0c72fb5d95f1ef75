package report

// This file holds what the page and Missing know about cases beforehand: the
// groups of cases with their sizes and rules, and what each verdict means. A group
// that is not listed is drawn all the same, under its number alone.

import (
	"fmt"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// firstOwn is the first category that the original suite does not have.
const firstOwn = 20

// group is a run of cases that share the beginning of their id.
type group struct {
	id    string // of all its cases but for the last number
	title string
	cases int    // how many the original has; 0 for a group that it lacks
	rule  string // "6455 5.5.2": RFC and section; "" for none of its own
}

// categories are the titles of the first numbers of ids.
var categories = map[string]string{
	"1": "Framing", "2": "Pings and pongs", "3": "Reserved bits", "4": "Opcodes",
	"5": "Fragmentation", "6": "UTF-8", "7": "Closing", "9": "Limits and performance",
	"10": "Automatic fragmentation", "12": "Compression, different payloads", "13": "Compression, different parameters",
	"20": "Opening handshake", "21": "Frames: lengths, masks", "22": "Closing: codes, what follows",
	"23": "Octets of large echoes, fragments", "24": "Compression, to the letter",
}

// groups lists the original's 517 cases, and names the groups beyond them.
var groups = []group{
	{"1.1", "Text messages", 8, "6455 5.2"}, {"1.2", "Binary messages", 8, "6455 5.2"},
	{"2", "", 11, "6455 5.5.2"}, {"3", "", 7, "6455 5.2"},
	{"4.1", "Data opcodes", 5, "6455 5.2"}, {"4.2", "Control opcodes", 5, "6455 5.2"},
	{"5", "", 20, "6455 5.4"},
	{"6.1", "Fragments without payload", 3, "6455 5.4"}, {"6.2", "Valid text in fragments", 4, "6455 5.6"},
	{"6.3", "Invalid text", 2, "6455 8.1"}, {"6.4", "How early invalid text is noticed", 4, "6455 8.1"},
	{"6.5", "Valid sequences", 5, "6455 8.1"}, {"6.6", "Every prefix of a valid string", 11, "6455 8.1"},
	{"6.7", "Smallest sequences of one to four bytes", 4, "6455 8.1"}, {"6.8", "Smallest five- and six-byte forms", 2, "6455 8.1"},
	{"6.9", "Largest sequences of one to four bytes", 4, "6455 8.1"}, {"6.10", "Largest forms beyond U+10FFFF", 3, "6455 8.1"},
	{"6.11", "Next to the boundaries", 5, "6455 8.1"}, {"6.12", "Stray continuation bytes", 8, "6455 8.1"},
	{"6.13", "Lead bytes alone", 5, "6455 8.1"}, {"6.14", "Last continuation byte missing", 10, "6455 8.1"},
	{"6.15", "All of 6.14 joined", 1, "6455 8.1"}, {"6.16", "Bytes that never occur", 3, "6455 8.1"},
	{"6.17", "Overlong slash", 5, "6455 8.1"}, {"6.18", "Largest overlong forms", 5, "6455 8.1"},
	{"6.19", "Overlong NUL", 5, "6455 8.1"}, {"6.20", "Single surrogates", 7, "6455 8.1"},
	{"6.21", "Surrogate pairs", 8, "6455 8.1"}, {"6.22", "Non-characters", 34, "6455 8.1"},
	{"6.23", "Specials", 7, "6455 8.1"},
	{"7.1", "Close among other frames", 6, "6455 5.5.1"}, {"7.3", "Length of the close payload", 6, "6455 5.5.1"},
	{"7.5", "Reason that is not UTF-8", 1, "6455 8.1"}, {"7.7", "Codes that are allowed", 13, "6455 7.4"},
	{"7.9", "Codes that are not allowed", 9, "6455 7.4.1"}, {"7.13", "Codes out of range", 2, "6455 7.4.2"},
	{"9.1", "Large text messages", 6, ""}, {"9.2", "Large binary messages", 6, ""},
	{"9.3", "Text in fragments", 9, ""}, {"9.4", "Binary in fragments", 9, ""},
	{"9.5", "Text in small writes", 6, ""}, {"9.6", "Binary in small writes", 6, ""},
	{"9.7", "Text, round trips", 6, ""}, {"9.8", "Binary, round trips", 6, ""},
	{"10.1", "", 1, "6455 5.4"},
	{"12.1", "JSON", 18, "7692 7.2"}, {"12.2", "Bitmap", 18, "7692 7.2"}, {"12.3", "Prose", 18, "7692 7.2"},
	{"12.4", "HTML", 18, "7692 7.2"}, {"12.5", "PDF", 18, "7692 7.2"},
	{"13.1", "Defaults", 18, "7692 7.1"}, {"13.2", "No context takeover", 18, "7692 7.1.1"},
	{"13.3", "Window of 9 bits", 18, "7692 7.1.2"}, {"13.4", "Window of 15 bits", 18, "7692 7.1.2"},
	{"13.5", "No context takeover, 9 bits", 18, "7692 7.1.2"}, {"13.6", "No context takeover, 15 bits", 18, "7692 7.1.2"},
	{"13.7", "Three offers", 18, "7692 7.1"},

	{"20.1", "Requests to refuse", 0, "6455 4.2.1"}, {"20.2", "Odd requests to accept", 0, "6455 4.2.1"},
	{"20.3", "Responses to refuse", 0, "6455 4.1"}, {"20.4", "Odd responses to accept", 0, "6455 4.1"},
	{"21.1", "Lengths not in their shortest form", 0, "6455 5.2"},
	{"21.2", "A client's frames, not masked", 0, "6455 5.1"}, {"21.3", "A server's frames, masked", 0, "6455 5.1"},
	{"22.1", "Allowed codes with a reason", 0, "6455 7.4"}, {"22.2", "Forbidden codes with a reason", 0, "6455 7.4"},
	{"22.3", "What follows a close frame", 0, "6455 5.5.1"},
	{"23.1", "Every octet of a large echo", 0, "6455 5.6"}, {"23.2", "Endless fragments", 0, "6455 10.4"},
	{"24.1", "Offers", 0, "7692 7.1"}, {"24.2", "Answers to refuse", 0, "7692 7.1"},
	{"24.3", "Windows that are kept", 0, "7692 7.1.2"}, {"24.4", "Context between messages", 0, "7692 7.1.1"},
	{"24.5", "RSV bits", 0, "7692 6"}, {"24.6", "Corrupt data", 0, "7692 7.2.2"},
	{"24.7", "Text inside compressed messages", 0, "6455 8.1"}, {"24.8", "Forms of a compressed message", 0, "7692 7.2.3"},
}

// originalIDs returns the ids of the original's cases, in order.
func originalIDs() []string {
	var ids []string
	for _, g := range groups {
		for n := 1; n <= g.cases; n++ {
			ids = append(ids, fmt.Sprintf("%s.%d", g.id, n))
		}
	}
	return ids
}

// groupOf returns what is known of the group of a case.
func groupOf(id string) group {
	prefix := id[:max(strings.LastIndexByte(id, '.'), 0)]
	for _, g := range groups {
		if g.id == prefix {
			return g
		}
	}
	return group{id: prefix}
}

// meaning explains a verdict. Class names its colour in page.css.
type meaning struct {
	Verdict string
	Class   string
	Meaning string
}

// meanings lists the verdicts, the worst first.
var meanings = []meaning{
	{result.Failed, "v-bad", "What arrived is not what the case accepts, or the wrong side began the close, or the opening handshake was never finished. The wire log shows the first frame that differs."},
	{result.FailedByClient, "v-close", "The peer is a server and left TCP open for a second after the closing handshake, so that the suite had to drop it. RFC 6455 7.1.1 asks the server to close TCP first."},
	{result.WrongCode, "v-close", "The peer sent a close code that does not say what went wrong, such as 1000 after a protocol error (RFC 6455 7.4.1)."},
	{result.Unclean, "v-close", "The case asks for a closing handshake, and TCP ended without one: a close frame was not sent, or not answered (RFC 6455 7.1.4)."},
	{result.Unimplemented, "v-unimpl", "The peer did not negotiate the extension, or the parameter, that the case is about. The RFC leaves that open; the case itself was not tried."},
	{result.NonStrict, "v-strict", "Allowed, but later or laxer than the suite prefers: for instance, bad text that is noticed only when the whole message is there."},
	{result.Informational, "v-info", "The RFC leaves open what a peer does here. The case records it and judges nothing."},
	{result.OK, "v-ok", "What arrived is exactly what the case expects."},
}

// severity is the place of a verdict in meanings; one that is unknown is worst.
func severity(verdict string) int {
	for i, m := range meanings {
		if m.Verdict == verdict {
			return i
		}
	}
	return -1
}

// classOf returns the colour class of a verdict.
func classOf(verdict string) string {
	if i := severity(verdict); i >= 0 {
		return meanings[i].Class
	}
	return "v-bad"
}
