package main

// gobwas/ws is a set of parts, so the program that uses it does what other libraries
// do inside: it answers a protocol error with a close frame, checks the text of
// compressed messages, and ends TCP in order. Its compression knows no context
// takeover.

import (
	"bufio"
	"compress/flate"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

var gobwasParameters = wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}

func gobwasServe(l net.Listener) error {
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := wsflate.Extension{Parameters: gobwasParameters}
		u := ws.HTTPUpgrader{Negotiate: e.Negotiate}
		conn, buffered, _, err := u.Upgrade(r, w)
		if err != nil {
			return // Upgrade has answered the request
		}
		_, compressed := e.Accepted()
		_ = newGobwasPeer(conn, buffered.Reader, ws.StateServerSide, compressed).loop()
	}))
}

// gobwasPeer is one connection.
type gobwasPeer struct {
	conn    net.Conn
	state   ws.State
	reader  *wsutil.Reader
	writer  *wsutil.Writer
	control wsutil.FrameHandlerFunc
	message wsflate.MessageState // whether the message being read is compressed
	deflate *wsflate.Writer
	inflate *wsflate.Reader
	closed  bool // the control handler has sent a close frame
}

func newGobwasPeer(conn net.Conn, buffered *bufio.Reader, state ws.State, compressed bool) *gobwasPeer {
	p := &gobwasPeer{conn: conn, state: state}
	var source io.Reader = conn
	if buffered != nil && buffered.Buffered() > 0 {
		source = buffered
	}
	if compressed {
		p.state |= ws.StateExtended
	}
	p.control = wsutil.ControlFrameHandler(conn, p.state)
	p.reader = &wsutil.Reader{Source: source, State: p.state, CheckUTF8: !compressed, OnIntermediate: p.control}
	p.writer = wsutil.NewWriter(conn, p.state, 0)
	if compressed {
		p.reader.Extensions = []wsutil.RecvExtension{&p.message}
		p.writer.SetExtensions(&p.message)
		p.deflate = wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
			f, _ := flate.NewWriter(w, flate.DefaultCompression) // never an error for this level
			return f
		})
		p.inflate = wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
	}
	return p
}

// loop echoes until an error, says in a close frame what was wrong, and ends TCP.
func (p *gobwasPeer) loop() error {
	defer p.conn.Close()
	for {
		if err := p.next(); err != nil {
			p.fail(err)
			return err
		}
	}
}

// next handles one frame that is not inside a message, or echoes one message.
func (p *gobwasPeer) next() error {
	h, err := p.reader.NextFrame()
	if err != nil {
		return err
	}
	if h.OpCode.IsControl() {
		p.closed = h.OpCode == ws.OpClose // answered, be it good or bad
		return p.control(h, p.reader)
	}
	p.writer.ResetOp(h.OpCode)
	if !p.message.IsCompressed() {
		if _, err := io.Copy(p.writer, p.reader); err != nil {
			return err
		}
		return p.writer.Flush()
	}
	p.inflate.Reset(p.reader)
	p.deflate.Reset(p.writer)
	var from io.Reader = p.inflate
	if h.OpCode == ws.OpText {
		from = &utf8Reader{r: from}
	}
	if _, err := io.Copy(p.deflate, from); err != nil {
		return err
	}
	if err := p.deflate.Close(); err != nil {
		return err
	}
	return p.writer.Flush()
}

// fail tells the peer what was wrong, if it was the peer, and waits a moment for it
// to end TCP: closing with bytes unread would reset the connection under the last echo.
func (p *gobwasPeer) fail(err error) {
	var code ws.StatusCode
	var protocol ws.ProtocolError
	switch {
	case p.closed:
		return
	case errors.As(err, &protocol):
		code = ws.StatusProtocolError
	case errors.Is(err, wsutil.ErrInvalidUTF8), errors.Is(err, errNotUTF8):
		code = ws.StatusInvalidFramePayloadData
	default:
		return
	}
	f := ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))
	if p.state.ClientSide() {
		f = ws.MaskFrameInPlace(f)
	}
	if ws.WriteFrame(p.conn, f) != nil {
		return
	}
	if c, ok := p.conn.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = io.Copy(io.Discard, p.conn)
}

func gobwasDial(ctx context.Context, url string) (*gobwasPeer, error) {
	d := ws.Dialer{Extensions: []httphead.Option{gobwasParameters.Option()}}
	conn, buffered, h, err := d.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	return newGobwasPeer(conn, buffered, ws.StateClientSide, len(h.Extensions) > 0), nil
}

func gobwasAsk(ctx context.Context, url string) (string, error) {
	p, err := gobwasDial(ctx, url)
	if err != nil {
		return "", err
	}
	defer p.conn.Close()
	if _, err := p.reader.NextFrame(); err != nil {
		return "", err
	}
	b, err := io.ReadAll(p.reader)
	return string(b), err
}

func gobwasEcho(ctx context.Context, url string) error {
	p, err := gobwasDial(ctx, url)
	if err != nil {
		return err
	}
	return p.loop()
}
