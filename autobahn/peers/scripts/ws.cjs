// npm's ws as a peer: an echo server with -listen ADDRESS, or with -dial URL -agent
// NAME -parallel N a client that walks through the cases of a fuzzing server.
// external.go puts this file beside an installed ws and runs it.
"use strict";
const { WebSocket, WebSocketServer } = require("ws");

const flags = {};
for (let i = 2; i < process.argv.length; i += 2) flags[process.argv[i]] = process.argv[i + 1];

// Limits are lifted: 9.3.1 sends 65537 fragments, and the server's default is 16384.
const options = { perMessageDeflate: true, maxPayload: 0, maxFragments: 0, maxBufferedChunks: 0 };

// echo sends everything back. The library ends the connection on errors by itself; a
// listener only keeps them from ending the process.
function echo(ws) {
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
  ws.on("error", () => {});
}

function serve(address) {
  const at = address.lastIndexOf(":");
  const server = new WebSocketServer({ ...options, host: address.slice(0, at), port: +address.slice(at + 1) });
  server.on("listening", () => {
    const a = server.address();
    console.log(`listening on ${a.address}:${a.port}`);
  });
  server.on("connection", echo);
}

// visit resolves when the connection has ended, with the first message if there was one.
function visit(url, use) {
  return new Promise((resolve) => {
    const ws = new WebSocket(url, options);
    let first;
    ws.on("message", (data) => { first ??= data.toString(); });
    if (use) use(ws);
    ws.on("error", () => {});
    ws.on("close", () => resolve(first));
  });
}

async function walk(base, agent, parallel) {
  const name = encodeURIComponent(agent);
  const cases = Number(await visit(`${base}/getCaseCount`));
  if (!Number.isInteger(cases)) throw new Error("the fuzzing server does not say how many cases there are");
  let next = 1;
  const worker = async () => {
    while (next <= cases) await visit(`${base}/runCase?case=${next++}&agent=${name}`, echo);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  await visit(`${base}/updateReports?agent=${name}`);
}

if (flags["-listen"]) serve(flags["-listen"]);
else walk(flags["-dial"], flags["-agent"], Number(flags["-parallel"] ?? 1)).catch((err) => {
  console.error(String(err));
  process.exit(1);
});
