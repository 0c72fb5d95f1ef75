// github.com/gobwas/ws, driven in its best forms: its low-level functions by
// hand with one buffer per direction and one write per reply, the same with the
// replies of one read coalesced into one write, and its convenience package.

package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"io"
	"net"
	"net/http"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

func gobwasPeers() []peer {
	const mod = "github.com/gobwas/ws"
	hand := func(coalesce bool) func(net.Listener, serveOptions) error {
		return func(ln net.Listener, o serveOptions) error { return serveGobwas(ln, o, coalesce) }
	}
	return []peer{
		{name: "gobwas", module: mod, about: "low level by hand, a write per message", broadcast: true, serve: hand(false)},
		{name: "gobwas-batch", module: mod, about: "low level by hand, replies of one read coalesced", serve: hand(true)},
		{name: "gobwas-http", module: mod, about: "the same through net/http", http: true, serve: serveGobwasHTTP},
		{name: "gobwas-util", module: mod, about: "wsutil.ReadClientData, WriteServerMessage", deflate: true, serve: serveGobwasUtil},
	}
}

// gobwasConn is what a careful user of the low-level functions keeps.
type gobwasConn struct {
	conn     net.Conn
	br       *bufio.Reader
	scratch  []byte // of ReadHeaderBuffer
	out      []byte // replies not yet written
	coalesce bool
	hub      *hub[*gobwasConn]
}

func newGobwasConn(c net.Conn, br *bufio.Reader, coalesce bool) *gobwasConn {
	if br == nil {
		br = bufio.NewReaderSize(c, 4<<10)
	}
	return &gobwasConn{conn: c, br: br, scratch: make([]byte, ws.MaxHeaderSize), coalesce: coalesce}
}

func serveGobwas(ln net.Listener, o serveOptions, coalesce bool) error {
	var h *hub[*gobwasConn]
	if o.Broadcast {
		h = new(hub[*gobwasConn])
	}
	return acceptLoop(ln, func(c net.Conn) {
		defer c.Close()
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		g := newGobwasConn(c, nil, coalesce)
		if g.hub = h; h != nil {
			h.add(g)
			defer h.remove(g)
		}
		for g.echo() == nil {
		}
	})
}

func serveGobwasHTTP(ln net.Listener, o serveOptions) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			g := newGobwasConn(c, rw.Reader, false)
			for g.echo() == nil {
			}
		}()
	})
}

// echo answers one frame. The payload is read to where the reply will be sent
// from, behind room for its header, and unmasked there.
func (g *gobwasConn) echo() error {
	h, err := ws.ReadHeaderBuffer(g.br, g.scratch)
	if err != nil {
		return err
	}
	if h.OpCode == ws.OpPing {
		h.OpCode = ws.OpPong
	}
	first := byte(h.OpCode)
	if h.Fin {
		first |= 0x80
	}
	g.out = appendHeader(g.out, first, int(h.Length))
	start := len(g.out)
	g.out = extend(g.out, int(h.Length))
	payload := g.out[start:]
	if _, err := io.ReadFull(g.br, payload); err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	if g.hub != nil && h.OpCode.IsData() {
		frame := g.out
		g.out = g.out[:0]
		g.hub.each(func(to *gobwasConn) error {
			_, err := to.conn.Write(frame)
			return err
		})
		return nil
	}
	if g.coalesce && g.br.Buffered() > 0 && len(g.out) < 16<<10 {
		return nil
	}
	_, err = g.conn.Write(g.out)
	g.out = g.out[:0]
	if err == nil && h.OpCode == ws.OpClose {
		err = io.EOF
	}
	return err
}

// serveGobwasUtil is the code that the library's README shows, with its
// compression helper when asked for.
func serveGobwasUtil(ln net.Listener, o serveOptions) error {
	return acceptLoop(ln, func(c net.Conn) {
		defer c.Close()
		if o.Deflate {
			gobwasDeflate(c)
			return
		}
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		for {
			p, op, err := wsutil.ReadClientData(c)
			if err != nil {
				return
			}
			if err := wsutil.WriteServerMessage(c, op, p); err != nil {
				return
			}
		}
	})
}

// gobwasDeflate serves one connection with wsflate, its compressor, inflater
// and buffers kept from message to message.
func gobwasDeflate(c net.Conn) {
	e := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	u := ws.Upgrader{Negotiate: e.Negotiate}
	if _, err := u.Upgrade(c); err != nil {
		return
	}
	br := bufio.NewReaderSize(c, 4<<10)
	scratch := make([]byte, ws.MaxHeaderSize)
	var wire, plain []byte
	var packed bytes.Buffer
	zr := wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
	zw := wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
		f, _ := flate.NewWriter(w, flate.BestSpeed) // the level exists
		return f
	})
	for {
		h, err := ws.ReadHeaderBuffer(br, scratch)
		if err != nil {
			return
		}
		wire = extend(wire[:0], int(h.Length))
		if _, err := io.ReadFull(br, wire); err != nil {
			return
		}
		ws.Cipher(wire, h.Mask, 0)
		zr.Reset(bytes.NewReader(wire))
		if plain, err = readInto(plain[:0], zr); err != nil {
			return
		}
		packed.Reset()
		zw.Reset(&packed)
		if _, err := zw.Write(plain); err != nil || zw.Flush() != nil {
			return
		}
		wire = append(appendHeader(wire[:0], 0xC0|byte(h.OpCode), packed.Len()), packed.Bytes()...)
		if _, err := c.Write(wire); err != nil {
			return
		}
	}
}

// extend lengthens b by n bytes whose contents do not matter.
func extend(b []byte, n int) []byte {
	if need := len(b) + n; need > cap(b) {
		grown := make([]byte, len(b), max(need, 2*cap(b)))
		copy(grown, b)
		b = grown
	}
	return b[:len(b)+n]
}
