package suite

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Each file is of its kind, has the size of the original's, and compresses about as
// such files do.
func TestDatasets(t *testing.T) {
	ratio := map[string][2]float64{
		"JSON": {0.03, 0.30}, "512x512 grey bitmap": {0.02, 0.90}, "German prose": {0.05, 0.45}, "HTML": {0.03, 0.30}, "PDF": {0.90, 1.0},
	}
	for _, d := range datasets {
		content := d.content()[:d.size]
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, 6)
		require.NoError(t, err)
		_, _ = w.Write(content)
		require.NoError(t, w.Close())
		got := float64(b.Len()) / float64(d.size)
		t.Logf("%s: %.3f", d.name, got)
		require.Greater(t, got, ratio[d.name][0], d.name)
		require.LessOrEqual(t, got, ratio[d.name][1]+0.01, d.name)
		if !d.binary {
			require.Equal(t, d.size, bytes.IndexFunc(append(content[:d.size:d.size], 0xff), func(r rune) bool { return r >= utf8.RuneSelf }), d.name)
		}
	}
	require.True(t, json.Valid(datasets[0].content()[:datasets[0].size]))
	require.Equal(t, []byte("BM"), datasets[1].content()[:2])
	require.True(t, bytes.HasPrefix(datasets[4].content(), []byte("%PDF-")))
	require.True(t, bytes.HasSuffix(datasets[4].content(), []byte("%%EOF\n")))
}

func TestMessagesWrap(t *testing.T) {
	d := datasets[0]
	content := d.content()[:d.size]
	require.Equal(t, content[:131072], d.message(0, 131072))
	second := append(append([]byte{}, content[131072:]...), content[:2*131072-d.size]...)
	require.True(t, bytes.Equal(second, d.message(1, 131072)))
}
