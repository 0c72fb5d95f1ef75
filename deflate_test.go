package websocket

// Tests of permessage-deflate without a connection: what is negotiated, against
// an oracle that follows the text of RFC 7692, and one half by itself, with the
// examples of the RFC.

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The oracle. It works on text: elements are cut at commas and semicolons outside
// of quotes, then matched with expressions for the grammar of RFC 6455, section
// 9.1, and the ranges of RFC 7692, section 7.1.
var (
	oracleToken = "[-!#$%&'*+.^_`|~0-9A-Za-z]+"
	oracleName  = regexp.MustCompile("^" + oracleToken + "$")
	oracleParam = regexp.MustCompile("^(" + oracleToken + `)(?:[ \t]*=[ \t]*(?:(` + oracleToken + `)|"((?:[^"\\]|\\.)*)"))?$`)
	oracleBits  = regexp.MustCompile(`^(8|9|1[0-5])$`)
	oracleQuote = regexp.MustCompile(`\\(.)`)
)

// oracleElement is an extension; a parameter's value is absent if it is noValue.
type oracleElement struct {
	name   string
	params [][2]string
}

const noValue = "\x00"

// oracleCut cuts s at sep where that is not in quotes.
func oracleCut(s string, sep byte) (parts []string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// oracleParse reads header lines, which are one list (RFC 9110, section 5.3).
func oracleParse(lines []string) (list []oracleElement, ok bool) {
	for _, element := range oracleCut(strings.Join(lines, ", "), ',') {
		if strings.Trim(element, " \t") == "" {
			continue
		}
		parts := oracleCut(element, ';')
		e := oracleElement{name: strings.Trim(parts[0], " \t")}
		if !oracleName.MatchString(e.name) {
			return nil, false
		}
		for _, part := range parts[1:] {
			m := oracleParam.FindStringSubmatch(strings.Trim(part, " \t"))
			switch {
			case m == nil:
				return nil, false
			case strings.Contains(part, `"`):
				value := oracleQuote.ReplaceAllString(m[3], "$1")
				if !oracleName.MatchString(value) {
					return nil, false
				}
				e.params = append(e.params, [2]string{m[1], value})
			case m[2] != "":
				e.params = append(e.params, [2]string{m[1], m[2]})
			default:
				e.params = append(e.params, [2]string{m[1], noValue})
			}
		}
		list = append(list, e)
	}
	return list, true
}

// oracleDeflate returns the parameters of e by name, if section 7.1 allows them
// in an offer or in an answer.
func oracleDeflate(e oracleElement, answer bool) (params map[string]string, ok bool) {
	if e.name != "permessage-deflate" {
		return nil, false
	}
	params = map[string]string{}
	for _, p := range e.params {
		name, value := p[0], p[1]
		if _, twice := params[name]; twice {
			return nil, false
		}
		params[name] = value
		legal := false
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			legal = value == noValue
		case "server_max_window_bits":
			legal = oracleBits.MatchString(value)
		case "client_max_window_bits":
			legal = oracleBits.MatchString(value) || value == noValue && !answer
		}
		if !legal {
			return nil, false
		}
	}
	return params, true
}

// deflateConfigs are the servers, and the clients, of the table.
func deflateConfigs() (all []*Compression) {
	for i := range 8 {
		all = append(all, &Compression{SendTakeover: i&1 != 0, ReceiveTakeover: i&2 != 0, WindowBits: []int{0, 10}[i>>2]})
	}
	return all
}

func smaller(a, b string) string {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return strconv.Itoa(min(x, y))
}

// oracleAnswer is what a server with z has to answer to an offer: everything that
// was asked for, and what z wants beyond that and may have.
func oracleAnswer(z *Compression, offer map[string]string) map[string]string {
	bits := strconv.Itoa(z.WindowBits)
	limited := z.WindowBits != 0
	answer := map[string]string{}
	if _, asked := offer["server_no_context_takeover"]; asked || !z.SendTakeover {
		answer["server_no_context_takeover"] = noValue
	}
	if _, asked := offer["client_no_context_takeover"]; asked || !z.ReceiveTakeover {
		answer["client_no_context_takeover"] = noValue
	}
	switch asked, ok := offer["server_max_window_bits"]; {
	case ok && limited:
		answer["server_max_window_bits"] = smaller(asked, bits)
	case ok:
		answer["server_max_window_bits"] = asked
	case limited:
		answer["server_max_window_bits"] = bits
	}
	switch asked, ok := offer["client_max_window_bits"]; {
	case !ok && limited:
		answer["client_no_context_takeover"] = noValue // all that can be asked of it
	case !ok, asked == noValue && !limited:
	case asked == noValue:
		answer["client_max_window_bits"] = bits
	case limited:
		answer["client_max_window_bits"] = smaller(asked, bits)
	default:
		answer["client_max_window_bits"] = asked
	}
	return answer
}

// oracleServer returns nil for a header that is declined.
func oracleServer(z *Compression, lines []string) (answer map[string]string, ok bool) {
	list, ok := oracleParse(lines)
	if !ok {
		return nil, false
	}
	for _, e := range list {
		if offer, ok := oracleDeflate(e, false); ok {
			return oracleAnswer(z, offer), true
		}
	}
	return nil, true
}

// elements generates permessage-deflate with all combinations of these forms of
// its parameters, in an order that changes.
func elements() (all []string) {
	count := 0
	for _, a := range []string{"", "server_no_context_takeover", "server_no_context_takeover=1"} {
		for _, b := range []string{"", "client_no_context_takeover", `client_no_context_takeover="true"`} {
			for _, s := range []string{"", "", "=8", "=10", "=15", "=99", "=7", "=16", "=0", "=08", `="12"`, `="1\2"`, "=-9", "=+9",
				"=1000000000000000000000000000000", "=8.0", "=0xA", " = 11"} {
				if s != "" {
					s = "server_max_window_bits" + s
				}
				for _, c := range []string{"", "client_max_window_bits", "client_max_window_bits=8", "client_max_window_bits=12",
					"client_max_window_bits=15", "client_max_window_bits=16", "client_max_window_bits=09", `client_max_window_bits="9"`} {
					params := slices.DeleteFunc([]string{a, b, s, c}, func(p string) bool { return p == "" })
					count++
					for i := range params {
						j := (i*7 + count) % len(params)
						params[i], params[j] = params[j], params[i]
					}
					sep := []string{"; ", ";", " ;\t"}[count%3]
					all = append(all, strings.Join(append([]string{"permessage-deflate"}, params...), sep))
				}
			}
		}
	}
	return all
}

// oddHeaders are lists, several lines, and what is malformed.
var oddHeaders = [][]string{
	{},
	{""},
	{" , ,"},
	{"permessage-deflate; server_max_window_bits"}, // it needs a value
	{"permessage-deflate; client_max_window_bits; client_max_window_bits"},
	{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"},
	{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"},
	{"permessage-deflate; client_no_context_takeover; x; client_no_context_takeover"},
	{"permessage-deflate; unknown"},
	{"permessage-deflate; unknown=1"},
	{"permessage-deflate; Server_Max_Window_Bits=10"},
	{"Permessage-Deflate"},
	{"permessage-deflate; unknown, permessage-deflate"},
	{"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9, permessage-deflate"},
	{"permessage-deflate; server_max_window_bits=7", "permessage-deflate; client_max_window_bits"},
	{"permessage-deflate; client_max_window_bits", "permessage-deflate"},
	{"x-webkit-deflate-frame", "permessage-deflate"},
	{"x-webkit-deflate-frame, permessage-bzip2; a=\"b\"; c"},
	{"permessage-bzip2, permessage-deflate; client_max_window_bits=9,,", ""},
	{"permessage-deflate;server_max_window_bits=10;client_max_window_bits"},
	{"mux; max-channels=4; flow-control, deflate-stream"}, // RFC 6455, section 9.1
	{"private-extension"},
	{`permessage-deflate; client_max_window_bits=""`},
	{`permessage-deflate; client_max_window_bits=" 15"`},
	{`permessage-deflate; client_max_window_bits="15`},
	{`permessage-deflate; client_max_window_bits="15\`},
	{`permessage-deflate; client_max_window_bits="15" 15`},
	{`permessage-deflate; client_max_window_bits="1,5"`},
	{`permessage-deflate; client_max_window_bits="1;5"`},
	{`permessage-deflate; client_max_window_bits="1\"5"`},
	{`permessage-deflate; client_max_window_bits='15'`},
	{"permessage-deflate; client_max_window_bits="},
	{"permessage-deflate; client_max_window_bits= , permessage-deflate"},
	{"permessage-deflate; =15"},
	{"permessage-deflate;"},
	{"permessage-deflate;;"},
	{"permessage-deflate; ; client_max_window_bits"},
	{"; client_max_window_bits"},
	{"permessage deflate"},
	{"permessage-deflate client_max_window_bits"},
	{"permessage-deflate=1"},
	{"permessage-deflate; a b"},
	{"permessage-deflate; a=1 2"},
	{"permessage-deflate; a=1=2"},
	{"permessage-deflate/1"},
	{"permessage-deflate; \x01"},
	{"permessage-deflate; ü=1"},
	{"permessage-deflate", "permessage-deflate; a@"},
	{`"permessage-deflate"`},
	{`permessage-deflate; "client_max_window_bits"`},
}

// headers is every header of the table.
func headers() [][]string {
	all := slices.Clone(oddHeaders)
	single := elements()
	for i, e := range single {
		all = append(all, []string{e})
		if i%9 == 0 { // and lists of them
			other, third := single[(i*31+7)%len(single)], single[(i*17+3)%len(single)]
			all = append(all, []string{e + ", " + other, third}, []string{"x; y=\"z\"", e + "," + other + " , " + third})
		}
	}
	return all
}

// render writes params in the order of deflateParams.String.
func render(params map[string]string) string {
	if params == nil {
		return ""
	}
	s := "permessage-deflate"
	for _, name := range []string{"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"} {
		switch value, ok := params[name]; {
		case ok && value == noValue:
			s += "; " + name
		case ok:
			s += "; " + name + "=" + value
		}
	}
	return s
}

// TestDeflateOffers: every offer to every server. What is malformed is an error,
// what cannot be accepted is declined without one (RFC 7692, section 5.1).
func TestDeflateOffers(t *testing.T) {
	all := headers()
	require.Greater(t, len(all), 600)
	var accepted, declined, malformed int
	for _, z := range deflateConfigs() {
		o := &Options{Compression: z}
		for _, lines := range all {
			want, ok := oracleServer(z, lines)
			got, err := o.acceptExtensions(lines)
			require.Equal(t, ok, err == nil, "%q: %v", lines, err)
			require.Equal(t, render(want), got, "%q with %+v", lines, *z)
			switch {
			case !ok:
				malformed++
			case want == nil:
				declined++
			default:
				accepted++
				// The answer is one that the client that made the offer must take.
				_, ok := oracleDeflate(parsedByOracle(t, got), true)
				require.True(t, ok, got)
			}
		}
	}
	t.Logf("%d offers to 8 servers: %d accepted, %d declined, %d malformed", len(all), accepted, declined, malformed)
	require.Greater(t, accepted, 1000)
	require.Greater(t, declined, 1000)
	require.Greater(t, malformed, 100)
	for _, lines := range all {
		_, ok := oracleParse(lines)
		got, err := (&Options{}).acceptExtensions(lines)
		require.Equal(t, ok, err == nil, "%q", lines)
		require.Empty(t, got, "off unless asked for")
	}
}

func parsedByOracle(t *testing.T, s string) oracleElement {
	list, ok := oracleParse([]string{s})
	require.True(t, ok)
	require.Len(t, list, 1)
	return list[0]
}

// oracleClient tells whether a client with z goes on with a server's answer, and
// with which parameters. Beyond the letter of section 7.1 it takes an answer that
// leaves out a no_context_takeover or server_max_window_bits it had asked for.
func oracleClient(z *Compression, lines []string) (agreed map[string]string, ok bool) {
	list, ok := oracleParse(lines)
	if !ok || len(list) == 0 {
		return nil, ok
	}
	// "the server ... accepted ... an extension that was not offered", or one
	// extension twice.
	if len(list) != 1 {
		return nil, false
	}
	answer, ok := oracleDeflate(list[0], true)
	if !ok {
		return nil, false
	}
	// What was offered with a value comes back with the same or a smaller one.
	if z.WindowBits != 0 {
		for _, name := range []string{"server_max_window_bits", "client_max_window_bits"} {
			if got, there := answer[name]; there && smaller(got, strconv.Itoa(z.WindowBits)) != got {
				return nil, false
			}
		}
	}
	return answer, true
}

// TestDeflateAnswers: every answer to every client.
func TestDeflateAnswers(t *testing.T) {
	all := headers()
	var accepted, failed int
	for _, z := range deflateConfigs() {
		o := &Options{Compression: z}
		offered := o.offerExtensions()
		offer, ok := oracleDeflate(parsedByOracle(t, offered), false)
		require.True(t, ok, "what is offered is legal: %s", offered)
		_, noServer := offer["server_no_context_takeover"]
		_, noClient := offer["client_no_context_takeover"]
		require.Equal(t, []bool{!z.ReceiveTakeover, !z.SendTakeover}, []bool{noServer, noClient})
		if z.WindowBits == 0 {
			require.Equal(t, noValue, offer["client_max_window_bits"])
			require.NotContains(t, offer, "server_max_window_bits")
		} else {
			require.Equal(t, "10", offer["client_max_window_bits"])
			require.Equal(t, "10", offer["server_max_window_bits"])
		}
		for _, lines := range all {
			want, ok := oracleClient(z, lines)
			got, err := o.checkExtensions(offered, lines)
			require.Equal(t, ok, err == nil, "%q to %s: %v", lines, offered, err)
			require.Equal(t, render(want), got, "%q to %s", lines, offered)
			if ok {
				accepted++
			} else {
				failed++
			}
		}
	}
	t.Logf("%d answers to 8 clients: %d accepted, %d fail the handshake", len(all), accepted, failed)
	require.Greater(t, accepted, 500)
	require.Greater(t, failed, 1000)
	for _, o := range []*Options{{}, {Compression: &Compression{}}} { // nothing was offered
		for _, lines := range all {
			list, ok := oracleParse(lines)
			got, err := o.checkExtensions("", lines)
			require.Equal(t, ok && len(list) == 0, err == nil, "%q", lines)
			require.Empty(t, got)
		}
	}
	require.Empty(t, (&Options{}).offerExtensions())
}

// TestDeflateDEF03 are the values that crashed others at the first frame.
func TestDeflateDEF03(t *testing.T) {
	o := &Options{Compression: &Compression{}}
	for _, value := range []string{"99", "7", "16", "0", "", "08", `" 15"`, `""`, `"15`, "-9", "+9", "1e1", "1" + strings.Repeat("0", 30)} {
		for _, name := range []string{"server_max_window_bits", "client_max_window_bits"} {
			header := []string{"permessage-deflate; " + name + "=" + value}
			got, err := o.checkExtensions(o.offerExtensions(), header)
			require.Error(t, err, header)
			require.Empty(t, got)
			got, _ = o.acceptExtensions(header)
			require.Empty(t, got, header)
		}
	}
	// A server that answers the default unasked must not break the dial.
	got, err := o.checkExtensions(o.offerExtensions(), []string{"permessage-deflate; server_max_window_bits=15"})
	require.NoError(t, err)
	require.Equal(t, "permessage-deflate; server_max_window_bits=15", got)
}

// TestDeflateDEF04: client_max_window_bits in an answer has a value, and the
// server leaves it out if it was not offered.
func TestDeflateDEF04(t *testing.T) {
	o := &Options{Compression: &Compression{WindowBits: 9, SendTakeover: true, ReceiveTakeover: true}}
	_, err := o.checkExtensions(o.offerExtensions(), []string{"permessage-deflate; client_max_window_bits"})
	require.Same(t, errDeflateParams, err)
	got, err := o.acceptExtensions([]string{"permessage-deflate"})
	require.NoError(t, err)
	require.Equal(t, "permessage-deflate; client_no_context_takeover; server_max_window_bits=9", got)
}

// An answer as good as the offer is taken, to the bit; two answers are not.
func TestDeflateAnswerToTheLetter(t *testing.T) {
	o := &Options{Compression: &Compression{WindowBits: 10, SendTakeover: true, ReceiveTakeover: true}}
	offered := o.offerExtensions()
	for _, answer := range []string{"permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
		"permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=10"} {
		got, err := o.checkExtensions(offered, []string{answer})
		require.NoError(t, err, answer)
		require.Equal(t, answer, got)
	}
	for answer, want := range map[string]error{
		"permessage-deflate; server_max_window_bits=11":                             errDeflateParams,
		"permessage-deflate; client_max_window_bits=11":                             errDeflateParams,
		"permessage-deflate, permessage-deflate":                                    errExtensionUnasked,
		"permessage-deflate, permessage-deflate; client_max_window_bits=10, x":      errExtensionUnasked,
		"permessage-deflate; server_max_window_bits=10, x-webkit-deflate-frame; a=": errExtensionSyntax,
	} {
		got, err := o.checkExtensions(offered, []string{answer})
		require.ErrorIs(t, err, want, answer)
		require.Empty(t, got)
	}
}

// How much a message may be inflated to, and which of the two limits says so: where
// both come to the same it is the message's.
func TestDeflateMost(t *testing.T) {
	for _, row := range []struct {
		n       int
		limit   int64
		ratio   int
		most    int
		byRatio bool
	}{
		{5, 0, 0, -1, false},
		{5, 1, 0, 1, false},
		{5, math.MaxInt64, 0, -1, false},
		{5, 0, 1, 5, true},
		{5, 100, 1, 5, true},
		{9, 91, 10, 90, true},
		{9, 90, 10, 90, false},
		{9, 89, 10, 89, false},
		{10, 100, 10, 100, false},
		{10, 0, math.MaxInt, -1, false},
		{1, 1, math.MaxInt, 1, false},
	} {
		most, byRatio := (&half{z: &Compression{MaxRatio: row.ratio}}).most(row.n, row.limit)
		require.Equal(t, []any{row.most, row.byRatio}, []any{most, byRatio}, "%+v", row)
	}
}

// TestDeflateHalves: what each side then does, for all that can be agreed on.
func TestDeflateHalves(t *testing.T) {
	for i := range 16 {
		z := &Compression{SendTakeover: i&1 != 0, ReceiveTakeover: i&2 != 0}
		p := deflateParams{serverNoTakeover: i&4 != 0, clientNoTakeover: i&8 != 0}
		for _, bits := range [][3]int{{0, 0, 0}, {0, 8, 12}, {9, 8, 0}, {9, 12, 9}, {99, 15, 0}, {3, 8, 15}} {
			z.WindowBits, p.serverBits, p.clientBits = bits[0], bits[1], bits[2]
			for _, role := range bothRoles {
				send, receive := z.halves(role, p)
				sendNo, receiveNo, sendBits, receiveBits := p.serverNoTakeover, p.clientNoTakeover, p.serverBits, p.clientBits
				if role == RoleClient {
					sendNo, receiveNo, sendBits, receiveBits = receiveNo, sendNo, receiveBits, sendBits
				}
				name := fmt.Sprintf("%s, %+v, %s", roleName(role), *z, p)
				require.Equal(t, !sendNo && z.SendTakeover, send.takeover, name)
				require.Equal(t, !receiveNo, receive.takeover, "%s: the peer does as it was told, or not", name)
				bound := map[int]int{0: 15, 9: 9, 99: 15, 3: 8}[z.WindowBits]
				require.Equal(t, min(bound, cmpOr(sendBits, 15)), send.bits, name)
				require.Equal(t, cmpOr(receiveBits, 15), receive.bits, name)
			}
		}
	}
	mine := codecFunc(nil)
	send, receive := (&Compression{Codec: mine}).halves(RoleClient, deflateParams{})
	require.Equal(t, []Deflater{mine, mine}, []Deflater{send.codec, receive.codec})
}

func cmpOr(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// codecFunc is a Deflater whose AppendInflate fails as told.
type codecFunc []error

func (codecFunc) AppendDeflate(dst, _, src []byte, _, _ int) ([]byte, error) { return dst, nil }

func (f codecFunc) AppendInflate(dst, _, src []byte, _ int) ([]byte, error) {
	return append(dst, "junk"...), f[0]
}

// TestDeflateWorth: the threshold, which takeover puts out of force, and levels.
func TestDeflateWorth(t *testing.T) {
	for _, row := range []struct {
		threshold, n int
		takeover     bool
		want         bool
	}{
		{0, 0, false, false},
		{0, 79, false, false}, // as Threshold promises
		{0, 80, false, true},
		{0, 1, true, true},
		{0, 0, true, false},
		{1000, 999, false, false},
		{1000, 1000, false, true},
		{1000, 999, true, true},
		{1, 1, false, true},
	} {
		h := &half{z: &Compression{Threshold: row.threshold}, takeover: row.takeover}
		require.Equal(t, row.want, h.worth(row.n), "%+v", row)
	}
	for level, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, 9: 2} {
		require.Equal(t, want, (&half{z: &Compression{Level: level}}).level())
	}
}

// TestDeflateSlide: the window is the end of all that went in, and not made
// before that.
func TestDeflateSlide(t *testing.T) {
	for _, size := range []int{0, 1, 100, 255, 256, 257, 5000} {
		h := &half{bits: 8, takeover: true}
		var all []byte
		for i := range 1000 / (size + 1) * 2 {
			p := ascending(size)
			for j := range p {
				p[j] += byte(i)
			}
			h.slide(p)
			all = append(all, p...)
			want := all[len(all)-min(len(all), 256):]
			require.Equal(t, string(want), string(h.window), "%d times %d bytes", i+1, size)
		}
		require.LessOrEqual(t, cap(h.window), 256)
	}
	h := &half{bits: 8}
	h.slide([]byte("no takeover"))
	require.Nil(t, h.window)
}

// TestDeflateExamples of RFC 7692, section 7.2.3, through both methods of the
// package's own DEFLATE.
func TestDeflateExamples(t *testing.T) {
	_, receive := (&Compression{}).halves(RoleServer, deflateParams{})
	for _, row := range []struct{ name, wire, want string }{
		{"one block", "f2 48 cd c9 c9 07 00", "Hello"},
		{"the same with the window", "f2 00 11 00 00", "Hello"},
		{"stored", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		{"with BFINAL", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"two blocks", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		{"empty", "00", ""},
		{"empty, with BFINAL", "03 00", ""},
	} {
		got, err := receive.appendMessage([]byte("before "), Text, unhex(row.wire), 0)
		require.NoError(t, err, row.name)
		require.Equal(t, "before "+row.want, string(got), row.name)
	}
	require.Equal(t, strings.Repeat("Hello", 5), string(receive.window))
	got, err := codec{}.AppendDeflate(nil, nil, []byte("Hello"), 15, 1)
	require.NoError(t, err)
	require.Equal(t, unhex("f2 48 cd c9 c9 07 00"), got)
}

// TestDeflateRefused: what is wrong has its own error, leaves dst and the window
// as they were, and a user's Deflater may wrap.
func TestDeflateRefused(t *testing.T) {
	zeros := unhex("62 60 18 05 a3 60 14 8c 54 00 00") // 1024 zeros, by zlib
	for _, row := range []struct {
		name  string
		wire  []byte
		limit int64
		ratio int
		codec Deflater
		want  error
	}{
		{"block type 11", unhex("ff ff ff ff"), 0, 0, nil, errDeflate},
		{"cut off", unhex("f2 48 cd"), 0, 0, nil, errDeflate},
		{"not UTF-8", unhex("00 02 00 fd ff c3 28 00"), 0, 0, nil, errUTF8},
		{"limit", zeros, 1023, 0, nil, &MessageTooBigError{Limit: 1023}},
		{"ratio", zeros, 0, 90, nil, errRatio},
		{"ratio before limit", zeros, 1023, 90, nil, errRatio},
		{"limit before ratio", zeros, 900, 90, nil, &MessageTooBigError{Limit: 900}},
		{"wrapped limit", zeros, 10, 0, codecFunc{fmt.Errorf("mine: %w", ErrInflateLimit)}, &MessageTooBigError{Limit: 10}},
		{"any other error", zeros, 10, 0, codecFunc{errors.New("mine")}, errDeflate},
	} {
		h := &half{z: &Compression{MaxRatio: row.ratio}, codec: row.codec, bits: 15, takeover: true}
		if h.codec == nil {
			h.codec = codec{}
		}
		h.slide([]byte("window"))
		got, err := h.appendMessage([]byte("before"), Text, row.wire, row.limit)
		require.Equal(t, row.want, err, row.name)
		require.Equal(t, "before", string(got), row.name)
		require.Equal(t, "window", string(h.window), row.name)
	}
	for _, ok := range []struct {
		limit int64
		ratio int
	}{{0, 0}, {1024, 0}, {0, 94}, {1024, 94}, {math.MaxInt64, math.MaxInt}, {0, math.MaxInt}, {math.MaxInt64, 0}} {
		h := &half{z: &Compression{MaxRatio: ok.ratio}, codec: codec{}, bits: 15}
		got, err := h.appendMessage(nil, Binary, zeros, ok.limit)
		require.NoError(t, err, "%+v", ok)
		require.Equal(t, make([]byte, 1024), got)
	}
}

// FuzzNegotiation: what any header offers to a server, or answers a client, comes to
// what the oracle says.
func FuzzNegotiation(f *testing.F) {
	for i, lines := range headers() {
		if i < len(oddHeaders) || i%37 == 0 {
			f.Add(strings.Join(lines, ", "), byte(i))
		}
	}
	f.Fuzz(func(t *testing.T, header string, config byte) {
		if len(header) > maxExtensionParts { // so it has not more parts than are taken
			return
		}
		z := deflateConfigs()[config%8]
		o, lines := &Options{Compression: z}, []string{header}
		want, ok := oracleServer(z, lines)
		got, err := o.acceptExtensions(lines)
		require.Equal(t, ok, err == nil, "%q: %v", header, err)
		require.Equal(t, render(want), got)
		want, ok = oracleClient(z, lines)
		got, err = o.checkExtensions(o.offerExtensions(), lines)
		require.Equal(t, ok, err == nil, "%q: %v", header, err)
		require.Equal(t, render(want), got)
	})
}
