package suite

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The number of cases of each category, and the places of some of them, are those of
// the original.
func TestCatalogue(t *testing.T) {
	count, total := map[string]int{}, 0
	number := map[string]int{}
	for i, c := range Catalogue() {
		require.Equal(t, i+1, c.Number)
		require.NotContains(t, number, c.ID, "twice")
		number[c.ID] = c.Number
		count[c.Category()]++
		if !c.Own() {
			total++
		}
		require.NotEmpty(t, c.Description, c.ID)
		require.NotEmpty(t, c.Expectation, c.ID)
		require.NotEmpty(t, c.RFC.Sentence, c.ID)
		require.NotEmpty(t, CategoryName[c.Category()], c.ID)
		require.False(t, c.NoClient && c.NoServer, c.ID)
	}
	require.Equal(t, 517, total)
	for category, n := range map[string]int{
		"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126,
	} {
		require.Equal(t, n, count[category], "category %s", category)
	}
	for id, n := range map[string]int{"1.1.2": 2, "6.3.1": 72, "6.4.3": 76, "7.9.1": 236, "12.1.3": 304, "13.3.1": 428} {
		require.Equal(t, n, number[id], id)
	}
}

func TestSelect(t *testing.T) {
	ids := func(patterns string) string {
		list, err := Select(patterns)
		require.NoError(t, err)
		var s []string
		for _, c := range list {
			s = append(s, c.ID)
		}
		return strings.Join(s, " ")
	}
	require.Equal(t, "10.1.1", ids("10.*"))
	require.Equal(t, "7.1.1 7.1.2 7.1.3 7.1.4 7.1.5 7.1.6 7.5.1", ids("7.5.1, 7.1.*,7.1.6"))
	catalogue, err := Select("catalogue")
	require.NoError(t, err)
	require.Len(t, catalogue, 517)
	own, err := Select("own")
	require.NoError(t, err)
	require.Len(t, own, len(Catalogue())-517)
	_, err = Select("1.*,99.*")
	require.ErrorContains(t, err, "99.*")
}

// The payloads of 6.12 and 6.13 are too long for the catalogue's table; these are
// their ends and lengths.
func TestSequences(t *testing.T) {
	s := sequences()
	require.Len(t, s, 19)
	require.Len(t, s[7][7], 63)
	require.True(t, strings.HasSuffix(s[7][7], "\xbd\xbe"))
	require.Len(t, s[8][0], 62)
	require.True(t, strings.HasPrefix(s[8][0], "\xc0 \xc1 "))
	require.Equal(t, "\xfc ", s[8][4])
	require.Len(t, s[17], 34)
	require.Equal(t, "\xf0\x9f\xbf\xbe", s[17][2])
}
