package deflate

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the data that the tests and benchmarks compress: the files of
// testdata/corpus, which testdata/corpus.py makes.

type corpus struct {
	name  string
	data  []byte
	lines bool // each line is a message
}

func corpora(t testing.TB) []corpus {
	t.Helper()
	all := []corpus{
		{name: "ticks.json", lines: true}, {name: "chat.txt", lines: true}, {name: "page.html"},
		{name: "server.log"}, {name: "random.bin"},
	}
	for i := range all {
		b, err := os.ReadFile(filepath.Join("testdata", "corpus", all[i].name))
		require.NoError(t, err)
		all[i].data = b
	}
	return all
}

// messages cuts a corpus into messages: its lines, or pieces of size bytes if
// size is not 0.
func (c corpus) messages(size int) [][]byte {
	if size == 0 {
		return bytes.SplitAfter(bytes.TrimSuffix(c.data, []byte("\n")), []byte("\n"))
	}
	var all [][]byte
	for p := c.data; len(p) >= size; p = p[size:] {
		all = append(all, p[:size])
	}
	return all
}
