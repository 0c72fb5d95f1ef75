package websocket

// Two rules of the house that a compiler does not check: the core does no I/O,
// and the library never prints. Both are read off the source.

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// coreFiles are the files below the line: bytes in, events and bytes out.
var coreFiles = []string{
	"frame.go", "mask*.go", "utf8*.go", "close.go", "recv.go", "send.go", "message.go", "deflate.go", "handshake.go", "origin.go",
}

// coreImports is all that the core may use. What is not here does no I/O, has no
// clock, starts no goroutine and needs no lock only by luck.
var coreImports = map[string]bool{
	"bytes":           true,
	"crypto/rand":     true, // masking keys
	"crypto/sha1":     true, // the accept key (RFC 6455, 4.2.2)
	"encoding/base64": true,
	"encoding/binary": true,
	"errors":          true,
	"math":            true,
	"math/bits":       true,
	"slices":          true,
	"strconv":         true,
	"strings":         true,
	"unicode/utf8":    true,

	"github.com/seed9f1f0156/websocket/internal/deflate": true, // RFC 7692: bytes in, bytes out
}

// coreForbidden is named so that nobody adds it to the list above by reflex.
var coreForbidden = []string{
	"net", "net/http", "io", "bufio", "sync", "sync/atomic", "time", "context", "os", "runtime", "log", "fmt",
	"math/rand", "math/rand/v2", "unsafe", "reflect", "compress/flate",
}

// printers are the packages that a library has no use for, because it never
// prints and because its random numbers are not to be guessed.
var printers = []string{"log", "log/slog", "math/rand", "math/rand/v2"}

func parseFile(t *testing.T, name string) (*token.FileSet, *ast.File) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	return set, file
}

func importsOf(t *testing.T, file *ast.File) (paths []string) {
	t.Helper()
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		paths = append(paths, path)
	}
	return paths
}

func TestCoreImports(t *testing.T) {
	for _, path := range coreForbidden {
		require.False(t, coreImports[path], "%s is both allowed and forbidden", path)
	}
	for _, pattern := range coreFiles {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		seen := 0
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			seen++
			_, file := parseFile(t, name)
			for _, path := range importsOf(t, file) {
				require.True(t, coreImports[path], "%s imports %q: the core does no I/O and keeps no time", name, path)
			}
		}
		require.NotZero(t, seen, "no file %s: has the core moved away from its test?", pattern)
	}
}

func TestLibraryNeverPrints(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	seen := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		seen++
		set, file := parseFile(t, name)
		for _, path := range importsOf(t, file) {
			require.NotContains(t, printers, path, "%s imports %s", name, path)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if what := prints(n); what != "" {
				t.Errorf("%s: %s: the library never prints", set.Position(n.Pos()), what)
			}
			return true
		})
	}
	require.Greater(t, seen, 6)
}

// TestUnsafe: one file uses unsafe, and who sets the tag purego gets others in its place.
func TestUnsafe(t *testing.T) {
	const file = "syscall_linux.go"
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var users []string
	for _, name := range names {
		_, parsed := parseFile(t, name)
		if slices.Contains(importsOf(t, parsed), "unsafe") {
			users = append(users, name)
		}
	}
	require.Equal(t, []string{file}, users)
	for _, of := range []struct {
		arch, tag string
		raw       bool
	}{
		{"amd64", "", true}, {"arm64", "", true}, {"amd64", "purego", false}, {"386", "", false}, {"s390x", "", false},
	} {
		for name, wanted := range map[string]bool{file: of.raw, "syscall_plain_linux.go": !of.raw, "syscall_unix.go": !of.raw} {
			ctx := build.Default
			ctx.GOOS, ctx.GOARCH, ctx.BuildTags = "linux", of.arch, []string{of.tag}
			built, err := ctx.MatchFile(".", name)
			require.NoError(t, err)
			require.Equal(t, wanted, built, "%s with %+v", name, of)
		}
	}
}

// prints names what n prints with, if it does.
func prints(n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		pkg, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		name := pkg.Name + "." + n.Sel.Name
		if strings.HasPrefix(name, "fmt.Print") || name == "os.Stdout" || name == "os.Stderr" {
			return name
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
			return f.Name
		}
	}
	return ""
}

// TestPrintsSeesPrinting is the test of the test.
func TestPrintsSeesPrinting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.go")
	src := `package x
func f() {
	fmt.Println(fmt.Sprint(1)); fmt.Printf("")
	println(); print()
	fmt.Fprintln(os.Stderr); os.Stdout.Write(nil)
}`
	require.NoError(t, os.WriteFile(name, []byte(src), 0o600))
	_, file := parseFile(t, name)
	var seen []string
	ast.Inspect(file, func(n ast.Node) bool {
		if what := prints(n); what != "" {
			seen = append(seen, what)
		}
		return true
	})
	require.ElementsMatch(t, []string{"fmt.Println", "fmt.Printf", "println", "print", "os.Stderr", "os.Stdout"}, seen)
}
