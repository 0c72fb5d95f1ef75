package main

// This file is the mode self: this library's server and client, put to all cases at
// the same time as anyone else's would be, over TCP on the loopback interface.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
	"github.com/seed9f1f0156/websocket/autobahn/testee"
)

// role is one side that this library plays.
type role struct {
	name    string
	run     func(context.Context, []*suite.Case, suite.Config) ([]*result.Case, error)
	reports []*result.Case
	err     error
}

// self plays all cases in both roles, beside each other, and tells whether all passed.
func (c *command) self(ctx context.Context) (passed bool, err error) {
	start := time.Now()
	var printing sync.Mutex
	c.config.Agent = testee.Agent
	c.config.Done = func(r *result.Case) {
		printing.Lock()
		defer printing.Unlock()
		c.progress(r)
	}
	roles := []*role{{name: "server", run: selfServer}, {name: "client", run: selfClient}}
	var wg sync.WaitGroup
	for _, r := range roles {
		wg.Go(func() { r.reports, r.err = r.run(ctx, c.cases, c.config) })
	}
	wg.Wait()
	passed = true
	outdir := c.outdir
	for _, r := range roles {
		if r.err != nil {
			return false, fmt.Errorf("as %s: %w", r.name, r.err)
		}
		if outdir != "" {
			c.outdir = filepath.Join(outdir, r.name+"s")
		}
		ok, err := c.finish("this library as "+r.name, r.reports, start)
		if err != nil {
			return false, err
		}
		passed = passed && ok
	}
	return passed, nil
}

// selfServer puts our echo server to the cases.
func selfServer(ctx context.Context, cases []*suite.Case, config suite.Config) ([]*result.Case, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- testee.Serve(serving, l) }()
	reports, err := suite.RunServer(ctx, "ws://"+l.Addr().String()+"/", cases, config)
	stop()
	return reports, errors.Join(err, <-served)
}

// selfClient puts our echo client to the cases: first those that wait, many at a
// time, then those that move megabytes.
func selfClient(ctx context.Context, cases []*suite.Case, config suite.Config) (all []*result.Case, err error) {
	ordered, light := suite.InOrder(suite.ForClients(cases))
	for i, part := range [][]*suite.Case{ordered[:light], ordered[light:]} {
		parallel := 32
		if i > 0 {
			parallel = runtime.GOMAXPROCS(0) + 1
		}
		if config.Parallel > 0 {
			parallel = config.Parallel
		}
		reports, err := clientPart(ctx, part, config, parallel)
		if err != nil {
			return nil, err
		}
		all = append(all, reports...)
	}
	slices.SortFunc(all, func(a, b *result.Case) int { return cmp.Compare(a.Case, b.Case) })
	return all, nil
}

func clientPart(ctx context.Context, cases []*suite.Case, config suite.Config, parallel int) ([]*result.Case, error) {
	if len(cases) == 0 {
		return nil, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var reports []*result.Case
	fuzzer := &suite.ClientServer{Cases: cases, Config: config}
	fuzzer.Update = func(_ string, r []*result.Case) { reports = r }
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- fuzzer.Serve(serving, l) }()
	err = testee.RunClient(ctx, "ws://"+l.Addr().String(), config.Agent, parallel)
	stop()
	err = errors.Join(err, <-served)
	if err == nil && len(reports) != len(cases) {
		err = fmt.Errorf("the client has done %d of %d cases", len(reports), len(cases))
	}
	return reports, err
}
