// The compressed echo: JSON-like text both ways, once with a fresh window for
// each message (both sides agreed on no_context_takeover) and once with the
// window kept, for the libraries that can.
//
// Libraries compress more or less hard, so the bytes on the wire stand beside
// the processor time; one without the other says nothing.

package main

func deflateCells(c *config) []cell {
	if c.quick {
		return []cell{{size: 1 << 10, conns: 64, inFlight: 1, text: true}}
	}
	return []cell{
		{size: 128, conns: 64, inFlight: 1, text: true},
		{size: 1 << 10, conns: 64, inFlight: 1, text: true},
		{size: 16 << 10, conns: 16, inFlight: 1, text: true},
	}
}

func deflateMeasurement() measurement {
	return measurement{
		name:  "deflate",
		cells: deflateCells,
		fits:  func(p peer) bool { return p.deflate },
		take: func(c *config, p peer, at cell, emit func(string, float64)) error {
			return c.takeEcho(p, at, loadPlan{Deflate: true}, serveOptions{Size: at.size, Deflate: true}, emit)
		},
		label: func(_ *config, at cell) string { return at.String() },
	}
}

func takeoverMeasurement() measurement {
	return measurement{
		name:  "takeover",
		cells: deflateCells,
		fits:  func(p peer) bool { return p.takeover },
		take: func(c *config, p peer, at cell, emit func(string, float64)) error {
			return c.takeEcho(p, at, loadPlan{Takeover: true}, serveOptions{Size: at.size, Takeover: true}, emit)
		},
		label: func(_ *config, at cell) string { return at.String() },
	}
}
