package websocket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHandshakeHeader: the header comes back as it was, in a map of the caller's own.
func TestHandshakeHeader(t *testing.T) {
	for name, h := range map[string]http.Header{
		"none":  nil,
		"usual": {"Upgrade": {"websocket"}, "Cookie": {"a=b", "c=d"}},
		"odd":   {"": {""}, "Empty": {}, "a\x00b": {"\n", "ü"}, "Many": {"", "", ""}},
		"large": {"X-Large": {strings.Repeat("x", 3<<10)}, strings.Repeat("N", 200): {"y"}},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := tcpPair(t)
			defer theirs.Close()
			c, err := NewConn(ours, Handshake{Role: RoleServer, Subprotocol: name, Header: h, Leftover: []byte{}}, nil)
			require.NoError(t, err)
			defer c.CloseNow()
			require.Equal(t, h, c.Handshake().Header)
			require.Nil(t, c.Handshake().Leftover)
			require.Equal(t, name, c.Subprotocol())
			require.Equal(t, name, c.Handshake().Subprotocol)
			if h != nil {
				c.Handshake().Header.Set("Upgrade", "changed")
				require.Equal(t, h, c.Handshake().Header)
			}
		})
	}
}

func BenchmarkSettle(b *testing.B) {
	h := http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {"http://localhost"},
	}
	b.ReportAllocs()
	for b.Loop() {
		settle(&Handshake{Header: h})
	}
}
