package suite

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/brokenpeer"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// The order of the questions about the close: the first that finds fault decides.
func TestJudgeClose(t *testing.T) {
	code := func(n int) *int { return &n }
	clean := end{opened: true, closedByMe: true, wasClean: true, remoteCode: code(1000)}
	with := func(change func(*end)) end {
		e := clean
		change(&e)
		return e
	}
	for _, c := range []struct {
		about  string
		e      end
		server bool
		want   result.ExpectedClose
		got    string
	}{
		{"as it should be", clean, false, suiteCloses, result.OK},
		{"no code", with(func(e *end) { e.remoteCode = nil }), false, suiteCloses, result.OK},
		{"never opened", with(func(e *end) { e.opened = false }), false, suiteCloses, result.Failed},
		{"wrong side, before all else", with(func(e *end) { e.closedByMe, e.wasClean, e.remoteCode = false, false, code(1) }), false, suiteCloses, result.Failed},
		{"unclean, before the code", with(func(e *end) { e.wasClean, e.remoteCode = false, code(1) }), false, suiteCloses, result.Unclean},
		{"wrong code, before the drop", with(func(e *end) { e.remoteCode, e.droppedByMe = code(1001), true }), false, suiteCloses, result.WrongCode},
		{"the server kept TCP", with(func(e *end) { e.droppedByMe = true }), false, suiteCloses, result.FailedByClient},
		{"a client may", with(func(e *end) { e.droppedByMe = true }), true, suiteCloses, result.OK},
		{"TCP drop where the peer must fail", end{opened: true}, false, peerFails, result.OK},
		{"suite failed it", end{opened: true, closedByMe: true}, false, peerFails, result.Failed},
	} {
		got, why := judgeClose(&c.e, c.server, c.want)
		require.Equal(t, c.got, got, c.about)
		require.NotEmpty(t, why)
	}
}

func played(p player, e end) *result.Case {
	s := &session{play: p, log: newRecorder(), end: e}
	return s.report(&Case{ID: "7.1.1"}, "peer", time.Now())
}

func TestVerdicts(t *testing.T) {
	closed := end{opened: true, closedByMe: true, wasClean: true}
	wrong := closed
	wrong.remoteCode = new(int)

	p := closesWith(nil, 1000)
	require.Equal(t, result.OK, played(&p, closed).Behavior)
	require.Equal(t, result.Failed, played(&p, wrong).Behavior, "here a wrong code counts twice")
	p.codeMatters = false
	require.Equal(t, result.OK, played(&p, wrong).Behavior)
	require.Equal(t, result.WrongCode, played(&p, wrong).BehaviorClose)

	bad := fails(peerFailsData, second, nil)
	require.Equal(t, result.OK, played(&bad, end{opened: true}).Behavior)
	require.Equal(t, result.Failed, played(&bad, closed).Behavior, "nothing came, but the suite had to close")

	two := fails(peerFails, second, nil, text("a"))
	require.Equal(t, result.NonStrict, played(&two, end{opened: true}).Behavior)
	two.received = []event{text("a")}
	require.Equal(t, result.OK, played(&two, end{opened: true}).Behavior)
	two.received = []event{binaryBytes([]byte("a"))}
	require.Equal(t, result.Failed, played(&two, end{opened: true}).Behavior)

	info := script{informational: true}
	r := played(&info, end{opened: true})
	require.Equal(t, [2]string{result.Informational, result.Informational}, [2]string{r.Behavior, r.BehaviorClose})
	require.Equal(t, result.Failed, played(&info, end{}).Behavior)
}

// A failing case is explained frame by frame, with its rule.
func TestExplain(t *testing.T) {
	t.Parallel()
	reports := against(t, brokenpeer.AcceptsRSV, "3.4", 1)
	var b bytes.Buffer
	Explain(&b, reports["3.4"])
	for _, want := range []string{
		"Case 3.4: behavior FAILED, close FAILED",
		"> text         RSV=100 masked 13 octets \"Hello, world!\" in writes of 1\n",
		"< text         13 octets \"Hello, world!\"\n",
		"> fails the connection: the time is over",
		"RFC 6455, section 5.2: RSV1, RSV2, RSV3: MUST be 0 unless",
	} {
		require.Contains(t, b.String(), want)
	}
}

func TestSnippets(t *testing.T) {
	require.Equal(t, result.Snippet{Len: 3, Text: "abc"}, snippet([]byte("abc"), 3))
	require.Equal(t, result.Snippet{Len: 2, Text: "0x03e8"}, snippet([]byte{3, 0xe8}, 2))
	long := bytes.Repeat([]byte("ä"), 50)
	require.Equal(t, result.Snippet{Len: 100, Text: string(long[:64]) + " ..."}, snippet(long, 100))
	odd := append([]byte("x"), long...)
	require.Equal(t, result.Snippet{Len: 101, Text: string(odd[:63]) + " ..."}, snippet(odd, 101))
}
