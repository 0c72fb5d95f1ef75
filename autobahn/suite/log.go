package suite

// This file records what a session sends and receives, as the report shows it. The
// recorder can be switched off for cases that move megabytes; it then still counts.

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/seed9f1f0156/websocket/autobahn/result"
)

// logLimit is how many octets of a frame or of a read are kept.
const logLimit = 64

// entryLimit bounds the log of a peer that sends without end.
const entryLimit = 5000

// recorder collects the wire log and the statistics.
type recorder struct {
	on                 bool
	entries            []result.LogEntry
	rxSizes, txSizes   result.Stats // reads and writes by size
	rxFrames, txFrames result.Stats // by opcode
	request, response  string       // of the opening handshake
}

func newRecorder() recorder {
	return recorder{
		on: true, entries: []result.LogEntry{},
		rxSizes: result.Stats{}, txSizes: result.Stats{}, rxFrames: result.Stats{}, txFrames: result.Stats{},
	}
}

func (r *recorder) add(e result.LogEntry) {
	if len(r.entries) < entryLimit {
		r.entries = append(r.entries, e)
	}
}

// enable switches the log of octets and frames on or off, and notes it.
func (r *recorder) enable(on bool) {
	if r.on != on {
		r.on = on
		r.add(result.LogEntry{Kind: result.LogWirelogState, On: on})
	}
}

func (r *recorder) rx(b []byte) {
	r.rxSizes[len(b)]++
	if r.on {
		r.add(result.LogEntry{Kind: result.LogRxOctets, Data: octets(b)})
	}
}

// txOctets counts the writes that b is cut into.
func (r *recorder) txOctets(b []byte, chop int, sync bool) {
	if chop <= 0 {
		chop = max(len(b), 1)
	}
	for len(b) > 0 {
		n := min(chop, len(b))
		r.txSizes[n]++
		if r.on {
			r.add(result.LogEntry{Kind: result.LogTxOctets, Data: octets(b[:n]), Sync: sync})
		}
		b = b[n:]
	}
}

func (r *recorder) rxFrame(h header, start []byte) {
	r.rxFrames[h.op]++
	if !r.on {
		return
	}
	var mask *string
	if h.masked {
		mask = hexString(h.key[:])
	}
	r.add(result.LogEntry{
		Kind: result.LogRxFrame, Data: snippet(start, int(h.length)),
		Opcode: h.op, Fin: h.fin, RSV: h.rsv, Masked: h.masked, Mask: mask,
	})
}

func (r *recorder) txFrame(f frame, masked bool, key [4]byte) {
	r.txFrames[f.op]++
	if !r.on {
		return
	}
	var mask *string
	if masked {
		mask = hexString(key[:])
	}
	var chop *int
	if f.chop > 0 {
		chop = &f.chop
	}
	r.add(result.LogEntry{
		Kind: result.LogTxFrame, Data: snippet(f.payload, len(f.payload)),
		Opcode: f.op, Fin: !f.more, RSV: f.rsv, Mask: mask, Chop: chop, Sync: f.sync,
	})
}

func hexString(b []byte) *string {
	s := hex.EncodeToString(b)
	return &s
}

// octets is the beginning of b in hex.
func octets(b []byte) result.Snippet {
	if len(b) > logLimit {
		return result.Snippet{Len: len(b), Text: hex.EncodeToString(b[:logLimit]) + " ..."}
	}
	return result.Snippet{Len: len(b), Text: hex.EncodeToString(b)}
}

// snippet is a payload of n octets that begins with b: as text where it is UTF-8,
// else in hex.
func snippet(b []byte, n int) result.Snippet {
	text, more := b[:min(len(b), logLimit)], ""
	if n > len(text) {
		more = " ..."
	}
	if valid := trimRune(text, n); utf8.Valid(valid) {
		return result.Snippet{Len: n, Text: string(valid) + more}
	}
	return result.Snippet{Len: n, Text: "0x" + hex.EncodeToString(text) + more}
}

// trimRune cuts a character that the limit has split.
func trimRune(b []byte, n int) []byte {
	if n == len(b) {
		return b
	}
	for i := 1; i <= min(3, len(b)); i++ {
		if utf8.RuneStart(b[len(b)-i]) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
