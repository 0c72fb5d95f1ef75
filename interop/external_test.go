package interop

// Peers that are not Go: programs in testdata, and a browser.

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "embed"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// wsVersion is the version of npm's ws.
const wsVersion = "8.18.3"

// program is a peer outside of Go: dial or serve, and whether to compress, are
// appended to its command.
type program struct {
	name    string
	command func(t *testing.T) []string
}

func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("needs node, Python, Java and a C compiler: left out by -short")
	}
	for _, p := range []program{{"ws", node}, {"websockets", python}} {
		t.Run(p.name, func(t *testing.T) {
			command := p.command(t)
			for _, mode := range modes {
				t.Run(mode.name, func(t *testing.T) {
					deflate := strconv.FormatBool(mode.z != nil)
					drive(t, start(t, append(command, "serve", deflate)), mode.z)
					url := startEcho(t, mode.z)
					run(t, append(command, "dial", deflate, url+"/whole", url+"/fragments"))
				})
			}
		})
	}
	t.Run("libwebsockets", func(t *testing.T) {
		command := libwebsockets(t)
		drive(t, start(t, append(command, "serve")), nil)
		url := startEcho(t, nil)
		run(t, append(command, "dial", url+"/whole", url+"/fragments"))
	})
	t.Run("java", func(t *testing.T) {
		java := find(t, "java", "a JDK of version 17 or later: Debian's default-jdk-headless")
		url := startEcho(t, nil)
		run(t, []string{java, filepath.Join("testdata", "Peer.java"), url + "/whole", url + "/fragments"})
	})
}

// find returns the path of a program, or fails the test and says what to install.
func find(t *testing.T, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not on this machine: install %s, or run with -short", name, from)
	}
	return path
}

// node installs ws of a fixed version beside a copy of the script.
func node(t *testing.T) []string {
	path := find(t, "node", "Debian's nodejs and npm")
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join("testdata", "peer.cjs"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "peer.cjs"), script, 0o644))
	install := exec.CommandContext(t.Context(), find(t, "npm", "Debian's npm"), "install", "--prefix", dir,
		"--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "ws@"+wsVersion)
	out, err := install.CombinedOutput()
	require.NoError(t, err, "npm install ws: %s", out)
	return []string{path, filepath.Join(dir, "peer.cjs")}
}

// python looks for a Python that has websockets; a machine may have several.
func python(t *testing.T) []string {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import websockets").Run() == nil {
			return []string{name, filepath.Join("testdata", "peer.py")}
		}
	}
	t.Fatal("no python3 has websockets: install Debian's python3-websockets, or run with -short")
	return nil
}

// libwebsockets compiles the peer in C.
func libwebsockets(t *testing.T) []string {
	path := filepath.Join(t.TempDir(), "peer")
	cc := exec.CommandContext(t.Context(), find(t, "cc", "Debian's gcc and libwebsockets-dev"), "-O2", "-Wall", "-Wextra", "-Werror",
		"-o", path, filepath.Join("testdata", "peer.c"), "-lwebsockets")
	out, err := cc.CombinedOutput()
	require.NoError(t, err, "%s\ninstall Debian's libwebsockets-dev, or run with -short", out)
	return []string{path}
}

// start starts a server, which prints its URL, and stops it when the test ends.
func start(t *testing.T, command []string) (url string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	url, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(url)
}

// run runs a client, which prints ok if all it got back was right.
func run(t *testing.T, command []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok", strings.TrimSpace(string(out)))
}

//go:embed testdata/page.js
var page string

func TestChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium: left out by -short")
	}
	browser := find(t, "chromium", "Debian's chromium")
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), flags...)
	defer cancel()
	tab, cancel := chromedp.NewContext(allocated)
	defer cancel()
	tab, cancel = context.WithTimeout(tab, 3*time.Minute)
	defer cancel()
	for _, mode := range modes {
		url := startEcho(t, mode.z)
		for _, path := range []string{"/whole", "/fragments"} {
			// In a page of the same address: a page of none may not connect.
			_, err := chromedp.Run(tab, chromedp.Navigate("http"+strings.TrimPrefix(url, "ws")+"/page"))
			require.NoError(t, err)
			call := fmt.Sprintf("(%s)(%q, %t)", strings.TrimSuffix(page[strings.Index(page, "async"):], ";\n"), url+path, mode.z != nil)
			said, err := chromedp.Run(tab, chromedp.Evaluate[string](call, chromedp.EvalAwaitPromise))
			require.NoError(t, err, "%s%s", mode.name, path)
			require.Equal(t, "ok", said)
		}
	}
}
