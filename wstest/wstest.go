// Package wstest is for tests of programs that use WebSockets: connections in
// memory, streams that do wrong when told to, and a recorder of what crosses.
//
// [Pipe] returns both ends of a connection; [Dial] connects to an [http.Handler]
// with the whole opening handshake, also in memory. Both work inside a bubble of
// [testing/synctest], where time passes at once when everybody waits: so timeouts,
// keepalives and slow peers can be tested in no time, and without sleeping.
package wstest

import (
	"context"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"sync"

	"github.com/seed9f1f0156/websocket"
)

// Options say what [Pipe] makes. The zero value, and nil, are a plain pipe with
// the defaults of both sides.
type Options struct {
	// Server and Client are the options of the two ends. If both turn compression
	// on, it is negotiated as an opening handshake would.
	Server, Client websocket.Options
	// Subprotocol and Header are what the opening handshake is said to have settled.
	Subprotocol string
	Header      http.Header
	// Buffer is how many bytes each direction holds; 0 means 64 KiB. A small one
	// makes a writer feel a slow reader early.
	Buffer int
	// WrapServer and WrapClient put something between an end and its stream, for
	// example a [FaultConn]. What they return is what the end reads and writes.
	WrapServer, WrapClient func(net.Conn) net.Conn
	// Recorder records the frames that get as far as the stream.
	Recorder *Recorder
}

// Pipe returns the two ends of a connection in memory, the opening handshake
// behind it. Close both, or close one in order while the other is being read.
//
// It panics if opts cannot be: a Deflater that negotiates what it cannot do.
func Pipe(opts *Options) (server, client *websocket.Conn) {
	if opts == nil {
		opts = &Options{}
	}
	s, c := NetPipe(opts.Buffer)
	if r := opts.Recorder; r != nil {
		for role, e := range map[websocket.Role]net.Conn{websocket.RoleServer: s, websocket.RoleClient: c} {
			e.(*end).out.tap = func(p []byte) { r.record(role, p) }
		}
	}
	if opts.WrapServer != nil {
		s = opts.WrapServer(s)
	}
	if opts.WrapClient != nil {
		c = opts.WrapClient(c)
	}
	hs := websocket.Handshake{
		Role: websocket.RoleServer, Subprotocol: opts.Subprotocol, Header: opts.Header,
		Extensions: negotiate(opts),
	}
	server = must(websocket.NewConn(s, hs, &opts.Server))
	hs.Role = websocket.RoleClient
	client = must(websocket.NewConn(c, hs, &opts.Client))
	return server, client
}

func must(c *websocket.Conn, err error) *websocket.Conn {
	if err != nil {
		panic("wstest: " + err.Error())
	}
	return c
}

// negotiate returns the extensions that the two sides agree on, by having them do
// so.
func negotiate(opts *Options) string {
	if opts.Server.Compression == nil || opts.Client.Compression == nil {
		return ""
	}
	accepted := websocket.AcceptOptions{Options: websocket.Options{Compression: opts.Server.Compression, KeepaliveInterval: -1}}
	offered := websocket.DialOptions{Options: websocket.Options{Compression: opts.Client.Compression}}
	done := make(chan struct{})
	c := must(Dial(context.Background(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		if c, err := websocket.Accept(w, r, &accepted); err == nil {
			c.CloseNow()
		}
	}), &offered))
	c.CloseNow()
	<-done
	return c.Handshake().Extensions
}

// Dial connects to h, which gets the request of a client for "/" as from an
// [http.Server], over a stream in memory. opts are those of [websocket.Dial], nil
// being the default; a DialContext among them is not used, nor is a proxy. For
// another address than "/" use [DialURL].
func Dial(ctx context.Context, h http.Handler, opts *websocket.DialOptions) (*websocket.Conn, error) {
	return DialURL(ctx, h, "ws://wstest/", opts)
}

// DialURL is [Dial] with the URL of the request, whose scheme has to be ws or
// http.
func DialURL(ctx context.Context, h http.Handler, url string, opts *websocket.DialOptions) (*websocket.Conn, error) {
	var own websocket.DialOptions
	if opts != nil {
		own = *opts
	}
	own.Client = nil
	if opts != nil && opts.Client != nil {
		own.Client = &http.Client{Jar: opts.Client.Jar, Timeout: opts.Client.Timeout}
	}
	own.DialContext = func(context.Context, string, string) (net.Conn, error) {
		server, client := NetPipe(0)
		srv := &http.Server{Handler: h}
		// Serve returns as soon as it has accepted the one connection there is,
		// which is then served by a goroutine of its own.
		_ = srv.Serve(&listener{conn: server})
		return client, nil
	}
	own.Proxy = func(*http.Request) (*neturl.URL, error) { return nil, nil }
	return websocket.Dial(ctx, url, &own)
}

// listener accepts one connection, and then no other.
type listener struct {
	once sync.Once
	conn net.Conn
}

func (l *listener) Accept() (c net.Conn, err error) {
	err = io.EOF
	l.once.Do(func() { c, err = l.conn, nil })
	return c, err
}

func (l *listener) Close() error   { return nil }
func (l *listener) Addr() net.Addr { return l.conn.LocalAddr() }
