"""Python's websockets as a peer: see peer.cjs, which does the same."""

import asyncio
import sys

import websockets

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20]
ROLE, DEFLATE, *URLS = sys.argv[1:]
OPTIONS = {"max_size": 32 << 20, "ping_interval": None, "compression": "deflate" if DEFLATE == "true" else None}


def payload(binary, n):
    if binary:
        return (bytes(range(251)) * (n // 251 + 1))[:n]
    p = (b"abcdefghijklmnopqrstuvwxyz" * (n // 26 + 1))[:n]
    if n >= 3:
        p = "\u20ac".encode() + p[3:]
    return p.decode()


async def echo(ws, *_):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.exceptions.ConnectionClosed:
        pass


async def serve():
    async with websockets.serve(echo, "127.0.0.1", 0, **OPTIONS) as server:
        print("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


async def dial(url):
    async with websockets.connect(url, **OPTIONS) as ws:
        for fragments in (False, True):
            for n in SIZES:
                for binary in (False, True):
                    p = payload(binary, n)
                    cut = len(p) // 3
                    parts = [p[:cut], p[cut:2 * cut], p[2 * cut:]] if fragments else p
                    sending = asyncio.ensure_future(ws.send(parts))
                    got = await ws.recv()
                    await sending
                    if got != p:
                        sys.exit("%d bytes came back as others" % n)


async def main():
    if ROLE == "serve":
        await serve()
    for url in URLS:
        await dial(url)
    print("ok")


asyncio.run(main())
