package websocket

// The documentation is compiled: every block of Go in README.md, SECURITY.md and
// docs/ goes through the type checker, against the packages as they are now.
//
//   - A block that begins with "package" is a program or a file. It has to be
//     complete, gofmt's, and as strict as the compiler wants it.
//   - Any other block is a fragment: declarations, or statements. It may use the
//     packages of known without importing them, and the names of prelude; variables
//     that it declares and does not use are fine.
//   - In tables whose second column is headed "here", what that column has in
//     backquotes is a fragment too.
//
// A block fenced with more than "go", as in "```go gorilla", is another library's
// and is compiled by the module middleware, which requires these.

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// known are the packages that documentation may use.
var known = []string{
	"bufio", "bytes", "context", "crypto/tls", "embed", "encoding/json", "errors", "expvar", "fmt", "io", "log", "log/slog",
	"net", "net/http", "net/http/cookiejar", "net/http/httptest", "net/url", "os", "os/signal", "strings", "sync",
	"sync/atomic", "syscall", "testing", "testing/synctest", "time", "html/template",
	"github.com/seed9f1f0156/websocket",
	"github.com/seed9f1f0156/websocket/wsauth",
	"github.com/seed9f1f0156/websocket/wsjson",
	"github.com/seed9f1f0156/websocket/wstest",
}

// prelude is what fragments find.
const prelude = `
var (
	ctx  context.Context
	c    *websocket.Conn
	w    http.ResponseWriter
	r    *http.Request
	op   websocket.Opcode
	msg  []byte
	err  error
	all  []*websocket.Conn

	addr     string
	data     []byte
	mask     [4]byte
	header   http.Header
	client   *http.Client
	stream   io.ReadWriteCloser
	prepared *websocket.Prepared
	receiver websocket.Receiver
	closed   *websocket.CloseError
	tooBig   *websocket.MessageTooBigError
	v        any
)

type (
	Message struct{ From, Text string }
	Reply   struct{ OK bool }
	T       any
	userKey struct{}
)

func handle(websocket.Opcode, []byte) error                        { return nil }
func choose([]string) (string, error)                              { return "", nil }
func authenticate(*http.Request) (context.Context, error)          { return nil, nil }
func onClose(*websocket.Conn, websocket.StatusCode, bool, error)    {}
func onControl(*websocket.Conn, websocket.Opcode, []byte)           {}
`

var (
	goBlock   = regexp.MustCompile("(?s)\n```go\n(.*?)\n```")
	hereTable = regexp.MustCompile("\n\\| [a-z]+ \\| here \\|.*\n((?:\\|.*\n)+)")
	hereCell  = regexp.MustCompile("(?m)^\\| `[^`]+` \\| `([^`]+)` \\|")
)

func TestDocs(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("asks the go command for compiled packages, which -short is there to avoid")
	}
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	pages = append(pages, "README.md", "SECURITY.md")
	check := newDocChecker(t)
	var programs, fragments, cells int
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range goBlock.FindAllSubmatchIndex(text, -1) {
			block := string(text[m[2]:m[3]])
			where := fmt.Sprintf("%s:%d", page, 2+bytes.Count(text[:m[2]], []byte("\n")))
			if strings.HasPrefix(block, "package ") {
				programs++
				require.NoError(t, check.program(block), "%s\n%s", where, block)
			} else {
				fragments++
				require.NoError(t, check.fragment(block), "%s\n%s", where, block)
			}
		}
		for _, table := range hereTable.FindAllStringSubmatch(string(text), -1) {
			rows := strings.Count(table[1], "\n") - 1
			found := hereCell.FindAllStringSubmatch(table[1], -1)
			require.Len(t, found, rows, "a row of %s that is not of the form | `theirs` | `ours` |", page)
			for _, cell := range found {
				cells++
				require.NoError(t, check.fragment(statement(cell[1])), "%s: %s", page, cell[1])
			}
		}
	}
	require.GreaterOrEqual(t, programs, 9)
	require.GreaterOrEqual(t, fragments, 12)
	require.GreaterOrEqual(t, cells, 80)
}

// statement makes a statement of an expression that is none.
func statement(src string) string {
	x, err := parser.ParseExpr(src)
	if _, call := x.(*ast.CallExpr); err != nil || call {
		return src
	}
	return "_ = " + src
}

// TestDocsLinks: what a page links to is there, the heading too, and so is each test
// and example that it names.
func TestDocsLinks(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	link := regexp.MustCompile(`\]\(([^): ]+)\)`)
	named := regexp.MustCompile("`((?:Test|Example|Benchmark)[A-Z]\\w*)`")
	tests := testNames(t)
	for _, page := range append(pages, "README.md", "SECURITY.md", "CONTRIBUTING.md", "examples/README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range link.FindAllSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(string(m[1]), "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", page, m[1])
			if anchor != "" {
				require.Contains(t, headings(t, target), anchor, "%s links to %s", page, m[1])
			}
		}
		for _, m := range named.FindAllSubmatch(text, -1) {
			require.Contains(t, tests, string(m[1]), "%s names it", page)
		}
	}
}

// testNames returns the names of all tests, examples and benchmarks of the repository.
func testNames(t *testing.T) map[string]bool {
	names := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Example|Benchmark)\w*)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range function.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	}))
	return names
}

// headings returns the anchors of a page's headings.
func headings(t *testing.T, page string) (anchors []string) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	other := regexp.MustCompile(`[^a-z0-9 _-]`)
	for _, m := range regexp.MustCompile("(?m)^#+ (.*)$").FindAllSubmatch(text, -1) {
		anchor := other.ReplaceAllString(strings.ToLower(string(m[1])), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}

// TestDocsSeesMistakes is the test of the check.
func TestDocsSeesMistakes(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("asks the go command for compiled packages, which -short is there to avoid")
	}
	check := newDocChecker(t)
	for _, bad := range []string{
		"package main\n\nfunc main() { x := 1 }\n",                            // unused
		"package main\n\nimport \"fmt\"\n\nfunc main() {}\n",                  // unused
		"package main\n\nfunc main() {  }\n",                                  // not gofmt's
		"package main\n\nimport \"github.com/elsewhere\"\n\nfunc main() {}\n", // unknown
	} {
		require.Error(t, check.program(bad), bad)
	}
	for _, bad := range []string{
		"c.Send(ctx)", "c.Write(ctx, msg)", "n := c.Write(ctx, op, msg) + 1", "websocket.Close(1000)", "if {",
		"func f() int {}",
	} {
		require.Error(t, check.fragment(bad), bad)
	}
	for _, good := range []string{
		"op, msg, err := c.Read(ctx)", "func f() error { return c.CloseNow() }", "c.Close(1000, \"\")\nreturn nil",
	} {
		require.NoError(t, check.fragment(good), good)
	}
}

// A docChecker compiles blocks.
type docChecker struct {
	fset  *token.FileSet
	from  types.Importer
	paths map[string]string // of known, by name
}

// newDocChecker has the go command compile the known packages.
func newDocChecker(t *testing.T) *docChecker {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, known...)...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	compiled := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		compiled[name] = file
	}
	d := &docChecker{fset: token.NewFileSet(), paths: map[string]string{}}
	for _, p := range known {
		d.paths[path.Base(p)] = p
	}
	d.from = importer.ForCompiler(d.fset, "gc", func(name string) (io.ReadCloser, error) {
		file, ok := compiled[name]
		if !ok {
			return nil, fmt.Errorf("documentation imports %q, which is not among the known packages", name)
		}
		return os.Open(file)
	})
	return d
}

func (d *docChecker) program(src string) error {
	formatted, err := format.Source([]byte(src))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(formatted)) != strings.TrimSpace(src) {
		return fmt.Errorf("gofmt wants:\n%s", formatted)
	}
	return d.check(src, func(types.Error) bool { return false })
}

// fragment makes a file of statements or of declarations, whichever src is.
func (d *docChecker) fragment(src string) error {
	if _, err := format.Source([]byte(src)); err != nil {
		return err
	}
	body := src
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+body, 0); err != nil {
		body = "func _() error {\n" + src + "\npanic(0)\n}"
	}
	body += prelude
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+body, 0)
	if err != nil {
		return err
	}
	imports := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && d.paths[x.Name] != "" {
				imports[fmt.Sprintf("import %q\n", d.paths[x.Name])] = true
			}
		}
		return true
	})
	head := "package p\n"
	for line := range imports {
		head += line
	}
	return d.check(head+body, func(err types.Error) bool {
		return err.Soft && strings.HasPrefix(err.Msg, "declared and not used")
	})
}

// check runs the type checker and returns the errors that are not forgiven.
func (d *docChecker) check(src string, forgiven func(types.Error) bool) error {
	file, err := parser.ParseFile(d.fset, "doc.go", src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var errs []error
	conf := types.Config{
		Importer: d.from,
		Sizes:    types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) {
			if !forgiven(err.(types.Error)) {
				errs = append(errs, err)
			}
		},
	}
	_, _ = conf.Check("doc", d.fset, []*ast.File{file}, nil) // its error is the first of those
	return errors.Join(errs...)
}
