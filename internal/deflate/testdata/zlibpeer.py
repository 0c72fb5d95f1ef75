"""The other end of TestMessagesZlib: zlib with context takeover, driven over stdin.

A request is its kind, the window bits (one byte each), a length (four bytes,
little-endian) and as many bytes. Kind 0 begins a new stream in both directions,
1 inflates a payload, 2 deflates a message. The answer to 1 and 2 is a length and
as many bytes.
"""
import struct
import sys
import zlib


def main():
    read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
    inflater = deflater = None
    while header := read(6):
        kind, bits, n = struct.unpack("<BBI", header)
        p = read(n)
        if kind == 0:
            inflater = zlib.decompressobj(-bits)
            # zlib cannot compress in a window of 2^8 bytes.
            deflater = zlib.compressobj(n % 9 + 1, zlib.DEFLATED, -max(bits, 9))
            continue
        if kind == 1:
            p = inflater.decompress(p + b"\x00\x00\xff\xff")
        else:
            p = deflater.compress(p) + deflater.flush(zlib.Z_SYNC_FLUSH)
            p = p[:-4]
        write(struct.pack("<I", len(p)) + p)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
