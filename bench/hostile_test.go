package main

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// Small versions of the attacks: the scenario runs, the server lives, and what
// is judged is there.
func TestAttacks(t *testing.T) {
	p, err := peerNamed("serve")
	require.NoError(t, err)
	for _, s := range scenarios() {
		switch s.name {
		case "declared", "declared-nolimit":
			s.plan.Conns = 5
		case "fragments":
			s.plan.Conns, s.plan.Rounds = 2, 1000
		case "pings":
			s.plan.Rounds = 2
		case "half-open", "half-open-http", "bomb":
			continue // ten seconds of waiting, five of compressing
		}
		r, err := attack(p, s)
		require.NoError(t, err, s.name)
		require.Equal(t, honestConns, r.HonestOK, s.name)
		require.Positive(t, r.before.RSS, s.name)
		require.GreaterOrEqual(t, r.peak.RSS, r.before.RSS, s.name)
		require.Positive(t, r.Wire, s.name)
		switch s.name {
		case "declared":
			require.Equal(t, map[int]int{1009: 5}, r.Codes)
		case "declared-nolimit":
			require.Empty(t, r.Codes)
			require.Zero(t, r.Gone)
		case "pings":
			require.Len(t, r.Marks, 2)
		}
	}
}

func TestJudges(t *testing.T) {
	s := &scenario{plan: loadPlan{Conns: 100, Rounds: 10}}
	grown := func(each float64) attackReport {
		var r attackReport
		r.before.RSS, r.peak.RSS = 1<<20, 1<<20+each*100
		r.Wire = 100 << 20
		r.Gone, r.GoneIn = 100, 9
		r.Codes = map[int]int{1009: 100}
		return r
	}
	_, ok := judgeHandshakes(8)(grown(8<<10), s)
	require.True(t, ok)
	_, ok = judgeHandshakes(8)(grown(8<<10+1), s)
	require.False(t, ok)
	late := grown(0)
	late.GoneIn = 12
	_, ok = judgeHandshakes(8)(late, s)
	require.False(t, ok)
	_, ok = judgeFragments(grown(2<<20), s)
	require.True(t, ok)
	_, ok = judgeFragments(grown(2<<20+1), s)
	require.False(t, ok)
	_, ok = judgeBomb(grown(2<<20), s)
	require.True(t, ok)
	_, ok = judgeBomb(grown(3<<20), s)
	require.False(t, ok)
	wrong := grown(0)
	wrong.Codes = map[int]int{1009: 99, 1011: 1}
	_, ok = judgeBomb(wrong, s)
	require.False(t, ok)

	var r attackReport
	r.Marks = []int64{1, 100, 1, 1, 1, 1, 1, 1, 1, 119}
	_, ok = judgePings(r, s)
	require.True(t, ok)
	r.Marks[9] = 120
	_, ok = judgePings(r, s)
	require.False(t, ok)
	r.Marks = r.Marks[:1]
	_, ok = judgePings(r, s)
	require.False(t, ok, "dropped before anything was seen")
}

func TestOverTLS(t *testing.T) {
	for _, name := range tlsPeers {
		p, err := peerNamed(name)
		require.NoError(t, err)
		rss, _, err := tlsIdle(p, 20) // each echoes once
		require.NoError(t, err, name)
		require.Greater(t, rss, 0.0, name)
	}
}

func TestShutdownOfAFewConnections(t *testing.T) {
	require.NoError(t, shutdownMain([]string{"-conns", "40"}))
}

func TestOpenLoopOfAFewMessages(t *testing.T) {
	require.NoError(t, openMain([]string{"-conns", "3", "-time", "50ms", "-reps", "1", "-rates", "500", "-peers", "serve,raw"}))
	require.Error(t, openMain([]string{"-rates", "0", "-peers", "raw"}))
}

func TestBombInflatesToWhatItSays(t *testing.T) {
	b, err := bomb(8 << 20)
	require.NoError(t, err)
	require.Less(t, len(b), 8<<20/1000)
	n, err := io.Copy(io.Discard, flate.NewReader(io.MultiReader(bytes.NewReader(b), bytes.NewReader([]byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}))))
	require.NoError(t, err)
	require.Equal(t, int64(8<<20), n)
}
