package deflate

// This file holds the header of a dynamic block (RFC 1951 3.2.7). Called by
// encoder.writeBlock.

// build finds the codes for f and returns the bits of a block with them, less
// its three first ones and the extra bits of its symbols.
func (c *dynamicCodes) build(f *litDistFreq) int {
	c.builder.build(f.lit[:], c.lengths[:numLitLen], c.lit[:], maxLitBits)
	c.nlit = numLitLen
	for c.nlit > 257 && c.lengths[c.nlit-1] == 0 {
		c.nlit--
	}
	size := 0
	for i, l := range c.lengths[:c.nlit] {
		size += int(f.lit[i]) * int(l)
	}

	// The lengths of dist follow those of lit, whose end is free.
	lengths := c.lengths[c.nlit : c.nlit+numDist]
	c.builder.build(f.dist[:], lengths, c.dist[:], maxCodeBits)
	c.ndist = numDist
	for c.ndist > 1 && lengths[c.ndist-1] == 0 {
		c.ndist--
	}
	for i, l := range lengths[:c.ndist] {
		size += int(f.dist[i]) * int(l)
	}
	return size + c.buildHeader()
}

// runExtra is the number of extra bits of each code length symbol.
var runExtra = [numCodeLen]uint8{16: 2, 17: 3, 18: 7}

// buildHeader codes the code lengths and returns the bits of that.
func (c *dynamicCodes) buildHeader() int {
	c.findRuns(c.lengths[:c.nlit+c.ndist])
	var freq [numCodeLen]uint32
	for _, r := range c.runs[:c.nruns] {
		freq[r&0xff]++
	}
	c.builder.build(freq[:], c.runLength[:], c.runCodes[:], 7)
	c.ncode = numCodeLen
	for c.ncode > 4 && c.runLength[codeLenOrder[c.ncode-1]] == 0 {
		c.ncode--
	}
	size := 5 + 5 + 4 + 3*c.ncode
	for i, n := range freq {
		size += int(n) * int(c.runLength[i]+runExtra[i])
	}
	return size
}

// findRuns splits lengths into symbols of the code length code. A run may go on
// from the lengths of lit into those of dist.
func (c *dynamicCodes) findRuns(lengths []uint8) {
	c.nruns = 0
	for i := 0; i < len(lengths); {
		l := lengths[i]
		run := 1
		for i+run < len(lengths) && lengths[i+run] == l {
			run++
		}
		i += run
		if l == 0 {
			for run >= 3 {
				n := min(run, 138)
				if n <= 10 {
					c.addRun(17, n-3)
				} else {
					c.addRun(18, n-11)
				}
				run -= n
			}
		} else {
			c.addRun(int(l), 0)
			run--
			for run >= 3 {
				n := min(run, 6)
				c.addRun(16, n-3)
				run -= n
			}
		}
		for ; run > 0; run-- {
			c.addRun(int(l), 0)
		}
	}
}

func (c *dynamicCodes) addRun(sym, extra int) {
	c.runs[c.nruns] = uint16(sym | extra<<8)
	c.nruns++
}

func (c *dynamicCodes) writeHeader(w *bitWriter) {
	w.add(uint64(c.nlit-257), 5)
	w.add(uint64(c.ndist-1), 5)
	w.add(uint64(c.ncode-4), 4)
	for _, sym := range codeLenOrder[:c.ncode] {
		w.add(uint64(c.runLength[sym]), 3)
	}
	for _, r := range c.runs[:c.nruns] {
		sym := r & 0xff
		w.add(uint64(c.runCodes[sym]>>8), uint(c.runCodes[sym]&0xff))
		w.add(uint64(r>>8), uint(runExtra[sym]))
	}
}
