package websocket

// What a connection keeps of its opening handshake, for as long as it lives: one string,
// where the map and the slices of a header are a kilobyte and more.
//
// What always holds: what goes in comes out, whatever bytes a header has. Texts that
// nearly every request has are one byte.
//
// Who calls: conn.go.

import (
	"encoding/binary"
	"net/http"
)

// settled is the subprotocol, the extensions, and for each name in the header itself, how
// many values it has, and these. A text is its place in commonTexts, or else the number of
// these and its length, together, and then itself.
type settled string

// commonTexts are names and values that browsers send with a WebSocket request, and names
// that proxies add.
var commonTexts = [...]string{
	"Upgrade", "websocket", "Connection", "keep-alive, Upgrade",
	"Sec-Websocket-Key", "Sec-Websocket-Version", "13", "Sec-Websocket-Protocol",
	"Sec-Websocket-Extensions", "permessage-deflate", "permessage-deflate; client_max_window_bits",
	"User-Agent", "Origin", "Cookie", "Authorization", "Accept", "*/*", "Accept-Language", "en", "en-US,en;q=0.9",
	"Accept-Encoding", "gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd",
	"Cache-Control", "Pragma", "no-cache", "Dnt", "Sec-Gpc", "1",
	"Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "Sec-Fetch-Site", "same-origin", "same-site", "cross-site",
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "443", "X-Forwarded-Proto", "https",
	"X-Real-Ip", "X-Request-Id", "Traceparent",
}

var commonPlaces = func() map[string]uint8 {
	places := make(map[string]uint8, len(commonTexts))
	for i, text := range commonTexts {
		places[text] = uint8(i)
	}
	return places
}()

func settle(hs *Handshake) settled {
	buf := newBuffer(1 << minBufferBits)
	b := appendFields(appendText(appendText(buf.b, hs.Subprotocol), hs.Extensions), hs.Header)
	s := settled(b)
	buf.put()
	return s
}

func appendFields(b []byte, h http.Header) []byte {
	for name, values := range h {
		b = binary.AppendUvarint(appendText(b, name), uint64(len(values)))
		for _, v := range values {
			b = appendText(b, v)
		}
	}
	return b
}

// appendText is not inlined: the stack that a request is answered on is as good as full
// here, and to grow it costs more than all of settle.
//
//go:noinline
func appendText(b []byte, s string) []byte {
	if place, ok := commonPlaces[s]; ok {
		return append(b, place)
	}
	return append(binary.AppendUvarint(b, uint64(len(commonTexts)+len(s))), s...)
}

// parts returns what s begins with, and the rest, which is the header.
func (s settled) parts() (protocol, extensions string, rest settled) {
	protocol, extensions = s.text(), s.text()
	return protocol, extensions, s
}

// header makes the header of what parts leaves, nil if it was empty.
func (s settled) header() http.Header {
	if s == "" {
		return nil
	}
	h := make(http.Header)
	for s != "" {
		name := s.text()
		values := make([]string, s.number())
		for i := range values {
			values[i] = s.text()
		}
		h[name] = values
	}
	return h
}

// number takes the number that s begins with.
func (s *settled) number() int {
	n, size := binary.Uvarint([]byte((*s)[:min(len(*s), binary.MaxVarintLen64)]))
	*s = (*s)[size:]
	return int(n)
}

// text takes the text that s begins with.
func (s *settled) text() string {
	n := s.number()
	if n < len(commonTexts) {
		return commonTexts[n]
	}
	n -= len(commonTexts)
	text := string((*s)[:n])
	*s = (*s)[n:]
	return text
}
