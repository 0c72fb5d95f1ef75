package report

// This file holds WriteHTML and the loading of what the page shows. The page is
// one file: style, script and every case's details are in it, so it opens from a
// disk, an archive of a CI run or a mail. page.go lays out the table.

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

//go:embed page.html page.css page.js
var assets embed.FS

var pageTemplate = template.Must(template.ParseFS(assets, "page.html"))

// maxLog bounds the wire log that the page shows of one case; the case's own JSON
// file has all of it.
const maxLog = 400

// WriteHTML draws the run kept in dir as dir/index.html. It reads index.json and
// the case files that are there; a case without its file is shown without a wire
// log. A file that is there and cannot be read is an error.
func WriteHTML(dir string) error {
	index, err := Load(dir)
	if err != nil {
		return err
	}
	cases, err := loadCases(dir, index)
	if err != nil {
		return err
	}
	p, err := newPage(index, cases)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// caseKey names the report of one case against one agent.
type caseKey struct{ agent, id string }

// loadCases reads the case files that the index names.
func loadCases(dir string, index result.Index) (map[caseKey]*result.Case, error) {
	cases := make(map[caseKey]*result.Case)
	for agent, entries := range index {
		for id, e := range entries {
			// An index may come from elsewhere: its names must not lead out of dir.
			if e.ReportFile == "" || filepath.Base(e.ReportFile) != e.ReportFile {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, e.ReportFile))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("report: %w", err)
			}
			c := new(result.Case)
			if err := json.Unmarshal(b, c); err != nil {
				return nil, fmt.Errorf("report: %s is not the report of a case: %w", e.ReportFile, err)
			}
			cases[caseKey{agent, id}] = c
		}
	}
	return cases, nil
}

// detail is what the drawer shows of one case: the parts that all agents share,
// then each agent's, at the agent's place on the page.
type detail struct {
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Expectation string         `json:"expectation"`
	Rule        *result.RFC    `json:"rule"`
	Agents      []*agentDetail `json:"agents"` // nil for an agent that did not run the case
}

// agentDetail is a case's report as the page embeds it: shortened, and with full
// false when only the index knows of it.
type agentDetail struct {
	result.Case
	Full       bool   `json:"full"`
	ReportFile string `json:"reportfile"`
	WirelogCut int    `json:"wirelogCut"` // entries left out
}

// newDetail joins what the agents' reports say about one case.
func newDetail(id string, agents []string, index result.Index, cases map[caseKey]*result.Case) detail {
	g := groupOf(id)
	d := detail{Title: g.title, Agents: make([]*agentDetail, len(agents))}
	if rfc, section, ok := strings.Cut(g.rule, " "); ok {
		d.Rule = &result.RFC{Document: "RFC " + rfc, Section: section}
	}
	for i, agent := range agents {
		e, ok := index[agent][id]
		if !ok {
			continue
		}
		a := &agentDetail{ReportFile: e.ReportFile}
		if c := cases[caseKey{agent, id}]; c != nil {
			if d.Description == "" {
				d.Description, d.Expectation = c.Description, c.Expectation
			}
			if c.RFC != nil {
				d.Rule = c.RFC
			}
			a.Case, a.Full = *c, true
			a.shorten()
		}
		// The index is what is judged: where a stray file says something else, the index is shown.
		a.Behavior, a.BehaviorClose, a.RemoteCloseCode, a.Duration = e.Behavior, e.BehaviorClose, e.RemoteCloseCode, e.Duration
		d.Agents[i] = a
	}
	return d
}

// shorten leaves out what the page does not show or has once for all agents.
func (a *agentDetail) shorten() {
	a.Agent, a.Description, a.Expectation, a.RFC = "", "", "", nil
	a.RxOctetStats, a.TxOctetStats = nil, nil
	if n := len(a.Wirelog); n > maxLog {
		a.Wirelog, a.WirelogCut = a.Wirelog[:maxLog:maxLog], n-maxLog
	}
}

var (
	breaks = regexp.MustCompile(`(?i)<br\s*/?>|\n`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// firstLine returns the first line of a description, which may hold HTML, as text.
func firstLine(description string) string {
	for _, line := range breaks.Split(description, -1) {
		if line = strings.TrimSpace(tags.ReplaceAllString(line, "")); line != "" {
			return line
		}
	}
	return ""
}

// roleOf tells which side an agent was, as far as its reports know.
func roleOf(agent string, cases map[caseKey]*result.Case) string {
	for key, c := range cases {
		if key.agent == agent {
			if c.IsServer {
				return "client under test"
			}
			return "server under test"
		}
	}
	return ""
}

// startOf returns when the earliest case began, to the minute, or "".
func startOf(cases map[caseKey]*result.Case) string {
	first := ""
	for c := range maps.Values(cases) {
		if first == "" || c.Started != "" && c.Started < first {
			first = c.Started
		}
	}
	day, clock, ok := strings.Cut(first, "T")
	if !ok || len(clock) < 5 {
		return ""
	}
	return day + " " + clock[:5] + " UTC"
}

// allIDs returns the ids of all agents' cases, in order.
func allIDs(index result.Index) []string {
	seen := make(map[string]bool)
	for _, cases := range index {
		for id := range cases {
			seen[id] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), compareIDs)
}
