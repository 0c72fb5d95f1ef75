// Child processes of a run: the server under test and the load generator are
// this same binary, started again with another first argument, or one like it (apart.go).
//
// They are driven by lines: a command goes to standard input, one line of JSON
// comes back on standard output. A child that sees the end of its input ends,
// so none outlives the run. Called by the plan and by every measurement.

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// child is a process of ours that answers commands one at a time.
type child struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte // closed when its output ends
}

// startChild runs this binary with args on processor cpu (negative: anywhere).
func startChild(cpu int, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startBinary(self, cpu, args...)
}

// startBinary is startChild for another binary of this package.
func startBinary(path string, cpu int, args ...string) (c *child, err error) {
	c = &child{name: args[0], cmd: exec.Command(path, args...), lines: make(chan []byte, 16)}
	c.cmd.Stderr = os.Stderr
	// A test binary has no main of ours: this tells its TestMain to behave like one.
	c.cmd.Env = append(os.Environ(), childEnv+"=1")
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := pinned(cpu, c.cmd.Start); err != nil {
		return nil, fmt.Errorf("starting %v: %w", args, err)
	}
	go c.collect(out)
	return c, nil
}

// childEnv marks the environment of processes that startChild started.
const childEnv = "WEBSOCKET_BENCH_CHILD"

func (c *child) collect(out io.Reader) {
	defer close(c.lines)
	sc := bufio.NewScanner(out)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		c.lines <- append([]byte(nil), sc.Bytes()...)
	}
}

// pid is the process's id.
func (c *child) pid() int { return c.cmd.Process.Pid }

// failure is how a child reports that it cannot answer.
type failure struct {
	Error string `json:"error"`
}

// receive waits for the next line and decodes it into v.
func (c *child) receive(timeout time.Duration, v any) error {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case line, ok := <-c.lines:
		if !ok {
			return fmt.Errorf("%s ended before it answered", c.name)
		}
		var f failure
		if json.Unmarshal(line, &f) == nil && f.Error != "" {
			return errors.New(c.name + ": " + f.Error)
		}
		if err := json.Unmarshal(line, v); err != nil {
			return fmt.Errorf("%s said %q: %w", c.name, line, err)
		}
		return nil
	case <-t.C:
		return fmt.Errorf("%s did not answer within %v", c.name, timeout)
	}
}

// ask sends a command and waits for its answer.
func (c *child) ask(command string, timeout time.Duration, v any) error {
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return c.receive(timeout, v)
}

// stop ends the child: first by closing its input, then, after a second, by
// force. It returns when the process is gone.
func (c *child) stop() {
	c.in.Close()
	force := time.AfterFunc(time.Second, func() { c.cmd.Process.Kill() })
	for range c.lines {
	}
	c.cmd.Wait()
	force.Stop()
}

// reply prints one answer, in the child.
func reply(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(failure{err.Error()})
	}
	os.Stdout.Write(append(b, '\n'))
}
