package websocket_test

// Connections share buffers. A thousand of them at once, each with a payload that
// is its own, which break off at any moment: no byte of one may ever reach another,
// nor change in the hands of who borrowed it. Under the tag wspoison every buffer is
// overwritten when it goes back, so that one which goes back too early shows too.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
)

const (
	isolated     = 1000     // connections
	isolatedSize = 20 << 10 // of the largest messages
	canarySize   = 16       // after so many bytes it repeats
)

// A canary is what one connection sends, and may receive.
type canary struct {
	bytes   []byte
	reason  string
	foreign *atomic.Int64
	passed  *atomic.Int64
	first   *atomic.Pointer[string] // of what went wrong
}

// check looks for bytes in p that are not the canary's. p is a beginning of it.
func (y *canary) check(where string, p []byte) {
	y.passed.Add(int64(len(p)))
	if bytes.HasPrefix(y.bytes, p) {
		return
	}
	for i, b := range p {
		if i >= len(y.bytes) || b != y.bytes[i] {
			y.foreign.Add(1)
		}
	}
	at := fmt.Sprintf("%s: %d bytes of %s: %.80q", where, len(p), y.reason, p)
	y.first.CompareAndSwap(nil, &at)
}

// checkEnd looks at the reason the peer gave, if it gave one.
func (y *canary) checkEnd(where string, err error) {
	var ce *websocket.CloseError
	if errors.As(err, &ce) && ce.Remote && ce.Reason != "" && ce.Reason != y.reason {
		y.check(where, []byte(ce.Reason))
	}
}

// talk writes messages of the canary until the connection ends, or enough are out,
// and then leaves it in one of many ways.
func (y *canary) talk(c *conn, r *rand.Rand) {
	for range 4 + r.IntN(20) {
		n := r.IntN(200)
		if r.IntN(4) == 0 {
			n = r.IntN(isolatedSize)
		}
		p := bytes.Clone(y.bytes[:n])
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if r.IntN(10) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(1000))*time.Microsecond)
		}
		err := y.write(ctx, c, p, r)
		cancel()
		clear(p) // it is the caller's again
		if err != nil && ctx.Err() == nil {
			break
		}
		if r.IntN(3) == 0 {
			<-time.After(time.Duration(r.IntN(1000)) * time.Microsecond)
		}
	}
	switch r.IntN(4) {
	case 0:
		c.CloseNow()
	case 1:
		c.Close(websocket.StatusGoingAway, y.reason)
	default:
		<-time.After(time.Duration(r.IntN(5000)) * time.Microsecond)
		c.Close(websocket.StatusNormalClosure, y.reason)
	}
}

func (y *canary) write(ctx context.Context, c *conn, p []byte, r *rand.Rand) error {
	switch r.IntN(6) {
	case 0:
		return c.Ping(ctx)
	case 1:
		w, err := c.Writer(ctx, websocket.Text)
		if err != nil {
			return err
		}
		_, err = w.Write(p)
		return errors.Join(err, w.Close())
	case 2:
		m, err := websocket.Prepare(websocket.Text, p)
		if err != nil {
			return err
		}
		return c.WritePrepared(ctx, m)
	}
	return c.Write(ctx, websocket.Text, p)
}

// listen reads in one of the ways there are, and looks at what it borrows also after
// others have run. echo has it reply.
func (y *canary) listen(where string, c *conn, echo bool, kind int) {
	ctx := context.Background()
	var p []byte
	var err error
	for err == nil {
		switch kind {
		case 0:
			if _, p, err = c.Next(ctx); err == nil {
				y.check(where, p)
				runtime.Gosched()
				y.check(where, p)
			}
		case 1:
			if _, p, err = c.ReadAppend(ctx, p[:0]); err == nil {
				y.check(where, p)
			}
		case 2:
			var m io.Reader
			if _, m, err = c.Reader(ctx); err == nil {
				p, err = io.ReadAll(m)
				y.check(where, p)
			}
		default:
			err = c.Serve(ctx, func(op websocket.Opcode, p []byte) error {
				y.check(where, p)
				runtime.Gosched()
				if echo {
					return c.Write(ctx, op, p)
				}
				return nil
			})
			if err == nil {
				_, _, err = c.Next(ctx)
			}
		}
		if err == nil && echo {
			err = c.Write(ctx, websocket.Text, p)
			y.check(where, p)
		}
	}
	y.checkEnd(where, err)
	c.CloseNow()
}

// session is one connection, its server an echo, from its beginning to its end.
func (y *canary) session(r *rand.Rand) {
	opts := websocket.Options{WriteTimeout: time.Second, CloseTimeout: time.Second}
	var hs websocket.Handshake
	if r.IntN(3) == 0 {
		opts.Compression = &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}
		hs.Extensions = "permessage-deflate"
	}
	a, b := wstest.NetPipe(1 << (6 + r.IntN(11)))
	if r.IntN(5) == 0 {
		breaks := wstest.Faults{Read: wstest.Fault{Do: wstest.Reset, After: int64(r.IntN(30_000)), Chunk: 1 + r.IntN(5000)}}
		a = wstest.WithFaults(a, breaks)
	}
	hs.Role = websocket.RoleServer
	server, err := websocket.NewConn(a, hs, &opts)
	if err != nil {
		panic(err)
	}
	hs.Role = websocket.RoleClient
	client, err := websocket.NewConn(b, hs, &opts)
	if err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	kinds := r.IntN(16)
	source := rand.New(rand.NewPCG(r.Uint64(), 0))
	all.Go(func() { y.listen("server", server, true, kinds/4) })
	all.Go(func() { y.listen("client", client, false, kinds%4) })
	all.Go(func() { y.talk(client, source) })
	if r.IntN(5) == 0 {
		wait := time.Duration(r.IntN(5000)) * time.Microsecond
		all.Go(func() {
			<-time.After(wait)
			server.CloseNow()
		})
	}
	all.Wait()
}

func TestIsolation(t *testing.T) {
	var foreign, passed atomic.Int64
	var first atomic.Pointer[string]
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		for i := range isolated {
			name := fmt.Sprintf("<%06d %06x>", i, i*i)[:canarySize-1] + ">"
			y := &canary{
				bytes: []byte(strings.Repeat(name, isolatedSize/canarySize+1)), reason: name,
				foreign: &foreign, passed: &passed, first: &first,
			}
			all.Go(func() { y.session(rand.New(rand.NewPCG(uint64(i), 7))) })
		}
		all.Wait()
	})
	if at := first.Load(); at != nil {
		t.Errorf("%d foreign bytes; the first in %s", foreign.Load(), *at)
	}
	require.Greater(t, passed.Load(), int64(isolated*isolatedSize/4), "enough has been looked at")
	t.Logf("%d bytes of %d connections", passed.Load(), isolated)
}
