package main

// lxzan/gws, set up as its own conformance server is: context takeover on both
// sides, text checked.

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"
)

const gwsLimit = 32 << 20 // the suite sends up to 16 MiB; there is no "no limit"

var gwsDeflate = gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true}

// gwsEvents echoes, or takes the first message if first is not nil.
type gwsEvents struct {
	gws.BuiltinEventHandler
	first chan string
}

func (e *gwsEvents) OnPing(c *gws.Conn, payload []byte) { _ = c.WritePong(payload) }

func (e *gwsEvents) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if e.first == nil {
		_ = c.WriteMessage(m.Opcode, m.Bytes())
		return
	}
	select {
	case e.first <- string(m.Bytes()):
	default:
	}
}

func gwsServe(l net.Listener) error {
	u := gws.NewUpgrader(&gwsEvents{}, &gws.ServerOption{
		PermessageDeflate: gwsDeflate, CheckUtf8Enabled: true,
		ReadMaxPayloadSize: gwsLimit, WriteMaxPayloadSize: gwsLimit,
	})
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			return // Upgrade has answered the request
		}
		gwsLoop(c)
	}))
}

// gwsLoop runs the connection's events until it ends, and ends TCP.
func gwsLoop(c *gws.Conn) {
	defer c.NetConn().Close()
	c.ReadLoop()
}

func gwsDial(url string, e *gwsEvents) (*gws.Conn, error) {
	c, _, err := gws.NewClient(e, &gws.ClientOption{
		Addr: url, PermessageDeflate: gwsDeflate, CheckUtf8Enabled: true,
		ReadMaxPayloadSize: gwsLimit, WriteMaxPayloadSize: gwsLimit, HandshakeTimeout: 5 * time.Second,
	})
	return c, err
}

func gwsAsk(_ context.Context, url string) (string, error) {
	e := &gwsEvents{first: make(chan string, 1)}
	c, err := gwsDial(url, e)
	if err != nil {
		return "", err
	}
	c.ReadLoop()
	select {
	case s := <-e.first:
		return s, nil
	default:
		return "", errors.New("the connection ended without a message")
	}
}

func gwsEcho(_ context.Context, url string) error {
	c, err := gwsDial(url, &gwsEvents{})
	if err != nil {
		return err
	}
	gwsLoop(c)
	return nil
}
