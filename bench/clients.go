// The client libraries of client.go, each in its best form.

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	ours "github.com/seed9f1f0156/websocket"
)

// clientLib dials one connection and returns the function that serves it: a
// first d.turn, then d.got for each message.
type clientLib struct {
	name string
	dial func(addr string, d *driver) (run func() error, err error)
}

// clientLibs are named like the servers whose rows they stand beside.
var clientLibs = []clientLib{
	{"next", dialOurs}, {"gobwas", dialGobwas}, {"gws", dialGws}, {"coder", dialCoder}, {"gorilla-buf", dialGorilla},
}

func clientNamed(name string) *clientLib {
	for i := range clientLibs {
		if clientLibs[i].name == name {
			return &clientLibs[i]
		}
	}
	return nil
}

func dialOurs(addr string, d *driver) (func() error, error) {
	ctx := context.Background()
	c, err := ours.Dial(ctx, "ws://"+addr+"/", nil)
	if err != nil {
		return nil, err
	}
	write := func(p []byte) error { return c.Write(ctx, ours.Binary, p) }
	return func() error {
		err := d.turn(write)
		for err == nil {
			var p []byte
			if _, p, err = c.Next(ctx); err == nil {
				err = d.got(p, write)
			}
		}
		return err
	}, nil
}

func dialCoder(addr string, d *driver) (func() error, error) {
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+addr+"/", nil)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(64 << 20)
	write := func(p []byte) error { return c.Write(ctx, websocket.MessageBinary, p) }
	return readLoop(d, write, func() (io.Reader, error) {
		_, r, err := c.Reader(ctx)
		return r, err
	}), nil
}

func dialGorilla(addr string, d *driver) (func() error, error) {
	c, _, err := gorilla.DefaultDialer.Dial("ws://"+addr+"/", nil)
	if err != nil {
		return nil, err
	}
	write := func(p []byte) error { return c.WriteMessage(gorilla.BinaryMessage, p) }
	return readLoop(d, write, func() (io.Reader, error) {
		_, r, err := c.NextReader()
		return r, err
	}), nil
}

// readLoop serves a library that hands out readers, with one buffer kept.
func readLoop(d *driver, write func([]byte) error, next func() (io.Reader, error)) func() error {
	var buf []byte
	return func() error {
		err := d.turn(write)
		for err == nil {
			var r io.Reader
			if r, err = next(); err != nil {
				break
			}
			if buf, err = readInto(buf[:0], r); err == nil {
				err = d.got(buf, write)
			}
		}
		return err
	}
}

// gwsClient takes its turns in the callback, as that library wants it.
type gwsClient struct {
	gws.BuiltinEventHandler
	d     *driver
	write func([]byte) error
	err   error
}

func (h *gwsClient) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	if h.err = h.d.got(m.Bytes(), h.write); h.err != nil {
		c.WriteClose(1002, nil)
	}
}

func dialGws(addr string, d *driver) (func() error, error) {
	h := &gwsClient{d: d}
	c, _, err := gws.NewClient(h, &gws.ClientOption{Addr: "ws://" + addr + "/", CheckUtf8Enabled: true})
	if err != nil {
		return nil, err
	}
	h.write = func(p []byte) error { return c.WriteMessage(gws.OpcodeBinary, p) }
	return func() error {
		if err := d.turn(h.write); err != nil {
			return err
		}
		c.ReadLoop()
		if h.err == nil {
			h.err = io.EOF
		}
		return h.err
	}, nil
}

// dialGobwas uses the low-level functions by hand: header, key and masked
// payload are laid into one buffer and written at once.
func dialGobwas(addr string, d *driver) (func() error, error) {
	conn, br, _, err := ws.Dial(context.Background(), "ws://"+addr+"/")
	if err != nil {
		return nil, err
	}
	if br != nil {
		ws.PutReader(br) // the server never speaks first here
	}
	var out []byte
	write := func(p []byte) error {
		out = appendHeader(out[:0], 0x80|opBinary, len(p))
		out[1] |= 0x80
		var key [4]byte
		binary.LittleEndian.PutUint32(key[:], rand.Uint32())
		out = append(out, key[:]...)
		n := len(out)
		out = append(out, p...)
		ws.Cipher(out[n:], key, 0)
		_, err := conn.Write(out)
		return err
	}
	return gobwasLoop(conn, d, write), nil
}

func gobwasLoop(conn net.Conn, d *driver, write func([]byte) error) func() error {
	br := bufio.NewReaderSize(conn, 4<<10)
	scratch := make([]byte, ws.MaxHeaderSize)
	var buf []byte
	return func() error {
		err := d.turn(write)
		for err == nil {
			var h ws.Header
			if h, err = ws.ReadHeaderBuffer(br, scratch); err != nil {
				break
			}
			buf = extend(buf[:0], int(h.Length))
			if _, err = io.ReadFull(br, buf); err == nil {
				err = d.got(buf, write)
			}
		}
		return err
	}
}
