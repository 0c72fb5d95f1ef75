package main

// One test binary for all mutants but those of constants: beside each function
// stand its mutants as functions of their own, and the first thing it does is to
// look which of them, if any, is to run; and a variable begins with the value that
// it is to have. So a mutant costs a run of tests but no build. The tree is never touched: go build takes the changed files as an overlay.

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// mutantEnv is the variable by which a test binary learns which mutant to run.
const mutantEnv = "WEBSOCKET_MUTANT"

// switchFile is what the package gets in addition.
const switchFile = `package %s

import (
	"os"
	"strconv"
)

// mutantOn is the mutant to run, or 0.
var mutantOn, _ = strconv.Atoi(os.Getenv("` + mutantEnv + `"))

func mutantIf[T any](id int, mutant, original T) T {
	if mutantOn == id {
		return mutant
	}
	return original
}
`

// span is the lines of a schema that hold a mutant.
type span struct {
	from, to int
	m        *mutant
}

// schema returns s with every mutant of list in it, and where they are. Those
// of constants are left out.
func schema(s *source, list []*mutant) (string, []span) {
	byDecl := map[*ast.FuncDecl][]*mutant{}
	byValue := map[ast.Expr][]*mutant{}
	for _, m := range list {
		switch {
		case m.decl != nil:
			byDecl[m.decl] = append(byDecl[m.decl], m)
		case m.value != nil:
			byValue[m.value] = append(byValue[m.value], m)
		}
	}
	var edits []edit
	for decl, ms := range byDecl {
		edits = append(edits, s.dispatch(decl, ms)...)
	}
	for value, ms := range byValue {
		edits = append(edits, s.choose(value, ms))
	}
	out := apply(s.text, edits...) + "\n"
	var spans []span
	for _, m := range list {
		switch {
		case m.decl != nil:
			from := strings.Count(out, "\n") + 1
			out += s.twin(m) + "\n"
			spans = append(spans, span{from, strings.Count(out, "\n"), m})
		case m.value != nil:
			before, _, _ := strings.Cut(out, choice(m))
			from := strings.Count(before, "\n") + 1
			spans = append(spans, span{from, from + 1 + strings.Count(s.valueOf(m), "\n"), m})
		}
	}
	return out, spans
}

// inBinary tells whether m is one of those that a schema holds.
func (m *mutant) inBinary() bool { return m.decl != nil || m.value != nil }

// choose returns the edit that makes a variable begin with the value of the mutant
// that is on.
func (s *source) choose(value ast.Expr, ms []*mutant) edit {
	e := edit{s.at(value.Pos()), s.at(value.End()), s.textOf(value)}
	for _, m := range ms {
		e.text = choice(m) + s.valueOf(m) + ",\n" + e.text + ")"
	}
	return e
}

func choice(m *mutant) string { return fmt.Sprintf("mutantIf(%d,\n", m.ID) }

// valueOf returns the value with m in it.
func (s *source) valueOf(m *mutant) string {
	at := s.at(m.value.Pos())
	return apply(s.textOf(m.value), edit{m.edit.start - at, m.edit.end - at, m.edit.text})
}

// twin returns the function of m with m in it and a name of its own.
func (s *source) twin(m *mutant) string {
	name := edit{s.at(m.decl.Name.Pos()), s.at(m.decl.Name.End()), twinName(m)}
	start, end := s.at(m.decl.Pos()), s.at(m.decl.End())
	head, body := s.text[:name.end], s.text[name.end:end]
	e := m.edit
	body = apply(body, edit{e.start - name.end, e.end - name.end, e.text})
	return apply(head, name)[start:] + body
}

func twinName(m *mutant) string { return fmt.Sprintf("mutant%d_%s", m.ID, m.decl.Name.Name) }

// dispatch returns the edits that make decl call the mutant that is on.
func (s *source) dispatch(decl *ast.FuncDecl, ms []*mutant) (edits []edit) {
	call := ""
	if decl.Recv != nil {
		names, e := s.names(decl.Recv, "receiver")
		edits = append(edits, e...)
		call = names[0] + "."
	}
	args, e := s.names(decl.Type.Params, "param")
	edits = append(edits, e...)
	if n := len(decl.Type.Params.List); n > 0 {
		if _, ok := decl.Type.Params.List[n-1].Type.(*ast.Ellipsis); ok {
			args[len(args)-1] += "..."
		}
	}
	var b strings.Builder
	b.WriteString("\nswitch mutantOn {\n")
	for _, m := range ms {
		run := call + twinName(m) + "(" + strings.Join(args, ", ") + ")"
		if decl.Type.Results != nil {
			run = "return " + run
		} else {
			run += "\nreturn"
		}
		fmt.Fprintf(&b, "case %d:\n%s\n", m.ID, run)
	}
	b.WriteString("}\n")
	at := s.at(decl.Body.Lbrace) + 1
	return append(edits, edit{at, at, b.String()})
}

// names returns the names of the parameters in list, and the edits that name those
// that have none.
func (s *source) names(list *ast.FieldList, prefix string) (names []string, edits []edit) {
	fresh := func() string { return prefix + "OfMutant" + strconv.Itoa(len(names)) }
	for _, field := range list.List {
		if len(field.Names) == 0 {
			at := s.at(field.Type.Pos())
			edits = append(edits, edit{at, at, fresh() + " "})
			names = append(names, fresh())
		}
		for _, name := range field.Names {
			if name.Name == "_" {
				edits = append(edits, edit{s.at(name.Pos()), s.at(name.End()), fresh()})
				names = append(names, fresh())
				continue
			}
			names = append(names, name.Name)
		}
	}
	return names, edits
}

// apply returns text with edits, which do not overlap, applied.
func apply(text string, edits ...edit) string {
	sort.SliceStable(edits, func(i, j int) bool { return edits[i].start < edits[j].start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.start] + e.text)
		at = e.end
	}
	return b.String() + text[at:]
}

// A builder makes test binaries of a package whose files are replaced.
type builder struct {
	dir  string // the package's folder
	work string // a folder for what is temporary
}

// build compiles the tests of pkg, "." for the package itself, with files in place
// of those of the same name. The output is what the compiler says.
func (b builder) build(pkg, binary string, files map[string]string, flags ...string) (output string, err error) {
	replace := map[string]string{}
	for name, text := range files {
		to := filepath.Join(b.work, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(b.dir, filepath.FromSlash(name))] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	at := filepath.Join(b.work, "overlay.json")
	if err := os.WriteFile(at, overlay, 0o600); err != nil {
		return "", err
	}
	args := append([]string{"test", "-c", "-vet=off", "-gcflags=-e", "-ldflags=-s -w", "-overlay", at, "-o", binary}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// buildAll compiles all mutants of list but those of constants into binary. Those
// that do not compile are marked and left out.
func (b builder) buildAll(binary string, sources []*source, list []*mutant) error {
	for range 8 { // an error may hide behind another
		files := map[string]string{"mutant_on.go": fmt.Sprintf(switchFile, sources[0].file.Name.Name)}
		spans := map[string][]span{}
		for _, s := range sources {
			files[s.name], spans[s.name] = schema(s, good(list, s.name))
		}
		out, err := b.build(".", binary, files)
		if err == nil {
			return nil
		}
		if blame(out, spans) == 0 {
			return fmt.Errorf("no mutant is to blame for: %w\n%s", err, out)
		}
	}
	return fmt.Errorf("the mutants of %s do not compile", sources[0].name)
}

// good returns the mutants of a file that may compile.
func good(list []*mutant, file string) (g []*mutant) {
	for _, m := range list {
		if m.File == file && m.Result != notCompiled {
			g = append(g, m)
		}
	}
	return g
}

var errorLine = regexp.MustCompile(`(?m)^(?:\S*/)?(\w+\.go):(\d+):`)

// blame marks the mutants that the compiler complains of and returns how many.
func blame(output string, spans map[string][]span) (n int) {
	for _, e := range errorLine.FindAllStringSubmatch(output, -1) {
		line, _ := strconv.Atoi(e[2])
		for _, sp := range spans[e[1]] {
			if sp.from <= line && line <= sp.to && sp.m.Result != notCompiled {
				sp.m.Result = notCompiled
				n++
			}
		}
	}
	return n
}
