package deflate

// This file holds the codes of a dynamic block and its header (RFC 1951 3.2.7).
// Called by encoder.writeBlock.

// dynamicCodes holds the codes of a dynamic block and the header that says them.
// Lengths and codes of symbols that do not occur are left over from others.
type dynamicCodes struct {
	usedLit  usedSymbols
	usedDist usedSymbols
	extra    int // the extra bits of all symbols

	symbolCodes
	litLengths  [numLitLen]uint8
	distLengths [numDist]uint8

	runs       [numLitLen + numDist]uint16 // the lengths as sent: symbol | extra<<8
	nruns      int
	ncode      int
	usedRuns   usedSymbols
	runCodes   [numCodeLen]code
	runLengths [numCodeLen]uint8

	builder codeBuilder
}

// maxLitBits is less than the format allows, so that four literals fit into the
// bits of a bitWriter at once.
const maxLitBits = 14

// runExtra is the number of extra bits of each code length symbol.
var runExtra = [numCodeLen]uint8{16: 2, 17: 3, 18: 7}

// build finds the codes for the symbols used and returns the bits of a block
// with them, less its three first ones.
func (c *dynamicCodes) build() int {
	lit, dist := c.usedLit.symbols(), c.usedDist.symbols()
	c.builder.build(lit, c.litLengths[:], c.lit[:], maxLitBits)
	c.builder.build(dist, c.distLengths[:], c.dist[:], maxCodeBits)
	size := c.extra + c.buildHeader()
	for _, k := range lit {
		size += int(k>>symbolBits) * int(c.litLengths[k&symbolMask])
	}
	for _, k := range dist {
		size += int(k>>symbolBits) * int(c.distLengths[k&symbolMask])
	}
	return size
}

// buildHeader codes the code lengths and returns the bits of that.
func (c *dynamicCodes) buildHeader() int {
	c.findRuns()
	var freq [numCodeLen]uint32
	for _, r := range c.runs[:c.nruns] {
		freq[r&0xff]++
	}
	c.usedRuns.collect(freq[:])
	clear(c.runLengths[:])
	c.builder.build(c.usedRuns.symbols(), c.runLengths[:], c.runCodes[:], 7)
	c.ncode = numCodeLen
	for c.runLengths[codeLenOrder[c.ncode-1]] == 0 {
		c.ncode--
	}
	size := 5 + 5 + 4 + 3*c.ncode
	for i, n := range freq {
		size += int(n) * int(c.runLengths[i]+runExtra[i])
	}
	return size
}

// findRuns splits the lengths of lit and then of dist, each up to the last that
// occurs, into symbols of the code length code. A run may go on from lit into
// dist.
func (c *dynamicCodes) findRuns() {
	c.nruns = 0
	last, run := c.addLengths(c.usedLit.symbols(), c.litLengths[:], 0, 0)
	last, run = c.addLengths(c.usedDist.symbols(), c.distLengths[:], last, run)
	c.addRun(last, run)
	if c.usedDist.n == 0 {
		c.addZeros(1) // RFC 1951 3.2.7: one length of dist is always sent
	}
}

// addLengths adds symbols for the lengths of the symbols used and the zeros
// between them, behind a run that is not added yet. It returns the one that it
// ends with.
func (c *dynamicCodes) addLengths(used []uint32, lengths []uint8, last uint8, run int) (uint8, int) {
	next := 0
	for _, k := range used {
		sym := int(k & symbolMask)
		l := lengths[sym]
		if sym == next && l == last {
			run++
		} else {
			c.addRun(last, run)
			c.addZeros(sym - next)
			last, run = l, 1
		}
		next = sym + 1
	}
	return last, run
}

// addRun adds symbols for a length, not zero, that occurs n times.
func (c *dynamicCodes) addRun(length uint8, n int) {
	if n > 3 {
		c.addSymbol(uint16(length))
		for n--; n > 2; n -= min(n, 6) {
			c.addSymbol(16 | uint16(min(n, 6)-3)<<8)
		}
	}
	for ; n > 0; n-- {
		c.addSymbol(uint16(length))
	}
}

func (c *dynamicCodes) addZeros(n int) {
	for ; n > 10; n -= min(n, 138) {
		c.addSymbol(18 | uint16(min(n, 138)-11)<<8)
	}
	if n > 2 {
		c.addSymbol(17 | uint16(n-3)<<8)
		return
	}
	for ; n > 0; n-- {
		c.addSymbol(0)
	}
}

func (c *dynamicCodes) addSymbol(s uint16) {
	c.runs[c.nruns] = s
	c.nruns++
}

func (c *dynamicCodes) writeHeader(w *bitWriter) {
	lit := c.usedLit.keys[c.usedLit.n-1] & symbolMask
	dist := uint32(0)
	if c.usedDist.n > 0 {
		dist = c.usedDist.keys[c.usedDist.n-1] & symbolMask
	}
	w.add(uint64(lit+1-257), 5)
	w.add(uint64(dist), 5)
	w.add(uint64(c.ncode-4), 4)
	for _, sym := range codeLenOrder[:c.ncode] {
		w.add(uint64(c.runLengths[sym]), 3)
	}
	for _, r := range c.runs[:c.nruns] {
		sym := r & 0xff
		n := uint(c.runCodes[sym] & 0xff)
		w.add(uint64(c.runCodes[sym]>>8)|uint64(r>>8)<<n, n+uint(runExtra[sym]))
	}
}
