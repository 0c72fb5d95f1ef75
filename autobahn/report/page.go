package report

// This file lays out the table of the page: agents as columns, cases as rows under
// categories and groups. It computes everything that page.html prints; the script
// only hides, shows and opens. WriteHTML calls newPage.

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// page is everything that page.html shows.
type page struct {
	Title, When string
	CSS         template.CSS
	JS          template.JS
	Cases       int
	Agents      []agentCard
	AgentNames  []string
	Looks       int // rows with a problem
	Differ      int // rows on which agents differ
	Filters     []count
	Categories  []category
	Legend      []meaning
	Meanings    map[string]map[string]string
	Details     []caseScript
}

// count is how often a verdict occurs.
type count struct {
	Verdict, Class string
	N              int
}

// agentCard is the summary of one agent: the original's cases, and the own ones.
type agentCard struct {
	Name, Role string
	Parts      []agentPart
	Missing    int
}

// agentPart sums up a part of an agent's cases.
type agentPart struct {
	Title           string // "" for the original's cases
	Total, Problems int
	Counts          []count
}

type category struct {
	ID, Title string
	Open      bool // something in it needs a look
	Sums      []categorySum
	Groups    []rowGroup
}

// categorySum is one agent's score in a category.
type categorySum struct {
	Agent       string
	Good, Total int
	Counts      []count
}

type rowGroup struct {
	ID, Title, Rule, Link string
	Rows                  []row
}

type row struct {
	ID, About      string
	Results, Flags string // for the filters
	Cells          []cell
}

// cell is one agent's result of one case; Behavior is "" when it did not run.
type cell struct {
	Case, Name                string
	Agent                     int
	Behavior, Close, Took     string
	Class                     string
	BehaviorClass, CloseClass string
	Quiet                     bool // the behavior needs no look
}

// caseScript is a case's details as the page embeds them.
type caseScript struct {
	ID   string
	JSON json.RawMessage
}

// newPage lays out a run.
func newPage(index result.Index, cases map[caseKey]*result.Case) (*page, error) {
	css, err := assets.ReadFile("page.css")
	if err != nil {
		return nil, err
	}
	js, err := assets.ReadFile("page.js")
	if err != nil {
		return nil, err
	}
	agents, ids := slices.Sorted(maps.Keys(index)), allIDs(index)
	p := &page{
		Title: "WebSocket conformance: " + strings.Join(agents, ", "), When: startOf(cases),
		CSS: template.CSS(css), JS: template.JS(js),
		Cases: len(ids), AgentNames: agents, Legend: meanings, Meanings: make(map[string]map[string]string),
	}
	for _, m := range meanings {
		p.Meanings[m.Verdict] = map[string]string{"class": m.Class, "text": m.Meaning}
	}
	for _, agent := range agents {
		p.Agents = append(p.Agents, newAgentCard(agent, index[agent], roleOf(agent, cases)))
	}
	rowCounts := make(map[string]int)
	for _, id := range ids {
		d := newDetail(id, agents, index, cases)
		b, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		p.Details = append(p.Details, caseScript{id, b})
		p.addRow(newRow(id, d, agents), rowCounts)
	}
	p.Filters = counts(rowCounts)
	for i := range p.Categories {
		p.Categories[i].sum(agents, index)
	}
	return p, nil
}

// newAgentCard sums up an agent, the original's cases apart from the others.
func newAgentCard(name string, cases map[string]result.Entry, role string) agentCard {
	card := agentCard{Name: name, Role: role, Missing: len(Missing(result.Index{name: cases}))}
	parts := []agentPart{{}, {Title: "Beyond the original"}}
	tallies := []map[string]int{{}, {}}
	for id, e := range cases {
		i := 0
		if isOwn(id) {
			i = 1
		}
		parts[i].Total++
		tallies[i][worse(e)]++
		if !e.Passed(id, true) {
			parts[i].Problems++
		}
	}
	for i, part := range parts {
		if part.Total > 0 {
			part.Counts = counts(tallies[i])
			card.Parts = append(card.Parts, part)
		}
	}
	return card
}

// isOwn tells whether a case is one that the original suite does not have.
func isOwn(id string) bool {
	first, _, _ := strings.Cut(id, ".")
	n, err := strconv.Atoi(first)
	return err == nil && n >= firstOwn
}

// worse returns the worse of an entry's two verdicts.
func worse(e result.Entry) string {
	if severity(e.BehaviorClose) < severity(e.Behavior) {
		return e.BehaviorClose
	}
	return e.Behavior
}

// counts turns a tally into a list, OK first and then from mild to bad.
func counts(tally map[string]int) []count {
	verdicts := slices.SortedFunc(maps.Keys(tally), func(a, b string) int { return severity(b) - severity(a) })
	var list []count
	for _, v := range verdicts {
		list = append(list, count{verdictName(v), classOf(v), tally[v]})
	}
	return list
}

// newRow draws a case as a row of the table.
func newRow(id string, d detail, agents []string) row {
	r := row{ID: id, About: firstLine(d.Description)}
	verdicts, pairs, looks := make(map[string]bool), make(map[string]bool), false
	for i, agent := range agents {
		a := d.Agents[i]
		if a == nil {
			r.Cells = append(r.Cells, cell{Case: id, Name: agent, Agent: i})
			continue
		}
		e := result.Entry{Behavior: a.Behavior, BehaviorClose: a.BehaviorClose, Duration: a.Duration}
		verdicts[verdictName(e.Behavior)], verdicts[verdictName(e.BehaviorClose)] = true, true
		pairs[e.Behavior+"|"+e.BehaviorClose] = true
		looks = looks || !e.Passed(id, true)
		r.Cells = append(r.Cells, newCell(id, agent, i, e))
	}
	if verdicts[result.OK] && len(verdicts) > 1 {
		// OK as a filter shows rows in which some agent is OK in both respects.
		if !pairs[result.OK+"|"+result.OK] {
			delete(verdicts, result.OK)
		}
	}
	r.Results = strings.Join(slices.Sorted(maps.Keys(verdicts)), "|")
	if looks {
		r.Flags = "problems"
	}
	if len(pairs) > 1 {
		r.Flags = strings.TrimSpace(r.Flags + " differ")
	}
	return r
}

// newCell draws one agent's result. The close is shown when it has something to say.
func newCell(id, agent string, i int, e result.Entry) cell {
	c := cell{
		Case: id, Name: agent, Agent: i, Behavior: verdictName(e.Behavior), Took: took(e.Duration),
		Class: classOf(worse(e)), BehaviorClass: classOf(e.Behavior), CloseClass: classOf(e.BehaviorClose),
		Quiet: e.Behavior == result.OK,
	}
	both := e.Behavior == result.Informational && e.BehaviorClose == result.Informational
	if e.BehaviorClose != result.OK && !both {
		c.Close = verdictName(e.BehaviorClose)
	}
	return c
}

// took writes milliseconds as a person reads them.
func took(ms int) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

// addRow puts a row under its category and group. Rows come in the order of ids.
func (p *page) addRow(r row, rowCounts map[string]int) {
	first, _, _ := strings.Cut(r.ID, ".")
	if n := len(p.Categories); n == 0 || p.Categories[n-1].ID != first {
		title := categories[first]
		if title == "" && isOwn(r.ID) {
			title = "Beyond the original"
		}
		p.Categories = append(p.Categories, category{ID: first, Title: title})
	}
	c := &p.Categories[len(p.Categories)-1]
	g := groupOf(r.ID)
	if n := len(c.Groups); n == 0 || c.Groups[n-1].ID != g.id {
		c.Groups = append(c.Groups, newRowGroup(g))
	}
	last := &c.Groups[len(c.Groups)-1]
	last.Rows = append(last.Rows, r)
	for _, v := range strings.Split(r.Results, "|") {
		rowCounts[v]++
	}
	if strings.Contains(r.Flags, "problems") {
		p.Looks++
		c.Open = true
	}
	if strings.Contains(r.Flags, "differ") {
		p.Differ++
	}
}

func newRowGroup(g group) rowGroup {
	rg := rowGroup{ID: g.id, Title: g.title}
	if rg.Title == "" && g.cases > 0 {
		first, _, _ := strings.Cut(g.id, ".")
		rg.Title = categories[first] // the only group of its category
	}
	if rfc, section, ok := strings.Cut(g.rule, " "); ok {
		rg.Rule = fmt.Sprintf("RFC %s, %s", rfc, section)
		rg.Link = fmt.Sprintf("https://www.rfc-editor.org/rfc/rfc%s#section-%s", rfc, section)
	}
	return rg
}

// sum counts each agent's cases of the category.
func (c *category) sum(agents []string, index result.Index) {
	for _, agent := range agents {
		s := categorySum{Agent: agent}
		tally := make(map[string]int)
		for _, g := range c.Groups {
			for _, r := range g.Rows {
				e, ok := index[agent][r.ID]
				if !ok {
					continue
				}
				s.Total++
				tally[worse(e)]++
				if e.Passed(r.ID, true) {
					s.Good++
				}
			}
		}
		s.Counts = counts(tally)
		c.Sums = append(c.Sums, s)
	}
}
