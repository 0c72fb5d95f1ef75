package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Program is a server of this module, running in a process of its own.
type Program struct {
	URL  string // http://host:port
	Addr string // host:port

	t   *testing.T
	cmd *exec.Cmd
}

// Build compiles the program in the test's directory and returns the path of the executable.
func Build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// Start runs the executable at path and waits until it has printed the address where it serves.
func Start(t *testing.T, path, addr string) *Program {
	t.Helper()
	p := &Program{t: t, cmd: exec.Command(path, "-addr", addr)}
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.cmd.Stderr = os.Stderr
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the program printed no address")
	_, rest, _ := strings.Cut(line, "http://")
	p.Addr, _, _ = strings.Cut(rest, " ")
	p.URL = "http://" + p.Addr
	return p
}

// Interrupt is Ctrl-C. The program has to end by itself, and well.
func (p *Program) Interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
	require.NoError(p.t, p.cmd.Wait())
}
