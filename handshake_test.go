package websocket

// The rules of the opening handshake, one table a rule. Names that begin with HS
// and CLI are those of known holes in other implementations: each test says what
// must come out of it here.

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	sampleKey    = "dGhlIHNhbXBsZSBub25jZQ==" // RFC 6455, section 1.3
	sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// goodRequest is a request that nothing is wrong with, for tests to spoil.
func goodRequest() *request {
	return &request{
		method: "GET", major: 1, minor: 1, host: "server.example.com",
		header: map[string][]string{
			"Upgrade":               {"websocket"},
			"Connection":            {"Upgrade"},
			"Sec-Websocket-Key":     {sampleKey},
			"Sec-Websocket-Version": {"13"},
			"Origin":                {"http://example.com"},
		},
	}
}

func goodResponse() map[string][]string {
	return map[string][]string{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {sampleAccept},
	}
}

func TestCheckRequest(t *testing.T) {
	key, bad := checkRequest(goodRequest())
	require.Nil(t, bad)
	require.Equal(t, sampleKey, key)
	for name, spoil := range map[string]func(*request){
		"HTTP/1.2":                   func(r *request) { r.minor = 2 },
		"upper case":                 func(r *request) { r.header["Upgrade"] = []string{"WEBSOCKET"} },
		"as some browsers write it":  func(r *request) { r.header["Upgrade"] = []string{"WebSocket"} },
		"Upgrade is a list":          func(r *request) { r.header["Upgrade"] = []string{"h2c, websocket"} },
		"Upgrade has two lines":      func(r *request) { r.header["Upgrade"] = []string{"h2c", "websocket"} },
		"Connection is a list":       func(r *request) { r.header["Connection"] = []string{"keep-alive, Upgrade"} },
		"Connection has odd blanks":  func(r *request) { r.header["Connection"] = []string{",\tkeep-alive ,, \tuPgRaDe \t,"} },
		"Connection has two lines":   func(r *request) { r.header["Connection"] = []string{"keep-alive", "upgrade"} },
		"host and port":              func(r *request) { r.host = "localhost:8080" },
		"host is IPv6 and port":      func(r *request) { r.host = "[::1]:8080" },
		"host has an underscore":     func(r *request) { r.host = "my_service" },
		"SMG-03 nominated hop field": func(r *request) { r.header["Connection"] = []string{"Upgrade, x-internal-auth"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := goodRequest()
			spoil(r)
			key, bad := checkRequest(r)
			require.Nil(t, bad)
			require.Equal(t, sampleKey, key)
		})
	}
}

// spoiled holds one request against the rules after set was changed in it.
func spoiled(t *testing.T, want *refusal, spoil func(*request)) {
	t.Helper()
	r := goodRequest()
	spoil(r)
	key, bad := checkRequest(r)
	require.Same(t, want, bad)
	require.Empty(t, key)
}

func TestHS05RequiredFields(t *testing.T) {
	missing := map[string]*refusal{
		"Upgrade": errUpgrade, "Connection": errConnection,
		"Sec-Websocket-Version": errVersion, "Sec-Websocket-Key": errNoKey,
	}
	empty := maps.Clone(missing)
	empty["Sec-Websocket-Key"] = errKey
	for name := range missing {
		t.Run(name, func(t *testing.T) {
			spoiled(t, missing[name], func(r *request) { delete(r.header, name) })
			spoiled(t, missing[name], func(r *request) { r.header[name] = []string{} })
			spoiled(t, empty[name], func(r *request) { r.header[name] = []string{""} })
			spoiled(t, empty[name], func(r *request) { r.header[name] = []string{" ,\t,"} })
			// A map with other keys than net/textproto's has not got the field.
			spoiled(t, missing[name], func(r *request) {
				r.header[strings.ToLower(name)] = r.header[name]
				delete(r.header, name)
			})
		})
	}
	spoiled(t, errUpgrade, func(r *request) { r.header = nil })
}

func TestHS07Host(t *testing.T) {
	for _, host := range []string{"", "a b", "[::1", "a:b:c", "::1", "a:", "a:b", "a:0x1", "a:65536", "a:080", "a:-1", "[]", "[::1]a", "[fe80::1%eth0]",
		"a/b", "user@a", "a?b", "a#b", "a\\b", "b\u00fccher.example", "a\x00", "a\r\nb", ":80", "[g::]", "%41", "a,b"} {
		spoiled(t, errHost, func(r *request) { r.host = host })
	}
}

func TestHS08Key(t *testing.T) {
	require.True(t, validKey(sampleKey))
	for _, n := range []int{0, 1, 3, 14, 15, 17, 18, 24, 32} {
		key := base64.StdEncoding.EncodeToString(make([]byte, n))
		require.False(t, validKey(key), "%d bytes", n)
		spoiled(t, errKey, func(r *request) { r.header["Sec-Websocket-Key"] = []string{key} })
	}
	for name, key := range map[string]string{
		"AAAA":                          "AAAA",
		"no base64":                     strings.Repeat("!", 24),
		"no padding":                    "dGhlIHNhbXBsZSBub25jZQ",
		"padding is one":                "dGhlIHNhbXBsZSBub25jZQA=",
		"padding is other":              "dGhlIHNhbXBsZSBub25jZQ=A",
		"stray bits":                    "dGhlIHNhbXBsZSBub25jZR==",
		"the RFC's example, stray bits": "AQIDBAUGBwgJCgsMDQ4PEC==",
		"blank before":                  " dGhlIHNhbXBsZSBub25jZQ==",
		"blank behind":                  "dGhlIHNhbXBsZSBub25jZQ== ",
		"blank within":                  "dGhlIHNhbXBsZS Bub25jZQ==",
		"blank for a character":         "dGhlIHNhbXBsZS ub25jZQ==",
		"newlines, which decoders skip": "dGhlIHNhbXBsZSBub25j\r\n==",
		"base64url":                     "-GhlIHNhbXBsZSBub25jZQ==",
	} {
		t.Run(name, func(t *testing.T) {
			spoiled(t, errKey, func(r *request) { r.header["Sec-Websocket-Key"] = []string{key} })
		})
	}
}

// TestValidKeyAgainstDecoder changes every character of a key to every byte and
// compares with the strict decoder of the standard library.
func TestValidKeyAgainstDecoder(t *testing.T) {
	strict := base64.StdEncoding.Strict()
	for i := range len(sampleKey) {
		for c := range 256 {
			key := []byte(sampleKey)
			key[i] = byte(c)
			raw, err := strict.DecodeString(string(key))
			require.Equal(t, err == nil && len(raw) == 16, validKey(string(key)), "%q", key)
		}
	}
}

func TestHS09SingleFields(t *testing.T) {
	spoiled(t, errKeys, func(r *request) { r.header["Sec-Websocket-Key"] = []string{sampleKey, sampleKey} })
	spoiled(t, errKeys, func(r *request) { r.header["Sec-Websocket-Key"] = []string{sampleKey, "AAAAAAAAAAAAAAAAAAAAAA=="} })
	spoiled(t, errKey, func(r *request) { r.header["Sec-Websocket-Key"] = []string{sampleKey + "," + sampleKey} })
	spoiled(t, errVersions, func(r *request) { r.header["Sec-Websocket-Version"] = []string{"13", "13"} })
	spoiled(t, errVersions, func(r *request) { r.header["Sec-Websocket-Version"] = []string{"8", "13"} })
}

func TestHS10ConnectionIsAToken(t *testing.T) {
	for _, v := range []string{"notupgrade", "upgraded", "up grade", "keep-alive", "Upgrade;q=1", "\"Upgrade\"", "close, keep-alive", "up,grade"} {
		spoiled(t, errConnection, func(r *request) { r.header["Connection"] = []string{v} })
	}
	for _, v := range []string{"notwebsocket", "websockets", "web socket", "h2c", "websocket/13", "websoc\u212aet"} {
		spoiled(t, errUpgrade, func(r *request) { r.header["Upgrade"] = []string{v} })
	}
}

func TestHS11Version(t *testing.T) {
	for _, v := range [][2]int{{1, 0}, {0, 9}, {0, 1}, {-1, 1}} {
		spoiled(t, errHTTPVersion, func(r *request) { r.major, r.minor = v[0], v[1] })
	}
	for _, v := range [][2]int{{2, 0}, {3, 0}, {2, 1}} {
		spoiled(t, errHTTP2, func(r *request) { r.major, r.minor = v[0], v[1] })
	}
	for _, m := range []string{"POST", "HEAD", "CONNECT", "get", "GET ", ""} {
		spoiled(t, errMethod, func(r *request) { r.method = m })
	}
}

func TestHS12Body(t *testing.T) {
	spoiled(t, errRequestBody, func(r *request) { r.body = true })
}

func TestSMG02Version(t *testing.T) {
	for _, v := range []string{"", "8", "12", "14", "777", "013", "13.0", "13, 8", "8, 13", "+13", "13 ", "\u0661\u0663"} {
		spoiled(t, errVersion, func(r *request) { r.header["Sec-Websocket-Version"] = []string{v} })
	}
	require.Equal(t, 426, errVersion.status)
	require.Contains(t, errVersion.header, [2]string{"Sec-WebSocket-Version", "13"})
}

// TestRefusals looks at what all refusals of a server have in common.
func TestRefusals(t *testing.T) {
	for _, r := range []*refusal{errHTTPVersion, errHTTP2, errMethod, errRequestBody, errHost, errUpgrade, errConnection, errVersion, errVersions,
		errNoKey, errKeys, errKey, errProtocolList, errExtensionList} {
		require.GreaterOrEqual(t, r.status, 400, r.rule)
		require.LessOrEqual(t, len(r.body()), 1024, r.rule)
		require.True(t, strings.HasPrefix(r.body(), r.rule+"\n"))
		require.Equal(t, "websocket: "+r.rule, r.Error())
		if r.status == 426 { // RFC 9110, section 15.5.22
			require.Contains(t, r.header, [2]string{"Upgrade", "websocket"}, r.rule)
		}
	}
	require.Contains(t, errUpgrade.body(), "proxy_set_header Upgrade $http_upgrade;")
	require.Equal(t, "the request has no Sec-WebSocket-Key\n", errNoKey.body(), "no hint, no blank line")
	statuses := map[int][]*refusal{
		400: {errRequestBody, errHost, errVersions, errNoKey, errKeys, errKey, errProtocolList, errExtensionList},
		405: {errMethod},
		426: {errHTTPVersion, errUpgrade, errConnection, errVersion},
		505: {errHTTP2},
	}
	for status, refusals := range statuses {
		for _, r := range refusals {
			require.Equal(t, status, r.status, r.rule)
		}
	}
}

func TestAppendAccept(t *testing.T) {
	require.Equal(t, sampleAccept, string(appendAccept(nil, sampleKey)))
	require.Equal(t, "before "+sampleAccept, string(appendAccept([]byte("before "), sampleKey)))
	// Computed with openssl: printf '%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11' KEY | openssl sha1 -binary | base64
	for key, accept := range map[string]string{
		"AAAAAAAAAAAAAAAAAAAAAA==": "ICX+Yqv66kxgM0FcWaLWlFLwTAI=",
		"x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
	} {
		require.Equal(t, accept, string(appendAccept(nil, key)))
	}
}

func TestCheckResponse(t *testing.T) {
	p, bad := checkResponse(101, goodResponse(), sampleKey, nil)
	require.Nil(t, bad)
	require.Empty(t, p)
	for name, spoil := range map[string]func(h map[string][]string){
		"upper case":            func(h map[string][]string) { h["Upgrade"] = []string{"WebSocket"} },
		"Connection is a list":  func(h map[string][]string) { h["Connection"] = []string{"keep-alive, UPGRADE"} },
		"Connection, two lines": func(h map[string][]string) { h["Connection"] = []string{"keep-alive", "upgrade"} },
		"unknown field":         func(h map[string][]string) { h["Server"] = []string{"x"} },
		"an extension":          func(h map[string][]string) { h["Sec-Websocket-Extensions"] = []string{"x"} }, // somebody else's to judge
	} {
		t.Run(name, func(t *testing.T) {
			h := goodResponse()
			spoil(h)
			_, bad := checkResponse(101, h, sampleKey, nil)
			require.Nil(t, bad)
		})
	}
}

func TestCLI08Status(t *testing.T) {
	for _, status := range []int{0, 100, 102, 200, 204, 301, 400, 401, 403, 500} {
		_, bad := checkResponse(status, goodResponse(), sampleKey, nil)
		require.Same(t, errStatus, bad, "%d", status)
	}
}

func TestCLI09UnaskedChoices(t *testing.T) {
	for _, row := range []struct {
		offered, chosen []string
		want            string
		bad             *refusal
	}{
		{nil, nil, "", nil},
		{[]string{"a", "b"}, nil, "", nil}, // "If the response includes …": it need not
		{[]string{"a", "b"}, []string{"b"}, "b", nil},
		{[]string{"a", "b"}, []string{"evil"}, "", errAnswerProtocol},
		{[]string{"a", "b"}, []string{"A"}, "", errAnswerProtocol},
		{[]string{"a", "b"}, []string{"a, b"}, "", errAnswerProtocol},
		{[]string{"a", "b"}, []string{""}, "", errAnswerProtocol},
		{nil, []string{"a"}, "", errAnswerProtocol},
		{nil, []string{""}, "", errAnswerProtocol},
		{[]string{"a", "b"}, []string{"a", "b"}, "", errAnswerTwice},
		{[]string{"a"}, []string{"a", "a"}, "", errAnswerTwice},
	} {
		h := goodResponse()
		h["Sec-Websocket-Protocol"] = row.chosen
		p, bad := checkResponse(101, h, sampleKey, row.offered)
		require.Same(t, row.bad, bad, "%q", row.chosen)
		require.Equal(t, row.want, p)
	}
	h := goodResponse()
	h["Sec-Websocket-Extensions"] = []string{"permessage-deflate", "permessage-deflate"}
	_, bad := checkResponse(101, h, sampleKey, nil)
	require.Same(t, errAnswerTwice, bad)
}

func TestCLI10Accept(t *testing.T) {
	for name, accept := range map[string][]string{
		"missing":       nil,
		"empty":         {""},
		"twice":         {sampleAccept, sampleAccept},
		"of another":    {"HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
		"lower case":    {strings.ToLower(sampleAccept)},
		"extra bytes":   {sampleAccept + "="},
		"one less":      {sampleAccept[:27]},
		"the key":       {sampleKey},
		"a list":        {sampleAccept + ", " + sampleAccept},
		"blank in it":   {"s3pPLMBiTxaQ9k YGzzhZRbK+xOo="},
		"blank behind":  {sampleAccept + " "},
		"other charset": {"s3pPLMBiTxaQ9kYGzzhZRbK-xOo="},
	} {
		t.Run(name, func(t *testing.T) {
			h := goodResponse()
			h["Sec-Websocket-Accept"] = accept
			_, bad := checkResponse(101, h, sampleKey, nil)
			require.Same(t, errAnswerAccept, bad)
		})
	}
}

func TestResponseUpgradeAndConnection(t *testing.T) {
	for _, v := range [][]string{nil, {""}, {"h2c"}, {"websocket, h2c"}, {"websocket", "websocket"}, {"websoc\u212aet"}} {
		h := goodResponse()
		h["Upgrade"] = v
		_, bad := checkResponse(101, h, sampleKey, nil)
		require.Same(t, errAnswerUpgrade, bad, "%q", v)
	}
	for _, v := range [][]string{nil, {""}, {"close"}, {"notupgrade"}, {"Upgrade/1"}} {
		h := goodResponse()
		h["Connection"] = v
		_, bad := checkResponse(101, h, sampleKey, nil)
		require.Same(t, errAnswerConn, bad, "%q", v)
	}
}

func TestParseProtocols(t *testing.T) {
	for _, row := range []struct {
		values []string
		want   []string
		ok     bool
	}{
		{nil, nil, true},
		{[]string{""}, nil, true},
		{[]string{" ,, \t"}, nil, true},
		{[]string{"chat"}, []string{"chat"}, true},
		{[]string{"chat, superchat"}, []string{"chat", "superchat"}, true},
		{[]string{"chat", "superchat"}, []string{"chat", "superchat"}, true},
		{[]string{" chat\t,,\tsuperchat ,"}, []string{"chat", "superchat"}, true},
		{[]string{"chat,Chat"}, []string{"chat", "Chat"}, true},
		{[]string{"v1.json!#$%&'*+-.^_`|~"}, []string{"v1.json!#$%&'*+-.^_`|~"}, true},
		{[]string{"chat, chat"}, nil, false},
		{[]string{"chat", "chat"}, nil, false},
		{[]string{"chat superchat"}, nil, false},
		{[]string{"chat/1"}, nil, false},
		{[]string{"\"chat\""}, nil, false},
		{[]string{"chat;q=1"}, nil, false},
		{[]string{"ch\x00at"}, nil, false},
		{[]string{"ch\u00e9"}, nil, false},
		{[]string{"a\r\nb"}, nil, false},
	} {
		got, ok := parseProtocols(row.values)
		require.Equal(t, row.ok, ok, "%q", row.values)
		require.Equal(t, row.want, got, "%q", row.values)
	}
	many := make([]string, 65)
	for i := range many {
		many[i] = strings.Repeat("a", i+1)
	}
	got, ok := parseProtocols(many[:64])
	require.True(t, ok)
	require.Equal(t, many[:64], got)
	_, ok = parseProtocols(many)
	require.False(t, ok, "a list without end")
}

func TestChooseProtocol(t *testing.T) {
	offered := []string{"a", "b", "c"}
	require.Equal(t, "b", chooseProtocol(offered, []string{"x", "b", "a"}), "the server's order counts")
	require.Equal(t, "", chooseProtocol(offered, []string{"x", "A"}))
	require.Equal(t, "", chooseProtocol(offered, nil))
	require.Equal(t, "", chooseProtocol(nil, []string{"a"}))
}

func ext(name string, params ...extensionParam) extension { return extension{name, params} }
func par(name, value string) extensionParam               { return extensionParam{name, value, false} }
func quo(name, value string) extensionParam               { return extensionParam{name, value, true} }

func TestParseExtensions(t *testing.T) {
	for _, row := range []struct {
		values []string
		want   []extension
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{" , \t,,"}, nil},
		{[]string{"foo"}, []extension{ext("foo")}},
		{[]string{"foo, bar; baz=2"}, []extension{ext("foo"), ext("bar", par("baz", "2"))}}, // RFC 6455, section 9.1
		{[]string{"foo", "bar; baz=2"}, []extension{ext("foo"), ext("bar", par("baz", "2"))}},
		{[]string{"foo", "", "bar"}, []extension{ext("foo"), ext("bar")}},
		{[]string{`x; a="b"`}, []extension{ext("x", quo("a", "b"))}},
		{[]string{`x; a="\b\c"; d`}, []extension{ext("x", quo("a", "bc"), par("d", ""))}},
		{[]string{`x; a="b\cd"`}, []extension{ext("x", quo("a", "bcd"))}},
		{[]string{"\tx\t;\ta\t=\tb\t,\ty\t"}, []extension{ext("x", par("a", "b")), ext("y")}},
		{[]string{"x;a;a;a=1"}, []extension{ext("x", par("a", ""), par("a", ""), par("a", "1"))}},
		{[]string{",,x,,"}, []extension{ext("x")}},
		{[]string{"permessage-deflate; client_max_window_bits"}, []extension{ext("permessage-deflate", par("client_max_window_bits", ""))}},
		{[]string{`x; a="b", y`}, []extension{ext("x", quo("a", "b")), ext("y")}},
		{[]string{"constructor, __proto__; toString=1"}, []extension{ext("constructor"), ext("__proto__", par("toString", "1"))}},
	} {
		got, err := parseExtensions(row.values)
		require.NoError(t, err, "%q", row.values)
		require.Equal(t, row.want, got, "%q", row.values)
	}
}

func TestHS04MalformedExtensions(t *testing.T) {
	for _, v := range []string{",;constructor", ";", "x;", "x;;a", "x; ;a", "x; =1", "x; a=", "x; a=,", "x; a=;b", "x a", "x; a b", "x; a=b c", "x=1", "x/y", `"x"`,
		`x; "a"`, `x; a="`, `x; a="b`, `x; a="b\`, `x; a="b\"`, `x; a=""`, `x; a="b c"`, `x; a="b\ c"`, `x; a="\""`, `x; a="b"c`, `x; a=b"c"`, `x; a='b'; "`,
		"x\x00", "x; a=\u00e9", "x\r\n", "\\", "x; a==b", `x; a="b,c"`} {
		got, err := parseExtensions([]string{v})
		require.ErrorIs(t, err, errExtensionSyntax, "%q", v)
		require.Nil(t, got)
		_, err = parseExtensions([]string{"good", v})
		require.ErrorIs(t, err, errExtensionSyntax, "%q behind a good one", v)
	}
}

// TestHS02LinearLists and TestHS03LinearQuotes give the parsers 64 KiB of what
// makes others slow. A quadratic one would take seconds for each, an exponential one for ever.
func TestHS02LinearLists(t *testing.T) {
	const size = 1 << 16
	for _, c := range []string{" ", ",", ";", "\"", "\\", "\t", "=", "a", "a,", "a;", "a ", ", ", `"\`, `\"`, "a=", ";a"} {
		flood := strings.Repeat(c, size/len(c))
		for _, v := range []string{flood, "b" + flood + "x", "b," + flood + "x", "b; a=" + flood, `b; a="` + flood} {
			values := []string{v}
			_, _ = parseProtocols(values)
			_, _ = parseExtensions(values)
			require.False(t, hasToken(values, "websocket"))
		}
	}
	_, ok := parseProtocols([]string{"b" + strings.Repeat(" ", 32000) + "x"})
	require.False(t, ok)
}

func TestHS03LinearQuotes(t *testing.T) {
	flood := strings.Repeat(`\c`, 512<<10)
	_, err := parseExtensions([]string{`a; b="` + flood})
	require.ErrorIs(t, err, errExtensionSyntax)
	list, err := parseExtensions([]string{`a; b="` + flood + `"`})
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("c", 512<<10), list[0].params[0].value)
}

// TestExtensionPartsAreBounded keeps a header of two bytes a parameter from
// becoming twenty times its size.
func TestExtensionPartsAreBounded(t *testing.T) {
	require.Equal(t, 256, maxExtensionParts, "forty times that many bytes are nothing")
	_, err := parseExtensions([]string{"x" + strings.Repeat(";a", maxExtensionParts-1)})
	require.NoError(t, err)
	_, err = parseExtensions([]string{"x" + strings.Repeat(";a", maxExtensionParts)})
	require.Error(t, err)
	_, err = parseExtensions([]string{strings.Repeat("x,", maxExtensionParts)})
	require.NoError(t, err)
	_, err = parseExtensions([]string{strings.Repeat("x,", maxExtensionParts), "y"})
	require.Error(t, err, "over all lines")
}

func TestHS24FieldValues(t *testing.T) {
	for c := range 256 {
		want := c == '\t' || c >= ' ' && c != 0x7F
		require.Equal(t, want, validFieldValue("a"+string([]byte{byte(c)})+"b"), "%#x", c)
	}
	require.True(t, validFieldValue(""))
}

func TestTokens(t *testing.T) {
	const separators = "()<>@,;:\\\"/[]?={} \t" // RFC 2616, section 2.2
	for c := range 256 {
		want := c > ' ' && c < 0x7F && !strings.ContainsRune(separators, rune(c))
		require.Equal(t, want, isToken(string([]byte{byte(c)})), "%#x", c)
	}
	require.False(t, isToken(""))
	require.False(t, isToken("a b"))
}

// FuzzParseExtensions: what is understood means the same when it is written anew.
func FuzzParseExtensions(f *testing.F) {
	for _, s := range []string{"", "foo, bar; baz=2", `x; a="\b\c"; d`, ",;constructor", `a; b="`, "permessage-deflate; client_max_window_bits=15, x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseExtensions([]string{s})
		if err != nil {
			require.Nil(t, list)
			return
		}
		var b strings.Builder
		for _, e := range list {
			b.WriteString("," + e.name)
			for _, p := range e.params {
				b.WriteString(";" + p.name)
				switch {
				case p.quoted:
					b.WriteString(`="\` + p.value + `"`)
				case p.value != "":
					b.WriteString("=" + p.value)
				}
			}
		}
		again, err := parseExtensions([]string{b.String()})
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}

// FuzzCheckRequest: no header crashes the rules, and what they let through has
// what RFC 6455 asks for, looked at in another way.
func FuzzCheckRequest(f *testing.F) {
	f.Add("websocket", "Upgrade", "13", sampleKey, "example.com", "chat, superchat")
	f.Add("h2c, WebSocket", "keep-alive, upgrade", "13", "AAAAAAAAAAAAAAAAAAAAAA==", "[::1]:80", "")
	f.Add("", ",", "8", "", "a:b:c", "\"")
	f.Fuzz(func(t *testing.T, upgrade, connection, version, key, host, protocols string) {
		r := &request{method: "GET", major: 1, minor: 1, host: host, header: map[string][]string{
			"Upgrade": {upgrade}, "Connection": {connection}, "Sec-Websocket-Version": {version}, "Sec-Websocket-Key": {key},
		}}
		got, bad := checkRequest(r)
		if bad == nil {
			raw, err := base64.StdEncoding.DecodeString(key)
			require.NoError(t, err)
			require.Len(t, raw, 16)
			require.Equal(t, key, got)
			require.Equal(t, "13", version)
			require.Contains(t, strings.ToLower(upgrade), "websocket")
			require.Contains(t, strings.ToLower(connection), "upgrade")
			require.NotContains(t, host, " ")
		}
		if offered, ok := parseProtocols([]string{protocols}); ok {
			again, ok := parseProtocols([]string{strings.Join(offered, " , ")})
			require.True(t, ok)
			require.Equal(t, offered, again)
		}
	})
}

func BenchmarkCheckRequest(b *testing.B) {
	r := goodRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := checkRequest(r); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkAppendAccept(b *testing.B) {
	dst := make([]byte, 0, 28)
	b.ReportAllocs()
	for b.Loop() {
		appendAccept(dst, sampleKey)
	}
}

// BenchmarkHostileExtensions is for the eye: bytes per second must not fall with
// the size.
func BenchmarkHostileExtensions(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		values := []string{`a; b="` + strings.Repeat(`\c`, size/2)}
		b.Run(map[int]string{1 << 10: "1KiB", 64 << 10: "64KiB"}[size], func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := parseExtensions(values); err == nil {
					b.Fatal("understood")
				}
			}
		})
	}
}

// Letters are folded, and nothing else is: not their neighbours, and nothing beyond
// ASCII.
func TestFoldEveryByte(t *testing.T) {
	const upper, lower = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
	for a := range 256 {
		for b := range 256 {
			i, j := strings.IndexByte(upper, byte(a)), strings.IndexByte(lower, byte(b))
			k, l := strings.IndexByte(lower, byte(a)), strings.IndexByte(upper, byte(b))
			want := a == b || i >= 0 && i == j || k >= 0 && k == l
			require.Equal(t, want, foldEqual(string([]byte{'x', byte(a)}), string([]byte{'X', byte(b)})), "%q and %q", a, b)
		}
	}
	require.False(t, foldEqual("x", "xx"))
}

// The request's fields, each of them and in their order, for options that bring
// them and options that do not.
func TestRequestFields(t *testing.T) {
	first := [][2]string{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Key", sampleKey}, {"Sec-WebSocket-Version", "13"}}
	agent := [2]string{"User-Agent", "Go-websocket"}
	many, listed := http.Header{}, [][2]string{agent}
	for i := range 20 {
		name := "X-" + string(rune('A'+i))
		many[name] = []string{"1", "2"}
		listed = append(listed, [2]string{name, "1"}, [2]string{name, "2"})
	}
	for name, row := range map[string]struct {
		url, offer string
		opts       DialOptions
		want       [][2]string
	}{
		"nothing":      {url: "ws://h/", want: [][2]string{agent}},
		"a list":       {url: "ws://h/", opts: DialOptions{Subprotocols: []string{"a", "b"}}, want: [][2]string{{"Sec-WebSocket-Protocol", "a, b"}, agent}},
		"one":          {url: "ws://h/", opts: DialOptions{Subprotocols: []string{"a"}}, want: [][2]string{{"Sec-WebSocket-Protocol", "a"}, agent}},
		"an offer":     {url: "ws://h/", offer: "x", want: [][2]string{{"Sec-WebSocket-Extensions", "x"}, agent}},
		"a user":       {url: "ws://user:pw@h/", want: [][2]string{agent, {"Authorization", "Basic dXNlcjpwdw=="}}},
		"a better one": {url: "ws://user:pw@h/", opts: DialOptions{Header: http.Header{"Authorization": {"Bearer t"}}}, want: [][2]string{agent, {"Authorization", "Bearer t"}}},
		"an agent":     {url: "ws://h/", opts: DialOptions{Header: http.Header{"User-Agent": {"me"}}}, want: [][2]string{{"User-Agent", "me"}}},
		"cookies":      {url: "ws://h/", opts: DialOptions{Header: http.Header{"Cookie": {"a=1", "b=2"}}}, want: [][2]string{agent, {"Cookie", "a=1; b=2"}}},
		"no cookies":   {url: "ws://h/", opts: DialOptions{Header: http.Header{"Cookie": nil}}, want: [][2]string{agent}},
		"many":         {url: "ws://h/", opts: DialOptions{Header: many}, want: listed},
	} {
		d, err := newDialer(row.url, &row.opts)
		require.NoError(t, err, name)
		got, err := d.fields(sampleKey, row.offer)
		require.NoError(t, err, name)
		require.Equal(t, append(slices.Clip(first), row.want...), got, name)
	}
}

// What package url lets through and a request line may not have is escaped, the
// rest is as it was.
func TestQueryEscaped(t *testing.T) {
	for q, want := range map[string]string{
		"": "", "a=b&c=%20": "a=b&c=%20", "a b": "a%20b", "ab c<d": "ab%20c%3Cd", "!~": "!~", "a!b~c": "a!b~c",
		"\x7f": "%7F", "\x00": "%00", "a\xff": "a%FF", "q=\u00e9!": "q=%C3%A9!", "x\"<>\\^`{|}y": "x%22%3C%3E%5C%5E%60%7B%7C%7Dy",
		" ": "%20", "a                    b": "a" + strings.Repeat("%20", 20) + "b",
	} {
		require.Equal(t, want, escapeQuery(q), "%q", q)
	}
}

// The target as a URL, which cookies, redirects and other transports go by.
func TestTargetURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://host/a?b": "http://host/a?b", "wss://host/a?b": "https://host/a?b", "ws://user:pw@host": "http://host/",
		"ws+unix:///s:/a": "http://localhost/a", "wss+unix:///s:/a": "https://localhost/a",
	} {
		to, _, err := parseTarget(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, to.url.String())
	}
	to, _, err := parseTarget("ws+unix:///s") // as short as it can be
	require.NoError(t, err)
	require.Equal(t, "/s", to.addr)
	_, _, err = parseTarget("ws+unix:///")
	require.ErrorIs(t, err, errUnixURL)
}
