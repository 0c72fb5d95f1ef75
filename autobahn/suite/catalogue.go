package suite

// This file puts the catalogue together and picks cases from it.

import (
	"fmt"
	"path"
	"strings"
	"sync"
)

// Catalogue returns all cases in order: the 517 of the original, then the suite's
// own, from category 20 on. The cases are shared; they must not be changed.
var Catalogue = sync.OnceValue(func() (list []*Case) {
	for _, group := range []func() []*Case{
		cases1, cases2, cases3, cases4, cases5, cases6, cases7, cases9, cases10, cases12, cases13,
		cases20, cases21, cases22, cases23, cases24,
	} {
		list = append(list, group()...)
	}
	for i, c := range list {
		c.Number = i + 1
	}
	return list
})

// Category returns the number of the case's category, as in "12".
func (c *Case) Category() string {
	n, _, _ := strings.Cut(c.ID, ".")
	return n
}

// Own tells whether the case is not one of the original's 517.
func (c *Case) Own() bool { return len(c.Category()) == 2 && c.Category() >= "20" }

// CategoryName says what a category is about.
var CategoryName = map[string]string{
	"1": "Framing", "2": "Pings and pongs", "3": "Reserved bits", "4": "Opcodes", "5": "Fragmentation",
	"6": "UTF-8", "7": "Closing", "9": "Limits and performance", "10": "Automatic fragmentation",
	"12": "Compression, different payloads", "13": "Compression, different parameters",
	"20": "Opening handshake", "21": "Frames: lengths, masks", "22": "Closing: codes, what follows",
	"23": "Octets of large echoes, fragments", "24": "Compression, to the letter",
}

// Select returns the cases whose id matches one of the patterns, which are separated
// by commas; "*" stands for anything, as in "1.*,7.1.*". "catalogue" stands for the
// 517 cases of the original, "own" for the others. A pattern that matches nothing is an
// error.
func Select(patterns string) (list []*Case, err error) {
	chosen := map[*Case]bool{}
	for p := range strings.SplitSeq(patterns, ",") {
		p = strings.TrimSpace(p)
		found := false
		for _, c := range Catalogue() {
			ok, err := path.Match(p, c.ID)
			if err != nil {
				return nil, fmt.Errorf("autobahn: pattern %q: %w", p, err)
			}
			if ok || p == "catalogue" && !c.Own() || p == "own" && c.Own() {
				chosen[c], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("autobahn: no case matches %q", p)
		}
	}
	for _, c := range Catalogue() {
		if chosen[c] {
			list = append(list, c)
		}
	}
	return list, nil
}

// ForClients returns those of the cases that can be put to a client.
func ForClients(cases []*Case) (list []*Case) {
	for _, c := range cases {
		if !c.NoClient {
			list = append(list, c)
		}
	}
	return list
}
