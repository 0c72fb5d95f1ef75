package websocket

// The exported surface is kept small: everything that can live in a package of its
// own does.
//
// What is counted are the exported constants, variables, functions and types, and
// the exported methods of exported types: all that a program can call or name, but
// for the fields of structs, of which most are options that nobody has to know.

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxSurface is the number of exported identifiers that there are fewer than.
const maxSurface = 110

func TestSurface(t *testing.T) {
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		require.Equal(t, "websocket", file.Name.Name)
		files = append(files, file)
	}
	names, methods := surface(files)
	t.Logf("%d identifiers: %s", len(names), strings.Join(names, " "))
	t.Logf("%d methods: %s", len(methods), strings.Join(methods, " "))
	require.Less(t, len(names)+len(methods), maxSurface)
	for _, must := range []string{"Accept", "Conn", "Dial", "ErrPeerTimeout", "StatusNormalClosure"} {
		require.Contains(t, names, must, "the count does not see everything")
	}
	require.Contains(t, methods, "Conn.Read")
}

// surface returns the exported identifiers of a package, and the exported methods
// of its exported types, each once: files for different platforms may declare the
// same.
func surface(files []*ast.File) (names, methods []string) {
	add := func(list *[]string, ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() {
				*list = append(*list, id.Name)
			}
		}
	}
	for _, file := range files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					add(&names, d.Name)
				} else if on := receiver(d); ast.IsExported(on) && d.Name.IsExported() {
					methods = append(methods, on+"."+d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						add(&names, s.Names...)
					case *ast.TypeSpec:
						add(&names, s.Name)
					}
				}
			}
		}
	}
	slices.Sort(names)
	slices.Sort(methods)
	return slices.Compact(names), slices.Compact(methods)
}

// receiver returns the name of the type that a method is declared on.
func receiver(d *ast.FuncDecl) string {
	on := d.Recv.List[0].Type
	if star, ok := on.(*ast.StarExpr); ok {
		on = star.X
	}
	if id, ok := on.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
