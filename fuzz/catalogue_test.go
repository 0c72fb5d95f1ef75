package fuzz

// CATALOGUE.md says for each known hole which test answers it. It is generated
// from testdata/catalogue.txt and from the source of all tests, by go test -run
// TestCatalogue -update; without -update the test fails if a row has no test or is
// not on the page, or if a test that is named does not exist.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testsOf returns the names of all tests and fuzz targets of the repository and
// the folders they are in.
func testsOf(t *testing.T, root string) map[string]string {
	t.Helper()
	folders := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
				at, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				if at = "./" + filepath.ToSlash(at); at == "./." {
					at = "./"
				}
				if old, ok := folders[f.Name.Name]; !ok || at < old {
					folders[f.Name.Name] = at
				}
			}
		}
		return nil
	}))
	return folders
}

// A holeRow is a line of testdata/catalogue.txt.
type holeRow struct{ id, what, where string }

func catalogueRows(t *testing.T) (rows []holeRow) {
	t.Helper()
	b, err := os.ReadFile("testdata/catalogue.txt")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := append(strings.SplitN(line, " | ", 3), "")
		require.GreaterOrEqual(t, len(f), 3, line)
		rows = append(rows, holeRow{f[0], f[1], f[2]})
	}
	return rows
}

// named returns the tests that are named after the row id.
func named(id string, all map[string]string) (names []string) {
	is := regexp.MustCompile("^(Test|Fuzz)" + strings.ReplaceAll(id, "-", "") + `(\D|$)`)
	for name := range all {
		if is.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const pageHead = `# Known holes, and the tests that answer them

Each row is a way in which some implementation of WebSocket, in some language, was
crashed, drained, put out of step or fooled. The tests beside it show that this one
is not. Those in this folder play the bytes in both roles, whole and cut at every
byte, over a connection.

This page is generated: ` + "`go test ./fuzz -run TestCatalogue -update`" + ` writes it from
testdata/catalogue.txt and from the tests, and ` + "`go test ./fuzz`" + ` fails if a row has no
test, or names one that is not there.

| row | what goes wrong | tests |
|---|---|---|
`

func TestCatalogue(t *testing.T) {
	all := testsOf(t, "..")
	var page strings.Builder
	page.WriteString(pageHead)
	seen := map[string]bool{}
	for _, r := range catalogueRows(t) {
		require.False(t, seen[r.id], "%s is there twice", r.id)
		seen[r.id] = true
		if why, ok := strings.CutPrefix(r.where, "- "); ok {
			fmt.Fprintf(&page, "| %s | %s | none: %s |\n", r.id, r.what, why)
			continue
		}
		tests := append(named(r.id, all), strings.Fields(r.where)...)
		if len(tests) == 0 {
			t.Errorf("%s (%s) has no test", r.id, r.what)
		}
		var cells []string
		for _, name := range tests {
			folder, ok := all[name]
			if !ok {
				t.Errorf("%s: there is no %s", r.id, name)
			}
			cells = append(cells, name+" ("+folder+")")
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", r.id, r.what, strings.Join(cells, ", "))
	}
	require.Len(t, seen, 173)
	for name := range all {
		if m := regexp.MustCompile(`^Test(LEN|MEM|DEF|CTL|CLS|UTF|HS|CLI|MSK|POOL|CON|BP|RES|ORG|SMG)(\d\d)`).FindStringSubmatch(name); m != nil {
			require.True(t, seen[m[1]+"-"+m[2]], "%s is named after a row that is not there", name)
		}
	}
	if t.Failed() {
		return
	}
	if *update {
		require.NoError(t, os.WriteFile("CATALOGUE.md", []byte(page.String()), 0o644))
	}
	checkPage(t, seen, all)
}

// checkPage holds the committed page against the rows and the tests that there
// are. Tests that came later need not be on it.
func checkPage(t *testing.T, rows map[string]bool, all map[string]string) {
	t.Helper()
	page, err := os.ReadFile("CATALOGUE.md")
	require.NoError(t, err)
	onPage := map[string]bool{}
	for _, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(line, " | ")
		id := strings.TrimPrefix(cells[0], "| ")
		if len(cells) != 3 || !rows[id] {
			continue
		}
		onPage[id] = true
		names := regexp.MustCompile(`\b(Test|Fuzz)\w+`).FindAllString(cells[2], -1)
		require.True(t, len(names) > 0 || strings.HasPrefix(cells[2], "none: "), line)
		for _, name := range names {
			require.Contains(t, all, name, "%s: run go test ./fuzz -run TestCatalogue -update", id)
		}
	}
	require.Equal(t, rows, onPage, "run go test ./fuzz -run TestCatalogue -update")
}
