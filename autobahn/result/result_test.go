package result

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The sample was written by hand in the original's layout, with every kind of
// entry once: what is read must be written back byte by byte.
func TestCaseRoundTrip(t *testing.T) {
	want, err := os.ReadFile("testdata/case.json")
	require.NoError(t, err)
	var c Case
	require.NoError(t, json.Unmarshal(want, &c))
	require.Equal(t, Event{EventMessage, "abc", true}, c.Received[0])
	require.Equal(t, Event{Kind: EventTimeout, Text: "A"}, c.Received[2])
	require.Equal(t, 997, *c.Wirelog[2].Chop)
	require.Equal(t, "1f924e95", *c.Wirelog[2].Mask)
	require.Nil(t, c.Wirelog[3].Mask)
	require.Equal(t, Snippet{125, "** ..."}, c.Wirelog[3].Data)
	require.Equal(t, 0.5, c.Wirelog[4].Delay)
	got, err := Marshal(&c)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got)+"\n")
}

func TestMalformedDocuments(t *testing.T) {
	var e LogEntry
	require.Error(t, json.Unmarshal([]byte(`[]`), &e))
	require.Error(t, json.Unmarshal([]byte(`["XX", 1]`), &e))
	require.Error(t, json.Unmarshal([]byte(`["KL", "soon"]`), &e))
	require.Error(t, json.Unmarshal([]byte(`["KLE", 1]`), &e))
	require.Error(t, json.Unmarshal([]byte(`[3]`), &e))
	var ev Event
	require.Error(t, json.Unmarshal([]byte(`["message", "a", true, 1]`), &ev))
	require.Error(t, json.Unmarshal([]byte(`{}`), &ev))
	_, err := Marshal(LogEntry{Kind: "XX"})
	require.Error(t, err)
}

func TestReportFile(t *testing.T) {
	require.Equal(t, "my_lib_v1_2_case_7_1_6.json", ReportFile(" My lib/v1.2", "7.1.6", "json"))
	require.Equal(t, "a_case_1_1_1.html", ReportFile("A!", "1.1.1", "html"))
}

func TestPassed(t *testing.T) {
	for _, c := range []struct {
		id, behavior, close string
		strict, lenient     bool
	}{
		{"1.1.1", OK, OK, true, true},
		{"1.1.1", OK, Unclean, false, false},
		{"1.1.1", OK, WrongCode, false, false},
		{"1.1.1", OK, FailedByClient, false, false},
		{"1.1.1", Failed, OK, false, false},
		{"3.2", NonStrict, OK, false, true},
		{"13.3.1", Unimplemented, OK, false, true},
		{"13.3.1", Unimplemented, Unclean, false, false},
		{"7.1.6", Informational, Informational, true, true},
		{"7.1.5", Informational, Informational, false, false},
		{"7.1.6", Informational, OK, false, false},
	} {
		e := Entry{Behavior: c.behavior, BehaviorClose: c.close}
		require.Equal(t, c.strict, e.Passed(c.id, true), "%+v", c)
		require.Equal(t, c.lenient, e.Passed(c.id, false), "%+v", c)
	}
}
