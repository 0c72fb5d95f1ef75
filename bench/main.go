// Command bench measures WebSocket servers: this module's and those of other
// libraries, one after the other, on this machine.
//
//	go run ./bench              everything, as long as it takes
//	go run ./bench -quick       a minute: does it still work, is it still in its class
//	go run ./bench peers        what can be named in -peers
//	go run ./bench report FILE… tables and charts of earlier runs
//	go run ./bench profile      where a server's time goes, and its system calls
//	go run ./bench hostile      memory of hostile connections, against bounds
//	go run ./bench open         messages that come when they please, not behind an echo
//	go run ./bench shutdown     how long 10,000 connections take to say goodbye
//
// This file is the command line; plan.go is the order of measurements. The
// README beside it explains the method and its limits.

package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// subcommands other than the measurement itself. serve, load and client are
// what this binary calls itself with.
var subcommands = map[string]func([]string) error{
	"serve":    serveMain,
	"load":     loadMain,
	"client":   clientMain,
	"profile":  profileMain,
	"hostile":  hostileMain,
	"shutdown": shutdownMain,
	"tls":      tlsMain,
	"open":     openMain,
	"peers":    peersMain,
	"report":   reportMain,
}

func main() {
	err := dispatch(os.Args[1:])
	removeBuilt()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		if run := subcommands[args[0]]; run != nil {
			return run(args[1:])
		}
		names := make([]string, 0, len(subcommands))
		for n := range subcommands {
			names = append(names, n)
		}
		sort.Strings(names)
		return fmt.Errorf("unknown command %q; there are %s", args[0], strings.Join(names, ", "))
	}
	return runMain(args)
}

func peersMain([]string) error {
	fmt.Printf("%-14s %-30s %-10s %s\n", "name", "module", "version", "form")
	versions := moduleVersions()
	for _, p := range allPeers() {
		fmt.Printf("%-14s %-30s %-10s %s\n", p.name, p.module, versions[p.module], p.about)
	}
	return nil
}
