package websocket

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A closing is one way through the closing handshake: what the peer sends, and
// what must come of it, seen from both sides.
type closing struct {
	name string
	// peer is what the peer sends, unmasked, in hex; for a server it is masked
	// with a key of zeros.
	peer string
	// then is what the peer does after that.
	then func(peer net.Conn)
	// user is what our user does while a read waits; nil for nothing.
	user func(c *Conn) error

	sent   string // our close frame's payload, in hex
	code   StatusCode
	remote bool
	within time.Duration
}

func hold(net.Conn)        {}
func hangUp(peer net.Conn) { peer.Close() }

func closeNormally(c *Conn) error { return c.Close(StatusNormalClosure, "bye") }

var closings = []closing{
	{"peer closes, no code", "8800", hangUpAfter, nil, "", StatusNoStatus, true, 0},
	{"peer closes with a code", "880203e8", hangUpAfter, nil, "03e8", StatusNormalClosure, true, 0},
	{"peer closes with a reason", "880503e9627965", hangUpAfter, nil, "03e9", StatusGoingAway, true, 0},
	{"peer closes and holds TCP", "880203e8", hold, nil, "03e8", StatusNormalClosure, true, lingerTimeout},
	{"we close, peer answers", "", answerClose, closeNormally, "03e8627965", StatusNormalClosure, false, 0},
	{"we close, peer is silent", "", hold, closeNormally, "03e8627965", StatusNormalClosure, false, defaultCloseTimeout},
	{"we close, peer talks on", "", talkOn, closeNormally, "03e8627965", StatusNormalClosure, false, defaultCloseTimeout},
	{"protocol error", "8b00", hold, nil, "03ea", StatusProtocolError, true, lingerTimeout},
	{"bad UTF-8", "8101ff", hold, nil, "03ef", StatusInvalidPayload, true, lingerTimeout},
	{"bad close code", "880203ed", hold, nil, "03ea", StatusProtocolError, true, lingerTimeout},
	{"too big", "827f0000000000100001", hold, nil, "03f1", StatusMessageTooBig, true, lingerTimeout},
	{"the end of TCP", "", hangUp, nil, "-", StatusAbnormalClosure, true, 0},
	{"CloseNow", "", hold, (*Conn).CloseNow, "-", StatusAbnormalClosure, false, 0},
}

// hangUpAfter hangs up when our close frame has come.
func hangUpAfter(peer net.Conn) {
	<-peer.(*tap).closeFrame
	peer.Close()
}

// answerClose waits for our close frame and echoes it, then hangs up.
func answerClose(peer net.Conn) {
	b := <-peer.(*tap).closeFrame
	peer.Write(b)
	peer.Close()
}

// talkOn sends empty pongs and messages for ever.
func talkOn(peer net.Conn) {
	for {
		if _, err := peer.Write(peer.(*tap).frames("8a008100")); err != nil {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// tap is the peer's end: it collects what we send.
type tap struct {
	net.Conn
	client     bool // the peer is a client and masks
	got        bytes.Buffer
	ended      chan struct{}
	closeFrame chan []byte
}

// frames gives short frames a masking key of zeros if the peer has to mask.
func (p *tap) frames(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	if !p.client {
		return b
	}
	var masked []byte
	for len(b) > 0 {
		n, size := headerLen(b[1]), b[1]
		masked = append(masked, b[0], b[1]|maskBit)
		masked = append(append(masked, b[2:n]...), 0, 0, 0, 0)
		b = b[n:]
		if len(b) > 0 {
			masked, b = append(masked, b[:size]...), b[size:]
		}
	}
	return masked
}

// collect reads what we send until the end, and hands a close frame on.
func (p *tap) collect() {
	defer close(p.ended)
	b := make([]byte, 512)
	for {
		n, err := p.Read(b)
		p.got.Write(b[:n])
		if n > 0 && b[0] == 0x88 {
			p.closeFrame <- p.echo(b[:n])
		}
		if err != nil {
			return
		}
	}
}

// echo turns our close frame into the peer's.
func (p *tap) echo(b []byte) []byte {
	payload := closePayloadOf(b)
	return p.frames(hex.EncodeToString(append([]byte{0x88, byte(len(payload))}, payload...)))
}

// closePayloadOf returns the payload of a close frame, unmasked byte by byte.
func closePayloadOf(b []byte) []byte {
	if b[1]&0x80 == 0 {
		return b[2:]
	}
	var p []byte
	for i, x := range b[6:] {
		p = append(p, x^b[2+i%4])
	}
	return p
}

func TestClosing(t *testing.T) {
	for _, role := range []Role{RoleServer, RoleClient} {
		for _, tc := range closings {
			name := map[Role]string{RoleServer: "server/", RoleClient: "client/"}[role] + tc.name
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { tc.run(t, role) })
			})
		}
	}
}

func (tc closing) run(t *testing.T, role Role) {
	ours, theirs := net.Pipe()
	peer := &tap{Conn: theirs, client: role == RoleServer, ended: make(chan struct{}), closeFrame: make(chan []byte, 1)}
	var hooked []StatusCode
	c, err := NewConn(ours, Handshake{Role: role}, &Options{
		KeepaliveInterval: -1,
		Hooks: &Hooks{Close: func(_ *Conn, code StatusCode, remote bool, _ error) {
			hooked = append(hooked, code)
		}},
	})
	require.NoError(t, err)
	begun := time.Now()
	go peer.collect()
	acted := make(chan struct{})
	go func() {
		defer close(acted)
		peer.Write(peer.frames(tc.peer))
		tc.then(peer)
	}()
	closed := make(chan error, 1)
	if tc.user != nil {
		go func() {
			<-time.After(time.Millisecond) // of the bubble: the read waits by then
			closed <- tc.user(c)
		}()
	}
	for err == nil {
		_, _, err = c.Next(context.Background())
	}
	require.Equal(t, tc.code, codeOf(err), "%v", err)
	var ce *CloseError
	if errors.As(err, &ce) {
		require.Equal(t, tc.remote, ce.Remote)
		require.Equal(t, !tc.remote, ce.Is(net.ErrClosed))
	}
	if tc.user != nil {
		<-closed
	}
	c.Close(StatusNormalClosure, "again")
	require.LessOrEqual(t, time.Since(begun), tc.within+2*time.Millisecond)
	theirs.Close()
	<-peer.ended
	<-acted
	for range 3 {
		_, _, again := c.Read(context.Background())
		require.Equal(t, err, again)
		require.Error(t, c.Write(context.Background(), Text, []byte("late")))
	}
	if tc.sent == "-" {
		require.Zero(t, peer.got.Len())
	} else {
		require.Equal(t, byte(0x88), peer.got.Bytes()[0])
		require.Equal(t, tc.sent, hex.EncodeToString(closePayloadOf(peer.got.Bytes())))
	}
	require.Equal(t, []StatusCode{tc.code}, hooked)
}

func codeOf(err error) StatusCode {
	switch e := err.(type) {
	case *CloseError:
		return e.Code
	default:
		return failCode(err)
	}
}

// TestCloseStuck: a peer whose window is zero does not keep Close waiting.
func TestCloseStuck(t *testing.T) {
	for _, role := range []Role{RoleServer, RoleClient} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe() // nobody reads from theirs
			c, err := NewConn(ours, Handshake{Role: role}, &Options{KeepaliveInterval: -1, WriteTimeout: -1})
			require.NoError(t, err)
			written := make(chan error, 1)
			go func() { written <- c.Write(context.Background(), Binary, make([]byte, 1<<20)) }()
			synctest.Wait()
			begun := time.Now()
			require.Error(t, c.Close(StatusNormalClosure, ""))
			require.Equal(t, defaultCloseTimeout, time.Since(begun))
			require.Error(t, <-written)
			_, err = io.ReadAll(theirs)
			require.NoError(t, err)
		})
	}
}
