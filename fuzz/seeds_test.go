package fuzz

// The seeds of the fuzz targets: rows of CATALOGUE.md, cases of conformance suites
// and frames as real peers send them. They are committed under testdata/fuzz, where
// go test finds and replays them; go test -run TestSeeds -update writes them anew.

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed9f1f0156/websocket"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what is generated: seeds and CATALOGUE.md")

// wireSeeds are frames in words of harness_test.go.
var wireSeeds = map[string]string{
	"LEN-01": "020141 007f8000000000000000 807f0000000000000005",
	"LEN-02": "827fffffffffffffffff41", "LEN-05": "827f0080000000000001", "LEN-06": "837fffffffffffffffff00000000",
	"LEN-08": "020a30313233343536373839 807f7fffffffffffffff", "LEN-11": "827f000000010000000568656c6c6f",
	"LEN-12": "827f800000000000000568656c6c6f", "LEN-15": "827e000568656c6c6f", "LEN-16": "01026865 89027069 80036c6c6f",
	"MEM-01": "827f4000000000000000", "MEM-03": "010161 000161 000161 000161 000161 000161 000161 000161 800161",
	"MEM-07": "0100 0000 0000 0000 0000 8000",
	"DEF-02": frame(0xC1, unhex(hundredZ)), "DEF-06": "4103ca48cd c004c9c90700", "DEF-07": "c900",
	"DEF-08": "4102ca48 89016f 0003cdc9c9 890174 80020700", "DEF-10": "c100 4100 0004ca48cdc9 0000 0003c90700 8000",
	"DEF-11": "c104ffffffff", "DEF-12": frame(0xC1, unhex(helloFinalZ+helloZ)), "DEF-12-garbage": frame(0xC1, unhex(helloFinalZ+"ffffff")),
	"DEF-16": frame(0xC1, unhex(helloZ)) + " " + frame(0xC1, unhex(againZ)), "DEF-11-stored": frame(0xC1, unhex(storedZ)),
	"CTL-01": strings.Repeat("8900 ", 40), "CTL-05": "8a00 8a026869 8a00", "CTL-10": "897e007e", "CTL-10-fin": "0900",
	"CTL-10-continuation": "80026869", "CTL-10-interleaved": "010161 810162", "CTL-11": "a200",
	"CLS-01": "880503e8627965", "CLS-02": "880103", "CLS-03": "880203ed", "CLS-04": "880303e8ff",
	"CLS-07": "880203e8 81046c617465", "CLS-08": "880203e8 880203e8", "CLS-empty": "8800",
	"UTF-01": "8102e228", "UTF-02": "8103eda080", "UTF-02-cut": "8102e282", "UTF-04": "0101e2 000182 8001ac",
	"UTF-05": "0103616263 807f0000000040000000ff", "MSK-05": "810568656c6c6f",
	"RFC-5.7":        "810548656c6c6f 010348656c 80026c6f 890548656c6c6f 8a0548656c6c6f",
	"autobahn-6.2.3": "0103cebae1 0003bdb9cf 800583cebcceb5", "autobahn-5.18": "010166 010166",
	"autobahn-7.7.1": "880203e9", "autobahn-13": "c10ef248cdc9c95728cf2fca49e14200",
	"browser-chrome": "c10bf248cdc9c95708cf2fca4901", "gorilla-echo": "81027b7d 880203e8",
}

var requestSeeds = map[string]string{
	"plain":  request("", ""),
	"LEN-13": request("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8\r\n"),
	"HS-02":  request("", "Sec-WebSocket-Protocol: b"+strings.Repeat(" ", 200)+"x\r\n"),
	"HS-03":  request("", "Sec-WebSocket-Extensions: a; b=\""+strings.Repeat("\\c", 100)+"\r\n"),
	"HS-04":  request("", "Sec-WebSocket-Extensions: ,;constructor\r\n"),
	"HS-05":  request("Upgrade", ""), "HS-07": request("Host", "Host: [::1\r\n"),
	"HS-08": request("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAA\r\n"),
	"HS-09": request("", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
	"HS-10": request("Connection", "Connection: notupgrade\r\n"),
	"HS-11": strings.Replace(request("", ""), "HTTP/1.1", "HTTP/1.0", 1),
	"HS-12": request("", "Content-Length: 5\r\n") + "hello", "HS-12-chunked": request("", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
	"HS-15":  request("", "") + "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
	"ORG-01": request("", "Origin: https://evil.example\r\n"), "SMG-02": request("Sec-WebSocket-Version", "Sec-WebSocket-Version: 777\r\n"),
	"SMG-04": strings.ReplaceAll(request("", ""), "\r\n", "\n"),
	"DEF-03": request("", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n"),
}

const good101 = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %ACCEPT%\r\n"

var responseSeeds = map[string]string{
	"plain": good101 + "\r\n", "CLI-05": "HTTP/1.1 101 " + strings.Repeat("a", 1000), "CLI-06": good101 + strings.Repeat("X: y\r\n", 100),
	"CLI-08": strings.Replace(good101, "101", "200", 1) + "\r\nbody", "CLI-09": good101 + "Sec-WebSocket-Protocol: evil\r\n\r\n",
	"CLI-09-deflate": good101 + "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n\r\n",
	"CLI-09-chosen":  good101 + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	"CLI-10":         strings.Replace(good101, "%ACCEPT%", "%ACCEPT%x", 1) + "\r\n", "CLI-02": "HTTP/1.1 302 Found\r\nLocation: ws://other/\r\n\r\n",
	"HS-15": good101 + "\r\n\x81\x05hello\x88\x02\x03\xe8", "DEF-03": good101 + "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n\r\n",
	"interim": "HTTP/1.1 100 Continue\r\n\r\n" + good101 + "\r\n", "CLI-11": good101 + "\r\n\x81\x80\x00\x00\x00\x00",
}

var headerSeeds = map[string][3]string{
	"plain": {"permessage-deflate; client_max_window_bits", "chat, superchat", "http://server.example.com"},
	"HS-02": {strings.Repeat(", ; ", 100), strings.Repeat(" ,", 100), ""},
	"HS-03": {"a; b=\"" + strings.Repeat("\\c", 100), "", ""}, "HS-04": {"constructor, x; y=\"z\"", "", ""},
	"DEF-03": {"permessage-deflate; server_max_window_bits=08", "", ""},
	"DEF-04": {"permessage-deflate; client_max_window_bits=9; server_no_context_takeover, permessage-deflate", "chat", ""},
	"ORG-01": {"", "", "https://evil.example"}, "ORG-02": {"", "", "null"}, "ORG-02-port": {"", "", "http://server.example.com:80"},
	"ORG-04": {"", "", "https://evil-example.org"}, "ORG-04-star": {"", "", "https://a.b.example.org"},
}

var urlSeeds = map[string]string{
	"plain": "ws://example.com/chat?x=y", "CLI-01": "ws://example.com/\r\nX-Inj: 1", "CLI-03": "ws://user:pw@host/",
	"CLI-13": "ws://[fe80::1%25eth0]:8080/", "CLI-14": "ws://h/a#f", "unix": "ws+unix:///run/app.sock:/chat",
	"https": "HTTPS://Example.COM:443", "empty-port": "ws://h:/", "big-port": "ws://h:99999/", "NUL": "ws://h/\x00", "opaque": "ws:h", "idn": "ws://bücher.example/",
}

// optionSeeds are Host, a field's name and value, a subprotocol, a cookie's name and
// value, user and password.
var optionSeeds = map[string][8]string{
	"plain":           {"", "X-Trace", "1", "chat", "a", "1", "user", "pw"},
	"CLI-01-host":     {"h\r\nX-Inj: 1", "X", "", "chat", "a", "1", "", ""},
	"CLI-01-name":     {"h", "X: y\r\nX-Inj", "1", "chat", "a", "1", "", ""},
	"CLI-01-value":    {"h", "X", "1\r\nX-Inj: 1", "chat", "a", "1", "", ""},
	"CLI-01-protocol": {"h", "X", "1", "chat\r\nX-Inj: 1", "a", "1", "", ""},
	"CLI-01-cookie":   {"h", "X", "1", "chat", "a=1\r\nX-Inj: 1; b", "1", "", ""},
	"CLI-01-crumb":    {"h", "X", "1", "chat", "a", "1\r\nX-Inj: 1", "", ""},
	"CLI-01-NUL":      {"h:80", "X", "\x00", "chat", "a", "\x00", "\x00", "\r\n"},
	"second-cookie":   {"h", "Cookie", "c=3", "chat", "a", "1; b=2", "", ""},
	"quoted-cookie":   {"h", "cookie", "c=3", "chat", "a", "1, 2", "", ""},
	"own-fields":      {"h", "AUTHORIZATION", "Bearer x", "chat", "a", "1", "user", "pw"},
	"own-agent":       {"[::1]:80", "user-agent", "me", "chat", "a", "", "user", "p:w"},
}

var closingSeeds = map[string]string{
	"CLS-07": "\x00\x02\x07", "CLS-08": "\x0a\x00\x0b\x0a", "CLS-10": "\x02\x0a", "CLS-11": "\x07\x0a\x07", "CTL-07": "\x03\x0a\x03",
	"CLS-02": "\x05\x0a", "CTL-10": "\x06\x04\x02", "cut": "\x02\x08\x07", "now": "\x0a\x09\x07", "empty": "\x01\x02",
}

var sendSeeds = map[string]string{
	"DEF-09": "\x2b\x2b\x34", "CTL-04": "\x2b\x2d\x2b\x2e\x34", "LEN-14": "\x00\x01\x08\x09\x90\x91\xf8\xf9", "CLS-07": "\x08\xff\x08",
	"fragments": "\x0b\x0c\x0a\x0d", "all": "\x08\x11\x1a\x1b\x1c\x1d\x1e\xff",
}

// allSeeds returns file name to content, of every target.
func allSeeds() map[string]string {
	all := map[string]string{}
	add := func(target, name string, values ...any) {
		content := "go test fuzz v1\n"
		for _, v := range values {
			switch v := v.(type) {
			case byte:
				content += fmt.Sprintf("byte('\\x%02x')\n", v)
			case []byte:
				content += fmt.Sprintf("[]byte(%q)\n", v)
			default:
				content += fmt.Sprintf("%T(%#v)\n", v, v)
			}
		}
		all[filepath.Join("testdata", "fuzz", target, name)] = content
	}
	for name, words := range wireSeeds {
		for _, role := range bothRoles {
			in, file := frames(role, words), name+"-"+roleName(role)
			flags := byte(role)
			if words[0] == 'c' || words[0] == '4' {
				flags |= 2
			}
			add("FuzzSplit", file, in, flags, uint16(len(in)/3), uint16(len(in)/2))
			add("FuzzSplit", file+"-limits", in, flags|4, uint16(1), uint16(2))
			add("FuzzMessages", file, in, flags)
		}
	}
	for name, raw := range requestSeeds {
		add("FuzzRequest", name, raw)
	}
	for name, raw := range responseSeeds {
		add("FuzzResponse", name, raw, true)
		add("FuzzResponse", name+"-bare", raw, false)
	}
	for name, h := range headerSeeds {
		add("FuzzHeaders", name, h[0], h[1], h[2])
	}
	for name, raw := range urlSeeds {
		add("FuzzURL", name, raw)
	}
	for name, o := range optionSeeds {
		add("FuzzDialOptions", name, o[0], o[1], o[2], o[3], o[4], o[5], o[6], o[7])
	}
	for name, script := range closingSeeds {
		add("FuzzClosing", name+"-server", []byte(script), false)
		add("FuzzClosing", name+"-client", []byte(script), true)
	}
	for name, script := range sendSeeds {
		add("FuzzSend", name+"-server", []byte(script), []byte(strings.Repeat("0123456789", 60)), false)
		add("FuzzSend", name+"-client", []byte(script), []byte(strings.Repeat("\x80é", 100)), true)
	}
	return all
}

// TestSeeds: the committed seeds are those listed here. Inputs that a fuzzer found
// have names of its own and stay as they are.
func TestSeeds(t *testing.T) {
	require.Equal(t, websocket.Role(0), websocket.RoleServer) // flags of seeds
	for name, content := range allSeeds() {
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
			require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
		}
		got, err := os.ReadFile(name)
		require.NoError(t, err, "run go test -run TestSeeds -update")
		require.Equal(t, content, string(got), name)
	}
}
