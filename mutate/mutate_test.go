package main

// The tool's own tests: what is changed, that what is compiled is that, and that
// each end of a run is told from the others, on a small module of its own.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const sampleGo = `package sample

const (
	red   = 1
	green = 2
)

type pair struct{ a, b int }

func (pair) unnamed(_ int, more ...int) (n int) { return len(more) }

// clamp has a border that its test does not look at.
func clamp(n int) int {
	if n > 10 && n != 77 {
		n = 10 // not more
	}
	for i := 0; i < n; i++ {
		calls++
	}
	switch n {
	case red:
		return green
	}
	return n
}

var calls int

var limits = []int{
	3,
	4 * 2,
}
`

const sampleTestGo = `package sample

import "testing"

func TestClamp(t *testing.T) {
	if limits[1] != 8 {
		t.Error("limits")
	}
	for n, want := range map[int]int{1: green, 5: 5, 11: 10, 12: 10, 77: 77} {
		if got := clamp(n); got != want {
			t.Errorf("%d: %d", n, got)
		}
	}
	if (pair{}).unnamed(1, 2, 3) != 2 {
		t.Error("unnamed")
	}
}
`

// sample returns the mutants of sampleGo, numbered.
func sample(t *testing.T) (*source, []*mutant) {
	t.Helper()
	s, err := parse("sample.go", sampleGo)
	if err != nil {
		t.Fatal(err)
	}
	list := find(s, successors([]*source{s}))
	for i, m := range list {
		m.ID = i + 1
	}
	return s, list
}

func TestFind(t *testing.T) {
	_, list := sample(t)
	var keys []string
	for _, m := range list {
		keys = append(keys, m.key())
	}
	for _, want := range []string{
		"sample.go -: red = 1 => red = (1+1)",
		"sample.go -: red = 1 => red = (1-1)",
		"sample.go pair.unnamed: " + unnamed + " { return len(more) } => " + unnamed + " { return *new(int); return len(more) }",
		"sample.go clamp: if n > 10 && n != 77 { => if n >= 10 && n != 77 {",
		"sample.go clamp: if n > 10 && n != 77 { => if n <= 10 && n != 77 {",
		"sample.go clamp: if n > 10 && n != 77 { => if n > 10 || n != 77 {",
		"sample.go clamp: if n > 10 && n != 77 { => if n > (10-1) && n != 77 {",
		"sample.go clamp: if n > 10 && n != 77 { => if n > 10 && n == 77 {",
		"sample.go clamp: if n > 10 && n != 77 { => if !(n > 10 && n != 77) {",
		"sample.go clamp: if n > 10 && n != 77 { => if false && (n > 10 && n != 77) {",
		"sample.go clamp: n = 10 => _ = 10",
		"sample.go clamp: for i := 0; i < n; i++ { => for i := 0; i < n; i-- {",
		"sample.go clamp: calls++ => calls--",
		"sample.go clamp: calls++ => (nothing)",
		"sample.go clamp: case red:; return green => (nothing)",
		"sample.go clamp: case red: => case green:",
	} {
		if !slices.Contains(keys, want) {
			t.Errorf("missing: %s\n%s", want, strings.Join(keys, "\n"))
			return
		}
	}
	if slices.Contains(keys, "sample.go clamp: for i := 0; i < n; i++ { => for i := 0; i < n; {") {
		t.Error("a loop without a step is no mutant")
	}
	slices.Sort(keys)
	if n := len(slices.Compact(keys)); n != len(list) {
		t.Errorf("%d keys for %d mutants", n, len(list))
	}
}

// Every mutant of the sample is compiled and run, but for those that are no
// program, and ends as it must.
func TestTry(t *testing.T) {
	dir, work := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"go.mod": "module sample\n\ngo 1.25\n", "sample.go": sampleGo, "sample_test.go": sampleTestGo} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOWORK", "off")
	s, list := sample(t)
	b, r := builder{dir, work}, runner{dir, 1}
	binary := filepath.Join(work, "all.test")
	if err := b.buildAll(binary, []*source{s}, list); err != nil {
		t.Fatal(err)
	}
	if res, by := r.try(binary, 0); res != survived {
		t.Fatalf("without a mutant: %s, %s", res, by)
	}
	ends := map[string]result{
		"clamp: if n > 10 && n != 77 { => if n >= 10 && n != 77 {":    survived,
		"clamp: if n > 10 && n != 77 { => if n <= 10 && n != 77 {":    killed,
		"clamp: if n > 10 && n != 77 { => if n > 10 || n != 77 {":     killed,
		"clamp: if n > 10 && n != 77 { => if !(n > 10 && n != 77) {":  killed,
		"clamp: n = 10 => n = (10+1)":                                 killed,
		"clamp: for i := 0; i < n; i++ { => for i := 0; i < n; i-- {": timeout,
		"-: 3, => (3+1),":                             survived,
		"-: 4 * 2, => 4 / 2,":                         killed,
		"clamp: calls++ => (nothing)":                 survived,
		"clamp: case red: => case green:":             killed,
		"clamp: case red:; return green => (nothing)": killed,
		"clamp: func clamp(n int) int { => func clamp(n int) int { return *new(int)":                                   killed,
		"pair.unnamed: " + unnamed + " { return len(more) } => " + unnamed + " { return *new(int); return len(more) }": killed,
	}
	for _, m := range list {
		key := strings.TrimPrefix(m.key(), "sample.go ")
		if want, ok := ends[key]; ok {
			if r.run(binary, m, false); m.Result != want {
				t.Errorf("%s, %s: %s", m.Result, m.By, key)
			}
			delete(ends, key)
		}
	}
	if len(ends) > 0 {
		t.Errorf("not found: %v", ends)
	}
}

const unnamed = "func (pair) unnamed(_ int, more ...int) (n int)"

func TestNotCompiled(t *testing.T) {
	s, err := parse("x.go", "package x\n\nfunc f(a string) string {\n\tb := a + \"c\"\n\treturn b\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	list := find(s, nil)
	for i, m := range list {
		m.ID = i + 1
	}
	text, spans := schema(s, list)
	if strings.Count(text, "func mutant") != len(list) || len(spans) != len(list) {
		t.Fatalf("%d mutants in\n%s", len(list), text)
	}
	minus := spans[slices.IndexFunc(spans, func(sp span) bool { return strings.Contains(sp.m.After, "a - ") })]
	line := strings.Split(text, "\n")[minus.from]
	if !strings.Contains(line, `a - "c"`) {
		t.Errorf("line %d: %s", minus.from, line)
	}
	complaint := fmt.Sprintf("work/x.go:%d:9: invalid operation\n\twork/x.go:1:1: other declaration", minus.from+1)
	if n := blame(complaint, map[string][]span{"x.go": spans}); n != 1 || minus.m.Result != notCompiled {
		t.Errorf("%d blamed", n)
	}
	if len(good(list, "x.go")) != len(list)-1 {
		t.Error("it is still taken for good")
	}
}

// Each file of the core has tests of its own, by whose names they are chosen.
func TestFirstTests(t *testing.T) {
	files, err := filepath.Glob("../*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(b), -1) {
			names = append(names, m[1])
		}
	}
	for _, file := range core {
		for _, part := range strings.Split(firstTests[file], "|") {
			is := regexp.MustCompile("^Test" + part)
			if !slices.ContainsFunc(names, is.MatchString) {
				t.Errorf("%s: no test begins with Test%s", file, part)
			}
		}
	}
}

func TestSurvivors(t *testing.T) {
	reasons, err := readSurvivors("# comment\na.go f: x => y\na.go g: x => y\n  It is\n  the same.\n\nb.go -: 1 => 2\n  So is this.\n")
	if err != nil || len(reasons) != 3 || reasons["a.go f: x => y"] != "It is the same." || reasons["b.go -: 1 => 2"] != "So is this." {
		t.Errorf("%v %v", reasons, err)
	}
	for _, bad := range []string{"a => b\n", "  why\n", "a => b\n  why\na => b\n  again\n"} {
		if _, err := readSurvivors(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	list := []*mutant{{File: "a.go", Func: "f", Before: "x", After: "y", Result: survived},
		{File: "a.go", Func: "g", Before: "x", After: "y", Result: killed}, {File: "a.go", Func: "h", Result: survived}}
	stale := explain(list, reasons)
	slices.Sort(stale)
	if !slices.Equal(stale, []string{"a.go g: x => y", "b.go -: 1 => 2"}) || list[0].Result != explained {
		t.Errorf("%q", stale)
	}
	var b strings.Builder
	if left := report(&b, []string{"a.go"}, list); left != 1 || !strings.Contains(b.String(), "33.3 %") {
		t.Errorf("%d left:\n%s", left, &b)
	}
}

// What survivors.txt explains is there to be tried.
func TestSurvivorsAreMutants(t *testing.T) {
	reasons, err := readSurvivors(survivorsTxt)
	if err != nil {
		t.Fatal(err)
	}
	p, err := planOf([]string{"-dir", ".."}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := p.mutants()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range explain(list, reasons) {
		t.Errorf("no such mutant: %s", key)
	}
}

func TestPlan(t *testing.T) {
	dir := []string{"-dir", ".."}
	count := func(args ...string) int {
		t.Helper()
		p, err := planOf(append(dir, args...), &strings.Builder{})
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := p.mutants()
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if all, one := count(), count("frame.go"); all < 2000 || one < 100 || one > 200 {
		t.Errorf("%d mutants, %d of frame.go", all, one)
	}
	if n := count("-sample", "10", "frame.go", "mask.go"); n != 20 {
		t.Errorf("a sample of %d", n)
	}
	if n := count("-match", "frame.go headerLen: .* => .*len16", "frame.go"); n == 0 || n > 5 {
		t.Errorf("%d match", n)
	}
	if _, err := planOf([]string{"conn.go"}, &strings.Builder{}); err == nil {
		t.Error("conn.go is not of the core")
	}
}
