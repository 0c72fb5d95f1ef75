package main

// This file is the mode self: this library's server and client, put to all cases at
// the same time as anyone else's would be, over TCP on the loopback interface.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"

	"github.com/seed9f1f0156/websocket/autobahn/result"
	"github.com/seed9f1f0156/websocket/autobahn/suite"
	"github.com/seed9f1f0156/websocket/autobahn/testee"
)

// self plays all cases in both roles and tells whether all passed.
func (c *command) self(ctx context.Context) (bool, error) {
	c.config.Done = c.progress
	c.config.Agent = testee.Agent
	passed := true
	for _, role := range []struct {
		what string
		run  func(context.Context, []*suite.Case, suite.Config) ([]*result.Case, error)
	}{{"server", selfServer}, {"client", selfClient}} {
		start := time.Now()
		reports, err := role.run(ctx, c.cases, c.config)
		if err != nil {
			return false, fmt.Errorf("as %s: %w", role.what, err)
		}
		dir := c.outdir
		if dir != "" {
			c.outdir += "/" + role.what + "s"
		}
		ok, err := c.finish("this library as "+role.what, reports, start)
		if err != nil {
			return false, err
		}
		c.outdir, passed = dir, passed && ok
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
	for _, heavy := range []bool{false, true} {
		var part []*suite.Case
		for _, c := range suite.ForClients(cases) {
			if c.Heavy == heavy {
				part = append(part, c)
			}
		}
		parallel := 32
		if heavy {
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
