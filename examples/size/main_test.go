package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What README says of the size stays true to within a quarter of it.
func TestAdded(t *testing.T) {
	if testing.Short() {
		t.Skip("links four programs, which -short is there to avoid")
	}
	most := map[string]int64{"net/http alone": 0, "websocket imported": 64 << 10, "an echo server": 544 << 10, "and a client": 680 << 10}
	var first int64
	for i, v := range variants {
		size, err := build(t.TempDir(), v, "-s -w")
		require.NoError(t, err)
		if i == 0 {
			first = size
		}
		require.LessOrEqual(t, size-first, most[v.name], v.name)
	}
}
