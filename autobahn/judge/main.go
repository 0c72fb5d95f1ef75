// Command judge reads the results of a conformance run and says whether it passed.
//
//	go run ./autobahn/judge -dir out/servers
//
// The directory holds index.json as the Autobahn test suite writes it, or the Go
// suite of this repository. Every result that is not OK (INFORMATIONAL where the
// case can give nothing else) is printed, for behaviour and for close behaviour, and
// so is every one of the 517 cases that did not run. The exit status is 0 when the
// run passed, 1 when it did not, 2 when there is nothing to judge. The scripts in
// autobahn/docker call it.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the command without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "", "directory that holds index.json")
	partial := flags.Bool("partial", false, "accept a run of chosen cases: do not ask for all 517")
	html := flags.Bool("html", false, "also draw the run as index.html in its directory, over one that is there")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *dir == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "judge: name the results with -dir DIRECTORY")
		return 2
	}
	index, err := report.Load(*dir)
	if err == nil && *html {
		err = report.WriteHTML(*dir)
	}
	if err != nil {
		fmt.Fprintln(stderr, "judge:", err)
		return 2
	}
	if *html {
		fmt.Fprintln(stdout, "report:", filepath.Join(*dir, "index.html"))
	}
	return judge(stdout, index, *partial)
}

// judge prints the problems and a line per agent, and returns the exit status.
func judge(w io.Writer, index result.Index, partial bool) int {
	problems := report.Judge(index)
	if !partial {
		problems = append(problems, report.Missing(index)...)
	}
	failed := make(map[string]map[string]bool) // agent, case
	for _, p := range problems {
		fmt.Fprintln(w, p)
		if failed[p.Agent] == nil {
			failed[p.Agent] = make(map[string]bool)
		}
		failed[p.Agent][p.Case] = true
	}
	for _, agent := range slices.Sorted(maps.Keys(index)) {
		word := "pass"
		if len(failed[agent]) > 0 {
			word = fmt.Sprintf("FAIL (%d cases)", len(failed[agent]))
		}
		fmt.Fprintf(w, "%s: cases run: %d: %s\n", agent, len(index[agent]), word)
	}
	if len(problems) > 0 {
		return 1
	}
	return 0
}
