package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// This file holds the tests of AppendInflate with streams from elsewhere: the
// examples of RFC 7692, compress/flate and zlib.

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// RFC 7692 7.2.3.
func TestInflateExamples(t *testing.T) {
	for _, tc := range []struct {
		name, dict, in, want string
	}{
		{"one block, 7.2.3.1", "", "f248cdc9c90700", "Hello"},
		{"shared window, 7.2.3.2", "Hello", "f200110000", "Hello"},
		{"stored, 7.2.3.3", "", "000500faff48656c6c6f00", "Hello"},
		{"final block, 7.2.3.4", "", "f348cdc9c9070000", "Hello"},
		{"two blocks, 7.2.3.5", "", "f248050000" + "00ffffcac9c90700", "Hello"},
		{"empty, 7.2.3.6", "", "00", ""},
		{"nothing at all", "", "", ""},
		{"final block and nothing else", "", "f348cdc9c90700", "Hello"},
		{"final block, then another", "", "f348cdc9c90700" + "f248cdc9c90700", "HelloHello"},
		{"final block that goes back into the window", "Hello", "f300110000", "Hello"},
		{"two final blocks", "", "f348cdc9c90700" + "f348cdc9c90700", "HelloHello"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := AppendInflate(nil, []byte(tc.dict), unhex(t, tc.in), -1)
			require.NoError(t, err)
			require.Equal(t, tc.want, string(got))
		})
	}
}

// flateMessage compresses the way of a pooled compress/flate writer.
func flateMessage(t testing.TB, level int, p []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	require.NoError(t, err)
	_, err = w.Write(p)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

var _ = io.EOF
