package fuzz

// permessage-deflate with input that was made by zlib, or by hand from RFC 1951,
// and never by the encoder under test.

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed9f1f0156/websocket"
	"github.com/seed9f1f0156/websocket/wstest"
	"github.com/stretchr/testify/require"
)

// By zlib at level 9 with a sync flush, whose last four bytes are left out.
const (
	helloZ      = "ca48cdc9c90700"         // "hello", a fixed block
	helloFinalZ = "cb48cdc9c90700"         // "hello", BFINAL set, not flushed
	hundredZ    = "4a4ca43d0000"           // a hundred times "a"
	againZ      = "ca00110000"             // "hello", of which the window has one already
	storedZ     = "000500faff68656c6c6f00" // "hello", a stored block
)

// bomb returns the DEFLATE form of n MiB of zeros, 1,037 bytes for each: what zlib
// makes of a MiB at level 9 with a full flush.
func bomb(n int) []byte {
	block := slices.Concat(unhex("ecc13101000000c2a0f54f6d085fa0"), make([]byte, 1013), unhex("0000003e030000ffff"))
	b := bytes.Repeat(block, n)
	return b[:len(b)-4]
}

func zrow(name, z string, want ...string) row {
	return row{name: name, in: frame(0xC1, unhex(z)), want: want, ext: noTakeover, opts: deflating()}
}

func failing(code int, r row) row { r.code = code; return r }

func limited(limit int64, r row) row { r.opts.ReadLimit = limit; return r }

func TestDEF01Bomb(t *testing.T) {
	z := bomb(64)
	for _, limit := range []int64{64 << 10, 1 << 20, 16 << 20} {
		synctest.Test(t, func(t *testing.T) {
			wire := frame(0xC2, z[:min(len(z), int(limit))])
			r := failing(1009, limited(limit, row{name: fmt.Sprint(limit), in: wire, ext: noTakeover, opts: deflating()}))
			before := heapTotal()
			r.judge(t, play(t, websocket.RoleServer, r.ext, r.opts, [][]byte{frames(websocket.RoleServer, r.in)}), 0)
			require.Less(t, heapTotal()-before, uint64(4*limit+2<<20), "allocated in all")
		})
	}
}

func TestDEF02LimitIsExact(t *testing.T) {
	hundred := strings.Repeat("a", 100)
	check(t,
		limited(101, zrow("one less", hundredZ, "text:"+hundred)),
		limited(100, zrow("equal", hundredZ, "text:"+hundred)),
		failing(1009, limited(99, zrow("one more", hundredZ))))
}

var badWindowBits = []string{"99", "7", "16", "0", "", "08", " 15", "\" 15\"", "-9", "+9", "1000000000000000000000000000000", "9.0", "x"}

func TestDEF03WindowBits(t *testing.T) {
	for _, bits := range badWindowBits {
		if bits == " 15" {
			continue // blanks around a value are what HTTP allows there
		}
		ext := "permessage-deflate; server_max_window_bits=" + bits
		_, err := dial("ws://server/", websocket.DialOptions{Options: deflating()}, func(r *http.Request) string {
			return answer(r, "Sec-WebSocket-Extensions: "+ext+"\r\n")
		})
		var he *websocket.HandshakeError
		require.ErrorAs(t, err, &he, ext)

		w, err := accept(request("", "Sec-WebSocket-Extensions: "+ext+"\r\n"), &websocket.AcceptOptions{Options: deflating()})
		if err != nil {
			require.Equal(t, 400, w.Code, ext)
			continue
		}
		require.NotContains(t, w.written.String(), "Sec-WebSocket-Extensions", ext)
	}
	_, err := websocket.NewConn(nil, websocket.Handshake{Extensions: "permessage-deflate; server_max_window_bits=99"}, nil)
	require.Error(t, err)
}

// Every offer against every configuration: what is answered has to follow from
// both (RFC 7692, 7.1), which oracle says in its own words.
func TestDEF04Negotiation(t *testing.T) {
	bits := []string{"-", "", "7", "8", "9", "12", "15", "16"}
	n := 0
	for _, server := range bits {
		for _, client := range bits {
			for flags := range 4 {
				for config := range 8 {
					z := &websocket.Compression{SendTakeover: config&1 > 0, ReceiveTakeover: config&2 > 0}
					if config&4 > 0 {
						z.WindowBits = 10
					}
					oracle(t, z, server, client, flags&1 > 0, flags&2 > 0)
					n++
				}
			}
		}
	}
	require.Equal(t, 2048, n)
}

func oracle(t *testing.T, z *websocket.Compression, server, client string, serverReset, clientReset bool) {
	t.Helper()
	offer := "permessage-deflate"
	add := func(name, value string) {
		offer += "; " + name
		if value != "" {
			offer += "=" + value
		}
	}
	if server != "-" {
		add("server_max_window_bits", server)
	}
	if client != "-" {
		add("client_max_window_bits", client)
	}
	if serverReset {
		add("server_no_context_takeover", "")
	}
	if clientReset {
		add("client_no_context_takeover", "")
	}
	w, err := accept(request("", "Sec-WebSocket-Extensions: "+offer+"\r\n"), &websocket.AcceptOptions{Options: websocket.Options{Compression: z}})
	require.NoError(t, err)
	_, got, agreed := strings.Cut(w.written.String(), "Sec-WebSocket-Extensions: ")
	legal := map[string]bool{"8": true, "9": true, "12": true, "15": true}
	require.Equal(t, (server == "-" || legal[server]) && (client == "-" || client == "" || legal[client]), agreed, offer)
	if !agreed {
		return
	}
	got, _, _ = strings.Cut(got, "\r\n")
	params := map[string]int{}
	for _, p := range strings.Split(got, ";")[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		require.NotContains(t, params, name)
		params[name] = 0
		if value != "" {
			_, err := fmt.Sscan(value, new(int))
			require.NoError(t, err)
			params[name] = number(value)
		}
	}
	_, hasServerReset := params["server_no_context_takeover"]
	_, hasClientReset := params["client_no_context_takeover"]
	require.Equal(t, serverReset || !z.SendTakeover, hasServerReset, "%s: %s", offer, got)
	if clientReset || !z.ReceiveTakeover {
		require.True(t, hasClientReset, "%s: %s", offer, got)
	}
	most := 15
	if z.WindowBits > 0 {
		most = z.WindowBits
	}
	if legal[server] || most < 15 {
		require.Equal(t, min(most, number(server)), params["server_max_window_bits"], "%s: %s", offer, got)
	} else {
		require.NotContains(t, params, "server_max_window_bits")
	}
	if client == "-" {
		require.NotContains(t, params, "client_max_window_bits", "%s: %s", offer, got)
	} else if bits, ok := params["client_max_window_bits"]; ok {
		require.LessOrEqual(t, bits, min(most, number(client)))
	}
}

// number reads window bits; what is not there is 15.
func number(s string) (n int) {
	if _, err := fmt.Sscan(s, &n); err != nil {
		return 15
	}
	return n
}

func TestDEF05NotNegotiated(t *testing.T) {
	check(t,
		row{name: "no options", in: frame(0xC1, unhex(helloZ)), code: 1002},
		row{name: "options, not agreed on", in: frame(0xC1, unhex(helloZ)), code: 1002, opts: deflating()})
}

func TestDEF06ContinuationWithRSV1(t *testing.T) {
	check(t,
		failing(1002, row{name: "of a compressed message", in: "4103ca48cd c004c9c90700", ext: noTakeover, opts: deflating()}),
		failing(1002, row{name: "of a plain message", in: "010161 c00162", ext: noTakeover, opts: deflating()}))
}

func TestDEF07ControlWithRSV1(t *testing.T) {
	for _, in := range []string{"c900", "ca00", "c800", "4900", "4a00", "4800", "c9026869"} {
		check(t, row{name: in, in: in, code: 1002, ext: noTakeover, opts: deflating()})
	}
}

func TestDEF08PingBetweenFragments(t *testing.T) {
	check(t, row{name: "three fragments", in: "4102ca48 89016f 0003cdc9c9 890174 80020700",
		want: []string{"text:hello"}, pongs: []string{"o", "t"}, ext: noTakeover, opts: deflating()})
}

// What we send in pieces has RSV1 on its first frame, if at all.
func TestDEF09OwnFragments(t *testing.T) {
	for _, role := range bothRoles {
		synctest.Test(t, func(t *testing.T) {
			opts := deflating()
			c, peer := open(t, role, takeover, &opts, 1<<20)
			raw := collect(peer)
			require.NoError(t, c.Write(t.Context(), websocket.Text, bytes.Repeat([]byte("hello "), 1000)))
			w, err := c.Writer(t.Context(), websocket.Text)
			require.NoError(t, err)
			for range 100 {
				_, err := w.Write(bytes.Repeat([]byte("hello "), 1000))
				require.NoError(t, err)
			}
			require.NoError(t, w.Close())
			c.CloseNow()
			sent := refFrames(t, role, <-raw)
			require.EqualValues(t, 4, sent[0].rsv)
			for _, f := range sent {
				if f.op == 0 {
					require.Zero(t, f.rsv)
				}
			}
		})
	}
}

func TestDEF10Empty(t *testing.T) {
	check(t,
		zrow("nothing", "", "text:"),
		zrow("an empty block", "00", "text:"),
		row{name: "empty fragments", in: "4100 0004ca48cdc9 0000 0003c90700 8000", want: []string{"text:hello"}, ext: noTakeover, opts: deflating()})
}

func TestDEF11Invalid(t *testing.T) {
	check(t,
		failing(1007, zrow("no such block", "ffffffff")),
		failing(1007, zrow("too far back", "020100")),
		failing(1007, zrow("stored, lengths differ", "000500faee68656c6c6f00")),
		failing(1007, zrow("cut off", "ca48cdc9")),
		failing(1007, zrow("without a window", againZ)))
}

func TestDEF12FinalBlock(t *testing.T) {
	check(t,
		zrow("and nothing", helloFinalZ, "text:hello"),
		zrow("and an empty block", helloFinalZ+"00", "text:hello"),
		zrow("and another block", helloFinalZ+helloZ, "text:hellohello"),
		zrow("and a stored block", helloFinalZ+storedZ, "text:hellohello"),
		failing(1007, zrow("and garbage", helloFinalZ+"ffffffffffffff")))
}

// Sizes around every power of two, made by the encoder of the standard library.
func TestDEF13Sizes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 13))
	var sizes []int
	for bit := 2; bit <= 17; bit++ {
		for d := -2; d <= 2; d += thin(2) {
			sizes = append(sizes, 1<<bit+d)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, n := range sizes {
			for _, spread := range []uint32{1, 4, 256} {
				p := make([]byte, n)
				for i := range p {
					p[i] = byte(random.Uint32N(spread))
				}
				var z bytes.Buffer
				w, err := flate.NewWriter(&z, 1+n%9)
				require.NoError(t, err)
				w.Write(p)
				w.Flush()
				in := frames(websocket.RoleServer, frame(0xC2, z.Bytes()[:z.Len()-4]))
				out := play(t, websocket.RoleServer, noTakeover, deflating(), [][]byte{in[:len(in)/2], in[len(in)/2:]})
				require.Len(t, out.messages, 1, "%d bytes of %d kinds", n, spread)
				require.True(t, out.messages[0] == "binary:"+string(p), "%d bytes of %d kinds", n, spread)
			}
		}
	})
}

func TestDEF14Large(t *testing.T) {
	z := bomb(64)
	synctest.Test(t, func(t *testing.T) {
		r := limited(64<<20, row{in: frame(0xC2, z), ext: noTakeover, opts: deflating()})
		c, peer := open(t, websocket.RoleServer, r.ext, &r.opts, 0)
		go func() { peer.Write(frames(websocket.RoleServer, r.in)) }()
		_, p, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, 64<<20, len(p))
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		r := failing(1009, limited(64<<20-1, row{in: frame(0xC2, z), ext: noTakeover, opts: deflating()}))
		r.judge(t, play(t, websocket.RoleServer, r.ext, r.opts, [][]byte{frames(websocket.RoleServer, r.in)}), 0)
	})
}

// A window is there when it was agreed on, and is not when it was not.
func TestDEF16Windows(t *testing.T) {
	two := frame(0xC1, unhex(helloZ)) + " " + frame(0xC1, unhex(againZ))
	check(t,
		row{name: "takeover", in: two, want: []string{"text:hello", "text:hello"}, ext: takeover, opts: deflating()},
		row{name: "no takeover", in: two, want: []string{"text:hello"}, code: 1007, ext: noTakeover, opts: deflating()},
		row{name: "a plain message is not in the window", in: "8105" + hex.EncodeToString([]byte("hello")) + " " + frame(0xC1, unhex(againZ)),
			want: []string{"text:hello"}, code: 1007, ext: takeover, opts: deflating()})
	for config := range 16 {
		synctest.Test(t, func(t *testing.T) {
			server, client := wstest.Pipe(&wstest.Options{
				Server: websocket.Options{Compression: &websocket.Compression{SendTakeover: config&1 > 0, ReceiveTakeover: config&2 > 0}},
				Client: websocket.Options{Compression: &websocket.Compression{SendTakeover: config&4 > 0, ReceiveTakeover: config&8 > 0}},
			})
			defer server.CloseNow()
			defer client.CloseNow()
			for i := range 300 {
				want := fmt.Sprintf("%d: the quick brown fox jumps over the lazy dog %s", i, strings.Repeat("ho ", i))
				for _, ends := range [][2]*websocket.Conn{{server, client}, {client, server}} {
					require.NoError(t, ends[0].Write(t.Context(), websocket.Text, []byte(want)))
					_, got, err := ends[1].Read(t.Context())
					require.NoError(t, err)
					require.Equal(t, want, string(got))
				}
			}
		})
	}
}

// A write given up because its context ended leaves the windows of both sides the
// same, or ends the connection.
func TestDEF17CancelledWrite(t *testing.T) {
	for _, buffer := range []int{1, 7, 40, 200} {
		synctest.Test(t, func(t *testing.T) {
			opts := deflating()
			server, client := wstest.Pipe(&wstest.Options{Server: opts, Client: opts, Buffer: buffer})
			defer server.CloseNow()
			defer client.CloseNow()
			message := []byte("the quick brown fox jumps over the lazy dog, and then it rests")
			require.NoError(t, firstWrites(t, server, message, 5))
			var got []string
			done := make(chan error, 1)
			go func() {
				var err error
				got, err = readAll(client)
				done <- err
			}()
			for range 10 {
				if server.Write(t.Context(), websocket.Text, message) != nil {
					break
				}
			}
			synctest.Wait()
			server.CloseNow()
			<-done
			for _, m := range got {
				require.Equal(t, "text:"+string(message), m)
			}
		})
	}
}

// firstWrites begins n writes whose contexts are over, or end while nobody reads.
func firstWrites(t *testing.T, c *websocket.Conn, message []byte, n int) error {
	for range n {
		ctx, cancel := context.WithCancel(t.Context())
		wrote := make(chan error, 1)
		go func() { wrote <- c.Write(ctx, websocket.Text, message) }()
		synctest.Wait()
		cancel()
		<-wrote
	}
	return nil
}

func TestDEF18NothingStays(t *testing.T) {
	opened := func(n int) {
		synctest.Test(t, func(t *testing.T) {
			for i := range n {
				in := frames(websocket.RoleServer, frame(0xC1, unhex(helloZ))+" 4105ca48cdc9c9")
				out := play(t, websocket.RoleServer, takeover, deflating(), [][]byte{in[:len(in)-i%8]})
				require.Equal(t, []string{"text:hello"}, out.messages)
			}
		})
	}
	opened(100)
	before := heapInUse()
	opened(2000)
	require.Less(t, heapInUse(), before+2<<20)
}

// An idle connection without takeover costs nothing for compression; with it, the
// windows that were agreed on.
func TestDEF19MemoryIsBounded(t *testing.T) {
	for _, c := range []struct {
		ext  string
		most int
	}{{noTakeover, 24 << 10}, {takeover, 80 << 10}, {"permessage-deflate; client_max_window_bits=9; server_max_window_bits=9", 26 << 10}} {
		synctest.Test(t, func(t *testing.T) {
			const n = 200
			heapInUse() // what other tests have left in pools goes within two collections,
			heapInUse() // and would make this less, or less than nothing
			before := heapInUse()
			in := frames(websocket.RoleServer, frame(0xC1, unhex(hundredZ)))
			for range n {
				opts := deflating()
				conn, peer := open(t, websocket.RoleServer, c.ext, &opts, 256)
				peer.Write(in)
				_, _, err := conn.Read(t.Context())
				require.NoError(t, err)
				go conn.Read(t.Context())
				go func() { collect(peer) }()
				require.NoError(t, conn.Write(t.Context(), websocket.Text, bytes.Repeat([]byte("b"), 100)))
			}
			synctest.Wait()
			require.Less(t, (int(heapInUse())-int(before))/n, c.most, c.ext)
		})
	}
}

// Compression is not asked for, not granted and not used unless somebody said so,
// and WritePlain goes around it.
func TestDEF20OffByDefault(t *testing.T) {
	var asked http.Header
	c, err := dial("ws://server/", websocket.DialOptions{}, func(r *http.Request) string {
		asked = r.Header
		return answer(r, "")
	})
	require.NoError(t, err)
	c.CloseNow()
	require.NotContains(t, asked, "Sec-Websocket-Extensions")
	w, err := accept(request("", "Sec-WebSocket-Extensions: permessage-deflate\r\n"), nil)
	require.NoError(t, err)
	require.NotContains(t, w.written.String(), "Extensions")
	w, err = accept(request("", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
		&websocket.AcceptOptions{Options: websocket.Options{Compression: &websocket.Compression{}}})
	require.NoError(t, err)
	require.Contains(t, w.written.String(), "server_no_context_takeover")
	require.Contains(t, w.written.String(), "client_no_context_takeover")

	opts := deflating()
	conn, peer := open(t, websocket.RoleServer, takeover, &opts, 0)
	raw := collect(peer)
	secret := bytes.Repeat([]byte("secret"), 100)
	require.NoError(t, conn.WritePlain(t.Context(), websocket.Binary, secret))
	conn.CloseNow()
	sent := refFrames(t, websocket.RoleServer, <-raw)
	require.Zero(t, sent[0].rsv)
	require.Equal(t, secret, sent[0].payload)
}
