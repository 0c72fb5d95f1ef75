package suite

// This file makes the data that the compression cases send. The files of the
// original are not here: each is replaced by one of the same kind and the same size
// to the octet, made from a fixed seed, so that every run sends the same.

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
)

// dataset is a file whose content the messages take turns through.
type dataset struct {
	name   string
	binary bool // how it is sent
	size   int
	make   func(r *rand.Rand, size int) []byte

	once   sync.Once
	double []byte // the content twice, so that a message that wraps is one slice
}

// The five files, in the order of 12.1 to 12.5. Texts are ASCII, since messages begin
// and end anywhere.
var datasets = []*dataset{
	{name: "JSON", size: 194056, make: makeJSON},
	{name: "512x512 grey bitmap", binary: true, size: 263222, make: makeBitmap},
	{name: "German prose", binary: true, size: 222218, make: makeProse},
	{name: "HTML", size: 263647, make: makeHTML},
	{name: "PDF", binary: true, size: 1042328, make: makePDF},
}

func (d *dataset) content() []byte {
	d.once.Do(func() {
		b := d.make(rand.New(rand.NewPCG(uint64(d.size), 7692)), d.size)
		if len(b) != d.size {
			panic(fmt.Sprintf("autobahn: %s has %d octets, not %d", d.name, len(b), d.size))
		}
		d.double = append(b, b...)
	})
	return d.double
}

// message returns message k of n octets: the next n of the file, which begins again
// at its end. The slice must not be changed.
func (d *dataset) message(k, n int) []byte {
	at := k * n % d.size
	return d.content()[at : at+n]
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

var (
	firstNames = strings.Fields("Ada Alan Barbara Claude Dennis Donald Edsger Grace Guido Haskell John Ken Leslie Margaret Niklaus Radia Rob Tim Vint")
	lastNames  = strings.Fields("Backus Cerf Dijkstra Engelbart Floyd Hamilton Hoare Hopper Johnson Knuth Lamport Liskov Perlman Ritchie Shannon Turing Wirth")
	cities     = strings.Fields("Amsterdam Berlin Cambridge Dublin Geneva Helsinki Lisbon London Oslo Paris Prague Vienna Zurich")
	states     = strings.Fields("active active active inactive pending suspended")
	sentences  = []string{
		"Responsible for the protocol engine, its test bench, and the documentation that goes with every release of it.",
		"Looks after the servers in three regions, their certificates, and the nightly copies of everything that matters.",
		"Has not signed in since the last review; the account stays open until somebody decides what is to become of it.",
		"Writes the clients for telephones and for the command line, and answers the questions of those who use them.",
	}
	topics = strings.Fields("compression framing handshake latency masking network protocol socket stream throughput transport window")
)

// makeJSON is a list of machines with their last measurements, indented, as an export
// of some service has it. Much of it repeats what stands a few lines before, so that
// even the smallest window finds something.
func makeJSON(r *rand.Rand, size int) []byte {
	var b strings.Builder
	b.WriteString("{\n  \"version\": 3,\n  \"machines\": [\n")
	const end = "\n  ],\n  \"note\": \"%s\"\n}\n"
	for id := 1; ; id++ {
		first, last := pick(r, firstNames), pick(r, lastNames)
		rec := fmt.Sprintf("    {\n      \"id\": %d,\n      \"owner\": \"%s %s\",\n      \"email\": \"%s.%s@example.com\",\n"+
			"      \"city\": \"%s\",\n      \"about\": \"%s\",\n      \"measurements\": [\n",
			id, first, last, strings.ToLower(first), strings.ToLower(last), pick(r, cities), pick(r, sentences))
		for n := range 6 {
			if n > 0 {
				rec += ",\n"
			}
			rec += fmt.Sprintf("        {\n          \"topic\": \"%s\",\n          \"value\": %d,\n          \"unit\": \"milliseconds\",\n"+
				"          \"state\": \"%s\",\n          \"verified\": true,\n          \"comment\": null\n        }", pick(r, topics), r.IntN(1000), pick(r, states))
		}
		rec += "\n      ]\n    }"
		if b.Len()+len(rec)+len(end) > size {
			break
		}
		if id > 1 {
			b.WriteString(",\n")
		}
		b.WriteString(rec)
	}
	fmt.Fprintf(&b, end, strings.Repeat(".", size-b.Len()-len(end)+2))
	return []byte(b.String())
}

// makeHTML is a page with a long table.
func makeHTML(r *rand.Rand, size int) []byte {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Measurements</title>\n</head>\n<body>\n" +
		"<h1>Measurements</h1>\n<table class=\"results\">\n")
	const end = "</table>\n<!-- %s -->\n</body>\n</html>\n"
	for row := 1; ; row++ {
		class := []string{"odd", "even"}[row%2]
		s := fmt.Sprintf("<tr class=\"results-row results-row-%s\" id=\"row-%d\">\n  <td class=\"results-cell results-cell-number\">%d</td>\n"+
			"  <td class=\"results-cell results-cell-name\"><a class=\"link link-person\" href=\"/people/%s\">%s %s</a></td>\n"+
			"  <td class=\"results-cell results-cell-topic\">%s</td>\n  <td class=\"results-cell results-cell-value\">%d.%02d&nbsp;ms</td>\n"+
			"  <td class=\"results-cell results-cell-about\">%s</td>\n"+
			"  <td class=\"results-cell results-cell-state\"><span class=\"badge badge-small\">%s</span></td>\n</tr>\n",
			class, row, row, pick(r, cities), pick(r, firstNames), pick(r, lastNames),
			pick(r, topics), r.IntN(500), r.IntN(100), pick(r, sentences), pick(r, states))
		if row%20 == 0 {
			s += "<tr class=\"separator\"><td colspan=\"5\">" + strings.Repeat("the "+pick(r, topics)+" of the "+pick(r, topics)+"; ", 3) + "</td></tr>\n"
		}
		if b.Len()+len(s)+len(end) > size {
			break
		}
		b.WriteString(s)
	}
	fmt.Fprintf(&b, end, strings.Repeat("-", size-b.Len()-len(end)+2))
	return []byte(b.String())
}

// makeProse is text that looks German: sentences of articles, nouns, verbs, in lines
// of some seventy characters, in UTF-8.
func makeProse(r *rand.Rand, size int) []byte {
	articles := strings.Fields("der die das ein eine kein jeder mancher dieser jener")
	adjectives := strings.Fields("alte edle ewige fremde große grüne hohe junge kühne leise müde schöne stille süße tiefe treue trübe weiße wilde")
	nouns := strings.Fields("Abend Berg Doktor Erde Feuer Freund Garten Geist Glück Herz Himmel Kraft Leben Licht Liebe Mensch Mond Nacht Natur Seele Stern Straße Tag Teufel Traum Welt Wort Zeit")
	verbs := strings.Fields("bleibt bricht fühlt geht glaubt hofft hört kennt kommt lebt liebt ruft schweigt sieht sinkt spricht steigt sucht trägt verläßt weiß")
	links := strings.Fields("und doch denn wenn daß weil ob wie als bis")
	// Prose repeats itself: a stock of phrases turns up again and again.
	var stock []string
	for range 40 {
		stock = append(stock, pick(r, articles)+" "+pick(r, adjectives)+" "+pick(r, nouns)+" "+pick(r, verbs)+", "+
			pick(r, links)+" "+pick(r, articles)+" "+pick(r, nouns)+" "+pick(r, verbs))
	}
	b := make([]byte, 0, size+200)
	for line := 0; len(b) < size; {
		s := pick(r, stock)
		switch r.IntN(4) {
		case 0:
			s += ", " + pick(r, stock) + "."
		case 1:
			s += " " + pick(r, nouns) + "!"
		default:
			s += " " + pick(r, links)
		}
		b = append(b, s...)
		if line += len(s); line > 50 {
			b, line = append(b, '\n'), 0
		} else {
			b = append(b, ' ')
		}
	}
	return b[:size]
}

// makeBitmap is a Windows bitmap of 512 by 512 pixels with 256 greys: a sky, hills,
// and a disc, with a little grain.
func makeBitmap(r *rand.Rand, size int) []byte {
	const side, offset = 512, 14 + 40 + 4*256
	le := binary.LittleEndian
	b := append(make([]byte, 0, size), "BM"...)
	b = le.AppendUint32(b, uint32(size))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, offset)
	for _, v := range []uint32{40, side, side, 8<<16 | 1, 0, side * side, 2835, 2835, 256, 0} {
		b = le.AppendUint32(b, v)
	}
	for g := range 256 {
		b = append(b, byte(g), byte(g), byte(g), 0)
	}
	grain := 0
	for y := range side {
		for x := range side {
			dx, dy := x-350, y-360
			hill := 120 + (x-200)*(x-200)/900
			g := 60 + y/4
			switch {
			case dx*dx+dy*dy < 70*70:
				g = 230 - (dx*dx+dy*dy)/100
			case y < hill:
				g = 90 - (hill-y)/3
			}
			if grain--; grain < 0 {
				grain = r.IntN(600)
				g += r.IntN(5) - 2
			}
			b = append(b, byte(max(0, min(255, g))))
		}
	}
	return b
}

// makePDF is a document whose pages are compressed already: mostly noise between
// objects and a long table of their places.
func makePDF(r *rand.Rand, size int) []byte {
	b := append(make([]byte, 0, size+1<<16), "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"...)
	var places []int
	object := func(s string) {
		places = append(places, len(b))
		b = fmt.Appendf(b, "%d 0 obj\n%s\nendobj\n", len(places), s)
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [] /Count 0 >>")
	table := func() string {
		var t strings.Builder
		fmt.Fprintf(&t, "xref\n0 %d\n0000000000 65535 f \n", len(places)+1)
		for _, p := range places {
			fmt.Fprintf(&t, "%010d 00000 n \n", p)
		}
		fmt.Fprintf(&t, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%07d\n%%%%EOF\n", len(places)+1, len(b))
		return t.String()
	}
	stream := func(n int) string {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		return string(p)
	}
	const frame = len("000 0 obj\n<< /Length 000000 /Filter /FlateDecode >>\nstream\n\nendstream\nendobj\n0000000000 00000 n \n")
	for len(b)+len(table()) < size-2*frame-16000 {
		n := 2000 + r.IntN(12000)
		object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 595 842 ] /Contents %d 0 R >>", len(places)+2))
		object(fmt.Sprintf("<< /Length %06d /Filter /FlateDecode >>\nstream\n%s\nendstream", n, stream(n)))
	}
	// The last stream makes the size right.
	object("")
	last := places[len(places)-1]
	rest := size - len(b) - len(table()) - len("<< /Length 000000 /Filter /FlateDecode >>\nstream\n\nendstream")
	b, places = b[:last], places[:len(places)-1]
	object(fmt.Sprintf("<< /Length %06d /Filter /FlateDecode >>\nstream\n%s\nendstream", rest, stream(rest)))
	return append(b, table()...)
}
