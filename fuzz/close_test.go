package fuzz

// The closing handshake with peers that get it wrong, never end it, or never let
// us end it.

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

func TestCLS01CloseCutAnywhere(t *testing.T) {
	check(t,
		row{name: "code and reason", in: "880503e8627965", code: 1000, closed: true},
		row{name: "code", in: "880203e9", code: 1001, closed: true},
		row{name: "empty", in: "8800", code: 1005, closed: true})
}

func TestCLS02OneByte(t *testing.T) {
	check(t, row{name: "03", in: "880103", code: 1002}, row{name: "00", in: "880100", code: 1002})
}

// Every code there is, in both roles, by the Receiver; those at the borders also
// over a connection.
func TestCLS03EveryCode(t *testing.T) {
	for _, role := range bothRoles {
		for code := range 1 << 16 {
			in := masked(role, []byte{0x88, 2, byte(code >> 8), byte(code)})
			want := fmt.Sprintf("close %d ", code)
			if !refCloseCode(code) {
				want = "fail 1002"
			}
			if got := recvEvents(role, false, websocket.Limits{}, [][]byte{in}); len(got) != 1 || got[0] != want {
				t.Fatalf("%s: code %d: %v, want %s", roleName(role), code, got, want)
			}
		}
	}
	var rows []row
	for _, code := range []int{0, 1, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 32768, 65535} {
		r := row{name: fmt.Sprint(code), in: fmt.Sprintf("8802%04x", code), code: 1002}
		if refCloseCode(code) {
			r.code, r.closed = code, true
		}
		rows = append(rows, r)
	}
	check(t, rows...)
}

// Codes that stand for something which was not on the wire are never sent.
func TestCLS03NeverSent(t *testing.T) {
	for _, code := range []websocket.StatusCode{0, 999, 1004, 1006, 1015, 2999, 5000} {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, websocket.RoleServer, "", nil, 0)
			raw := collect(peer)
			require.Error(t, c.Close(code, ""))
			c.CloseNow()
			require.Empty(t, <-raw)
		})
	}
}

func TestCLS04ReasonIsText(t *testing.T) {
	check(t,
		row{name: "FF", in: "880303e8ff", code: 1007},
		row{name: "half a rune", in: "880403e8e282", code: 1007},
		row{name: "surrogate", in: "880503e8eda080", code: 1007},
		row{name: "bad code and bad text", in: "880303edff", code: 1002})
}

// Whatever we send is what we were given, to the byte: buffers are used again in
// between, full of another pattern.
func TestCLS05NoStaleBytes(t *testing.T) {
	for _, role := range bothRoles {
		for n := 0; n <= 123; n += 3 {
			synctest.Test(t, func(t *testing.T) {
				c, peer := open(t, role, "", nil, 0)
				raw := collect(peer)
				go c.Serve(t.Context(), func(websocket.Opcode, []byte) error { return nil })
				peer.Write(frames(role, frame(0x82, bytes.Repeat([]byte{0xDB}, 4096))))
				require.NoError(t, c.Write(t.Context(), websocket.Binary, bytes.Repeat([]byte{0xDB}, 200)))
				peer.Write(frames(role, frame(0x89, bytes.Repeat([]byte{1}, n))))
				synctest.Wait()
				go c.Close(websocket.StatusNormalClosure, strings.Repeat("r", n))
				synctest.Wait()
				peer.Close()
				sent := refFrames(t, role, <-raw)
				require.Len(t, sent, 3)
				require.Equal(t, bytes.Repeat([]byte{1}, n), sent[1].payload)
				require.Equal(t, "\x03\xe8"+strings.Repeat("r", n), string(sent[2].payload))
			})
		}
	}
}

// A reason that is too long is cut between runes.
func TestCLS06ReasonIsCut(t *testing.T) {
	for _, r := range []string{"é", "€", "😀"} {
		for lead := range 4 {
			synctest.Test(t, func(t *testing.T) {
				c, peer := open(t, websocket.RoleServer, "", nil, 0)
				raw := collect(peer)
				go c.Close(websocket.StatusNormalClosure, strings.Repeat("a", lead)+strings.Repeat(r, 130/len(r)))
				synctest.Wait()
				peer.Close()
				sent := refFrames(t, websocket.RoleServer, <-raw)
				require.Len(t, sent, 1)
				reason := sent[0].payload[2:]
				require.True(t, utf8.Valid(reason))
				require.LessOrEqual(t, len(reason), 123)
				require.Greater(t, len(reason), 123-len(r))
			})
		}
	}
}

func TestCLS07NothingAfterClose(t *testing.T) {
	check(t,
		row{name: "text", in: "880203e8 81046c617465", code: 1000, closed: true},
		row{name: "ping", in: "880203e8 8900", code: 1000, closed: true},
		row{name: "a broken rule", in: "880203e8 ff00", code: 1000, closed: true},
		row{name: "text after a broken rule", in: "8100 8300 81046c617465", want: []string{"text:"}, code: 1002},
		row{name: "close in a message", in: "010161 880203e8 800162", code: 1000, closed: true})
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			raw := collect(peer)
			peer.Write(frames(role, "880203e8"))
			_, err := readAll(c)
			require.Error(t, err)
			require.Error(t, c.Write(t.Context(), websocket.Text, []byte("late")))
			synctest.Wait()
			peer.Close()
			require.Len(t, refFrames(t, role, <-raw), 1)
		})
	}
}

// Both sides close at once, a hundred close frames come in one segment, ten
// goroutines close: one close frame goes out.
func TestCLS08OneCloseFrame(t *testing.T) {
	check(t, row{name: "a hundred", in: strings.Repeat("880203e8 ", 100), code: 1000, closed: true})
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			raw := collect(peer)
			peer.Write(frames(role, "880203e9"))
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { c.Close(websocket.StatusNormalClosure, "") })
			}
			all.Go(func() { readAll(c) })
			synctest.Wait()
			peer.Close()
			all.Wait()
			require.Len(t, refFrames(t, role, <-raw), 1)
		})
	}
}

// closeTimed closes a Conn while the peer does something, and returns how long it
// took.
func closeTimed(t *testing.T, role websocket.Role, buffer int, during func(c *websocket.Conn, peer net.Conn)) time.Duration {
	t.Helper()
	c, peer := open(t, role, "", nil, buffer)
	var other sync.WaitGroup
	other.Go(func() { during(c, peer) })
	synctest.Wait()
	begun := time.Now()
	c.Close(websocket.StatusNormalClosure, "")
	took := time.Since(begun)
	_, err := peer.Write(frames(role, "8900"))
	require.Error(t, err, "the stream is closed")
	other.Wait()
	return took
}

func TestCLS09PeerNeverCloses(t *testing.T) {
	for _, role := range bothRoles {
		for name, during := range map[string]func(c *websocket.Conn, peer net.Conn){
			"silent": func(c *websocket.Conn, peer net.Conn) {},
			"talks on": func(c *websocket.Conn, peer net.Conn) {
				for {
					if _, err := peer.Write(frames(role, "8100 8900")); err != nil {
						return
					}
					<-time.After(50 * time.Millisecond)
				}
			},
			"talks in one endless message": func(c *websocket.Conn, peer net.Conn) {
				peer.Write(frames(role, "0100"))
				for {
					if _, err := peer.Write(frames(role, "000161")); err != nil {
						return
					}
					<-time.After(50 * time.Millisecond)
				}
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				took := closeTimed(t, role, 0, during)
				require.Equal(t, 5*time.Second, took, name)
			})
		}
	}
}

// Nobody reads when Close is called, and the peer's message is half there.
func TestCLS10CloseWithoutReader(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 1024)
			raw := collect(peer)
			go func() {
				for range 100 {
					peer.Write(frames(role, frame(0x82, make([]byte, 999))))
				}
				peer.Write(frames(role, "880203e8"))
			}()
			synctest.Wait()
			begun := time.Now()
			require.NoError(t, c.Close(websocket.StatusNormalClosure, ""))
			require.LessOrEqual(t, time.Since(begun), 5*time.Second)
			<-raw
		})
	}
}

// Close goes past a write that is stuck, CloseRead does not stop writes, and a
// close called from where messages are handled does not wait for itself.
func TestCLS11CloseDoesNotDeadlock(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			wrote := make(chan error, 1)
			took := closeTimed(t, role, 64, func(c *websocket.Conn, peer net.Conn) {
				wrote <- c.Write(t.Context(), websocket.Binary, make([]byte, 4096))
			})
			require.LessOrEqual(t, took, 5*time.Second)
			require.Error(t, <-wrote)
		})
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			raw := collect(peer)
			c.CloseRead(t.Context())
			require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("still")))
			peer.Write(frames(role, "880203e8"))
			synctest.Wait()
			require.Error(t, c.Write(t.Context(), websocket.Text, []byte("over")))
			peer.Close()
			require.Len(t, refFrames(t, role, <-raw), 2)
		})
		synctest.Test(t, func(t *testing.T) {
			c, peer := open(t, role, "", nil, 0)
			raw := collect(peer)
			peer.Write(frames(role, "8100 880203e8"))
			err := c.Serve(t.Context(), func(websocket.Opcode, []byte) error {
				return c.Close(websocket.StatusNormalClosure, "from the handler")
			})
			require.ErrorIs(t, err, net.ErrClosed)
			require.Len(t, refFrames(t, role, <-raw), 1)
		})
	}
}

// The close frame itself cannot go out: the peer's buffer is full.
func TestCLS12CloseIntoAFullBuffer(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			took := closeTimed(t, role, 1, func(c *websocket.Conn, peer net.Conn) {
				c.Write(t.Context(), websocket.Binary, nil)
			})
			require.LessOrEqual(t, took, 5*time.Second)
		})
	}
}

// nothingWritten is a stream whose Write does nothing and reports no error.
type nothingWritten struct{ net.Conn }

func (nothingWritten) Write([]byte) (int, error) { return 0, nil }

func TestCLS13WriteOfNothing(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			ours, peer := wstest.NetPipe(0)
			defer peer.Close()
			c, err := websocket.NewConn(nothingWritten{ours}, websocket.Handshake{Role: role}, nil)
			require.NoError(t, err)
			require.Error(t, c.Write(t.Context(), websocket.Text, []byte("hello")))
			require.Error(t, c.Close(websocket.StatusNormalClosure, ""))
			c.CloseNow()
		})
	}
}
