// Package fuzz holds what is tested because somebody was hurt by it: the rows of
// CATALOGUE.md, and fuzz targets for whatever nobody has listed yet. It uses the
// exported API alone.
//
// This file plays a peer byte by byte against a Conn over a stream in memory and
// tells what came of it. Every row is played in both roles, whole and cut at every
// byte; called by all tests of rows whose bytes matter.
package fuzz

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

var bothRoles = []websocket.Role{websocket.RoleServer, websocket.RoleClient}

func other(role websocket.Role) websocket.Role {
	return websocket.RoleServer + websocket.RoleClient - role
}

func roleName(role websocket.Role) string { return [...]string{"server", "client"}[role] }

// unhex reads hex with blanks.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// frames makes of words, each of them a frame in hex without a mask, what the peer
// of role sends: to a server it masks. A word may end within the frame it begins.
func frames(role websocket.Role, words string) (out []byte) {
	for _, w := range strings.Fields(words) {
		out = append(out, masked(role, unhex(w))...)
	}
	return out
}

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// masked gives the frame f a mask if role is the server's.
func masked(role websocket.Role, f []byte) []byte {
	if role == websocket.RoleClient {
		return f
	}
	n := 2
	switch f[1] {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if len(f) < n {
		f = slices.Clone(f)
		f[1] |= 0x80
		return f
	}
	out := slices.Concat(f[:n], testKey[:], f[n:])
	out[1] |= 0x80
	for i := range f[n:] {
		out[n+4+i] ^= testKey[i%4]
	}
	return out
}

// frame returns a frame in hex for frames, its length in the shortest form.
func frame(b0 byte, p []byte) string {
	f := []byte{b0}
	switch n := len(p); {
	case n < 126:
		f = append(f, byte(n))
	case n < 1<<16:
		f = append(f, 126, byte(n>>8), byte(n))
	default:
		f = append(f, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return hex.EncodeToString(append(f, p...))
}

// open returns a Conn and the peer's end of its stream, each direction of which
// holds buffer bytes.
func open(t testing.TB, role websocket.Role, ext string, opts *websocket.Options, buffer int) (*websocket.Conn, net.Conn) {
	t.Helper()
	ours, peer := wstest.NetPipe(buffer)
	c, err := websocket.NewConn(ours, websocket.Handshake{Role: role, Extensions: ext}, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.CloseNow()
		peer.Close()
	})
	return c, peer
}

// collect reads stream to its end.
func collect(stream io.Reader) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(stream)
		all <- b
	}()
	return all
}

// readAll reads messages until an error, which it returns.
func readAll(c *websocket.Conn) (messages []string, err error) {
	for {
		op, p, err := c.Read(context.Background())
		if err != nil {
			return messages, err
		}
		messages = append(messages, op.String()+":"+string(p))
	}
}

// An outcome is what came of a session.
type outcome struct {
	messages []string
	err      error      // of the read behind them
	early    bool       // err came while the peer's stream was open
	sent     []refFrame // by the Conn
}

// play writes chunks to a Conn, each when it has seen the one before, and then ends
// the stream. To be called in a bubble.
func play(t *testing.T, role websocket.Role, ext string, opts websocket.Options, chunks [][]byte) (out outcome) {
	t.Helper()
	c, peer := open(t, role, ext, &opts, 0)
	sent := collect(peer)
	done := make(chan struct{})
	go func() {
		defer close(done)
		out.messages, out.err = readAll(c)
	}()
	for _, chunk := range chunks {
		if _, err := peer.Write(chunk); err != nil {
			break
		}
		synctest.Wait()
	}
	select {
	case <-done:
		out.early = true
	default:
	}
	peer.(interface{ CloseWrite() error }).CloseWrite()
	<-done
	c.CloseNow()
	out.sent = refFrames(t, role, <-sent)
	peer.Close()
	return out
}

// cuts returns in whole, byte by byte, and in two pieces at every byte; at every
// byte of its first and last twenty, if it is long.
func cuts(in []byte) [][][]byte {
	all := [][][]byte{{in}}
	if len(in) <= 256 {
		all = append(all, slices.Collect(slices.Chunk(in, 1)))
	}
	for i := 1; i < len(in); i++ {
		if len(in) <= 64 || i <= 20 || i >= len(in)-20 {
			all = append(all, [][]byte{in[:i], in[i:]})
		}
	}
	return all
}

// A row is what a peer sends and what has to come of it.
type row struct {
	name string
	in   string // see frames
	want []string
	// code is that of the one close frame that is owed, 0 if none is. It answers a
	// broken rule, or if closed is set a close frame.
	code   int
	closed bool
	pongs  []string
	opts   websocket.Options
	ext    string
}

const (
	noTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	takeover   = "permessage-deflate"
)

func deflating() websocket.Options {
	return websocket.Options{Compression: &websocket.Compression{SendTakeover: true, ReceiveTakeover: true}}
}

func check(t *testing.T, rows ...row) {
	t.Helper()
	for _, r := range rows {
		for _, role := range bothRoles {
			t.Run(r.name+", "+roleName(role), func(t *testing.T) {
				playRow(t, r, role, frames(role, r.in))
			})
		}
	}
}

// playRow plays in as the bytes of r, in every cut.
func playRow(t *testing.T, r row, role websocket.Role, in []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for _, chunks := range cuts(in) {
			r.judge(t, play(t, role, r.ext, r.opts, chunks), len(chunks[0]))
		}
	})
}

// judge holds the outcome of a row, first cut at byte cut, against the row.
func (r row) judge(t *testing.T, out outcome, cut int) {
	t.Helper()
	require.Equal(t, r.want, out.messages, "cut at %d", cut)
	var pongs []string
	var closes []int
	for _, f := range out.sent {
		require.Empty(t, closes, "cut at %d: nothing may follow a close frame", cut)
		switch f.op {
		case 0xA:
			pongs = append(pongs, string(f.payload))
		case 0x8:
			closes = append(closes, f.code())
		default:
			t.Fatalf("cut at %d: nobody sent a frame of opcode %x", cut, f.op)
		}
	}
	require.Equal(t, r.pongs, pongs, "cut at %d", cut)
	var ce *websocket.CloseError
	var pe *websocket.ProtocolError
	var be *websocket.MessageTooBigError
	if r.code == 0 {
		require.Empty(t, closes)
		require.ErrorAs(t, out.err, &ce, "cut at %d", cut)
		require.Equal(t, websocket.StatusAbnormalClosure, ce.Code)
		require.ErrorIs(t, out.err, io.ErrUnexpectedEOF)
		return
	}
	require.Equal(t, []int{r.code}, closes, "cut at %d", cut)
	require.True(t, out.early, "cut at %d: known before the stream ends", cut)
	switch {
	case r.closed:
		require.ErrorAs(t, out.err, &ce)
		require.True(t, ce.Remote)
		require.Equal(t, r.code, int(ce.Code))
	case r.code == 1009:
		require.ErrorAs(t, out.err, &be)
	default:
		require.ErrorAs(t, out.err, &pe, "cut at %d", cut)
		require.Equal(t, r.code, int(pe.Code))
	}
	require.False(t, errors.Is(out.err, net.ErrClosed), "it was the peer's doing")
}
