package fuzz

// Handshakes without a network: Accept behind a ResponseWriter whose Hijack hands
// out a stream in memory, Dial against an answer written here.

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

// request is a good request whose line of the name without is left out, with lines
// added.
func request(without, lines string) string {
	var b strings.Builder
	b.WriteString("GET /chat HTTP/1.1\r\n")
	for _, l := range []string{
		"Host: server.example.com", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	} {
		if without == "" || !strings.HasPrefix(l, without+":") {
			b.WriteString(l + "\r\n")
		}
	}
	return b.String() + lines + "\r\n"
}

// A hijackable is a ResponseWriter that can be hijacked. What is written to the
// stream is in written; the stream has nothing to read.
type hijackable struct {
	*httptest.ResponseRecorder
	written  bytes.Buffer
	hijacked bool
	early    *bufio.Reader
	major    int // version of HTTP of the request
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.hijacked = true
	return (*hijackedConn)(h), bufio.NewReadWriter(h.early, bufio.NewWriter(&h.written)), nil
}

// hijackedConn is the stream of a hijackable.
type hijackedConn hijackable

func (c *hijackedConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *hijackedConn) Write(p []byte) (int, error)      { return c.written.Write(p) }
func (c *hijackedConn) Close() error                     { return nil }
func (c *hijackedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *hijackedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *hijackedConn) SetDeadline(time.Time) error      { return nil }
func (c *hijackedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *hijackedConn) SetWriteDeadline(time.Time) error { return nil }

var errNoRequest = errors.New("net/http refuses it")

// accept gives the request raw to Accept as net/http would, closes the connection
// if there is one, and returns what was answered.
func accept(raw string, opts *websocket.AcceptOptions) (*hijackable, error) {
	w := &hijackable{ResponseRecorder: httptest.NewRecorder()}
	w.early = bufio.NewReader(strings.NewReader(raw))
	r, err := http.ReadRequest(w.early)
	if err != nil {
		return w, errors.Join(errNoRequest, err)
	}
	w.major = r.ProtoMajor
	c, err := websocket.Accept(w, r, opts)
	if err == nil {
		c.CloseNow()
	}
	return w, err
}

// answer completes the 101 that r is owed with lines.
func answer(r *http.Request, lines string) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n" + lines + "\r\n"
}

// dial dials a server that says what reply returns for the request, and then ends
// the stream.
func dial(address string, opts websocket.DialOptions, reply func(*http.Request) string) (*websocket.Conn, error) {
	opts.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	opts.DialContext = func(context.Context, string, string) (net.Conn, error) {
		server, client := wstest.NetPipe(0)
		go func() {
			defer server.Close()
			if r, err := http.ReadRequest(bufio.NewReader(server)); err == nil {
				io.WriteString(server, reply(r))
			}
		}()
		return client, nil
	}
	return websocket.Dial(context.Background(), address, &opts)
}

// echoOnce is a handler that sends one message back.
func echoOnce(ctx context.Context, c *websocket.Conn) error {
	op, p, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return c.Write(ctx, op, p)
}
