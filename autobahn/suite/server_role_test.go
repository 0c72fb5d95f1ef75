package suite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/brokenpeer"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// few makes the cases that send 1000 messages send fewer, in tests.
const few = 12

// against plays cases against a peer server with the defect.
func against(t *testing.T, bad brokenpeer.Defect, patterns string, scale float64) map[string]*result.Case {
	t.Helper()
	cases, err := Select(patterns)
	require.NoError(t, err)
	server, err := brokenpeer.Serve(bad)
	require.NoError(t, err)
	defer server.Close()
	reports, err := RunServer(t.Context(), server.URL, cases, Config{Agent: "peer", Messages: few, TimeoutScale: scale})
	require.NoError(t, err)
	byID := map[string]*result.Case{}
	for _, r := range reports {
		if r != nil {
			byID[r.ID] = r
		}
	}
	return byID
}

func TestSoundServer(t *testing.T) {
	t.Parallel()
	soundPasses(t, against, control)
}
