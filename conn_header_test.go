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

// Each of the common texts has one place, of one byte, and comes back from it, as a name
// and as a value.
func TestHandshakeCommonTexts(t *testing.T) {
	require.Len(t, commonPlaces, len(commonTexts))
	require.Less(t, len(commonTexts), 0x80)
	for _, text := range commonTexts {
		hs := Handshake{Subprotocol: text, Header: http.Header{text: {text, text + "x"}}}
		s := settle(&hs)
		require.Len(t, s, 6+len(text)+len("x"), "a byte for all but the last text: %s", text)
		protocol, extensions, rest := s.parts()
		require.Equal(t, text, protocol)
		require.Empty(t, extensions)
		require.Equal(t, hs.Header, rest.header())
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
