"""Python's websockets as a peer: an echo server with -listen ADDRESS, or with
-dial URL -agent NAME -parallel N a client that walks through the cases of a fuzzing
server. external.go runs this file."""

import argparse
import asyncio
import logging
import urllib.parse

import websockets

logging.getLogger("websockets").setLevel(logging.CRITICAL)  # failed cases are no news

# No limit on messages and no keepalive: a ping of ours would be an event no case expects.
OPTIONS = {"max_size": None, "ping_interval": None, "compression": "deflate"}


async def echo(ws, *_):
    """Send everything back; str and bytes keep their kind."""
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.exceptions.ConnectionClosed:
        pass


async def serve(address):
    host, port = address.rsplit(":", 1)
    async with websockets.serve(echo, host, int(port), **OPTIONS) as server:
        bound = server.sockets[0].getsockname()
        print(f"listening on {bound[0]}:{bound[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


async def ask(url):
    async with websockets.connect(url, **OPTIONS) as ws:
        return await ws.recv()


async def visit(url):
    """Echo until the connection ends. Refused handshakes are part of some cases."""
    try:
        async with websockets.connect(url, **OPTIONS) as ws:
            await echo(ws)
    except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException):
        pass


async def walk(base, agent, parallel):
    agent = urllib.parse.quote(agent)
    numbers = iter(range(1, int(await ask(f"{base}/getCaseCount")) + 1))

    async def worker():
        for number in numbers:
            await visit(f"{base}/runCase?case={number}&agent={agent}")

    await asyncio.gather(*(worker() for _ in range(parallel)))
    await visit(f"{base}/updateReports?agent={agent}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-listen")
    parser.add_argument("-dial")
    parser.add_argument("-agent", default="websockets")
    parser.add_argument("-parallel", type=int, default=1)
    args = parser.parse_args()
    asyncio.run(serve(args.listen) if args.listen else walk(args.dial, args.agent, args.parallel))


main()
