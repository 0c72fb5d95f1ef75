package websocket

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// session is what a client sends: every kind of frame, every length of header.
// The masking key is zero in some frames, so that the text can be read here.
func session(t *testing.T) (wire []byte, messages []string) {
	t.Helper()
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		require.NoError(t, err)
		return b
	}
	wire = append(wire, unhex("81 85 00000000 48656c6c6f")...)       // text "Hello"
	wire = append(wire, unhex("81 85 37fa213d 7f9f4d5158")...)       // the same, masked (RFC 6455, 5.7)
	wire = append(wire, unhex("01 83 00000000 48c3bc")...)           // text "Hü", first of three
	wire = append(wire, unhex("89 82 00000000 7069")...)             // ping "pi"
	wire = append(wire, unhex("00 80 00000000")...)                  // nothing
	wire = append(wire, unhex("8a 80 00000000")...)                  // pong
	wire = append(wire, unhex("80 82 00000000 e282")...)             // not the end yet ...
	wire[len(wire)-8] = 0x00                                         // ... because FIN is taken back
	wire = append(wire, unhex("80 81 00000000 ac")...)               // the end: "Hü€"
	wire = append(wire, unhex("82 80 00000000")...)                  // empty binary
	wire = append(wire, unhex("82 fe 00c8 00000000")...)             // 200 bytes
	wire = append(wire, bytes.Repeat([]byte{0xab}, 200)...)          //
	wire = append(wire, unhex("82 ff 0000000000010000 01020304")...) // 65536 bytes
	wire = append(wire, bytes.Repeat([]byte{0x01, 0x02, 0x03, 0x04}, 1<<14)...)
	wire = append(wire, unhex("89 80 00000000")...)      // empty ping
	wire = append(wire, unhex("81 82 00000000 6f6b")...) // text "ok"
	return wire, []string{
		"text Hello", "text Hello", "text Hü€", "binary ",
		"binary " + strings.Repeat("\xab", 200),
		"binary " + strings.Repeat("\x00", 1<<16),
		"text ok",
	}
}

// TestResume gives a read up at every byte of a session, and nothing is lost.
func TestResume(t *testing.T) {
	wire, want := session(t)
	for at := range wire {
		if at > 600 && at < len(wire)-40 && at%997 != 0 {
			continue // the inside of a payload is the same everywhere
		}
		synctest.Test(t, func(t *testing.T) { resumeAt(t, wire, want, at) })
	}
}

func resumeAt(t *testing.T, wire []byte, want []string, at int) {
	ours, theirs := net.Pipe()
	c, err := NewConn(ours, Handshake{Role: RoleServer}, nil)
	require.NoError(t, err)
	goOn := make(chan struct{})
	var replies bytes.Buffer
	drained := make(chan struct{})
	go func() {
		io.Copy(&replies, theirs)
		close(drained)
	}()
	go func() {
		theirs.Write(wire[:at])
		<-goOn
		theirs.Write(wire[at:])
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	time.AfterFunc(time.Millisecond, cancel) // when everybody waits, time goes on
	var got []string
	gaveUp := false
	for len(got) < len(want) {
		op, p, err := c.Next(ctx)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled, "byte %d", at)
			require.False(t, gaveUp, "byte %d", at)
			gaveUp, ctx = true, context.Background()
			close(goOn)
			continue
		}
		got = append(got, op.String()+" "+string(p))
	}
	require.Equal(t, want, got, "byte %d", at)
	require.True(t, gaveUp, "byte %d", at)
	synctest.Wait()
	c.CloseNow()
	theirs.Close()
	<-drained
	require.Equal(t, "8a027069"+"8a00", hex.EncodeToString(replies.Bytes()), "byte %d", at)
}

func TestReadIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c, err := NewConn(ours, Handshake{Role: RoleServer}, &Options{ReadIdleTimeout: time.Second, KeepaliveInterval: -1})
		require.NoError(t, err)
		defer c.CloseNow()
		begun := time.Now()
		for range 3 {
			_, _, err = c.Read(context.Background())
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
		require.InDelta(t, 3*time.Second, time.Since(begun), float64(time.Second))
		go theirs.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'})
		_, p, err := c.Read(context.Background())
		require.NoError(t, err)
		require.Equal(t, "x", string(p))
	})
}
