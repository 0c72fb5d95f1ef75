package websocket

// A peer that vanishes from a real network: server and client are processes in
// network namespaces of their own, joined by a cable of which the client's end is
// taken down. No FIN and no RST comes of it; only the keepalive can tell.
//
// The test binary starts itself as the server, in a namespace where it may do as
// root does, and that starts itself as the client.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	netnsRole     = "WEBSOCKET_TEST_NETNS" // in the environment: which of the processes it is
	netnsServer   = "10.77.0.1"
	netnsClient   = "10.77.0.2/24"
	netnsInterval = 500 * time.Millisecond
	netnsTimeout  = 1500 * time.Millisecond // of a peer that is there, on a busy machine
)

func TestVanishedPeer(t *testing.T) {
	switch os.Getenv(netnsRole) {
	case "server":
		serveInNamespace(t)
		return
	case "client":
		dialInNamespace(t)
		return
	}
	if testing.Short() {
		t.Skip("takes seconds of real time, which -short is there to avoid")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the command ip (Debian: apt-get install iproute2) to lay a cable between network namespaces")
	}
	server := self("server", syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	server.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	server.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	var output strings.Builder
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Skipf("this machine does not let its users make network namespaces: %v", err)
	}
	err := server.Wait()
	if _, why, skipped := strings.Cut(output.String(), "no cable: "); skipped {
		t.Skip("this machine lets its users make network namespaces, but no cable between them:", why)
	}
	require.NoError(t, err, output.String())
	_, found, _ := strings.Cut(output.String(), "found after ")
	require.NotEmpty(t, found, "the server did not run the test:\n%s", output.String())
	after, _, _ := strings.Cut(found, "\n")
	t.Logf("found after %s; interval %v, timeout %v", after, netnsInterval, netnsTimeout)
}

// self is this test again, as another process.
func self(role string, namespaces uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestVanishedPeer$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), netnsRole+"="+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	return cmd
}

// ip runs the command of that name.
func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// A vanisher is the client's process as the server sees it.
type vanisher struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// do has the client do what it is told, and returns when it has.
func (v vanisher) do(what string) {
	v.t.Helper()
	fmt.Fprintln(v.in, what)
	for {
		line, err := v.out.ReadString('\n')
		require.NoError(v.t, err, "the client did not %s", what)
		if line == "done "+what+"\n" {
			return
		}
	}
}

func serveInNamespace(t *testing.T) {
	client := self("client", syscall.CLONE_NEWNET)
	in, err := client.StdinPipe()
	require.NoError(t, err)
	out, err := client.StdoutPipe()
	require.NoError(t, err)
	client.Stderr = os.Stderr
	require.NoError(t, client.Start())
	defer client.Wait()
	defer in.Close()
	v := vanisher{t, in, bufio.NewReader(out)}
	if err := ip("link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", strconv.Itoa(client.Process.Pid)); err != nil {
		fmt.Println("no cable:", err)
		return
	}
	require.NoError(t, ip("addr", "add", netnsServer+"/24", "dev", "v0"))
	require.NoError(t, ip("link", "set", "v0", "up"))

	l, err := net.Listen("tcp", netnsServer+":0")
	require.NoError(t, err)
	conns := make(chan *Conn, 1)
	ended := make(chan error, 1)
	ws := &Server{Handler: func(ctx context.Context, c *Conn) error {
		conns <- c
		_, _, err := c.Read(ctx)
		ended <- err
		return err
	}}
	ws.KeepaliveInterval, ws.KeepaliveTimeout = netnsInterval, netnsTimeout
	srv := &http.Server{Handler: ws}
	go srv.Serve(l)
	defer srv.Close()

	v.do("connect " + l.Addr().String())
	c := <-conns
	select { // while the cable is there, silence is answered for
	case err := <-ended:
		require.NoError(t, err, "the peer was there")
	case <-time.After(3 * netnsInterval):
	}
	require.Positive(t, c.Stats().RTT)

	v.do("vanish")
	begun := time.Now()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, ErrPeerTimeout)
		require.LessOrEqual(t, time.Since(begun), netnsInterval+netnsTimeout+time.Second)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the peer has vanished and nobody noticed")
	}
	t.Logf("found after %v", time.Since(begun))
}

// dialInNamespace does what its standard input says.
func dialInNamespace(t *testing.T) {
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch what, addr, _ := strings.Cut(commands.Text(), " "); what {
		case "connect":
			require.NoError(t, ip("addr", "add", netnsClient, "dev", "v1"))
			require.NoError(t, ip("link", "set", "v1", "up"))
			c, err := Dial(t.Context(), "ws://"+addr, nil)
			require.NoError(t, err)
			defer c.CloseNow()
			c.CloseRead(context.Background())
			require.NoError(t, c.Ping(t.Context()))
		case "vanish":
			require.NoError(t, ip("link", "set", "v1", "down"))
		}
		fmt.Println("done " + commands.Text())
	}
}
