package websocket

// When Dial ends: timeouts and contexts in every phase, in a bubble's time, and
// other people's RoundTrippers, which have a context of their own.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCLI08BodyThatStalls: the beginning of a body that does not end is had in
// bounded time.
func TestCLI08BodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := dialError(t, "ws://example.com", &DialOptions{DialContext: piped(t, func(conn net.Conn) {
			readHead(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\npart")
		})}, 500)
		require.Equal(t, "part", string(e.Body))
		require.Equal(t, errorBodyTimeout, time.Since(start))
	})
}

// readHead reads to the end of a request's header, byte by byte.
func readHead(conn io.Reader) string {
	var head []byte
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := conn.Read(b); err != nil {
			return string(head)
		}
	}
	return string(head)
}

// piped is a DialContext whose other end runs script, and then stays open and
// silent until the test ends.
func piped(t testing.TB, script func(conn net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			script(server)
			_, _ = io.Copy(io.Discard, server) // to the client's end
		}()
		t.Cleanup(func() { client.Close(); server.Close(); <-done })
		return client, nil
	}
}

// phases are the places where a peer may fall silent, each a server's end of a
// pipe, and options that make a client go there.
func phases(t testing.TB) map[string]func() (url string, opts *DialOptions) {
	silent := func(net.Conn) {}
	via := func(proxy string, script func(net.Conn)) func() (string, *DialOptions) {
		return func() (string, *DialOptions) {
			return "wss://example.com", &DialOptions{DialContext: piped(t, script), Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }}
		}
	}
	direct := func(url string, script func(net.Conn)) func() (string, *DialOptions) {
		return func() (string, *DialOptions) { return url, &DialOptions{DialContext: piped(t, script)} }
	}
	return map[string]func() (string, *DialOptions){
		"name or TCP": func() (string, *DialOptions) {
			return "ws://example.com", &DialOptions{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
		},
		"TLS":               direct("wss://example.com", silent),
		"request not taken": direct("ws://example.com", func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); <-t.Context().Done() }),
		"no answer":         direct("ws://example.com", silent),
		"answer in drops": direct("ws://example.com", func(conn net.Conn) {
			readHead(conn)
			for {
				if _, err := io.WriteString(conn, "H"); err != nil {
					return
				}
				<-time.After(3 * time.Second)
			}
		}),
		"half an answer": direct("ws://example.com", func(conn net.Conn) { readHead(conn); _, _ = io.WriteString(conn, "HTTP/1.1 101 S\r\nUpgrade: webso") }),
		"http proxy":     via("http://proxy", silent),
		"https proxy":    via("https://proxy", silent),
		"socks5 proxy":   via("socks5://proxy", silent),
		"socks5 half":    via("socks5://u:p@proxy", func(conn net.Conn) { _, _ = io.ReadFull(conn, make([]byte, 4)); _, _ = conn.Write([]byte{5}) }),
		"TLS behind a proxy": via("http://proxy", func(conn net.Conn) {
			readHead(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		}),
	}
}

// TestCLI07Timeout: whatever the peer is slow with, Dial ends on time, to the
// nanosecond.
func TestCLI07Timeout(t *testing.T) {
	for name := range phases(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, timeout := range []time.Duration{0, 4 * time.Second} {
					url, opts := phases(t)[name]()
					opts.HandshakeTimeout = timeout
					start := time.Now()
					c, err := Dial(context.Background(), url, opts)
					require.Nil(t, c)
					requireStatus(t, err, 0)
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.ErrorContains(t, err, "HandshakeTimeout")
					want := timeout
					if want == 0 {
						want = 10 * time.Second
					}
					require.Equal(t, want, time.Since(start))
				}
			})
		})
	}
}

// TestDialContext: ctx ends Dial in every phase at once (users call it a hang).
func TestDialContext(t *testing.T) {
	for name := range phases(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				url, opts := phases(t)[name]()
				opts.HandshakeTimeout = -1
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(20*time.Second, cancel)
				start := time.Now()
				c, err := Dial(ctx, url, opts)
				require.Nil(t, c)
				requireStatus(t, err, 0)
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, 20*time.Second, time.Since(start))
			})
		})
	}
}

// TestDialContextAfterwards: and when Dial has returned, neither its context nor
// HandshakeTimeout means anything.
func TestDialContextAfterwards(t *testing.T) {
	for name, client := range map[string]*http.Client{"own": nil, "somebody else's": {Transport: pipeTripper{}}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.WithValue(context.Background(), ctxKey{}, "v"))
				opts := &DialOptions{Client: client, DialContext: piped(t, serve101)}
				c, err := Dial(ctx, "ws://example.com", opts)
				require.NoError(t, err)
				cancel()
				<-time.After(time.Hour)
				require.NoError(t, c.Context().Err())
				require.Equal(t, "v", c.Context().Value(ctxKey{}))
				c.CloseRead(context.Background()) // somebody has to read the pong
				require.NoError(t, c.Ping(context.Background()))
				c.CloseNow()
				synctest.Wait()
			})
		})
	}
}

// serve101 answers a handshake and then pings with pongs.
func serve101(conn net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(readHead(conn))))
	if err != nil {
		return
	}
	if _, err = io.WriteString(conn, switching(r)); err != nil {
		return
	}
	echoPings(conn)
}

// echoPings answers masked pings of less than 126 bytes, with hand-made pongs.
func echoPings(conn io.ReadWriter) {
	for {
		var head [6]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil || head[0] != 0x89 {
			return
		}
		p := make([]byte, head[1]&0x7F)
		if _, err := io.ReadFull(conn, p); err != nil {
			return
		}
		for i := range p {
			p[i] ^= head[2+i%4]
		}
		if _, err := conn.Write(append([]byte{0x8A, byte(len(p))}, p...)); err != nil {
			return
		}
	}
}

// pipeTripper is a RoundTripper that keeps its stream under the request's context,
// as one over HTTP/2 would.
type pipeTripper struct{}

func (pipeTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	client, server := net.Pipe()
	go func() { echoPings(server); server.Close() }()
	context.AfterFunc(r.Context(), func() { client.Close() })
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(switching(r))), r)
	if err == nil {
		resp.Body = client
	}
	return resp, err
}

// lastByteConn cancels a context while it hands out what it has read.
type lastByteConn struct {
	net.Conn
	cancel context.CancelFunc
}

func (c lastByteConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.cancel()
	return n, err
}

// TestDialContextLastMoment: a context that ends when everything has been read, but
// Dial has not returned, is an error and no half-dead connection.
func TestDialContextLastMoment(t *testing.T) {
	leakCheck(t)
	addr, _ := answering(t, good101)
	ctx, cancel := context.WithCancel(context.Background())
	c, err := Dial(ctx, "ws://"+addr, &DialOptions{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return lastByteConn{conn, cancel}, err
	}})
	require.Nil(t, c)
	requireStatus(t, err, 0)
	require.ErrorIs(t, err, context.Canceled)
}

// TestDialRoundTripper: a wrapped transport makes the round trip, and its answers
// are held against the same rules.
func TestDialRoundTripper(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, &AcceptOptions{Subprotocols: []string{"chat"}})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	wrapped := roundTripper(func(r *http.Request) (*http.Response, error) {
		r.Header.Set("X-Traced", "1")
		return transport.RoundTrip(r)
	})
	c, err := Dial(t.Context(), "ws://"+addr+"/chat", &DialOptions{Client: &http.Client{Transport: wrapped}, Subprotocols: []string{"chat"}})
	require.NoError(t, err)
	require.Equal(t, "chat", c.Subprotocol())
	requireEcho(t, c)
	require.NoError(t, c.Close(StatusNormalClosure, ""))

	refused, _ := answering(t, func(*http.Request) string { return "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!" })
	e := dialError(t, "ws://"+refused, &DialOptions{Client: &http.Client{Transport: wrapped}}, 403)
	require.Equal(t, "no!", string(e.Body))

	wrong, _ := answering(t, func(r *http.Request) string { return strings.Replace(switching(r), "Accept: ", "Accept: A", 1) })
	dialError(t, "ws://"+wrong, &DialOptions{Client: &http.Client{Transport: wrapped}}, 101)

	boom := errors.New("boom")
	failing := roundTripper(func(*http.Request) (*http.Response, error) { return nil, boom })
	require.ErrorIs(t, dialError(t, "ws://"+addr, &DialOptions{Client: &http.Client{Transport: failing}}, 0), boom)

	readOnly := roundTripper(func(r *http.Request) (*http.Response, error) {
		return http.ReadResponse(bufio.NewReader(strings.NewReader(switching(r))), r)
	})
	e = dialError(t, "ws://"+addr, &DialOptions{Client: &http.Client{Transport: readOnly}}, 0)
	require.ErrorContains(t, e, "cannot be written to")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDialRoundTripperContext: somebody else's transport is interrupted by the
// request's context.
func TestDialRoundTripperContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := Dial(context.Background(), "ws://example.com", &DialOptions{Client: &http.Client{Transport: hanging, Timeout: 7 * time.Second}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 7*time.Second, time.Since(start), "Client.Timeout counts")
		// One that comes back with a 101 although its context has ended.
		late := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return pipeTripper{}.RoundTrip(r)
		})
		_, err = Dial(context.Background(), "ws://example.com", &DialOptions{Client: &http.Client{Transport: late}})
		requireStatus(t, err, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
	})
}

func TestDialClientTransport(t *testing.T) {
	leakCheck(t)
	addr, _ := acceptServer(t, nil)
	var dialed atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	for _, client := range []*http.Client{{Transport: transport}, {Transport: transport, Timeout: time.Minute}} {
		c, err := Dial(t.Context(), "ws://nowhere.invalid", &DialOptions{Client: client})
		require.NoError(t, err)
		c.CloseNow()
	}
	require.EqualValues(t, 2, dialed.Load())
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Client: &http.Client{Jar: jar}})
	require.NoError(t, err)
	c.CloseNow()
}
