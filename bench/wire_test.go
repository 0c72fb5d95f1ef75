package main

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// oneMessage is a stream whose ring holds p alone.
func oneMessage(op byte, p string) *stream {
	s, err := newStream(loadPlan{Size: 1, InFlight: 1})
	if err != nil {
		panic(err)
	}
	s.op, s.payload, s.packed = op, [][]byte{[]byte(p)}, make([][]byte, 1)
	s.echo = [][]byte{append(appendHeader(nil, 0x80|op, len(p)), p...)}
	return s
}

// feed gives the verifier wire in pieces of step bytes and returns how many
// messages ended.
func feed(v *verifier, s *stream, wire []byte, step int) (whole int, err error) {
	for len(wire) > 0 {
		piece := wire[:min(step, len(wire))]
		wire = wire[len(piece):]
		for len(piece) > 0 {
			n, done, err := v.next(piece, s, 0)
			if err != nil {
				return whole, err
			}
			if done {
				whole++
			}
			piece = piece[n:]
		}
	}
	return whole, nil
}

func TestVerifierAcceptsEveryLegalEcho(t *testing.T) {
	s := oneMessage(opText, "hello")
	for name, wire := range map[string]string{
		"one frame":                  "\x81\x05hello",
		"two fragments":              "\x01\x02he\x80\x03llo",
		"empty fragments":            "\x01\x00\x00\x05hello\x80\x00",
		"a ping between":             "\x01\x02he\x89\x01!\x80\x03llo",
		"an unasked pong":            "\x8a\x00\x81\x05hello",
		"the same twice":             "\x81\x05hello\x81\x05hello",
		"a length longer than meant": "\x81\x7e\x00\x05hello",
	} {
		for step := 1; step <= len(wire); step++ {
			v := new(verifier)
			whole, err := feed(v, s, []byte(wire), step)
			require.NoError(t, err, "%s, %d bytes at a time", name, step)
			want := 1
			if name == "the same twice" {
				want = 2
			}
			require.Equal(t, want, whole, "%s, %d bytes at a time", name, step)
			require.Equal(t, name == "a ping between", v.ping)
			require.Equal(t, int64(len(wire)), v.wire)
		}
	}
}

func TestVerifierNoticesEveryWrongEcho(t *testing.T) {
	s := oneMessage(opText, "hello")
	for name, c := range map[string]struct {
		wire string
		err  error
	}{
		"last byte":            {"\x81\x05hellO", errDiffers},
		"first byte":           {"\x81\x05Hello", errDiffers},
		"too short":            {"\x81\x04hell", errDiffers},
		"too long":             {"\x81\x06hello!", errLong},
		"too long in pieces":   {"\x01\x05hello\x80\x01!", errLong},
		"empty":                {"\x81\x00", errDiffers},
		"another opcode":       {"\x82\x05hello", errOrder},
		"masked":               {"\x81\x85\x00\x00\x00\x00hello", errMaskedReply},
		"reserved bit":         {"\xa1\x05hello", errOrder},
		"continuation first":   {"\x80\x05hello", errOrder},
		"two beginnings":       {"\x01\x02he\x81\x03llo", errOrder},
		"length of 2^63":       {"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", errLong},
		"wrong after the ping": {"\x01\x02he\x89\x00\x80\x03lla", errDiffers},
	} {
		for step := 1; step <= len(c.wire); step++ {
			_, err := feed(new(verifier), s, []byte(c.wire), step)
			require.ErrorIs(t, err, c.err, "%s, %d bytes at a time", name, step)
		}
	}
	_, err := feed(new(verifier), s, []byte("\x88\x02\x03\xe9"), 1)
	require.Equal(t, &closeSeen{1001}, err)
}

func TestVerifierOnRawBytes(t *testing.T) {
	s := oneMessage(opBinary, "hello")
	s.raw, s.echo[0] = true, s.payload[0]
	for step := 1; step <= 10; step++ {
		whole, err := feed(new(verifier), s, []byte("hellohello"), step)
		require.NoError(t, err)
		require.Equal(t, 2, whole)
		_, err = feed(new(verifier), s, []byte("hellohellO"), step)
		require.ErrorIs(t, err, errDiffers)
	}
}

func TestVerifierInflates(t *testing.T) {
	s := oneMessage(opText, "hello hello hello")
	s.echo[0] = nil
	packed, err := deflated(s.payload[0])
	require.NoError(t, err)
	frame := append([]byte{0xc1, byte(len(packed))}, packed...)
	for step := 1; step <= len(frame); step++ {
		v := new(verifier)
		whole, err := feed(v, s, append(bytes.Clone(frame), frame...), step)
		require.NoError(t, err)
		require.Equal(t, 2, whole)
	}
	other, err := deflated([]byte("hello hello hellO"))
	require.NoError(t, err)
	_, err = feed(new(verifier), s, append([]byte{0xc1, byte(len(other))}, other...), 3)
	require.ErrorIs(t, err, errDiffers)
	_, err = feed(new(verifier), s, []byte("\xc1\x02\xff\xff"), 1)
	require.Error(t, err, "not a deflate stream")
}

// With context takeover the second message may refer to the first.
func TestVerifierTakesTheContextOver(t *testing.T) {
	s := oneMessage(opText, "a text that the second message only points at")
	s.echo[0] = nil
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	v := &verifier{keep: true}
	sizes := []int{}
	for range 3 {
		b.Reset()
		_, err := w.Write(s.payload[0])
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		p := bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
		sizes = append(sizes, len(p))
		whole, err := feed(v, s, append([]byte{0xc1, byte(len(p))}, p...), 7)
		require.NoError(t, err)
		require.Equal(t, 1, whole)
	}
	require.Less(t, sizes[1], sizes[0]/2)
}

// The ring's frames, unmasked by hand, are its payloads, and any run of
// inFlight frames is contiguous.
func TestStreamFrames(t *testing.T) {
	for _, size := range []int{1, 16, 125, 126, 65535, 65536, 1 << 20} {
		s, err := newStream(loadPlan{Size: size, InFlight: 16})
		require.NoError(t, err)
		require.Len(t, s.ends, len(s.payload)+17)
		for i := range len(s.payload) + 16 {
			f := s.out[s.ends[i]:s.ends[i+1]]
			head := 6
			if size > 125 {
				head += 2
			}
			if size > 65535 {
				head += 6
			}
			require.Len(t, f, head+size)
			require.Equal(t, byte(0x82), f[0])
			require.NotZero(t, f[1]&0x80)
			p := bytes.Clone(f[head:])
			for j := range p {
				p[j] ^= f[head-4+j&3]
			}
			require.True(t, bytes.Equal(s.payload[i%len(s.payload)], p))
		}
	}
}

// The reference server checks clients as the verifier checks servers.
func TestReferenceChecksClients(t *testing.T) {
	mask := func(first byte, p string) string {
		return string(appendMasked(nil, first, [4]byte{1, 2, 3, 4}, []byte(p)))
	}
	for name, c := range map[string]struct {
		wire string
		err  error
		out  string
	}{
		"a message":          {mask(0x82, "hello"), nil, "\x82\x05hello"},
		"two":                {mask(0x82, "hello") + mask(0x82, "hello"), nil, "\x82\x05hello\x82\x05hello"},
		"fragments":          {mask(0x02, "he") + mask(0x00, "") + mask(0x80, "llo"), nil, "\x82\x05hello"},
		"half a frame":       {mask(0x82, "hello")[:8], nil, ""},
		"a close":            {mask(0x88, "\x03\xe8"), io.EOF, "\x88\x02\x03\xe8"},
		"unmasked":           {"\x82\x05hello", errUnmasked, ""},
		"a wrong byte":       {mask(0x82, "hellO"), errDiffers, ""},
		"too short":          {mask(0x82, "hell"), errDiffers, ""},
		"too long":           {mask(0x82, "hello!"), errLong, ""},
		"text":               {mask(0x81, "hello"), errOrder, ""},
		"a new message":      {mask(0x02, "he") + mask(0x82, "llo"), errOrder, ""},
		"a fragment first":   {mask(0x80, "hello"), errOrder, ""},
		"a reserved bit":     {mask(0xc2, "hello"), errOrder, ""},
		"a length of 2^63-1": {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", errLong, ""},
	} {
		r := &reference{s: oneMessage(opBinary, "hello")}
		conn := &refConn{open: true, in: []byte(c.wire)}
		_, err := r.frames(conn)
		require.ErrorIs(t, err, c.err, name)
		require.Equal(t, c.out, string(conn.out), name)
	}
}
