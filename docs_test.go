package websocket

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var goBlock = regexp.MustCompile("(?s)```go\n(package .*?)```")

// TestDocs compiles every program in the documentation.
func TestDocs(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("compiles programs: needs the go command, and is left out by -short")
	}
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	var programs int
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			programs++
			file := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(file, block[1], 0o644))
			out, err := exec.Command("go", "vet", file).CombinedOutput()
			require.NoError(t, err, "%s: %s\n%s", page, out, block[1])
		}
	}
	require.GreaterOrEqual(t, programs, 4)
}
