// The file a run leaves behind: a header of `# key=value` lines that say where
// and from what the figures come, then one line per figure.
//
// Long form (one figure a line) so that kinds of measurement with different
// metrics share one file, and so that no reader depends on the order of
// columns. Written by the plan as figures arrive; read by `bench report`.

package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
)

// sample is one figure.
type sample struct {
	Rep    int
	Kind   string // echo, idle, handshake, broadcast, deflate, client, …
	Cell   string // what was asked, such as 16B-c64-p16
	Peer   string
	Metric string
	Value  float64
}

// run is all figures of one run and where they come from.
type run struct {
	Info    map[string]string
	Samples []sample
}

var csvColumns = []string{"rep", "kind", "cell", "peer", "metric", "value"}

// errOtherMachine tells that two runs cannot be compared.
var errOtherMachine = errors.New("runs of different machines cannot be compared")

// csvWriter appends samples to a file and flushes after each, so that an
// interrupted run keeps what it had measured.
type csvWriter struct{ w *csv.Writer }

// newCSVWriter writes the header.
func newCSVWriter(w io.Writer, info map[string]string) (*csvWriter, error) {
	keys := make([]string, 0, len(info))
	for k, v := range info {
		if strings.ContainsAny(k, "=\n") || strings.Contains(v, "\n") {
			return nil, fmt.Errorf("csv header %q=%q does not fit in a line", k, v)
		}
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if _, err := fmt.Fprintf(w, "# %s=%s\n", k, info[k]); err != nil {
			return nil, err
		}
	}
	c := &csvWriter{csv.NewWriter(w)}
	return c, c.line(csvColumns)
}

func (c *csvWriter) line(fields []string) error {
	if err := c.w.Write(fields); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// write appends one figure.
func (c *csvWriter) write(s sample) error {
	v := strconv.FormatFloat(s.Value, 'g', -1, 64)
	return c.line([]string{strconv.Itoa(s.Rep), s.Kind, s.Cell, s.Peer, s.Metric, v})
}

// readRun reads a file that csvWriter wrote.
func readRun(r io.Reader) (*run, error) {
	out := &run{Info: map[string]string{}}
	br := bufio.NewReader(r)
	for {
		if p, err := br.Peek(1); err != nil || p[0] != '#' {
			break
		}
		line, err := br.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("csv header: %w", err)
		}
		k, v, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#")), "=")
		if !ok {
			return nil, fmt.Errorf("csv header line %q has no '='", line)
		}
		out.Info[k] = v
	}
	rows, err := csv.NewReader(br).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || strings.Join(rows[0], ",") != strings.Join(csvColumns, ",") {
		return nil, fmt.Errorf("csv columns are not %s", strings.Join(csvColumns, ","))
	}
	for _, row := range rows[1:] {
		s, err := parseSample(row)
		if err != nil {
			return nil, err
		}
		out.Samples = append(out.Samples, s)
	}
	return out, nil
}

func parseSample(row []string) (sample, error) {
	rep, err := strconv.Atoi(row[0])
	if err != nil {
		return sample{}, fmt.Errorf("csv: repetition: %w", err)
	}
	v, err := strconv.ParseFloat(row[5], 64)
	if err != nil {
		return sample{}, fmt.Errorf("csv: value: %w", err)
	}
	return sample{Rep: rep, Kind: row[1], Cell: row[2], Peer: row[3], Metric: row[4], Value: v}, nil
}

// merge joins runs of one machine into one. Repetitions are renumbered so that
// those of one file are never paired with those of another.
func merge(runs []*run) (*run, error) {
	if len(runs) == 0 {
		return nil, errors.New("no run to read")
	}
	out := &run{Info: map[string]string{}}
	for k, v := range runs[0].Info {
		out.Info[k] = v
	}
	base := 0
	for _, r := range runs {
		if r.Info["machine"] == "" || r.Info["machine"] != out.Info["machine"] {
			return nil, fmt.Errorf("%w: %q and %q", errOtherMachine, out.Info["machine"], r.Info["machine"])
		}
		if r != runs[0] {
			for k, v := range r.Info {
				if out.Info[k] != v {
					out.Info[k] += " + " + v
				}
			}
		}
		top := base
		for _, s := range r.Samples {
			s.Rep += base
			top = max(top, s.Rep+1)
			out.Samples = append(out.Samples, s)
		}
		base = top
	}
	return out, nil
}

// byRep returns the values of one metric, keyed by repetition.
func (r *run) byRep(kind, cell, peer, metric string) map[int]float64 {
	out := map[int]float64{}
	for _, s := range r.Samples {
		if s.Kind == kind && s.Cell == cell && s.Peer == peer && s.Metric == metric {
			out[s.Rep] = s.Value
		}
	}
	return out
}

// spread is the median and quartiles of one metric over all repetitions.
func (r *run) spread(kind, cell, peer, metric string) spread {
	var xs []float64
	for _, v := range r.byRep(kind, cell, peer, metric) {
		xs = append(xs, v)
	}
	return spreadOf(xs)
}

// names lists the distinct values of one field of all samples of a kind, in
// the order of first appearance.
func (r *run) names(kind string, field func(sample) string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range r.Samples {
		if name := field(s); s.Kind == kind && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
