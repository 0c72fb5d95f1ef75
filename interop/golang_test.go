package interop

// The libraries of Go, in both roles.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

// golang is a library: an echo server, and a client that sends every message to
// url and checks what comes back.
type golang struct {
	name  string
	serve func(compress bool) http.HandlerFunc
	dial  func(ctx context.Context, url string, compress bool) error
}

var golangs = []golang{
	{"gorilla", gorillaServe, gorillaDial},
	{"coder", coderServe, coderDial},
	{"gws", gwsServe, gwsDial},
}

func TestGo(t *testing.T) {
	for _, g := range golangs {
		for _, mode := range modes {
			t.Run(g.name+"/"+mode.name, func(t *testing.T) {
				s := httptest.NewServer(g.serve(mode.z != nil))
				defer s.Close()
				drive(t, "ws"+strings.TrimPrefix(s.URL, "http"), mode.z)
				url := startEcho(t, mode.z)
				for _, path := range []string{"/whole", "/fragments"} {
					require.NoError(t, g.dial(t.Context(), url+path, mode.z != nil), path)
				}
			})
		}
	}
}

// eachMessage calls send, which returns the echo, for every message.
func eachMessage(send func(op websocket.Opcode, p []byte) ([]byte, error)) error {
	for _, n := range sizes {
		for _, op := range []websocket.Opcode{websocket.Text, websocket.Binary} {
			p := payload(op, n)
			got, err := send(op, p)
			if err != nil {
				return fmt.Errorf("%v of %d bytes: %w", op, n, err)
			}
			if !bytes.Equal(got, p) {
				return fmt.Errorf("%v of %d bytes came back as %d others", op, n, len(got))
			}
		}
	}
	return nil
}

func gorillaServe(compress bool) http.HandlerFunc {
	up := gorilla.Upgrader{EnableCompression: compress}
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			op, p, err := c.ReadMessage()
			if err != nil || c.WriteMessage(op, p) != nil {
				return
			}
		}
	}
}

func gorillaDial(ctx context.Context, url string, compress bool) error {
	d := gorilla.Dialer{EnableCompression: compress}
	c, resp, err := d.DialContext(ctx, url, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	defer c.Close()
	return eachMessage(func(op websocket.Opcode, p []byte) ([]byte, error) {
		sent := make(chan error, 1)
		go func() { sent <- c.WriteMessage(int(op), p) }()
		got, b, err := c.ReadMessage()
		if err == nil {
			err = <-sent
		}
		if err == nil && got != int(op) {
			err = fmt.Errorf("opcode %d", got)
		}
		return b, err
	})
}

func coderMode(compress bool) coder.CompressionMode {
	if compress {
		return coder.CompressionContextTakeover
	}
	return coder.CompressionDisabled
}

func coderServe(compress bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coderMode(compress)})
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		for {
			op, p, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), op, p) != nil {
				return
			}
		}
	}
}

func coderDial(ctx context.Context, url string, compress bool) error {
	c, _, err := coder.Dial(ctx, url, &coder.DialOptions{CompressionMode: coderMode(compress)})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	err = eachMessage(func(op websocket.Opcode, p []byte) ([]byte, error) {
		sent := make(chan error, 1)
		go func() { sent <- c.Write(ctx, coder.MessageType(op), p) }()
		_, r, err := c.Reader(ctx)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = <-sent
		}
		return b, err
	})
	if err != nil {
		return err
	}
	return c.Close(coder.StatusNormalClosure, "")
}

// gwsEcho is gws's way to have an echo.
type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, p []byte) { c.WritePong(p) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

func gwsDeflate(compress bool) gws.PermessageDeflate {
	return gws.PermessageDeflate{Enabled: compress, ServerContextTakeover: true, ClientContextTakeover: true}
}

func gwsServe(compress bool) http.HandlerFunc {
	up := gws.NewUpgrader(&gwsEcho{}, &gws.ServerOption{
		PermessageDeflate: gwsDeflate(compress), ReadMaxPayloadSize: 32 << 20, WriteMaxPayloadSize: 32 << 20,
	})
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err == nil {
			c.ReadLoop()
		}
	}
}

// gwsClient hands what it receives on.
type gwsClient struct {
	gws.BuiltinEventHandler
	got chan []byte
}

func (h *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	h.got <- bytes.Clone(m.Bytes())
}

func (h *gwsClient) OnClose(*gws.Conn, error) { close(h.got) }

func gwsDial(_ context.Context, url string, compress bool) error {
	h := &gwsClient{got: make(chan []byte, 1)}
	c, _, err := gws.NewClient(h, &gws.ClientOption{
		Addr: url, PermessageDeflate: gwsDeflate(compress), ReadMaxPayloadSize: 32 << 20, WriteMaxPayloadSize: 32 << 20,
	})
	if err != nil {
		return err
	}
	go c.ReadLoop()
	defer c.WriteClose(1000, nil)
	return eachMessage(func(op websocket.Opcode, p []byte) ([]byte, error) {
		if err := c.WriteMessage(gws.Opcode(op), p); err != nil {
			return nil, err
		}
		b, ok := <-h.got
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return b, nil
	})
}
