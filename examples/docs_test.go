// The programs of docs/getting-started.md, copied to an empty module as a reader would, built, run, and used: by each
// other, and the page by headless Chromium. Only the port is changed, so that tests can run side by side.

package examples

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/examples/internal/e2e"
	"github.com/seed9f1f0156/websocket/wsjson"
)

// blocks returns the blocks of the page that are fenced with lang and begin with start.
func blocks(t *testing.T, lang, start string) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/getting-started.md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?s)\n```"+lang+"\n(.*?\n)```").FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(m[1], start) {
			all = append(all, m[1])
		}
	}
	return all
}

// module makes an empty module that uses the library as it is here, and returns its directory.
func module(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	run(t, dir, "mod", "init", "hello")
	run(t, dir, "mod", "edit", "-require=github.com/seed9f1f0156/websocket@v0.0.0",
		"-replace=github.com/seed9f1f0156/websocket="+root)
	return dir
}

// run runs the go command in dir.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// build writes a program, and the page, to a directory of its own and returns the path of the executable.
func build(t *testing.T, module, name, source, addr string) string {
	t.Helper()
	dir := filepath.Join(module, name)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NotContains(t, strings.ReplaceAll(source, "localhost:8080", addr), "8080")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(strings.ReplaceAll(source, "localhost:8080", addr)), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page.html"), []byte(blocks(t, "html", "")[0]), 0o644))
	run(t, dir, "build", "-o", "program", ".")
	return filepath.Join(dir, "program")
}

// start runs a server until the test ends, and returns when it listens on addr.
func start(t *testing.T, path, addr string) (cmd *exec.Cmd, log *bufio.Reader) {
	t.Helper()
	cmd = exec.Command(path)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, "%s does not listen", path)
	return cmd, bufio.NewReader(stderr)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return "localhost:" + port
}

func dial(t *testing.T, addr string) *websocket.Conn {
	t.Helper()
	c, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil)
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestGettingStarted(t *testing.T) {
	programs := blocks(t, "go", "package main")
	require.Len(t, programs, 5, "server, client, JSON, room and test")
	dir := module(t)

	t.Run("server and client", func(t *testing.T) {
		addr := freeAddr(t)
		start(t, build(t, dir, "server", programs[0], addr), addr)
		out, err := exec.Command(build(t, dir, "client", programs[1], addr)).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, "hello\n", string(out))
	})

	t.Run("JSON", func(t *testing.T) {
		addr := freeAddr(t)
		start(t, build(t, dir, "json", programs[2], addr), addr)
		c := dial(t, addr)
		require.NoError(t, wsjson.Write(t.Context(), c, map[string]int{"A": 1, "B": 2}))
		answer, err := wsjson.Read[map[string]int](t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"sum": 3}, answer)
		require.NoError(t, c.Write(t.Context(), websocket.Text, []byte("what?")))
		_, _, err = c.Read(t.Context())
		var closed *websocket.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, websocket.StatusInvalidPayload, closed.Code)
	})

	t.Run("room", func(t *testing.T) {
		addr := freeAddr(t)
		cmd, log := start(t, build(t, dir, "room", programs[3], addr), addr)
		members := []*websocket.Conn{dial(t, addr), dial(t, addr), dial(t, addr)}
		for i, c := range members { // each hears itself once it is in
			require.NoError(t, c.Write(t.Context(), websocket.Text, []byte{byte('0' + i)}))
			for {
				_, msg, err := c.Read(t.Context())
				require.NoError(t, err)
				if msg[0] == byte('0'+i) {
					break
				}
			}
		}
		require.NoError(t, members[0].Write(t.Context(), websocket.Text, []byte("all")))
		for _, c := range members {
			for heard := ""; heard != "all"; {
				_, msg, err := c.Read(t.Context())
				require.NoError(t, err)
				heard = string(msg)
			}
		}
		gone := make(chan error, len(members))
		for _, c := range members {
			go func() {
				_, _, err := c.Read(context.Background())
				gone <- err
			}()
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		for range members {
			var closed *websocket.CloseError
			require.ErrorAs(t, <-gone, &closed)
			require.Equal(t, websocket.StatusGoingAway, closed.Code)
		}
		text, err := io.ReadAll(log)
		require.NoError(t, err)
		require.Contains(t, string(text), "stopped; 0 connections did not answer in time")
		require.NoError(t, cmd.Wait())
	})

	t.Run("test", func(t *testing.T) {
		dir := filepath.Join(dir, "test")
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "echo_test.go"), []byte(programs[4]), 0o644))
		require.Contains(t, run(t, dir, "test", "-v", "-run", "TestEcho", "."), "--- PASS: TestEcho")
	})
}

func TestGettingStartedPage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser, which -short is there to avoid")
	}
	addr := freeAddr(t)
	cmd, _ := start(t, build(t, module(t), "room", blocks(t, "go", "package main")[3], addr), addr)
	browser := e2e.StartBrowser(t)
	shown := func(p *e2e.Page, text string) {
		t.Helper()
		p.WaitFor(`document.querySelector("pre").textContent.split("\n").includes("` + text + `")`)
	}
	a, b := browser.Open(t, "http://"+addr, 600, 400, "light"), browser.Open(t, "http://"+addr, 600, 400, "light")
	shown(a, "connected")
	shown(b, "connected")
	a.Type("input", "good morning")
	a.Enter()
	shown(a, "good morning")
	shown(b, "good morning")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	shown(a, "closed, 1001 ")
	shown(b, "closed, 1001 ")
}
