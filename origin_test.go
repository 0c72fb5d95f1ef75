package websocket

// Who may connect, as tables. ORG names are those of known holes: a default that
// lets everybody in, patterns that match more than they say, comparisons that
// forget a part.

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func allowed(from, host string, secure bool, patterns ...string) bool {
	return checkOrigin(map[string][]string{"Origin": {from}}, host, secure, patterns) == nil
}

func TestORG01DefaultRefusesForeignPages(t *testing.T) {
	bad := checkOrigin(map[string][]string{"Origin": {"https://evil.example"}}, "host:8080", false, nil)
	require.NotNil(t, bad)
	require.Equal(t, 403, bad.status)
	for _, part := range []string{`"https://evil.example"`, `"http://host:8080"`, "add it to Origins"} {
		require.Contains(t, bad.body(), part)
	}
}

func TestORG02SameOrigin(t *testing.T) {
	const no, yes = false, true
	for _, row := range []struct {
		origin, host string
		secure       bool
		want         bool
	}{
		{"http://host", "host", no, yes},
		{"https://host", "host", yes, yes},
		{"http://host:80", "host", no, yes},
		{"http://host", "host:80", no, yes},
		{"https://host:443", "host", yes, yes},
		{"https://host", "host:443", yes, yes},
		{"http://host:8080", "host:8080", no, yes},
		{"https://host:8443", "host:8443", yes, yes},
		{"http://HOST", "host", no, yes},
		{"http://host", "HoSt", no, yes},
		{"http://AZ[", "az[", no, no},
		{"http://ABYZ", "abyz", no, yes},
		{"http://a-z", "A-Z", no, yes},
		{"HTTP://host", "host", no, yes},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", no, yes},
		{"http://[::1]", "[::1]", no, yes},
		{"http://[::]:65535", "[::]:65535", no, yes},
		{"http://host:65536", "host:65536", no, no},
		{"http://host:1", "host:1", no, yes},
		{"http://host:9090", "host:9090", no, yes},
		{"http://[::1]:80", "[::1]", no, yes},
		{"http://[::1]:8080", "[::1]:8080", no, yes},
		{"http://[2001:DB8::A]", "[2001:db8::a]", no, yes},
		{"https://xn--bcher-kva.example", "xn--bcher-kva.example", yes, yes},
		{"http://host.", "host.", no, yes},
		{"http://my_service", "my_service", no, yes},

		{"null", "host", no, no},
		{"null", "null", no, no},
		{"", "host", no, no},
		{"", "", no, no},
		{"host", "host", no, no},
		{"//host", "host", no, no},
		{"://host", "host", no, no},
		{"http:host", "host", no, no},
		{"http:/host", "host", no, no},
		{"http://", "", no, no},
		{"http://host.evil", "host", no, no},
		{"http://evilhost", "host", no, no},
		{"http://evil.host", "host", no, no},
		{"http://hos", "host", no, no},
		{"https://host:444", "host", yes, no},
		{"http://host:8080", "host", no, no},
		{"http://host", "host:8080", no, no},
		{"http://host:443", "host:443", yes, no},
		{"http://host", "host", yes, no},
		{"https://host", "host", no, no},
		{"https://host:80", "host:80", no, no},
		{"ws://host", "host", no, no},
		{"httpx://host", "host", no, no},
		{"ht tp://host", "host", no, no},
		{"http://host.", "host", no, no},
		{"http://host", "host.", no, no},
		{"http://user@host", "host", no, no},
		{"http://user:pw@host", "host", no, no},
		{"http://evil@host", "host", no, no},
		{"http://host@evil", "host", no, no},
		{"http://host/", "host", no, no},
		{"http://host/path", "host", no, no},
		{"http://host?q", "host", no, no},
		{"http://host#f", "host", no, no},
		{"http://host\\evil", "host", no, no},
		{"http://host http://evil", "host", no, no},
		{"http://evil, http://host", "host", no, no},
		{" http://host", "host", no, no},
		{"http://host ", "host", no, no},
		{"http://host\x00", "host", no, no},
		{"http://a:b", "a:b", no, no},
		{"http://host:", "host", no, no},
		{"http://host:080", "host", no, no},
		{"http://host:+80", "host", no, no},
		{"http://host:65616", "host", no, no}, // 80 in 16 bits
		{"http://host:0", "host", no, no},
		{"http://host:8/", "host:8/", no, no}, // the neighbours of the digits
		{"http://host:8:", "host:8:", no, no},
		{"http://[::1]", "[::2]", no, no},
		{"http://[::1]:8080", "[::2]:8080", no, no},
		{"http://[fe80::1%25eth0]", "[fe80::1]", no, no},
		{"http://[fe80::1%eth0]", "[fe80::1%eth0]", no, no},
		{"http://[::1", "[::1", no, no},
		{"http://::1", "::1", no, no},
		{"http://[0:0:0:0:0:0:0:1]", "[::1]", no, no}, // browsers write it short
		{"http://b\u00fccher.example", "b\u00fccher.example", no, no},
		{"http://\u212aost", "kost", no, no}, // Unicode folds the Kelvin sign to k
		{"http://ho\u017ft", "host", no, no}, // and the long s to s
		{"http://%68ost", "host", no, no},
	} {
		require.Equal(t, row.want, allowed(row.origin, row.host, row.secure), "Origin %q, Host %q, TLS %v", row.origin, row.host, row.secure)
	}
}

func TestORG02SeveralOrigins(t *testing.T) {
	for _, values := range [][]string{{"http://host", "http://host"}, {"http://host", "https://evil.example"}, {"", "http://host"}} {
		require.Same(t, errOrigins, checkOrigin(map[string][]string{"Origin": values}, "host", false, nil))
	}
	require.Equal(t, 403, errOrigins.status)
}

func TestORG03NoOrigin(t *testing.T) {
	require.Nil(t, checkOrigin(nil, "host", false, nil))
	require.Nil(t, checkOrigin(map[string][]string{"Origin": {}}, "host", true, []string{"https://a.example"}))
}

func TestORG04Patterns(t *testing.T) {
	for _, row := range []struct {
		pattern, origin string
		want            bool
	}{
		{"https://app.example.com", "https://app.example.com", true},
		{"https://app.example.com", "https://app.example.com:443", true},
		{"https://app.example.com:443", "https://app.example.com", true},
		{"https://App.Example.com", "https://app.example.com", true},
		{"http://localhost:5173", "http://localhost:5173", true},
		{"chrome-extension://abcdefgh", "chrome-extension://abcdefgh", true},
		{"https://*.example.com", "https://app.example.com", true},
		{"https://*.example.com", "https://a.b.example.com", true},
		{"https://*.example.com", "https://APP.Example.com", true},
		{"https://*.example.com", "https://a.example.com", true},
		{"wss://app.example.com", "wss://app.example.com:443", true},
		{"ws://app.example.com", "ws://app.example.com:80", true},
		{"custom://app", "custom://app", true},
		{"https://*.example.com:8443", "https://app.example.com:8443", true},

		{"https://app.example.com", "http://app.example.com", false},
		{"https://app.example.com", "https://app.example.com:8443", false},
		{"https://app.example.com:8443", "https://app.example.com", false},
		{"https://app.example.com", "https://app.example.com.evil", false},
		{"https://app.example.com", "https://evil-app.example.com", false},
		{"https://app.example.com", "null", false},
		{"chrome-extension://abcdefgh", "chrome-extension://abcdefgi", false},
		{"chrome-extension://abcdefgh", "chrome-extension://abcdefgh:1", false},
		{"chrome-extension://abcdefgh", "chrome-extension://abcdefgh:80", false},
		{"https://*.a.com", "https://a.com", false},
		{"https://*.a.com", "https://.a.com", false},
		{"https://*.a.com", "https://evil-a.com", false},
		{"https://*.a.com", "https://evila.com", false},
		{"https://*.a.com", "https://a.com.evil", false},
		{"https://*.a.com", "https://a.com@evil", false},
		{"https://*.a.com", "https://x.a.com@evil", false},
		{"https://*.a.com", "https://evil/.a.com", false},
		{"https://*.a.com", "https://evil?.a.com", false},
		{"https://*.a.com", "https://evil#.a.com", false},
		{"https://*.a.com", "https://evil\\.a.com", false},
		{"https://*.a.com", "https://x..a.com", false},
		{"https://*.a.com", "https://..a.com", false},
		{"https://*.a.com", "https://.x.a.com", false},
		{"https://*.a.com", "https://x.y..z.a.com", false},
		{"https://*.a.com", "https://x.a.com.", false},
		{"https://*.a.com", "http://x.a.com", false},
		{"https://*.a.com", "https://x.a.com:8443", false},
		{"https://*.a.com", "https://*.a.com", false},
		{"https://*.a.com:8443", "https://x.a.com", false},
		{"https://*.a.com", "null", false},
	} {
		require.Equal(t, row.want, allowed(row.origin, "server", false, row.pattern), "pattern %q, Origin %q", row.pattern, row.origin)
		require.Equal(t, row.want, allowed(row.origin, "server", false, "https://other.example", row.pattern), "as the second")
		require.True(t, allowed("http://server", "server", false, row.pattern), "the server's own stays")
	}
}

func TestORG04BadPatterns(t *testing.T) {
	for _, p := range []string{"", "*", "null", "example.com", "//example.com", "*://example.com", "https://*", "https://*.", "https://*example.com", "https://a.*.com",
		"https://*.*.com", "https://example.com/", "https://example.com:*", "https://user@example.com", "://*.example.com", "ht*p://*.example.com", "https://*.[::1]",
		"https://*..example.com", "https://example.com ", "https://b\u00fccher.example"} {
		// Loud at once, also for requests that would be allowed without a look at it.
		require.Same(t, errPattern, checkOrigin(nil, "host", false, []string{p}), "%q", p)
		require.Same(t, errPattern, checkOrigin(map[string][]string{"Origin": {"http://host"}}, "host", false, []string{"https://good.example", p}), "%q", p)
	}
	require.Equal(t, 500, errPattern.status)
}

// TestRefusalsReflectLittle: what comes from a request comes back short and quoted.
func TestRefusalsReflectLittle(t *testing.T) {
	for _, c := range []string{"a", "\x00", "\r\n", "\u212a", "<script>", `"`, "\xff"} {
		from := "https://" + strings.Repeat(c, 4096/len(c))
		bad := checkOrigin(map[string][]string{"Origin": {from}}, strings.Repeat("h", 4096), false, nil)
		require.NotNil(t, bad)
		require.LessOrEqual(t, len(bad.body()), 1024)
		require.NotContains(t, bad.body(), "\r")
		for _, r := range bad.body() {
			require.True(t, r == '\n' || r >= ' ' && r < 0x7F, "%q", r)
		}
	}
}

func TestQuote(t *testing.T) {
	require.Equal(t, `"`+strings.Repeat("a", 64)+`"`, quote(strings.Repeat("a", 64)))
	require.Equal(t, `"`+strings.Repeat("a", 64)+`"...`, quote(strings.Repeat("a", 65)))
}

func TestCheckOriginAllocates(t *testing.T) {
	header := map[string][]string{"Origin": {"https://app.example.com"}}
	patterns := []string{"https://a.example.com", "https://*.example.com"}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if checkOrigin(header, "server", true, patterns) != nil {
			t.Fatal("refused")
		}
	}))
}

// FuzzCheckOrigin: an origin that passes is the server's for package url too.
func FuzzCheckOrigin(f *testing.F) {
	for _, s := range [][2]string{{"http://host", "host"}, {"http://host:80", "HOST"}, {"http://[::1]:8080", "[::1]:8080"}, {"http://a:b", "a:b"}, {"null", "null"},
		{"http://host@evil", "host"}, {"http://\u212a", "k"}, {"http://x.a.com", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, from, host string) {
		if !allowed(from, host, false) {
			return
		}
		o, err := url.Parse(from)
		require.NoError(t, err)
		h, err := url.Parse("http://" + host)
		require.NoError(t, err)
		require.Nil(t, o.User)
		require.Empty(t, o.Path+o.RawQuery+o.Fragment)
		port := func(u *url.URL) string {
			if u.Port() == "" {
				return "80"
			}
			return u.Port()
		}
		require.Equal(t, "http", o.Scheme)
		require.Equal(t, strings.ToLower(h.Hostname()), strings.ToLower(o.Hostname()))
		require.Equal(t, port(h), port(o))
	})
}

func BenchmarkCheckOrigin(b *testing.B) {
	header := map[string][]string{"Origin": {"https://app.example.com"}}
	b.ReportAllocs()
	for b.Loop() {
		if checkOrigin(header, "app.example.com", true, nil) != nil {
			b.Fatal("refused")
		}
	}
}
