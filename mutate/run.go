package main

// Running tests against a mutant. First those that are about its file, which kill
// most, and are quick; then, against a mutant that they let live, the other quick
// tests of the package. main.go calls it.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// A result is what became of a mutant.
type result string

const (
	killed      result = "killed"       // a test failed
	timeout     result = "timeout"      // it ran too long, or took too much memory: killed, too
	survived    result = "survived"     // no test noticed
	explained   result = "explained"    // as survivors.txt says
	notCompiled result = "not compiled" // it was none
)

// firstTests are the tests about each file of the core, by the beginnings of their
// names.
var firstTests = map[string]string{
	"frame.go":     "Frame|Send|RecvRules",
	"mask.go":      "Mask|RecvMasking",
	"utf8.go":      "UTF8",
	"recv.go":      "Recv",
	"send.go":      "Send",
	"message.go":   "Message",
	"close.go":     "Close|RecvRules|SendClose",
	"handshake.go": "CLI08Status|CLI09|CLI10|HS02|HS03|HS04M|HS05R|HS07|HS08|HS09|HS1[0-4]|SMG02|Check|Valid|Refusals|Append|Response|Parse|Choose|Extension|Tokens|Fold|ORG0[1-4]|HS24F|DialOptions",
	"request.go":   "Parse|Target|Query|RequestFields|BadURLs|DialRequest|CLI0[123]|DialOptions|DialUnix|DialJar",
	"deflate.go":   "Deflate|DialExtensions|AcceptExtensions",
	"origin.go":    "ORG|Quote|CheckOrigin|HS07|Refusals",
}

// otherTests are left out: they are about the drivers, and long.
const otherTests = "^Test(Simulat|Fault|MainSeesLeaks)"

// core is the files of the core, in the order of reading.
var core = strings.Fields("frame.go mask.go utf8.go recv.go send.go message.go close.go handshake.go request.go deflate.go origin.go")

const (
	cpuSeconds = 6       // for a run of the tests about a file, which need two at most
	allFactor  = 5       // so many times as much for the others
	memoryKiB  = 6 << 20 // of address space
)

// A runner runs test binaries in the package's folder.
type runner struct {
	dir string
	cpu int // seconds of processor time that a run may take
}

// try runs the tests of binary against mutant id, and tells how it ended, and by
// which test.
func (r runner) try(binary string, id int, args ...string) (result, string) {
	// A mutant may allocate, or turn, without end.
	shell := fmt.Sprintf(`ulimit -t %d; ulimit -v %d; exec "$0" "$@"`, r.cpu, memoryKiB)
	cmd := exec.Command("sh", append([]string{"-c", shell, binary, "-test.failfast"}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), mutantEnv+"="+strconv.Itoa(id))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return survived, ""
	}
	return judge(string(out), err)
}

var failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// judge reads how a failed run ended from its output.
func judge(out string, err error) (result, string) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return timeout, ws.Signal().String()
		}
	}
	switch {
	case strings.Contains(out, "panic: test timed out"):
		return timeout, "no end"
	case strings.Contains(out, "SIGXCPU"):
		return timeout, "processor time"
	case strings.Contains(out, "out of memory"), strings.Contains(out, "cannot allocate memory"):
		return timeout, "memory"
	}
	if m := failLine.FindStringSubmatch(out); m != nil {
		return killed, m[1]
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return killed, line
}

// first returns the arguments that select the tests about file.
func first(file string) []string {
	return []string{"-test.timeout=20s", "-test.short", "-test.run=^Test(" + firstTests[file] + ")", "-test.skip=" + otherTests}
}

// rest returns the arguments that select all other quick tests.
func rest(file string) []string {
	return []string{"-test.timeout=3m", "-test.short", "-test.skip=^Test(" + firstTests[file] + ")|" + otherTests}
}

// run tries m, compiled into binary, in two rounds, or in one if that has to do.
func (r runner) run(binary string, m *mutant, quick bool) {
	if m.Result, m.By = r.try(binary, m.ID, first(m.File)...); m.Result == survived && !quick {
		r.cpu *= allFactor
		m.Result, m.By = r.try(binary, m.ID, rest(m.File)...)
	}
}
