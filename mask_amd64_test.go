//go:build !purego

// The kernels of amd64, each by itself, and whether the right one is chosen.

package websocket

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	add := func(name string, kernel, avx512 bool) {
		maskVariants = append(maskVariants, maskVariant{name, func(t testing.TB) {
			k, a := hasKernel, hasAVX512
			t.Cleanup(func() { hasKernel, hasAVX512 = k, a })
			hasKernel, hasAVX512 = kernel, avx512
		}})
	}
	add("plain Go", false, false)
	if hasAVX2 {
		add("AVX2", true, false)
	}
	if hasAVX512 {
		add("AVX-512", true, true)
	}
}

// The kernel of Linux lists what both the processor and itself support.
func TestDetectAVX(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("no /proc/cpuinfo to compare with:", err)
	}
	if os.Getenv("EMULATED_CPU") != "" {
		t.Skip("EMULATED_CPU is set: /proc/cpuinfo describes another processor than the emulated one")
	}
	flags := strings.Fields(string(regexp.MustCompile(`(?m)^flags\s*:(.*)$`).Find(info)))
	require.NotEmpty(t, flags)
	require.Equal(t, slices.Contains(flags, "avx2"), hasAVX2)
	require.Equal(t, slices.Contains(flags, "avx512f") && slices.Contains(flags, "avx512vl"), hasAVX512)
	require.Equal(t, hasAVX2, hasKernel)
}
