package wstest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

// faulty returns a stream of which one end has faults.
func faulty(t *testing.T, f Faults) (bad *FaultConn, peer net.Conn) {
	a, b := NetPipe(0)
	bad = WithFaults(a, f)
	t.Cleanup(func() {
		bad.Close()
		b.Close()
	})
	return bad, b
}

func TestFaultChunk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad, peer := faulty(t, Faults{Read: Fault{Chunk: 2}, Write: Fault{Chunk: 1, Delay: time.Second}})
		peer.Write([]byte("abc"))
		p := make([]byte, 10)
		for _, want := range []string{"ab", "c"} {
			n, err := bad.Read(p)
			require.NoError(t, err)
			require.Equal(t, want, string(p[:n]))
		}
		begun := time.Now()
		go bad.Write([]byte("xyz"))
		for i, want := range []string{"x", "y", "z"} {
			n, err := peer.Read(p)
			require.NoError(t, err)
			require.Equal(t, want, string(p[:n]))
			require.Equal(t, time.Duration(i+1)*time.Second, time.Since(begun))
		}
		synctest.Wait()
		read, written := bad.Crossed()
		require.Equal(t, [2]int64{3, 3}, [2]int64{read, written})
	})
}

func TestFaultSplit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad, peer := faulty(t, Faults{Read: Fault{Split: 3}})
		peer.Write([]byte("abcdef"))
		p := make([]byte, 10)
		for _, want := range []string{"abc", "def"} {
			n, err := bad.Read(p)
			require.NoError(t, err)
			require.Equal(t, want, string(p[:n]))
		}
	})
}

func TestFaultShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad, peer := faulty(t, Faults{Write: Fault{Chunk: 4, Short: true}})
		n, err := bad.Write([]byte("abcdef"))
		require.NoError(t, err)
		require.Equal(t, 4, n)
		n, _ = peer.Read(make([]byte, 10))
		require.Equal(t, 4, n)
	})
}

func TestFaultActions(t *testing.T) {
	own := errors.New("own")
	for _, tc := range []struct {
		name  string
		fault Fault
		read  []error // of three reads of "ab", "cd", "ef"; nil: it is read
		write []error // of three writes of the same
		got   string  // by the peer
	}{
		{"nothing", Fault{}, []error{nil, nil, nil}, []error{nil, nil, nil}, "abcdef"},
		{"second call fails", Fault{Do: Fail, Call: 2}, []error{nil, ErrFault, nil}, []error{nil, ErrFault, nil}, "abef"},
		{"broken from the second on", Fault{Do: Broken, Call: 2, Err: own}, []error{nil, own, own}, []error{nil, own, own}, "ab"},
		{"swallow", Fault{Do: Swallow, Call: 2}, []error{nil, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded}, []error{nil, nil, nil}, "ab"},
		{"stall", Fault{Do: Stall, Call: 2}, []error{nil, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded}, []error{nil, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded}, "ab"},
		{"end", Fault{Do: EOF, Call: 2}, []error{nil, io.EOF, io.EOF}, []error{nil, syscall.EPIPE, syscall.EPIPE}, "ab"},
		{"reset", Fault{Do: Reset, Call: 2}, []error{nil, syscall.ECONNRESET, syscall.ECONNRESET}, []error{nil, syscall.ECONNRESET, syscall.ECONNRESET}, ""},
		{"fails after three bytes", Fault{Do: Fail, After: 3}, []error{nil, nil, ErrFault}, []error{nil, ErrFault, nil}, "abcef"},
		{"broken after two", Fault{Do: Broken, After: 2}, []error{nil, ErrFault, ErrFault}, []error{nil, ErrFault, ErrFault}, "ab"},
		{"broken at once", Fault{Do: Broken}, []error{ErrFault, ErrFault, ErrFault}, []error{ErrFault, ErrFault, ErrFault}, ""},
	} {
		t.Run("read, "+tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				bad, peer := faulty(t, Faults{Read: tc.fault})
				require.NoError(t, bad.SetReadDeadline(time.Now().Add(time.Second)))
				for i, want := range tc.read {
					if want == nil || i == 0 {
						peer.Write([]byte("abcdef"[2*i : 2*i+2]))
					}
					n, err := bad.Read(make([]byte, 2))
					require.ErrorIs(t, err, want, "read %d", i)
					require.Equal(t, err == nil, n > 0)
				}
			})
		})
		t.Run("write, "+tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				bad, peer := faulty(t, Faults{Write: tc.fault})
				require.NoError(t, bad.SetWriteDeadline(time.Now().Add(time.Second)))
				for i, want := range tc.write {
					_, err := bad.Write([]byte("abcdef"[2*i : 2*i+2]))
					require.ErrorIs(t, err, want, "write %d", i)
				}
				bad.Close()
				got, _ := io.ReadAll(peer)
				require.Equal(t, tc.got, string(got))
			})
		})
	}
}

func TestFaultStallResume(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bad, peer := faulty(t, Faults{})
		got := make(chan string)
		go func() {
			p := make([]byte, 10)
			n, _ := bad.Read(p)
			got <- string(p[:n])
		}()
		synctest.Wait() // it reads already
		bad.Stall()
		peer.Write([]byte("late"))
		begun := time.Now()
		time.AfterFunc(time.Minute, bad.Resume)
		require.Equal(t, "late", <-got)
		require.Equal(t, time.Minute, time.Since(begun))

		// What a deadline ends is not lost.
		require.NoError(t, bad.SetDeadline(time.Now().Add(time.Second)))
		go func() {
			_, err := bad.Read(make([]byte, 10))
			got <- err.Error()
		}()
		synctest.Wait()
		bad.Stall()
		peer.Write([]byte("kept"))
		require.Equal(t, os.ErrDeadlineExceeded.Error(), <-got)
		_, err := bad.Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		bad.Resume()
		require.NoError(t, bad.SetDeadline(time.Time{}))
		p := make([]byte, 3)
		for _, want := range []string{"kep", "t"} {
			n, err := bad.Read(p)
			require.NoError(t, err)
			require.Equal(t, want, string(p[:n]))
		}

		// Closing ends the calls that wait.
		bad.Stall()
		time.AfterFunc(time.Second, func() { bad.Close() })
		_, err = bad.Read(p)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestFaultOnTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	peer := <-accepted
	defer peer.Close()
	WithFaults(c, Faults{}).Reset()
	_, err = peer.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// A session over a stream that is split at every byte, both ways, and one that is
// cut at every byte: nothing is lost, or the loss is seen by both.
func TestConnOverFaults(t *testing.T) {
	session := func(f Faults) (crossed int64, err error) {
		var fc *FaultConn
		server, client := Pipe(&Options{WrapClient: func(c net.Conn) net.Conn {
			fc = WithFaults(c, f)
			return fc
		}})
		done := make(chan error, 1)
		go func() { done <- echo(ctx, server) }()
		defer func() {
			server.CloseNow()
			client.CloseNow()
			<-done
			_, crossed = fc.Crossed()
		}()
		for _, msg := range []string{"", "hello", strings.Repeat("x", 200)} {
			if err := client.Write(ctx, websocket.Text, []byte(msg)); err != nil {
				return 0, err
			}
			_, p, err := client.Read(ctx)
			if err != nil {
				return 0, err
			}
			if string(p) != msg {
				return 0, errors.New("another message came back")
			}
		}
		return 0, client.Close(websocket.StatusNormalClosure, "")
	}
	bubble(t, func(t *testing.T) {
		total, err := session(Faults{Read: Fault{Chunk: 1}, Write: Fault{Chunk: 1}})
		require.NoError(t, err)
		_, err = session(Faults{Write: Fault{Chunk: 3, Short: true}})
		require.NoError(t, err)
		for at := int64(1); at < total; at++ {
			_, err = session(Faults{Read: Fault{Split: at}, Write: Fault{Split: at}})
			require.NoError(t, err)
			for _, do := range []Action{Broken, EOF, Reset} {
				crossed, err := session(Faults{Write: Fault{Do: do, After: at}})
				require.Error(t, err, "cut at %d", at)
				require.Equal(t, at, crossed)
			}
		}
	})
}

func TestKeepaliveFindsStalledPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var wire *FaultConn
		server, client := Pipe(&Options{WrapClient: func(c net.Conn) net.Conn {
			wire = WithFaults(c, Faults{})
			return wire
		}})
		client.CloseRead(context.Background())
		begun := time.Now()
		time.AfterFunc(5*time.Minute, wire.Stall)
		_, _, err := server.Read(ctx)
		require.ErrorIs(t, err, websocket.ErrPeerTimeout)
		require.LessOrEqual(t, time.Since(begun), 5*time.Minute+41*time.Second)
		client.CloseNow()
	})
}
