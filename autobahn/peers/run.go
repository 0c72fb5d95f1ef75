package main

// This file puts a contestant to the suite, in either role, and keeps the results in
// a directory for each role, beside those of other contestants and earlier runs.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
)

// process is a running peer.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr strings.Builder
}

// start starts the contestant in a role.
func (c contestant) start(ctx context.Context, flags ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, c.argv[0], append(c.argv[1:len(c.argv):len(c.argv)], flags...)...)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = 3 * time.Second
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// wait waits for the end of the process.
func (p *process) wait() error {
	_, _ = io.Copy(io.Discard, p.stdout)
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, p.stderr.String())
	}
	return nil
}

// server puts the contestant's server to the cases.
func (c contestant) server(ctx context.Context, cases []*suite.Case, config suite.Config) ([]*result.Case, error) {
	running, stop := context.WithCancel(ctx)
	p, err := c.start(running, "-listen", "127.0.0.1:0")
	if err != nil {
		stop()
		return nil, err
	}
	line, err := p.stdout.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		stop()
		return nil, fmt.Errorf("%s did not begin to listen: %q, %v", c.name, line, p.wait())
	}
	config.Agent = c.name
	reports, err := suite.RunServer(ctx, "ws://"+address+"/", cases, config)
	alive, dead := net.Dial("tcp", address)
	if dead == nil {
		alive.Close()
	}
	stop()
	if werr := p.wait(); dead != nil {
		return nil, fmt.Errorf("%s ended during the run: %w", c.name, werr)
	}
	return reports, err
}

// client puts the contestant's client to the cases: first those that wait, many at a
// time, then those that move megabytes, so that no time limit is missed for want of
// a CPU.
func (c contestant) client(ctx context.Context, cases []*suite.Case, config suite.Config) ([]*result.Case, error) {
	var all []*result.Case
	for _, heavy := range []bool{false, true} {
		var part []*suite.Case
		for _, one := range suite.ForClients(cases) {
			if one.Heavy == heavy {
				part = append(part, one)
			}
		}
		parallel := 16
		switch {
		case heavy && c.single:
			parallel = 1
		case heavy:
			parallel = runtime.GOMAXPROCS(0)
		}
		reports, err := c.clientPart(ctx, part, config, parallel)
		if err != nil {
			return nil, err
		}
		all = append(all, reports...)
	}
	return all, nil
}

func (c contestant) clientPart(ctx context.Context, cases []*suite.Case, config suite.Config, parallel int) ([]*result.Case, error) {
	if len(cases) == 0 {
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fuzzer := &suite.ClientServer{Cases: cases, Config: config}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- fuzzer.Serve(serving, l) }()
	p, err := c.start(ctx, "-dial", "ws://"+l.Addr().String(), "-agent", c.name, "-parallel", fmt.Sprint(parallel))
	if err == nil {
		err = p.wait()
	}
	reports := fuzzer.Reports(c.name)
	stop()
	if err = errors.Join(err, <-served); err != nil {
		return nil, err
	}
	if len(reports) != len(cases) {
		return nil, fmt.Errorf("%s has done %d of %d cases as client", c.name, len(reports), len(cases))
	}
	return reports, nil
}
