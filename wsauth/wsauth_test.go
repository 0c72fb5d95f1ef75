package wsauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

type user struct{}

// verify knows one token, and one that is known but may not enter.
func verify(r *http.Request, token string) (context.Context, error) {
	switch token {
	case "ada's token":
		return context.WithValue(r.Context(), user{}, "ada"), nil
	case "banned":
		return nil, &websocket.HandshakeError{Status: http.StatusForbidden, Body: []byte("not you")}
	}
	return nil, errors.New("unknown token " + token)
}

// b64 is "ada's token" in unpadded URL-safe base64.
const b64 = "YWRhJ3MgdG9rZW4"

func plain(r *http.Request, token string) (context.Context, error) {
	return verify(r, strings.ReplaceAll(token, "_", " "))
}

func TestInstall(t *testing.T) {
	own := Subprotocol{Marker: "bearer.v1", Protocols: []string{"chat.v2", "chat.v1"}, Base64: true, Verify: verify}
	prefix := own
	prefix.Marker = "base64.bearer."
	asIs := Subprotocol{Marker: "bearer.v1", Verify: plain}
	for _, tc := range []struct {
		name    string
		auth    Subprotocol
		offered []string
		header  http.Header
		status  int // 0: it is accepted
		chosen  string
	}{
		{"marker and token", own, []string{"bearer.v1", b64}, nil, 0, "bearer.v1"},
		{"and a protocol", own, []string{"bearer.v1", b64, "chat.v1"}, nil, 0, "chat.v1"},
		{"protocols before", own, []string{"chat.v1", "chat.v2", "bearer.v1", b64}, nil, 0, "chat.v2"},
		{"protocols unknown", own, []string{"mail", "bearer.v1", b64}, nil, 0, "bearer.v1"},
		{"not encoded", asIs, []string{"bearer.v1", "ada's_token"}, nil, 0, "bearer.v1"},
		{"prefix", prefix, []string{"chat.v1", "base64.bearer." + b64}, nil, 0, "chat.v1"},
		{"prefix alone", prefix, []string{"base64.bearer." + b64}, nil, 0, ""},
		{"authorization", own, []string{"chat.v1"}, http.Header{"Authorization": {"bearer ada's token"}}, 0, "chat.v1"},
		{"authorization, and the marker", own, []string{"bearer.v1"}, http.Header{"Authorization": {"Bearer ada's token"}}, 0, "bearer.v1"},

		{"nothing", own, nil, nil, 401, ""},
		{"a protocol alone", own, []string{"chat.v1"}, nil, 401, ""},
		{"marker alone", own, []string{"bearer.v1"}, nil, 401, ""},
		{"token alone", own, []string{b64}, nil, 401, ""},
		{"token first", own, []string{b64, "bearer.v1"}, nil, 401, ""},
		{"other case", own, []string{"Bearer.v1", b64}, nil, 401, ""},
		{"not base64", own, []string{"bearer.v1", "!!!"}, nil, 401, ""},
		{"base64 with stray bits", own, []string{"bearer.v1", "YWRhJ3MgdG9rZW5"}, nil, 401, ""},
		{"prefix, empty", prefix, []string{"base64.bearer."}, nil, 401, ""},
		{"wrong token", asIs, []string{"bearer.v1", "eve"}, nil, 401, ""},
		{"banned", asIs, []string{"bearer.v1", "banned"}, nil, 403, ""},
		{"basic", own, nil, http.Header{"Authorization": {"Basic ada's token"}}, 401, ""},
		{"empty bearer", own, nil, http.Header{"Authorization": {"Bearer "}}, 401, ""},
		{"two prefixes", prefix, []string{"base64.bearer." + b64, "base64.bearer.eve"}, nil, 400, ""},
		{"two fields", own, nil, http.Header{"Authorization": {"Bearer ada's token", "Bearer eve"}}, 400, ""},
		{"two fields, and the token", own, []string{"bearer.v1", b64}, http.Header{"Authorization": {"Basic x", "Basic y"}}, 400, ""},
		{"both ways", own, []string{"bearer.v1", b64}, http.Header{"Authorization": {"Bearer ada's token"}}, 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				who := make(chan any, 1)
				srv := &websocket.Server{Handler: func(ctx context.Context, c *websocket.Conn) error {
					who <- ctx.Value(user{})
					return nil
				}}
				tc.auth.Install(&srv.AcceptOptions)
				c, err := wstest.Dial(t.Context(), srv, &websocket.DialOptions{Subprotocols: tc.offered, Header: tc.header})
				if tc.status != 0 {
					var refused *websocket.HandshakeError
					require.ErrorAs(t, err, &refused)
					require.Equal(t, tc.status, refused.Status)
					require.NotContains(t, string(refused.Body), "ada")
					require.NotContains(t, string(refused.Body), "eve")
					return
				}
				require.NoError(t, err)
				require.Equal(t, tc.chosen, c.Subprotocol())
				require.Equal(t, "ada", <-who)
				require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
			})
		})
	}
}

// Whatever is offered, what is chosen is never the token.
func TestTokenIsNeverChosen(t *testing.T) {
	s := Subprotocol{Marker: "m", Protocols: []string{"secret", "chat"}, Verify: verify}
	for _, tc := range []struct {
		offered []string
		chosen  string
	}{
		{[]string{"m", "secret"}, "m"},
		{[]string{"m", "secret", "chat"}, "chat"},
		{[]string{"chat", "m", "secret"}, "chat"},
		{[]string{"secret"}, "secret"}, // it is none here
		{nil, ""},
	} {
		chosen, err := s.Select(tc.offered)
		require.NoError(t, err)
		require.Equal(t, tc.chosen, chosen, tc.offered)
	}
}

func TestOfferAndToken(t *testing.T) {
	for _, s := range []Subprotocol{
		{Marker: "bearer.v1", Protocols: []string{"chat"}},
		{Marker: "bearer.v1", Protocols: []string{"chat"}, Base64: true},
		{Marker: "base64.bearer.", Protocols: []string{"chat"}, Base64: true},
	} {
		token := "a-b_c.d~"
		if s.Base64 {
			token = "any/thing = at all"
		}
		list := s.Offer(token)
		require.Equal(t, "chat", list[len(list)-1])
		// One line, or several.
		for _, h := range [][]string{{strings.Join(list, ", ")}, {strings.Join(list, " ,\t")}, list} {
			got, ok := s.Token(&http.Request{Header: http.Header{"Sec-Websocket-Protocol": h}})
			require.True(t, ok)
			require.Equal(t, token, got)
		}
	}
	_, ok := Subprotocol{Marker: "m"}.Token(&http.Request{})
	require.False(t, ok)
}

func TestInstallWithoutWhatItNeeds(t *testing.T) {
	for _, s := range []Subprotocol{{Marker: "m"}, {Verify: verify}, {Marker: ".", Verify: verify}} {
		require.Panics(t, func() { s.Install(&websocket.AcceptOptions{}) })
	}
}
