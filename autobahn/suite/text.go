package suite

// This file writes results for people: a failing case with its wire log and its
// rule, and a line per category. It also saves a run as the report package reads it.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

var opcodeName = map[int]string{
	opCont: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong",
}

// Explain writes what happened in a case, frame by frame. ">" is the suite, "<" the
// peer.
func Explain(w io.Writer, r *result.Case) {
	fmt.Fprintf(w, "Case %s: behavior %s, close %s, after %d ms\n", r.ID, r.Behavior, r.BehaviorClose, r.Duration)
	fmt.Fprintf(w, "  sends     %s\n", strings.ReplaceAll(r.Description, "<br>", " "))
	fmt.Fprintf(w, "  expects   %s\n", r.Expectation)
	fmt.Fprintf(w, "  result    %s\n", r.Result)
	fmt.Fprintf(w, "  close     %s\n", r.ResultClose)
	if r.WasNotCleanReason != nil {
		fmt.Fprintf(w, "            %s\n", *r.WasNotCleanReason)
	}
	for _, verdict := range []string{result.OK, result.NonStrict} {
		if events, ok := r.Expected[verdict]; ok {
			fmt.Fprintf(w, "  %-9s %s\n", verdict, eventList(events))
		}
	}
	if len(r.Expected) > 0 {
		fmt.Fprintf(w, "  received  %s\n", eventList(r.Received))
	}
	if !r.CreateWirelog {
		fmt.Fprintf(w, "  (frames of this case are counted, not logged)\n")
	}
	if len(r.Wirelog) < 3 {
		fmt.Fprintf(w, "  request   %s\n  response  %s\n", oneLine(r.HTTPRequest), oneLine(r.HTTPResponse))
	}
	for _, e := range r.Wirelog {
		if line := logLine(e); line != "" {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
	switch {
	case r.DroppedByMe:
		fmt.Fprintln(w, "  > closes TCP")
	default:
		fmt.Fprintln(w, "  < closes TCP")
	}
	if r.RFC != nil {
		fmt.Fprintf(w, "  %s, section %s: %s\n", r.RFC.Document, r.RFC.Section, r.RFC.Sentence)
	}
}

func oneLine(head string) string { return strings.ReplaceAll(strings.TrimSpace(head), "\r\n", " | ") }

func eventList(events []result.Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	var parts []string
	for _, e := range events {
		switch {
		case e.Kind == result.EventTimeout:
			parts = append(parts, "pause "+e.Text+" passes")
		case e.Kind == result.EventPong:
			parts = append(parts, fmt.Sprintf("pong %q", e.Text))
		case e.Binary:
			parts = append(parts, fmt.Sprintf("binary %q", e.Text))
		default:
			parts = append(parts, fmt.Sprintf("text %q", e.Text))
		}
	}
	return strings.Join(parts, ", ")
}

// logLine is one line of the wire log; "" for those that only repeat a frame.
func logLine(e result.LogEntry) string {
	switch e.Kind {
	case result.LogTxFrame:
		return "> " + frameLine(e)
	case result.LogRxFrame:
		return "< " + frameLine(e)
	case result.LogContinue:
		return fmt.Sprintf("  waits %gs", e.Delay)
	case result.LogContinued:
		return "  has waited"
	case result.LogKillAfter:
		return fmt.Sprintf("  will fail the connection in %gs", e.Delay)
	case result.LogKilled:
		return "> fails the connection: the time is over"
	case result.LogCloseAfter:
		return fmt.Sprintf("  will close in %gs", e.Delay)
	case result.LogClosed:
		return "> closes: the time is over"
	case result.LogWirelogState:
		return fmt.Sprintf("  log of frames: %v", e.On)
	}
	return ""
}

func frameLine(e result.LogEntry) string {
	name := opcodeName[e.Opcode]
	if name == "" {
		name = fmt.Sprintf("opcode %d", e.Opcode)
	}
	s := fmt.Sprintf("%-12s", name)
	if !e.Fin {
		s += " FIN=0"
	}
	if e.RSV != 0 {
		s += fmt.Sprintf(" RSV=%03b", e.RSV)
	}
	if e.Mask != nil {
		s += " masked"
	}
	s += fmt.Sprintf(" %d octets", e.Data.Len)
	if e.Data.Len > 0 {
		s += fmt.Sprintf(" %q", e.Data.Text)
	}
	if e.Chop != nil {
		s += fmt.Sprintf(" in writes of %d", *e.Chop)
	}
	return s
}

// Summary writes a line per category and one for all, first of the original's cases,
// then of the suite's own, and tells whether all passed.
func Summary(w io.Writer, reports []*result.Case, strict bool) bool {
	type line struct{ ok, info, other, failed int }
	lines, pass := map[string]*line{}, true
	var order []string
	for _, r := range reports {
		if r == nil {
			continue
		}
		c, _, _ := strings.Cut(r.ID, ".")
		if lines[c] == nil {
			lines[c] = &line{}
			order = append(order, c)
		}
		l, e := lines[c], r.Entry()
		switch {
		case !e.Passed(r.ID, strict):
			l.failed++
			pass = false
		case e.Behavior == result.OK:
			l.ok++
		case e.Behavior == result.Informational:
			l.info++
		default:
			l.other++
		}
	}
	for i, c := range order {
		if own := c >= "20" && len(c) == 2; own && (i == 0 || order[i-1] < "20" || len(order[i-1]) < 2) {
			fmt.Fprintln(w, "Beyond the catalogue:")
		}
		l := lines[c]
		fmt.Fprintf(w, "%3s %-36s %4d OK", c, CategoryName[c], l.ok)
		for _, n := range []struct {
			count int
			what  string
		}{{l.info, "informational"}, {l.other, "non-strict or unimplemented"}, {l.failed, "FAILED"}} {
			if n.count > 0 {
				fmt.Fprintf(w, ", %d %s", n.count, n.what)
			}
		}
		fmt.Fprintln(w)
	}
	return pass
}

// Save writes the reports and index.json into dir, beside those of other agents that
// may be there, and draws the page.
func Save(dir string, reports []*result.Case) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	index, err := report.Load(dir)
	if errors.Is(err, fs.ErrNotExist) || index == nil {
		index, err = result.Index{}, nil
	}
	if err != nil {
		return err
	}
	for _, r := range reports {
		if r == nil {
			continue
		}
		if err := write(dir, result.ReportFile(r.Agent, r.ID, "json"), r); err != nil {
			return err
		}
		if index[r.Agent] == nil {
			index[r.Agent] = map[string]result.Entry{}
		}
		index[r.Agent][r.ID] = r.Entry()
	}
	if err := write(dir, "index.json", index); err != nil {
		return err
	}
	return report.WriteHTML(dir)
}

func write(dir, name string, v any) error {
	b, err := result.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), b, 0o644)
}

// Failed returns the reports that did not pass.
func Failed(reports []*result.Case, strict bool) []*result.Case {
	return slices.DeleteFunc(slices.Clone(reports), func(r *result.Case) bool {
		return r == nil || r.Entry().Passed(r.ID, strict)
	})
}
