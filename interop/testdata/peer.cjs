// npm's ws as a peer. `serve DEFLATE` echoes and prints its address; `dial DEFLATE
// URL...` sends every message to each URL, whole and in fragments, and checks what
// comes back.
"use strict";
const { WebSocket, WebSocketServer } = require("ws");

const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20];
const [role, deflate, ...urls] = process.argv.slice(2);
const options = { perMessageDeflate: deflate === "true", maxPayload: 32 << 20 };

function payload(binary, n) {
  const p = Buffer.alloc(n);
  for (let i = 0; i < n; i++) p[i] = binary ? i % 251 : 97 + (i % 26);
  if (!binary && n >= 3) p.set([0xe2, 0x82, 0xac]);
  return p;
}

function serve() {
  const server = new WebSocketServer({ ...options, host: "127.0.0.1", port: 0, maxFragments: 0, maxBufferedChunks: 0 });
  server.on("connection", (ws) => ws.on("message", (data, binary) => ws.send(data, { binary })));
  server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}`));
}

function send(ws, p, binary, fragments) {
  if (!fragments) return ws.send(p, { binary });
  const cut = Math.floor(p.length / 3);
  ws.send(p.subarray(0, cut), { binary, fin: false });
  ws.send(p.subarray(cut, 2 * cut), { binary, fin: false });
  ws.send(p.subarray(2 * cut), { binary, fin: true });
}

async function dial(url) {
  const ws = new WebSocket(url, { ...options, maxFragments: 0, maxBufferedChunks: 0 });
  await new Promise((resolve, reject) => { ws.on("open", resolve); ws.on("error", reject); });
  if ((ws.extensions !== "") !== options.perMessageDeflate) throw new Error(`extensions: ${ws.extensions}`);
  for (const fragments of [false, true]) for (const n of sizes) for (const binary of [false, true]) {
    const p = payload(binary, n);
    const echo = new Promise((resolve, reject) => {
      ws.once("message", (data, isBinary) => resolve([data, isBinary]));
      ws.once("close", (code) => reject(new Error(`closed ${code} at ${n} bytes`)));
    });
    send(ws, p, binary, fragments);
    const [data, isBinary] = await echo;
    ws.removeAllListeners("close");
    if (isBinary !== binary || !p.equals(data)) throw new Error(`${n} bytes came back as others`);
  }
  const closed = new Promise((resolve) => ws.on("close", resolve));
  ws.close(1000, "done");
  if (await closed !== 1000) throw new Error("closed uncleanly");
}

async function main() {
  if (role === "serve") return serve();
  for (const url of urls) await dial(url);
  console.log("ok");
}
main().catch((err) => { console.error(err); process.exit(1); });
