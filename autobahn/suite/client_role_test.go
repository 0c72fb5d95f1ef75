package suite

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/brokenpeer"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// againstClient puts a peer client with the defect to the cases.
func againstClient(t *testing.T, bad brokenpeer.Defect, patterns string, scale float64) map[string]*result.Case {
	t.Helper()
	cases, err := Select(patterns)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	byID := map[string]*result.Case{}
	fuzzer := &ClientServer{Cases: ForClients(cases), Config: Config{Messages: few, TimeoutScale: scale}, Update: func(agent string, reports []*result.Case) {
		for _, r := range reports {
			byID[r.ID] = r
		}
	}}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- fuzzer.Serve(ctx, l) }()
	err = brokenpeer.RunClient(ctx, "ws://"+l.Addr().String(), "peer", bad, 32)
	stop()
	require.NoError(t, <-served)
	require.NoError(t, err)
	return byID
}

func TestSoundClient(t *testing.T) {
	t.Parallel()
	soundPasses(t, againstClient, controlClient)
}

// soundPasses puts the peer without a defect to every case; -race leaves sample. Cases
// are played beside each other and beside other tests, and a peer that is starved is
// late; so what failed is played again by itself.
func soundPasses(t *testing.T, play func(*testing.T, brokenpeer.Defect, string, float64) map[string]*result.Case, sample string) {
	patterns, scale := "*", 3.0
	if raceDetector {
		patterns, scale = sample, 10
	}
	reports := play(t, brokenpeer.Sound, patterns, scale)
	require.NotEmpty(t, reports)
	var again []string
	for id, r := range reports {
		if !r.Entry().Passed(id, true) {
			t.Logf("again: %s: %s (%s), close %s (%s)", id, r.Behavior, r.Result, r.BehaviorClose, r.ResultClose)
			again = append(again, id)
		}
	}
	if len(again) == 0 {
		return
	}
	for id, r := range play(t, brokenpeer.Sound, strings.Join(again, ","), 10) {
		if !r.Entry().Passed(id, true) {
			t.Errorf("%s: %s (%s), close %s (%s)", id, r.Behavior, r.Result, r.BehaviorClose, r.ResultClose)
		}
	}
}
