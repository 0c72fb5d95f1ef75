package suite

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/brokenpeer"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// say connects to a control URL and returns the text that comes, and the close code.
func say(t *testing.T, address string) (message string, code int) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	s := newSession(conn, false, &Config{}, 1)
	s.play = &listener{&message}
	rest, err := s.clientHandshake(newRequest(u, handshakeKey(1, 2), nil))
	require.NoError(t, err)
	s.begin(rest)
	s.loop()
	<-s.out.done
	require.NotNil(t, s.remoteCode)
	return message, *s.remoteCode
}

type listener struct{ into *string }

func (l *listener) open(s *session)               { s.killAfter(20 * time.Second) }
func (l *listener) message(_ *session, m message) { *l.into = string(m.data) }
func (l *listener) pong(*session, []byte)         {}
func (l *listener) verdict(*session) verdict      { return verdict{} }

// The control URLs answer as those of the original do.
func TestControlURLs(t *testing.T) {
	cases, err := Select("1.1.1,6.4.1,7.1.1")
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	updated := map[string]int{}
	f := &ClientServer{Cases: cases, Update: func(agent string, r []*result.Case) { updated[agent] = len(r) }}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- f.Serve(ctx, l) }()
	base := "ws://" + l.Addr().String()

	got, code := say(t, base+"/getCaseCount")
	require.Equal(t, "3", got)
	require.Equal(t, 1000, code)
	got, _ = say(t, base+"/getCaseInfo?case=2")
	var info struct{ ID, Description string }
	require.NoError(t, json.Unmarshal([]byte(got), &info))
	require.Equal(t, "6.4.1", info.ID)
	require.NotEmpty(t, info.Description)

	// The status of a case that is not done yet comes when it is.
	status := make(chan string)
	go func() {
		s, _ := say(t, base+"/getCaseStatus?case=3&agent=peer%201")
		status <- s
	}()
	require.NoError(t, brokenpeer.RunClient(ctx, base, "peer%201", brokenpeer.Sound, 1))
	require.JSONEq(t, `{"behavior":"OK"}`, <-status)
	require.Equal(t, map[string]int{"peer 1": 3}, updated)
	require.Len(t, f.Reports("peer 1"), 3)
	require.Equal(t, "6.4.1", f.Reports("peer 1")[1].ID)

	for _, bad := range []string{"/runCase?case=4&agent=a", "/runCase?case=x&agent=a", "/runCase?case=1", "/getCaseInfo", "/nothing"} {
		got, code = say(t, base+bad)
		require.Empty(t, got, bad)
		require.Equal(t, 1008, code, bad)
	}
	stop()
	require.NoError(t, <-served)
}
