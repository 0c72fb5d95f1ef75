package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// This file holds the decoder that AppendInflate is compared with:
// compress/flate, which stops at a final block and is started again behind it.

// oracleInflate inflates src as AppendInflate does, without a limit. ok is
// false for a stream that is corrupt or not whole.
func oracleInflate(dict, src []byte) (out []byte, ok bool) {
	if len(src) == 0 {
		return nil, true
	}
	// compress/flate ends only at a final block, so one is added. A stream that
	// was not whole might take it for its own bytes; two different ones, both
	// empty, cannot be taken for the same.
	a, okA := oracleRun(dict, src, "\x01\x00\x00\xff\xff")
	b, okB := oracleRun(dict, src, "\x03\x00")
	return a, okA && okB && bytes.Equal(a, b)
}

func oracleRun(dict, src []byte, last string) ([]byte, bool) {
	all := append(append(bytes.Clone(src), "\x00\x00\xff\xff"...), last...)
	in := bytes.NewReader(all)
	var out []byte
	for {
		window := append(bytes.Clone(dict), out...)
		p, err := io.ReadAll(flate.NewReaderDict(in, window))
		if err != nil {
			return nil, false
		}
		out = append(out, p...)
		switch left := in.Len(); {
		case left == 0, left == len(last), left == len(last)+4:
			return out, true
		case left < len(last)+4:
			return nil, false
		}
	}
}

func TestOracle(t *testing.T) {
	for _, in := range []string{"f248cdc9c90700", "f348cdc9c90700", "f348cdc9c9070000"} {
		if out, ok := oracleInflate(nil, unhex(t, in)); !ok || string(out) != "Hello" {
			t.Errorf("%s: %q %v", in, out, ok)
		}
	}
	for _, in := range []string{"f248cdc9c907", "f248cdc9c9", "ffffffff", "f348cdc9c90700ffffffff", "f348cdc9"} {
		if out, ok := oracleInflate(nil, unhex(t, in)); ok {
			t.Errorf("%s: %q", in, out)
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, in := range []string{
		"f248cdc9c90700", "f348cdc9c90700", "f348cdc9c9070000", "000500faff48656c6c6f00", "f200110000",
		"f248050000" + "00ffffcac9c90700", "00", "f348cdc9c90700ffffffff",
	} {
		f.Add([]byte("Hello"), unhex(f, in), 0)
	}
	for _, p := range corpora(f) {
		f.Add([]byte(nil), flateMessage(f, 6, p.data[:2000]), 100)
		f.Add(p.data[:500], AppendDeflate(nil, p.data[:500], p.data[500:2000], 15, 2), 2000)
	}
	// Beyond measureFrom: of one byte, and of text with tables of its own.
	f.Add([]byte(nil), flateMessage(f, 6, make([]byte, 100<<10)), measureFrom+1)
	f.Add([]byte(nil), flateMessage(f, 6, bytes.Repeat(corpora(f)[0].data[:500], 200)), measureFrom-1)
	f.Fuzz(func(t *testing.T, dict, src []byte, limit int) {
		if len(src) > 4<<10 {
			return // 4 MiB of output are enough
		}
		checkInflate(t, dict, src, limit)
	})
}

// checkInflate compares AppendInflate with the oracle, without a limit, at the
// limit that just suffices, below it, and with room that is not enough.
func checkInflate(t testing.TB, dict, src []byte, limit int) {
	want, ok := oracleInflate(dict, src)
	prefix := []byte("prefix")
	got, err := AppendInflate(bytes.Clone(prefix), dict, src, -1)
	if (err == nil) != ok {
		t.Fatalf("error %v, oracle %v: dict %x src %x", err, ok, dict, src)
	}
	if err != nil {
		if err != ErrCorrupt || !bytes.Equal(got, prefix) {
			t.Fatalf("%q, %v", got, err)
		}
	} else if !bytes.Equal(got[len(prefix):], want) || !bytes.HasPrefix(got, prefix) {
		t.Fatalf("not the oracle's %d bytes: dict %x src %x", len(want), dict, src)
	}
	for _, room := range []int{0, len(want), len(want) + slack, 2*len(want) + 2*slack} {
		dst := make([]byte, 0, room)
		if got, err := AppendInflate(dst, dict, src, len(want)); ok && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("at the limit, with %d bytes of room: %v", room, err)
		}
		limit = max(0, limit%(len(want)+1))
		got, err := AppendInflate(dst, dict, src, limit)
		if len(got) > limit || cap(got) > max(room, limit+2*slack+64+limit/4) {
			t.Fatalf("%d bytes, room for %d at limit %d", len(got), cap(got), limit)
		}
		if ok && limit < len(want) && err != ErrTooLarge {
			t.Fatalf("limit %d of %d: %v", limit, len(want), err)
		}
	}
}
