package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed9f1f0156/websocket/autobahn/report"
	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// write lays out a run in a new directory and returns the page drawn of it.
func write(t *testing.T, index result.Index, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	b, err := result.Marshal(index)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"), b, 0o644))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	require.NoError(t, report.WriteHTML(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	return string(page)
}

// recorded returns the two recorded runs as one index, with the recorded reports.
func recorded(t *testing.T) (result.Index, map[string][]byte) {
	t.Helper()
	index := load(t, "coder")
	index["gorilla-utf8"] = load(t, "gorilla")["gorilla-utf8"]
	files := make(map[string][]byte)
	names, err := filepath.Glob("testdata/coder/coder_case_*.json")
	require.NoError(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		files[filepath.Base(name)] = b
	}
	require.Len(t, files, 5)
	return index, files
}

// details returns the embedded details of a case.
func details(t *testing.T, page, id string) map[string]any {
	t.Helper()
	_, rest, ok := strings.Cut(page, `data-case="`+id+`">`)
	require.True(t, ok, "case %s is not on the page", id)
	text, _, _ := strings.Cut(rest, "</script>")
	var d map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

func TestPageShowsEveryCaseOfEveryAgent(t *testing.T) {
	index, files := recorded(t)
	page := write(t, index, files)
	require.Equal(t, 517, strings.Count(page, `class="row case"`))
	require.Equal(t, 2*517, strings.Count(page, `class="cell `))
	require.Equal(t, 517, strings.Count(page, `<script type="application/json" data-case=`))
	require.Equal(t, 11, strings.Count(page, `<details class="cat"`))
	require.Contains(t, page, "<b>392</b> OK") // coder: OK in both respects
	require.Contains(t, page, "<b>514</b> OK") // gorilla
	require.Contains(t, page, `122 not OK`)    // 76 FAILED, 10 FAILED BY CLIENT, 36 UNIMPLEMENTED
	require.Contains(t, page, "all pass")
	require.Contains(t, page, "close: FAILED BY CLIENT")
}

func TestPageOpensOnlyCategoriesWithSomethingToSee(t *testing.T) {
	index, files := recorded(t)
	page := write(t, index, files)
	open := regexp.MustCompile(`<details class="cat"( open)? data-open="\w+">\s*<summary class="row"><span class="num">(\d+)`)
	var got []string
	for _, m := range open.FindAllStringSubmatch(page, -1) {
		if m[1] != "" {
			got = append(got, m[2])
		}
	}
	require.Equal(t, []string{"6", "7", "13"}, got)
}

func TestPageKeepsTheWireLog(t *testing.T) {
	index, files := recorded(t)
	d := details(t, write(t, index, files), "7.9.1")
	require.Equal(t, "Send close with invalid close code 0", d["description"])
	agents := d["agents"].([]any)
	coder, gorilla := agents[0].(map[string]any), agents[1].(map[string]any)
	require.Equal(t, true, coder["full"])
	require.Equal(t, false, gorilla["full"])
	log := coder["wirelog"].([]any)
	require.Len(t, log, 8)
	require.Equal(t, []any{"TF", []any{2.0, "\x00\x00"}, 8.0, true, 0.0, "7a8f466b", nil, nil, false}, log[2])
	require.Equal(t, []any{"KLE"}, log[7])
}

func TestPageIsSelfContained(t *testing.T) {
	index, files := recorded(t)
	page := write(t, index, files)
	require.NotRegexp(t, `<(script|img|link|iframe)[^>]*(src|href)=`, page)
	require.NotContains(t, page, "@import")
	require.NotContains(t, page, "url(")
	require.Contains(t, page, `default-src 'none'`)
}

// An agent's name and a log come from the peer: none of it may become markup.
func TestPageEscapesWhatThePeerSent(t *testing.T) {
	const evil = `</script><script>alert("x")</script><img src=x onerror=alert(1)>`
	reason := evil
	c := result.Case{
		Agent: evil, ID: "2.1", Behavior: result.OK, BehaviorClose: result.OK,
		Description: evil, HTTPResponse: evil, RemoteCloseReason: &reason,
		Wirelog: []result.LogEntry{{Kind: result.LogRxFrame, Data: result.Snippet{Len: len(evil), Text: evil}}},
	}
	b, err := result.Marshal(c)
	require.NoError(t, err)
	page := write(t, result.Index{evil: {"2.1": c.Entry()}}, map[string][]byte{c.Entry().ReportFile: b})
	require.NotContains(t, page, "<script>alert")
	require.NotContains(t, page, "<img")
	require.Equal(t, evil, details(t, page, "2.1")["agents"].([]any)[0].(map[string]any)["httpResponse"])
}

func TestPageShowsUnknownCasesAndVerdicts(t *testing.T) {
	page := write(t, result.Index{"a": {
		"20.3.1": {Behavior: "SURPRISING", BehaviorClose: "OK"},
		"99.1":   {Behavior: "OK", BehaviorClose: ""},
	}}, nil)
	require.Contains(t, page, "SURPRISING")
	require.Contains(t, page, "close: absent")
	require.Contains(t, page, "Beyond the original")
	require.Contains(t, page, "517 of the original")
}

func TestPageCutsALongLog(t *testing.T) {
	c := result.Case{Agent: "a", ID: "2.1", Wirelog: make([]result.LogEntry, 1000)}
	for i := range c.Wirelog {
		c.Wirelog[i].Kind = result.LogKilled
	}
	b, err := result.Marshal(c)
	require.NoError(t, err)
	page := write(t, result.Index{"a": {"2.1": c.Entry()}}, map[string][]byte{c.Entry().ReportFile: b})
	a := details(t, page, "2.1")["agents"].([]any)[0].(map[string]any)
	require.Len(t, a["wirelog"], 400)
	require.Equal(t, 600.0, a["wirelogCut"])
}

func TestWriteHTMLDoesNotFollowNamesOutOfTheDirectory(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(outer, "c.json"), []byte(`{"description": "from outside"}`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"),
		[]byte(`{"a": {"2.1": {"behavior": "OK", "behaviorClose": "OK", "reportfile": "../c.json"}}}`), 0o644))
	require.NoError(t, report.WriteHTML(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.NotContains(t, string(page), "from outside")
}

func TestWriteHTMLReportsABrokenCaseFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.json"),
		[]byte(`{"a": {"2.1": {"behavior": "OK", "behaviorClose": "OK", "reportfile": "c.json"}}}`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "c.json"), []byte(`{"id": `), 0o644))
	require.ErrorContains(t, report.WriteHTML(dir), "c.json is not the report of a case")
}
