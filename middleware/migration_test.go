package middleware

// docs/migration.md shows what other libraries' calls become. What it shows of
// theirs is compiled here, against the versions that go.mod requires, which are
// those that the page names. The root's tests compile what it shows of ours.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/coder/websocket/wsjson"
	_ "github.com/gobwas/ws/wsutil"
	_ "github.com/gorilla/websocket"
	_ "github.com/lxzan/gws" // imported for go.mod to know of them
	"github.com/stretchr/testify/require"
)

// A peer is a library: how its sections are marked, its version, and what its
// fragments find.
type peer struct {
	path, version string
	prelude       string
}

const common = `
var (
	ctx      context.Context
	w        http.ResponseWriter
	r        *http.Request
	header   http.Header
	client   *http.Client
	deadline time.Time
	addr     string
	data     []byte
	mask     [4]byte
	v        any
	err      error
	_ = fmt.Sprint
	_ = errors.As
	_ = tls.Dial
	_ net.Conn
)

func main() {}
`

var peers = map[string]peer{
	"gorilla": {"github.com/gorilla/websocket", "v1.5.3", `
var conn *websocket.Conn
var upgrader websocket.Upgrader
var pm *websocket.PreparedMessage
`},
	"coder": {"github.com/coder/websocket", "v1.8.15", `
var conn *websocket.Conn
var _ = wsjson.Read
`},
	"gobwas": {"github.com/gobwas/ws", "v1.5.0", `
var conn net.Conn
var _ = wsutil.ReadData
`},
	"gws": {"github.com/lxzan/gws", "v1.8.9", `
var conn *gws.Conn
var message *gws.Message
var handler gws.Event
`},
}

// more are packages of a library beside the one of its path.
var more = map[string]string{"coder": "github.com/coder/websocket/wsjson", "gobwas": "github.com/gobwas/ws/wsutil"}

func TestMigration(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the libraries of the page, which -short is there to avoid")
	}
	page, err := os.ReadFile("../docs/migration.md")
	require.NoError(t, err)
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	for name, p := range peers {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(page), p.version)
			require.Contains(t, string(mod), p.path+" "+p.version+"\n")
			_, section, found := strings.Cut(string(page), "\n## "+strings.TrimPrefix(p.path, "github.com/")+"\n")
			require.True(t, found)
			section, _, _ = strings.Cut(section, "\n## ")
			blocks := regexp.MustCompile("(?s)\n```go "+name+"\n(.*?)\n```").FindAllStringSubmatch(section, -1)
			cells := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `").FindAllStringSubmatch(section, -1)
			require.NotEmpty(t, blocks)
			require.Greater(t, len(cells), 15)

			imports := []string{"context", "crypto/tls", "errors", "fmt", "net", "net/http", "time", p.path, more[name]}
			src := "package main\n"
			for _, path := range imports {
				if path != "" {
					src += fmt.Sprintf("import %q\n", path)
				}
			}
			src += common + p.prelude
			for _, block := range blocks {
				src += block[1] + "\n"
			}
			for _, cell := range cells {
				src += "func _() {\n" + statement(cell[1]) + "\n}\n"
			}
			file := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
			out, err := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput()
			require.NoError(t, err, "%s\n%s", out, src)
		})
	}
}

// statement makes a statement of an expression that is none.
func statement(src string) string {
	x, err := parser.ParseExpr(src)
	if _, call := x.(*ast.CallExpr); err != nil || call {
		return src
	}
	return "_ = " + src
}
