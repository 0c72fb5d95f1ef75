package suite

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/brokenpeer"
)

// control are cases of every kind. Each defect is put to all of them: those that have
// no reason to find it must not.
const control = "1.1.1,1.1.2,1.1.3,1.1.6,1.1.7,1.2.4,2.1,2.2,2.5,2.8,2.10,3.1,3.2,4.1.1,4.2.3,5.1,5.3,5.6,5.9,5.18," +
	"6.1.2,6.2.3,6.3.1,6.6.2,6.7.4,6.10.1,6.11.3,6.17.2,6.20.3,6.22.4,7.1.1,7.1.3,7.1.4,7.3.1,7.3.2,7.3.4,7.5.1," +
	"7.7.4,7.7.10,7.9.3,10.1.1,12.1.3,13.2.2,13.5.4,20.1.1,20.1.3,20.2.1,20.3.1,20.3.3,20.4.1,21.1.1,21.2.1,21.3.1," +
	"22.1.2,22.2.3,22.3.1,23.1.2,24.1.2,24.1.5,24.1.6,24.2.1,24.3.1,24.4.*,24.5.1,24.5.4,24.6.2,24.7.1,24.8.1,24.8.9"

// controlClient is a shorter list for clients: the suite's checks are the same code in
// both roles.
const controlClient = "1.1.2,1.1.6,1.2.4,2.2,2.5,2.8,3.1,4.2.3,5.1,5.6,5.18,6.2.3,6.3.1,6.6.2,6.20.3,7.1.1,7.1.4,7.3.2,7.7.10,7.9.3," +
	"12.1.3,13.5.4,20.3.1,20.3.3,20.4.1,21.1.1,21.3.1,22.2.3,24.2.1,24.4.2,24.5.1,24.7.1,24.8.9"

// Roles of a broken peer.
const (
	asServer = 1 << iota
	asClient
	asBoth = asServer | asClient
)

// What control cases have in common; the ends of lists that some defects share.
const (
	echoed   = "1.1.1,1.1.2,1.1.3,1.1.6,1.1.7,1.2.4,5.3,5.6,6.1.2,6.2.3,6.6.2,6.7.4,6.11.3,6.22.4,7.1.1,10.1.1,12.1.3,13.2.2,13.5.4,20.2.1,20.4.1,24.1.2,24.1.5,24.1.6,24.4.[234],24.8.1,24.8.9"
	packs    = "24.3.1,24.4.1"
	pinged   = "2.1,2.2,2.10"
	closes   = "2.8,7.1.3,7.1.4,7.3.1,7.3.4,7.7.4,7.7.10,22.3.1"
	afterBad = "3.2,4.2.3" // an echo, and then a failure
	unopened = "20.1.*,20.3.*,24.2.1"
)

// brokenPeer is a defect, and the cases that find it; no other may.
type brokenPeer struct {
	name  string
	bad   brokenpeer.Defect
	roles int
	found string // by these, if they can be put to the role
	spare string // but not by these
}

var brokenPeers = []brokenPeer{
	{"accepts RSV bits", brokenpeer.AcceptsRSV, asBoth, "3.[1-6],24.5.*", ""},
	{"accepts RSV1 anywhere once compression is agreed on", brokenpeer.AcceptsRSV1Anywhere, asBoth, "24.5.[1-5]", ""},
	{"accepts reserved opcodes", brokenpeer.AcceptsOpcodes, asBoth, "4.*", ""},
	{"accepts fragmented control frames", brokenpeer.AcceptsSplitControl, asBoth, "5.1", ""},
	{"accepts pings of 126 octets", brokenpeer.AcceptsLongPing, asBoth, "2.5", ""},
	{"accepts continuations of nothing", brokenpeer.AcceptsStrayContinuation, asBoth, "5.9,5.10,5.11,5.17", ""},
	{"accepts a new message inside another", brokenpeer.AcceptsInterleaving, asBoth, "5.18", ""},
	{"accepts frames with the wrong masking", brokenpeer.AcceptsWrongMask, asBoth, "21.2.*,21.3.*", ""},
	{"accepts lengths that are not minimal", brokenpeer.AcceptsLongLengths, asBoth, "21.1.[1-6]", ""},
	{"accepts a close frame of 1 octet", brokenpeer.AcceptsShortClose, asBoth, "7.3.2", ""},
	{"accepts bad close codes", brokenpeer.AcceptsBadCodes, asServer, "7.9.*,22.2.*", ""},
	{"accepts bad close codes, as a client", brokenpeer.AcceptsBadCodes, asClient, "22.2.*", ""},
	{"accepts a close reason that is no UTF-8", brokenpeer.AcceptsBadReason, asBoth, "7.5.1", ""},
	{"refuses close codes from 3000 on", brokenpeer.RejectsPrivateCodes, asBoth, "7.7.1[0-3],22.1.1[3-9],22.1.20", ""},
	{"echoes before the text is valid", brokenpeer.NoUTF8Check, asServer, "6.3.*,6.4.*,6.8.*,6.10.*,6.12.*,6.17.*,6.20.*,24.7.[1-4]", ""},
	{"checks only whole texts", brokenpeer.LateUTF8Check, asBoth, "6.4.*", ""},
	{"does not check inflated text", brokenpeer.NoUTF8CheckCompressed, asBoth, "24.7.[1-4]", ""},
	{"accepts surrogates", brokenpeer.AcceptsSurrogates, asServer, "6.3.*,6.20.*,6.21.*,24.7.1,24.7.3", ""},
	{"accepts overlong forms", brokenpeer.AcceptsOverlong, asServer, "6.17.[1-3],6.18.[1-3],6.19.[1-3]", ""},
	{"accepts code points beyond U+10FFFF", brokenpeer.AcceptsBeyondMax, asServer, "6.4.*,6.10.1,6.11.5", ""},
	{"refuses noncharacters", brokenpeer.RejectsNonCharacters, asServer, "6.22.*,6.23.6,6.23.7", ""},
	{"drops pongs", brokenpeer.DropsPongs, asBoth, "2.[1-4],2.6,2.9,2.10,2.11,5.6,5.7,5.8,5.19,5.20,24.8.9,24.8.10", ""},
	{"answers pings in reverse order", brokenpeer.PongsReversed, asBoth, "2.10,5.6,24.8.9", ""},
	{"answers only the newest ping", brokenpeer.PongsNewestOnly, asBoth, "2.10,5.6,24.8.9", ""},
	{"answers pings without their payload", brokenpeer.PongsEmpty, asBoth, "2.[2-4],2.6,2.9,2.10,2.11,5.6,5.7,5.8,5.19,5.20,24.8.9", ""},
	{"answers pings with pings", brokenpeer.PongsAsPing, asServer, "2.[1-4],2.6,2.9,2.10,2.11,5.6,5.7,5.8,5.19,5.20,24.8.9,24.8.10", ""},
	{"fragments pongs", brokenpeer.SplitsPongs, asBoth, "2.[2-4],2.6,2.9,2.10,2.11,5.6,5.7,5.8,5.19,5.20,24.8.9", ""},
	{"answers pongs", brokenpeer.AnswersPongs, asBoth, "2.7,2.8,2.9,24.8.10", ""},
	{"loses pings between fragments", brokenpeer.LosesPingsInMessage, asBoth, "5.6,5.7,5.8,5.19,5.20,24.8.9,24.8.10", ""},
	{"loses an empty last fragment", brokenpeer.LosesEmptyFin, asBoth, "6.1.2,6.1.3,6.2.3,24.8.11", ""},
	{"loses empty messages", brokenpeer.EmptyIsLost, asBoth, "1.1.1,1.2.1,6.1.1,6.1.2,24.8.[4-6]", ""},
	{"echoes binary as text", brokenpeer.BinaryAsText, asServer, "1.2.*,9.2.1,12.3.1,23.1.2,24.3.*,24.4.1", ""},
	{"echoes twice", brokenpeer.EchoesTwice, asServer, echoed + "," + afterBad, ""},
	{"cuts messages at 65535 octets", brokenpeer.TruncatesAt64K, asBoth, "1.1.7,1.1.8,1.2.7,1.2.8,9.1.1,9.2.1,10.1.1,23.1.2", ""},
	{"loses the last octet from 127 on", brokenpeer.DropsLastOctet, asBoth, "1.1.4,1.1.6,1.1.7,1.2.4,10.1.1,9.1.1,12.1.3,13.5.4,23.1.2,24.3.1,24.4.*", ""},
	{"changes a bit beyond 4 KiB", brokenpeer.CorruptsBeyond4K, asBoth, "1.1.6,1.1.7,1.1.8,10.1.1,23.1.*,24.4.4", ""},
	{"continues a message with its opcode", brokenpeer.FragmentsWithOpcode, asServer, echoed + "," + afterBad + "," + packs + ",23.1.2", "1.1.1,6.1.2"},
	{"gives up after 1000 fragments", brokenpeer.Fragments1000, asBoth, "9.3.1,9.4.2,23.1.3", ""},
	{"has no limit on fragments", brokenpeer.NoFragmentLimit, asServer, "23.2.1", ""},
	{"unmasks each read from the start of the key", brokenpeer.UnmasksAtZero, asServer, "1.1.6,1.1.7,1.1.8,10.1.1,23.1.2", ""},
	{"masks as a server, or does not as a client", brokenpeer.WrongMask, asBoth, echoed + "," + afterBad + "," + packs + "," + pinged + ",23.1.2", ""},
	{"writes 125 in 16 bits", brokenpeer.Length125Long, asBoth, "1.1.2,1.2.2,2.4,2.6", ""},
	{"writes 126 in 7 bits", brokenpeer.Length126Short, asBoth, "1.1.3,1.2.3", ""},
	{"writes 65535 in 64 bits", brokenpeer.Length65535Long, asBoth, "1.1.6,1.2.6", ""},
	{"writes 65536 in 16 bits", brokenpeer.Length65536Short, asBoth, "1.1.7,1.1.8,10.1.1", ""},
	{"answers a close frame with another code", brokenpeer.WrongCloseCode, asServer, echoed + "," + packs + "," + pinged + "," + closes + ",23.1.2", ""},
	{"fails connections with code 1011", brokenpeer.WrongFailCode, asServer, "2.5,3.[12],4.1.1,4.2.3,5.1,5.9,5.18,6.3.1,6.10.1,6.17.2,6.20.3,7.3.2,7.5.1,7.9.3,21.1.1,21.2.1,22.2.3,24.5.1,24.5.4,24.7.1", ""},
	{"drops TCP instead of answering the close frame", brokenpeer.NoCloseFrame, asServer, echoed + "," + packs + "," + pinged + "," + closes + ",22.1.2,23.1.2", ""},
	{"never closes TCP", brokenpeer.NeverClosesTCP, asServer, control, unopened},
	{"keeps the connection after an error", brokenpeer.FailsWithoutClosing, asServer, "2.5,3.[12],4.1.1,4.2.3,5.1,5.9,5.18,6.3.1,6.10.1,6.17.2,6.20.3,7.3.2,7.5.1,7.9.3,21.1.1,21.2.1,22.2.3,24.5.1,24.5.4,24.6.2,24.7.1", ""},
	{"echoes after the close frame", brokenpeer.EchoesAfterClose, asServer, "7.1.4,7.1.5,22.3.1", ""},
	{"answers pings after the close frame", brokenpeer.PongsAfterClose, asServer, "7.1.3,22.3.1", ""},
	{"sends data after its close frame", brokenpeer.DataAfterClose, asServer, echoed + "," + packs + "," + pinged + "," + closes + ",22.1.2,22.3.2,23.1.2", ""},
	{"never compresses", brokenpeer.NeverCompresses, asBoth, "24.3.*,24.4.1,24.4.4", ""},
	{"sets RSV1 on continuations", brokenpeer.RSV1OnContinuation, asServer, "12.1.3,13.2.2,13.5.4,24.1.[256],24.4.[234],24.8.1,24.8.9," + packs, ""},
	{"ignores the window that was agreed on", brokenpeer.IgnoresWindowBits, asBoth, "13.5.4,24.3.*", ""},
	{"leaves server_max_window_bits out of its answer", brokenpeer.OmitsWindowBits, asServer, "24.1.[1-4],24.3.*", ""},
	{"leaves server_no_context_takeover out of its answer", brokenpeer.OmitsNoContext, asServer, "24.1.5,24.1.15", ""},
	{"limits the window of a client that did not allow it", brokenpeer.LimitsUnasked, asServer, "24.1.6", ""},
	{"keeps its context after no_context_takeover", brokenpeer.KeepsContext, asBoth, "13.2.[2-4],13.5.[2-5],24.4.1", ""},
	{"forgets the context of its peer", brokenpeer.LosesContext, asBoth, "12.1.3,13.2.2,13.5.4,24.4.[23]," + packs, ""},
	{"ignores data that does not inflate", brokenpeer.IgnoresCorruptData, asBoth, "24.6.*", ""},
	{"accepts unsound parameters", brokenpeer.AcceptsParameters, asBoth, "24.1.[7-9],24.1.1[0-5],24.2.*", ""},
	{"answers with a wrong Sec-WebSocket-Accept", brokenpeer.WrongAccept, asServer, control, "20.1.*"},
	{"serves any version", brokenpeer.AnyVersion, asServer, "20.1.1,20.1.2", ""},
	{"serves without a key", brokenpeer.AcceptsNoKey, asServer, "20.1.[3-6]", ""},
	{"does not check Sec-WebSocket-Accept", brokenpeer.AcceptsAnyAccept, asClient, "20.3.1,20.3.2", ""},
	{"does not check the status", brokenpeer.AcceptsAnyStatus, asClient, "20.3.3,20.3.4", ""},
	{"believes in extensions that it did not offer", brokenpeer.AcceptsExtensions, asClient, "20.3.9", ""},
}

// TestBrokenPeers puts every broken peer to the control cases and to those that are to
// find it, and wants exactly these to fail. They are played beside each other; on a
// busy machine a limit may be missed then, so a peer with another result is played
// again by itself.
func TestBrokenPeers(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(brokenPeers), 25)
	slots := make(chan struct{}, 40)
	again := make(chan func(), 2*len(brokenPeers))
	var wg sync.WaitGroup
	for i, b := range brokenPeers {
		if raceDetector && i%8 != 0 {
			continue
		}
		for _, role := range []int{asServer, asClient} {
			if b.roles&role == 0 {
				continue
			}
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				if found, want := findings(t, b, role); !slices.Equal(want, found) {
					t.Logf("again: a peer that %s, as %s: want %v, found %v", b.name, roleName(role), want, found)
					again <- func() {
						found, want := findings(t, b, role)
						require.Equal(t, want, found, "a peer that %s, as %s", b.name, roleName(role))
					}
				}
			})
		}
	}
	wg.Wait()
	close(again)
	for play := range again {
		play()
	}
}

func roleName(role int) string {
	if role == asServer {
		return "server"
	}
	return "client"
}

// findings returns the ids of the cases that a broken peer failed, and of those that
// it had to fail.
func findings(t *testing.T, b brokenPeer, role int) (found, want []string) {
	play, patterns := against, control
	if role == asClient {
		play, patterns = againstClient, controlClient
	}
	if b.found != "" {
		patterns += "," + b.found
	}
	reports := play(t, b.bad, patterns, 2)
	for _, c := range Catalogue() {
		r := reports[c.ID]
		if r == nil {
			continue
		}
		if matches(b.found, c.ID) && !matches(b.spare, c.ID) {
			want = append(want, c.ID)
		}
		if !r.Entry().Passed(c.ID, true) {
			found = append(found, c.ID)
		}
	}
	return found, want
}

func matches(patterns, id string) bool {
	cases, err := Select(patterns)
	return err == nil && slices.ContainsFunc(cases, func(c *Case) bool { return c.ID == id })
}
