// Tables from the figures of one or more runs: `bench report [-readme FILE]
// FILE…` and the end of every run.
//
// Medians stand in tables by measurement; what is compared is compared as the
// ratio to a baseline within each repetition, median with quartiles.

package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// reportMain prints the tables of the named CSV files and writes the charts
// beside the first.
func reportMain(args []string) error {
	fs := flag.NewFlagSet("report", flag.ContinueOnError)
	baselines := fs.String("baseline", "raw,gobwas-batch,gws", "servers that ratios are taken against")
	readme := fs.String("readme", "", "file whose part between the report markers is replaced")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var runs []*run
	for _, name := range fs.Args() {
		r, err := readFile(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		runs = append(runs, r)
	}
	all, err := merge(runs)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	writeReport(&text, all, strings.Split(*baselines, ","))
	if _, err := os.Stdout.Write(text.Bytes()); err != nil {
		return err
	}
	if err := writeCharts(all, strings.TrimSuffix(fs.Arg(0), filepath.Ext(fs.Arg(0)))); err != nil {
		return err
	}
	if *readme != "" {
		return replaceReport(*readme, text.Bytes())
	}
	return nil
}

func readFile(name string) (*run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRun(f)
}

// Markers of the generated part of a Markdown file.
const (
	reportBegin = "<!-- report: begin -->\n"
	reportEnd   = "<!-- report: end -->"
)

// replaceReport puts text between the markers of a Markdown file.
func replaceReport(name string, text []byte) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok1 := bytes.Cut(old, []byte(reportBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(reportEnd))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no report markers", name)
	}
	return os.WriteFile(name, bytes.Join([][]byte{before, []byte(reportBegin), text, []byte(reportEnd), after}, nil), 0o644)
}

// figure is one metric as a table shows it.
type figure struct {
	kind, metric, title string
	digits              int
}

// figures are the tables, in their order.
var figures = []figure{
	{"echo", "cpu_us", "Processor time of the server, µs per echoed message", 2},
	{"echo", "msgs_per_s", "Messages per second", 0},
	{"echo", "p50_us", "Latency, median, µs", 0},
	{"echo", "p99_us", "Latency, 99th percentile, µs", 0},
	{"echo", "p999_us", "Latency, 99.9th percentile, µs", 0},
	{"echo", "allocs", "Allocations per message", 2},
	{"echo", "alloc_bytes", "Bytes allocated per message", 0},
	{"echo", "rss_mib", "Resident memory of the server under load, MiB", 1},
	{"deflate", "cpu_us", "Compression without context takeover: processor time, µs per message", 1},
	{"deflate", "wire_bytes", "Compression without context takeover: bytes sent per message", 0},
	{"deflate", "allocs", "Compression without context takeover: allocations per message", 2},
	{"takeover", "cpu_us", "Compression with context takeover: processor time, µs per message", 1},
	{"takeover", "wire_bytes", "Compression with context takeover: bytes sent per message", 0},
	{"idle", "rss_kib", "Idle connection, KiB of resident memory after a collection", 2},
	{"idle", "trimmed_kib", "Idle connection, KiB after free pages went back to the kernel", 2},
	{"idle-takeover", "rss_kib", "Idle connection with compression and context takeover, KiB after a collection", 2},
	{"idle-takeover", "trimmed_kib", "Idle connection with compression and context takeover, KiB after free pages went back", 2},
	{"handshake", "cpu_us", "Handshake and teardown, µs of processor time", 1},
	{"handshake", "per_s", "Handshakes per second", 0},
	{"handshake", "p99_us", "Handshake latency, 99th percentile, µs", 0},
	{"broadcast", "cpu_us", "Broadcast, µs of processor time per delivered message", 2},
	{"broadcast", "p50_us", "Broadcast, µs until the last connection has it, median", 0},
	{"broadcast", "p99_us", "Broadcast, µs until the last connection has it, 99th percentile", 0},
	{"client", "cpu_us", "Client role: processor time of the client, µs per message", 2},
	{"client", "allocs", "Client role: allocations per message", 2},
}

func writeReport(w io.Writer, r *run, baselines []string) {
	fmt.Fprintf(w, "%s, %s, commit %s; %s repetitions of %s; processors: %s.\n\n",
		r.Info["host"], r.Info["go"], r.Info["commit"], r.Info["reps"], r.Info["window"], r.Info["pinned"])
	var mods []string
	for k, v := range r.Info {
		if m, ok := strings.CutPrefix(k, "module "); ok {
			mods = append(mods, m+" "+v)
		}
	}
	sort.Strings(mods)
	fmt.Fprintf(w, "Peers: %s.\n\n", strings.Join(mods, ", "))
	writeDisturbed(w, r)
	writeTargets(w, r)
	for _, f := range figures {
		writeTable(w, r, f.title, f.kind, func(cell, peer string) string {
			if s := r.spread(f.kind, cell, peer, f.metric); s.n > 0 {
				return fmt.Sprintf("%.*f", f.digits, s.median)
			}
			return "–"
		})
		if f.metric == "cpu_us" && f.kind == "echo" {
			for _, base := range baselines {
				writeRatios(w, r, f, base)
			}
		}
	}
}

// writeDisturbed tells how far the machine was free for measuring.
func writeDisturbed(w io.Writer, r *run) {
	all, bad := 0, 0
	for _, s := range r.Samples {
		if s.Metric == "waited" {
			all++
			if s.Value > quietEnough {
				bad++
			}
		}
	}
	if bad > 0 {
		fmt.Fprintf(w, "%d of %d windows were disturbed: the server or the generator stood in line for its processor for more than %.0f %% of the time.\n\n",
			bad, all, quietEnough*100)
	}
}

// writeRatios is a figure relative to one server.
func writeRatios(w io.Writer, r *run, f figure, base string) {
	if len(r.withPeer(f.kind, base)) == 0 {
		return
	}
	title := fmt.Sprintf("%s: ratio to `%s` within each repetition, median (quartiles)", f.title, base)
	writeTable(w, r, title, f.kind, func(cell, peer string) string {
		s := spreadOf(ratios(r.byRep(f.kind, cell, peer, f.metric), r.byRep(f.kind, cell, base, f.metric)))
		if s.n == 0 {
			return "–"
		}
		return fmt.Sprintf("%.2f (%.2f..%.2f)", s.median, s.q1, s.q3)
	})
}

// withPeer lists the samples of one server.
func (r *run) withPeer(kind, peer string) []sample {
	var out []sample
	for _, s := range r.Samples {
		if s.Kind == kind && s.Peer == peer {
			out = append(out, s)
		}
	}
	return out
}

// writeTable prints one Markdown table, servers down and cells across; nothing
// if the kind was not measured.
func writeTable(w io.Writer, r *run, title, kind string, entry func(cell, peer string) string) {
	cells := r.names(kind, func(s sample) string { return s.Cell })
	peers := tableOrder(r.names(kind, func(s sample) string { return s.Peer }))
	if len(cells) == 0 {
		return
	}
	fmt.Fprintf(w, "**%s**\n\n| |", title)
	for _, c := range cells {
		fmt.Fprintf(w, " %s |", c)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(cells)))
	for _, p := range peers {
		fmt.Fprintf(w, "| %s |", p)
		for _, c := range cells {
			fmt.Fprintf(w, " %s |", entry(c, p))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// tableOrder sorts servers as allPeers lists them, unknown ones last.
func tableOrder(names []string) []string {
	rank := map[string]int{}
	for i, p := range allPeers() {
		rank[p.name] = i - len(allPeers())
	}
	sort.SliceStable(names, func(i, j int) bool { return rank[names[i]] < rank[names[j]] })
	return names
}
