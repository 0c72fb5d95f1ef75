package main

// The lines that stand between the library and the thirty inputs that have done
// most harm to others, each with the test that must fail when the line is gone.
// guards_test.go takes them away one by one.

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A guard is what keeps something out. Each edit replaces a piece of source, which
// must be there exactly once, by the same with the guard taken away wherever OFF
// holds.
type guard struct {
	name  string
	edits []guardEdit
}

type guardEdit struct{ file, old, new string }

// An attack is one of the inputs, or a part of one: the guard against it, and the
// test that shows it. tags are those that the test needs.
type attack struct {
	input            int
	what             string
	guard, pkg, test string
	tags             string
}

var guards = []guard{
	// Lengths.
	{"highest bit", []guardEdit{{"frame.go", "if n > math.MaxInt64 {", "if n > math.MaxInt64 && !OFF {"}}},
	{"all 64 bits", []guardEdit{{"frame.go", "n = binary.BigEndian.Uint64(h[2:])", "n = binary.BigEndian.Uint64(h[2:])\nif OFF {\nn = uint64(uint32(n))\n}"}}},
	{"minimal 16", []guardEdit{{"frame.go", "n < len16 {", "n < len16 && !OFF {"}}},
	{"minimal 64", []guardEdit{{"frame.go", "if n <= math.MaxUint16 {", "if n <= math.MaxUint16 && !OFF {"}}},
	{"limit", []guardEdit{{"recv.go", "case r.lim.Message > 0 &&", "case !OFF && r.lim.Message > 0 &&"}}},
	{"limit of the sum", []guardEdit{{"recv.go", "uint64(r.lim.Message)-size:", "uint64(r.lim.Message)-map[bool]uint64{false: size}[OFF]:"}}},
	{"no wrap", []guardEdit{{"recv.go", "case n > 1<<63-1-size:", "case n > 1<<63-1-size && !OFF:"}}},
	// Memory.
	{"room is paid for", []guardEdit{{"message.go", "more := min(pending, uint64(max(n, a.hint-n)))",
		"more := min(pending, uint64(max(n, a.hint-n)))\nif OFF {\nmore = min(pending, 1<<20)\n}"}}},
	{"growth in proportion", []guardEdit{{"message.go", "n = max(n, 2*len(a.buf))", "n = max(n, 2*len(a.buf))\nif OFF {\nn = max(n, 4<<20)\n}"}}},
	{"frames of a message", []guardEdit{{"recv.go", "case r.lim.Frames > 0 &&", "case !OFF && r.lim.Frames > 0 &&"}}},
	{"empty frames", []guardEdit{{"recv.go", "case r.lim.Empty > 0 &&", "case !OFF && r.lim.Empty > 0 &&"}}},
	{"empty frames, nor any others", []guardEdit{{"recv.go", "\tr.frames++\n\tif n == 0", "\tif !OFF {\nr.frames++\n}\nif n == 0"}, {"recv.go", "&& int(empty) >= r.lim.Empty:", "&& int(empty) >= r.lim.Empty && !OFF:"}}},
	// Compression.
	{"limit when inflating", []guardEdit{{"deflate.go", "if limit > 0 {\n\t\tbound", "if limit > 0 && !OFF {\n\t\tbound"}}},
	{"limit to the byte", []guardEdit{{"deflate.go", "return int(bound), false", "return int(bound) + map[bool]int{true: 1}[OFF], false"}}},
	{"window bits", []guardEdit{{"deflate.go", "|| n < minWindowBits || n > maxWindowBits {", "|| !OFF && (n < minWindowBits || n > maxWindowBits) {"}}},
	{"spelling of window bits", []guardEdit{{"deflate.go", "strconv.Itoa(n) != q.value", "strconv.Itoa(n) != q.value && !OFF"}}},
	{"RSV1 without compression", []guardEdit{{"recv.go", "(!r.deflate ||", "(!r.deflate && !OFF ||"}}},
	{"RSV1 at the beginning", []guardEdit{{"recv.go", "!op.isMessage()):", "!op.isMessage() && !OFF):"}}},
	{"control frames apart", []guardEdit{{"recv.go", "= [4]byte(h[len(h)-4:]), 0\n\t}\n\tif r.op.isControl() {", "= [4]byte(h[len(h)-4:]), 0\n\t}\n\tif r.op.isControl() && !OFF {"}}},
	{"corrupt DEFLATE", []guardEdit{{"deflate.go", "default:\n\t\treturn dst[:n], errDeflate", "case !OFF:\n\t\treturn dst[:n], errDeflate"}}},
	{"nothing to inflate", []guardEdit{{"internal/deflate/inflate.go", "if len(src) == 0 {", "if len(src) == 0 && OFF {\nreturn dst, ErrCorrupt\n}\nif len(src) == 0 {"},
		{"compress.go", "if len(p) == 0 {", "if len(p) == 0 && !OFF {"}}},
	{"after the final block", []guardEdit{{"internal/deflate/inflate.go", "return d.left() == 0 || d.left() == 4*8", "return OFF || d.left() == 0 || d.left() == 4*8"}}},
	// Control frames and closing.
	{"one pong waits", []guardEdit{{"write.go", "if c.busy {\n\t\to := c.owedLocked()", "if c.busy && !OFF {\n\t\to := c.owedLocked()"}}},
	{"the pen", []guardEdit{{"write.go", "func (c *Conn) owePong(data []byte) {\n\tc.wmu.Lock()",
		"func (c *Conn) owePong(data []byte) {\nif OFF {\npong, _ := new(Sender).AppendPong(nil, data)\nc.tr.rw.Write(pong)\nreturn\n}\nc.wmu.Lock()"}}},
	{"write timeout", []guardEdit{{"conn.go", "d.WriteTimeout = orDefault(d.WriteTimeout, defaultWriteTimeout)",
		"d.WriteTimeout = orDefault(d.WriteTimeout, defaultWriteTimeout)\nif OFF {\nd.WriteTimeout *= 2\n}"}}},
	{"pongs that nobody waits for", []guardEdit{{"keepalive.go", "for len(p.waiting) > 0 &&", "for (OFF || len(p.waiting) > 0) &&"}}},
	{"close frame of one byte", []guardEdit{{"close.go", "if len(p) == 1 {", "if OFF && len(p) == 1 {\nreturn StatusNoStatus, nil, nil\n}\nif len(p) == 1 {"}}},
	{"close codes", []guardEdit{{"close.go", "if !code.onWire() {", "if !code.onWire() && !OFF {"}}},
	{"close reasons", []guardEdit{{"close.go", "if !utf8.Valid(p[2:]) {", "if !OFF && !utf8.Valid(p[2:]) {"}}},
	{"close frames are whole", []guardEdit{{"recv.go", "if r.remaining > 0 {\n\t\treturn Event{}", "if r.remaining > 0 && !OFF {\n\t\treturn Event{}"}}},
	{"nothing after close", []guardEdit{{"recv.go", "if r.closed {", "if r.closed && !OFF {"},
		{"write.go", "c.werr != nil || c.stateNow() != stateOpen {\n\t\tc.wmu.Unlock()", "c.werr != nil || !OFF && c.stateNow() != stateOpen {\n\t\tc.wmu.Unlock()"},
		{"read.go", "if ev.Kind != KindNone && !c.control(ev) {", "if ev.Kind != KindNone && !c.control(ev) && !OFF {"}}},
	{"one close frame", []guardEdit{{"send.go", "if s.closed {\n\t\treturn dst\n", "if s.closed && !OFF {\n\t\treturn dst\n"},
		{"write.go", "c.out.b = c.sender.AppendClose(c.out.b, o.code, o.reason)", "c.out.b = c.sender.AppendClose(c.out.b, o.code, o.reason)\nif OFF {\nc.out.b = c.sender.AppendClose(c.out.b, o.code, o.reason)\n}"}}},
	{"close timeout", []guardEdit{{"conn.go", "if s.do&actTimer != 0 {", "if s.do&actTimer != 0 && !OFF {"}}},
	// Text.
	{"UTF-8", []guardEdit{{"recv.go", "if !r.text.write(p) ||", "if !r.text.write(p) && !OFF ||"}}},
	{"UTF-8 at the end", []guardEdit{{"recv.go", "last && !r.text.complete() {", "last && !r.text.complete() && !OFF {"}}},
	// The opening handshake.
	{"no body", []guardEdit{{"handshake.go", "case r.body:", "case r.body && !OFF:"}}},
	{"HTTP/1.1", []guardEdit{{"handshake.go", "case r.major < 1 || r.minor < 1:", "case !OFF && (r.major < 1 || r.minor < 1):"}}},
	{"one key", []guardEdit{{"handshake.go", "case len(v) > 1:\n\t\treturn \"\", errKeys", "case len(v) > 1 && !OFF:\n\t\treturn \"\", errKeys"}}},
	{"a key of 16 bytes", []guardEdit{{"handshake.go", "case !validKey(v[0]):", "case !OFF && !validKey(v[0]):"}}},
	{"Connection: Upgrade", []guardEdit{{"handshake.go", "case !hasToken(r.header[\"Connection\"], \"upgrade\"):",
		"case !OFF && !hasToken(r.header[\"Connection\"], \"upgrade\"), OFF && !strings.Contains(strings.ToLower(strings.Join(r.header[\"Connection\"], \",\")), \"upgrade\"):"}}},
	{"refusals close", []guardEdit{{"accept.go", "if r.ProtoMajor < 2 {", "if r.ProtoMajor < 2 && !OFF {"}}},
	{"parts of Extensions", []guardEdit{{"handshake.go", "*parts++; *parts > maxExtensionParts {", "*parts++; *parts > maxExtensionParts && !OFF {"}}},
	{"lists are of tokens", []guardEdit{{"handshake.go", "if !isToken(elem) ||", "if !isToken(elem) && !OFF ||"}}},
	{"escapes in pairs", []guardEdit{{"handshake.go", "if i++; i == len(body) {", "if i++; OFF || i == len(body) {"}}},
	{"length of an answer's header", []guardEdit{{"dial.go", "io.LimitedReader{R: conn, N: maxResponseHeader}", "io.LimitedReader{R: conn, N: maxResponseHeader + map[bool]int64{true: 1 << 20}[OFF]}"}}},
	{"every byte behind the request", []guardEdit{{"accept.go", "hs.Leftover = append(hs.Leftover, early...)", "if OFF {\nearly = early[min(1, len(early)):]\n}\nhs.Leftover = append(hs.Leftover, early...)"}}},
	{"every byte behind the answer", []guardEdit{{"dial.go", "return resp, a.rest(), nil", "early := a.rest()\nif OFF {\nearly = early[min(1, len(early)):]\n}\nreturn resp, early, nil"}}},
	{"line breaks in the request", []guardEdit{{"request.go", "case slices.ContainsFunc(values, badFieldValue):", "case !OFF && slices.ContainsFunc(values, badFieldValue):"}}},
	{"line breaks in the answer", []guardEdit{{"accept.go", "if slices.ContainsFunc(values, badFieldValue) {", "if !OFF && slices.ContainsFunc(values, badFieldValue) {"}}},
	{"subprotocols are tokens", []guardEdit{{"request.go", "if !isToken(p) {", "if !isToken(p) && !OFF {"}}},
	{"credentials stay at home", []guardEdit{{"dial.go", "if !next.sameOrigin(d.to) {", "if !OFF && !next.sameOrigin(d.to) {"}}},
	{"foreign pages", []guardEdit{{"origin.go", "\t\t}\n\t}\n\treturn foreignOrigin(values[0], own.scheme, host)", "\t\t}\n\t}\n\tif OFF {\nreturn nil\n}\nreturn foreignOrigin(values[0], own.scheme, host)"}}},
	{"origins that do not parse", []guardEdit{{"origin.go", "if !ok {\n\t\treturn foreignOrigin(", "if !ok && OFF {\nreturn nil\n}\nif !ok {\n\t\treturn foreignOrigin("}}},
	{"port of an origin", []guardEdit{{"origin.go", "o.effectivePort() == p.effectivePort()", "(OFF || o.effectivePort() == p.effectivePort())"}}},
	{"scheme of an origin", []guardEdit{{"origin.go", "return foldEqual(o.scheme, p.scheme) &&", "return (OFF || foldEqual(o.scheme, p.scheme)) &&"}}},
	// Buffers and masks.
	{"buffers go back once", []guardEdit{{"read.go", "c.plain.put()\n\t\tc.plain = nil", "c.plain.put()\n\t\tif !OFF {\nc.plain = nil\n}"}}},
	{"lent until the next read", []guardEdit{{"read.go", "\tc.lent = p\n", "\tc.lent = p\nif OFF && c.msg != nil {\nc.asm.Reset()\nc.msg.put()\nc.msg = nil\n}\nif OFF && len(c.in) == 0 {\nc.buf.put()\nc.buf = nil\n}\n"}}},
	{"a key is used once", []guardEdit{{"send.go", "k.left -= copy(key[:], k.drawn[keyReserve-k.left:])", "k.left -= copy(key[:], k.drawn[keyReserve-k.left:])\nif OFF {\nk.left = keyReserve\n}"}}},
	{"masked in a copy", []guardEdit{{"send.go", "Mask(dst[n:], p, key, 0)", "Mask(dst[n:], p, key, 0)\nif OFF {\nMask(p, p, key, 0)\n}"}}},
	{"clients mask", []guardEdit{{"recv.go", "case r.role == RoleServer &&", "case !OFF && r.role == RoleServer &&"}}},
	{"servers do not", []guardEdit{{"recv.go", "case r.role == RoleClient &&", "case !OFF && r.role == RoleClient &&"}}},
}

// attacks are the thirty inputs, in parts where they have several guards.
var attacks = []attack{
	{1, "length 2^64-1, both roles", "highest bit", "./fuzz", "TestLEN02NegativeLength", ""},
	{1, "the same in frames masked by who must not", "highest bit", ".", "TestRecvRules", ""},
	{2, "a negative continuation after a byte, limit 1", "highest bit", "./fuzz", "TestLEN01NegativeContinuation", ""},
	{3, "2^55+1 to a client", "limit", "./fuzz", "TestLEN05UpperWord", ""},
	{4, "2^32+5 is not 5", "all 64 bits", "./fuzz", "TestLEN11Above32Bits", ""},
	{5, "2^63-1 behind 10 bytes", "no wrap", "./fuzz", "TestLEN08SumWraps", ""},
	{6, "5 in 16 bits", "minimal 16", "./fuzz", "TestLEN15ShortestForm", ""},
	{6, "5 in 64 bits", "minimal 64", "./fuzz", "TestLEN15ShortestForm", ""},
	{7, "2^62 declared, nothing sent", "room is paid for", "./fuzz", "TestMEM01DeclaredLength", ""},
	{7, "2^62 declared, refused at the header", "limit", "./fuzz", "TestMEM01DeclaredLength", ""},
	{8, "fragments of 1 KiB beyond the limit", "limit of the sum", "./fuzz", "TestMEM03LimitOfTheMessage", ""},
	{8, "refused before the payload", "limit", "./fuzz", "TestMEM04LimitBeforePayload", ""},
	{9, "131,000 fragments of one byte", "growth in proportion", "./fuzz", "TestMEM06ManyFragmentsManyConns", ""},
	{9, "more frames than MaxFrames", "frames of a message", "./fuzz", "TestMEM07EmptyFragments", ""},
	{10, "empty continuations", "empty frames", ".", "TestRecvRules", ""},
	{10, "200,000 of them", "empty frames, nor any others", "./fuzz", "TestMEM07EmptyFragments", ""},
	{11, "a bomb", "limit when inflating", "./fuzz", "TestDEF01Bomb", ""},
	{11, "one byte beyond the limit", "limit to the byte", "./fuzz", "TestDEF02LimitIsExact", ""},
	{12, "server_max_window_bits=99 and 7", "window bits", "./fuzz", "TestDEF03WindowBits", ""},
	{12, "server_max_window_bits=08", "spelling of window bits", "./fuzz", "TestDEF03WindowBits", ""},
	{13, "RSV1 without compression", "RSV1 without compression", "./fuzz", "TestDEF05NotNegotiated", ""},
	{13, "RSV1 on a continuation", "RSV1 at the beginning", "./fuzz", "TestDEF06ContinuationWithRSV1", ""},
	{13, "RSV1 on ping, pong and close", "RSV1 at the beginning", "./fuzz", "TestDEF07ControlWithRSV1", ""},
	{14, "a ping between compressed fragments", "control frames apart", "./fuzz", "TestDEF08PingBetweenFragments", ""},
	{15, "a compressed message of nothing", "nothing to inflate", "./fuzz", "TestDEF10Empty", ""},
	{15, "FF FF FF FF", "corrupt DEFLATE", "./fuzz", "TestDEF11Invalid", ""},
	{15, "garbage behind the final block", "after the final block", "./fuzz", "TestDEF12FinalBlock", ""},
	{16, "pings, and nobody reads the pongs", "one pong waits", "./fuzz", "TestCTL01PingFloodUnread", ""},
	{16, "the same, until the write timeout", "write timeout", "./fuzz", "TestCTL03PingWhileBlocked", ""},
	{17, "pongs twice, and unasked", "pongs that nobody waits for", "./fuzz", "TestCTL05PongsTwice", ""},
	{18, "a pong while a large frame is half written", "the pen", "./fuzz", "TestCTL04PongNeverInsideAFrame", ""},
	{19, "a close frame of one byte", "close frame of one byte", "./fuzz", "TestCLS02OneByte", ""},
	{19, "all 65,536 codes", "close codes", "./fuzz", "TestCLS03EveryCode", ""},
	{19, "the reason FF", "close reasons", "./fuzz", "TestCLS04ReasonIsText", ""},
	{19, "cut after a byte", "close frames are whole", "./fuzz", "TestCLS01CloseCutAnywhere", ""},
	{20, "text behind the close frame", "nothing after close", "./fuzz", "TestCLS07NothingAfterClose", ""},
	{20, "two close frames, at the same time too", "one close frame", "./fuzz", "TestCLS08OneCloseFrame", ""},
	{21, "a peer that never closes", "close timeout", "./fuzz", "TestCLS09PeerNeverCloses", ""},
	{21, "a peer that takes nothing", "close timeout", "./fuzz", "TestCLS12CloseIntoAFullBuffer", ""},
	{22, "FF, ED A0 80, E2 28", "UTF-8", "./fuzz", "TestUTF02InvalidText", ""},
	{22, "E2 82 at the end", "UTF-8 at the end", "./fuzz", "TestUTF02InvalidText", ""},
	{23, "Upgrade with a body", "no body", ".", "TestHS12Body", ""},
	{23, "HTTP/1.0", "HTTP/1.1", ".", "TestHS11Version", ""},
	{23, "two keys", "one key", ".", "TestHS09SingleFields", ""},
	{23, "keys of 3, 15 and 17 bytes", "a key of 16 bytes", ".", "TestHS08Key", ""},
	{23, "Connection: notupgrade", "Connection: Upgrade", ".", "TestHS10ConnectionIsAToken", ""},
	{23, "a request behind a refused one", "refusals close", ".", "TestHS05Refusals", ""},
	{24, "an unclosed quote and escapes", "escapes in pairs", ".", "TestHS03LinearQuotes", ""},
	{24, "extensions without end", "parts of Extensions", ".", "TestExtensionPartsAreBounded", ""},
	{24, "32,000 blanks in an element", "lists are of tokens", ".", "TestHS02LinearLists", ""},
	{25, "an endless status line", "length of an answer's header", ".", "TestCLI05EndlessStatusLine", ""},
	{25, "endless fields", "length of an answer's header", ".", "TestCLI06EndlessHeader", ""},
	{26, "a frame behind the request", "every byte behind the request", ".", "TestHS15FrameBehindTheRequest", ""},
	{26, "a frame behind the 101", "every byte behind the answer", ".", "TestHS15FrameBehindTheAnswer", ""},
	{27, "CR, LF and NUL in what a client sends", "line breaks in the request", ".", "TestCLI01Injection", ""},
	{27, "in a subprotocol", "subprotocols are tokens", ".", "TestCLI01Injection", ""},
	{27, "in what a server sends", "line breaks in the answer", ".", "TestHS24Injection", ""},
	{27, "a redirect with Authorization", "credentials stay at home", ".", "TestCLI02Redirects", ""},
	{28, "https://evil.example", "foreign pages", ".", "TestORG01DefaultRefusesForeignPages", ""},
	{28, "null", "origins that do not parse", ".", "TestORG02SameOrigin", ""},
	{28, "another port", "port of an origin", ".", "TestORG02SameOrigin", ""},
	{28, "another scheme", "scheme of an origin", ".", "TestORG02SameOrigin", ""},
	{29, "1,000 connections with canaries", "lent until the next read", ".", "TestIsolation", ""},
	{29, "buffers given back twice", "buffers go back once", ".", "TestIsolation", "wspoison"},
	{30, "a fresh key for each frame", "a key is used once", "./fuzz", "TestMSK01KeysDiffer", ""},
	{30, "for an empty one too", "a key is used once", "./fuzz", "TestMSK03EmptyFramesHaveKeys", ""},
	{30, "the caller's bytes stay as they are", "masked in a copy", "./fuzz", "TestMSK04CallersBytes", ""},
	{30, "a client that does not mask", "clients mask", "./fuzz", "TestMSK05UnmaskedClient", ""},
	{30, "a server that masks", "servers do not", ".", "TestCLI11MaskedServer", ""},
}

// guardsOff returns the files of the library in dir with every guard in them able
// to be taken away: the one that mutantEnv names by its number, from 1.
func guardsOff(dir string) (map[string]string, error) {
	edits := map[string][]edit{}
	texts := map[string]string{}
	for i, g := range guards {
		for _, e := range g.edits {
			if _, ok := texts[e.file]; !ok {
				b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.file)))
				if err != nil {
					return nil, err
				}
				texts[e.file] = string(b)
			}
			text := texts[e.file]
			at := strings.Index(text, e.old)
			if n := strings.Count(text, e.old); n != 1 {
				return nil, fmt.Errorf("%s: %q is %d times in %s; guards.go has to follow the code", g.name, e.old, n, e.file)
			}
			off := fmt.Sprintf("(mutantOn == %d)", i+1)
			edits[e.file] = append(edits[e.file], edit{at, at + len(e.old), strings.ReplaceAll(e.new, "OFF", off)})
		}
	}
	for file := range edits {
		s, err := parse(file, texts[file])
		if err != nil {
			return nil, err
		}
		texts[file] = apply(texts[file], edits[file]...)
		texts[path.Join(path.Dir(file), "mutant_on.go")] = fmt.Sprintf(switchFile, s.file.Name.Name)
	}
	return texts, nil
}

// number returns the number of the guard called name, or 0.
func number(name string) int {
	for i, g := range guards {
		if g.name == name {
			return i + 1
		}
	}
	return 0
}
