"""Writes zlib.txt: python3 vectors.py, in this directory, after corpus.py.

Each line is one message compressed by zlib: a name, the corpus, where in it the
window begins, where the message begins and ends, and the payload in hex, without
00 00 ff ff. The lines of one name are consecutive messages of one stream.
"""
import os
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
STRATEGIES = {"default": zlib.Z_DEFAULT_STRATEGY, "filtered": zlib.Z_FILTERED, "huffman": zlib.Z_HUFFMAN_ONLY,
              "rle": zlib.Z_RLE, "fixed": zlib.Z_FIXED}


def main():
    out = []

    def stream(name, corpus, cuts, level, bits, memory=8, strategy="default", final=False):
        with open(os.path.join(HERE, "corpus", corpus), "rb") as f:
            data = f.read()
        c = zlib.compressobj(level, zlib.DEFLATED, -bits, memory, STRATEGIES[strategy])
        for at, end in zip(cuts, cuts[1:]):
            if final:
                p = c.compress(data[at:end]) + c.flush(zlib.Z_FINISH)
            else:
                p = c.compress(data[at:end]) + c.flush(zlib.Z_SYNC_FLUSH)
                assert p.endswith(b"\x00\x00\xff\xff")
                p = p[:-4]
            start = max(cuts[0], at - (1 << bits))
            out.append(f"{name} {corpus} {start} {at} {end} {p.hex()}\n")

    for corpus in ("ticks.json", "chat.txt", "page.html", "server.log", "random.bin"):
        for level in (0, 1, 6, 9):
            stream(f"{corpus}-level{level}", corpus, [0, 1, 3, 130, 131, 500, 900], level, 15)
        for bits in (9, 10, 12):
            stream(f"{corpus}-bits{bits}", corpus, [1000, 1300, 1302, 2900], 6, bits)
        for strategy in STRATEGIES:
            stream(f"{corpus}-{strategy}", corpus, [5000, 5700], 6, 15, 8, strategy)
    # A small memory level cuts a message into many blocks.
    stream("many-blocks", "page.html", [0, 6000, 9000], 6, 15, 1)
    stream("many-blocks-random", "random.bin", [0, 3000], 6, 15, 1)
    stream("final", "chat.txt", [0, 700], 6, 15, final=True)
    with open(os.path.join(HERE, "zlib.txt"), "w") as f:
        f.writelines(out)


if __name__ == "__main__":
    main()
