package suite

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example of RFC 6455, section 1.3.
func TestAcceptKey(t *testing.T) {
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", acceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
}

func TestCheckResponse(t *testing.T) {
	u, err := url.Parse("ws://localhost/")
	require.NoError(t, err)
	r := request{url: u, key: "dGhlIHNhbXBsZSBub25jZQ==", offers: []deflateParams{plainOffer}}
	good := "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	check := func(more string) (*deflateParams, error) { return r.checkResponse(good + more + "\r\n") }

	p, err := check("")
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = check("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"10\"; client_no_context_takeover\r\n")
	require.NoError(t, err)
	require.Equal(t, deflateParams{serverBits: 10, clientNoTakeover: true}, *p)
	for _, bad := range []string{
		"Sec-WebSocket-Extensions: x-other\r\n", "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", "Sec-WebSocket-Protocol: chat\r\n", "no colon\r\n",
	} {
		_, err := check(bad)
		require.Error(t, err, bad)
	}
	for _, edit := range [][2]string{{"101", "200"}, {"HTTP/1.1", "HTTP/1.0"}, {"WebSocket\r\n", "h2c\r\n"}, {"upgrade\r\n", "close\r\n"}, {"s3pP", "S3pP"}} {
		_, err := r.checkResponse(strings.Replace(good, edit[0], edit[1], 1) + "\r\n")
		require.Error(t, err, edit[0])
	}
}

func TestParseOffers(t *testing.T) {
	for _, group := range deflateGroups {
		var texts []string
		for _, o := range group.offers {
			texts = append(texts, o.String())
		}
		got, err := parseDeflate(strings.Join(texts, ", "), false)
		require.NoError(t, err)
		require.Equal(t, group.offers, got)
	}
	got, err := parseDeflate("x-other, permessage-deflate; server_max_window_bits=99, permessage-deflate", false)
	require.Error(t, err)
	require.Equal(t, []deflateParams{{}}, got)
}

// What the fuzzing server of the original agrees on with a client.
func TestAcceptedOffers(t *testing.T) {
	with, without := []deflateParams{{anyClientBits: true, serverNoTakeover: true}}, []deflateParams{{}}
	for i, want := range [][2]string{
		{"permessage-deflate; server_no_context_takeover", "permessage-deflate"},
		{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; client_max_window_bits=9; server_no_context_takeover", ""},
		{"permessage-deflate; client_max_window_bits=15; server_no_context_takeover", ""},
		{"permessage-deflate; client_no_context_takeover; client_max_window_bits=9; server_no_context_takeover", ""},
		{"permessage-deflate; client_no_context_takeover; client_max_window_bits=15; server_no_context_takeover", ""},
		{"permessage-deflate; client_no_context_takeover; client_max_window_bits=9; server_no_context_takeover", "permessage-deflate; client_no_context_takeover"},
	} {
		accept := deflateGroups[i].accept
		require.Equal(t, want[0], accept(with).String(), "13.%d", i+1)
		if want[1] == "" {
			require.Nil(t, accept(without), "13.%d", i+1)
		} else {
			require.Equal(t, want[1], accept(without).String(), "13.%d", i+1)
		}
		require.Nil(t, accept(nil))
	}
}
