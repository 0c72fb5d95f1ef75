// The ticker's page: one connection, one card a price, and a chart on a canvas.
//
// The server sends {names, history} once and then {at, prices} for ever; the page says nothing.

const $ = (id) => document.getElementById(id);
const SPAN = 120_000; // ms shown
const GAP = 2_000; // ms without a tick that interrupt the line

let names = [];
let ticks = []; // {at, prices}, oldest first
let chosen = 0; // index of the price in the chart
let pointer = null; // x of the pointer over the chart, in CSS pixels
let tries = 0;

// ── The connection ───────────────────────────────────────────────────────────────────────────────────

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/prices`);
  socket.onmessage = (event) => {
    const m = JSON.parse(event.data);
    if (m.names) hello(m);
    else ticks.push(m);
    while (ticks.length > 2 && ticks[1].at < ticks.at(-1).at - SPAN) ticks.shift();
    show();
  };
  socket.onclose = () => {
    state("waiting", "Reconnecting…");
    setTimeout(connect, Math.random() * Math.min(30_000, 1_000 * 2 ** tries++));
  };
}

function hello(m) {
  tries = 0;
  names = m.names;
  ticks = m.history;
  if (!$("cards").hasChildNodes()) $("cards").append(...names.map(card));
  state("online", "Live");
}

function state(name, text) {
  document.body.dataset.state = name;
  $("status").textContent = text;
}

// ── The cards ────────────────────────────────────────────────────────────────────────────────────────

function card(name, i) {
  const button = document.createElement("button");
  for (const part of ["name", "price", "change"]) {
    const e = document.createElement("span");
    e.className = part;
    button.append(e);
  }
  button.firstChild.textContent = name;
  button.onclick = () => {
    chosen = i;
    show();
  };
  return button;
}

function show() {
  const last = ticks.at(-1).prices, first = ticks[0].prices;
  [...$("cards").children].forEach((button, i) => {
    const percent = (last[i] / first[i] - 1) * 100;
    const [, price, change] = button.children;
    price.textContent = last[i].toFixed(2);
    change.textContent = `${percent < 0 ? "▼" : "▲"} ${Math.abs(percent).toFixed(2)} %`;
    change.className = `change ${percent < 0 ? "down" : "up"}`;
    button.ariaPressed = String(i === chosen);
  });
  $("name").textContent = names[chosen];
  const seconds = Math.round((ticks.at(-1).at - ticks[0].at) / 1000);
  $("span").textContent = seconds < 100 ? `last ${seconds} seconds` : "last two minutes";
  $("chart").ariaLabel = `${names[chosen]} over the ${$("span").textContent}`;
  draw();
}

// ── The chart ────────────────────────────────────────────────────────────────────────────────────────

// scale maps times and prices to pixels, and finds round prices for the grid.
function scale(width, height) {
  const prices = ticks.map((t) => t.prices[chosen]);
  let low = Math.min(...prices), high = Math.max(...prices);
  const margin = Math.max((high - low) * 0.12, high * 0.0005);
  low -= margin;
  high += margin;
  const rough = (high - low) / Math.max(2, height / 70);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((n) => n * power >= rough);
  const grid = [];
  for (let p = Math.ceil(low / step) * step; p < high; p += step) grid.push(p);
  const end = ticks.at(-1).at, start = Math.min(ticks[0].at, end - 10_000);
  return {
    width, height, grid, digits: Math.max(2, -Math.floor(Math.log10(step))),
    x: (at) => ((at - start) / (end - start)) * width,
    y: (price) => height - ((price - low) / (high - low)) * height,
  };
}

function draw() {
  const canvas = $("chart"), dpr = devicePixelRatio;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (ticks.length < 2 || width === 0) return;
  canvas.width = Math.round(width * dpr);
  canvas.height = Math.round(height * dpr);
  const g = canvas.getContext("2d");
  g.scale(dpr, dpr);
  const style = getComputedStyle(canvas);
  const paint = Object.fromEntries(["soft", "line", "accent", "raised", "ink"].map((name) => [name, style.getPropertyValue(`--${name}`)]));
  g.font = `12px ${style.fontFamily}`;
  const s = scale(width - 54, height - 24);
  drawGrid(g, s, paint);
  drawLine(g, s, paint);
  drawPointer(g, s, paint);
}

function drawGrid(g, s, paint) {
  g.textBaseline = "middle";
  g.textAlign = "left";
  g.lineWidth = 1;
  for (const price of s.grid) {
    const y = Math.round(s.y(price)) + 0.5;
    g.strokeStyle = paint.line;
    g.beginPath();
    g.moveTo(0, y);
    g.lineTo(s.width, y);
    g.stroke();
    g.fillStyle = paint.soft;
    g.fillText(price.toFixed(s.digits), s.width + 10, y);
  }
  g.textBaseline = "alphabetic";
  g.textAlign = "center";
  const end = ticks.at(-1).at, every = s.width > 500 ? 15_000 : 30_000;
  for (let at = Math.ceil(ticks[0].at / every) * every; at <= end; at += every) {
    const x = s.x(at);
    if (x > 30 && x < s.width - 30) g.fillText(clock(at), x, s.height + 20);
  }
}

function drawLine(g, s, paint) {
  const points = ticks.map((t) => [s.x(t.at), s.y(t.prices[chosen]), t.at]);
  const line = new Path2D(), area = new Path2D();
  points.forEach(([x, y, at], i) => {
    const starts = i === 0 || at - points[i - 1][2] > GAP;
    if (starts && i > 0) area.lineTo(points[i - 1][0], s.height);
    if (starts) area.moveTo(x, s.height);
    area.lineTo(x, y);
    if (starts) line.moveTo(x, y);
    else line.lineTo(x, y);
  });
  const [endX, endY] = points.at(-1);
  area.lineTo(endX, s.height);
  const shade = g.createLinearGradient(0, 0, 0, s.height);
  shade.addColorStop(0, paint.accent);
  shade.addColorStop(1, paint.raised);
  g.globalAlpha = 0.2;
  g.fillStyle = shade;
  g.fill(area);
  g.globalAlpha = 1;
  g.strokeStyle = paint.accent;
  g.lineWidth = 2;
  g.lineJoin = "round";
  g.stroke(line);
  dot(g, endX, endY, paint);
}

// drawPointer marks the tick that is nearest to the pointer.
function drawPointer(g, s, paint) {
  if (pointer === null) return;
  const t = ticks.reduce((a, b) => (Math.abs(s.x(b.at) - pointer) < Math.abs(s.x(a.at) - pointer) ? b : a));
  const x = s.x(t.at), y = s.y(t.prices[chosen]);
  g.strokeStyle = paint.soft;
  g.lineWidth = 1;
  g.setLineDash([3, 3]);
  g.beginPath();
  g.moveTo(x, 0);
  g.lineTo(x, s.height);
  g.stroke();
  g.setLineDash([]);
  dot(g, x, y, paint);
  const text = `${t.prices[chosen].toFixed(2)}  at ${clock(t.at)}`;
  const w = g.measureText(text).width + 20;
  const left = Math.min(Math.max(0, x - w / 2), s.width - w), top = y > 50 ? y - 42 : y + 14;
  g.fillStyle = paint.ink;
  g.beginPath();
  g.roundRect(left, top, w, 27, 9);
  g.fill();
  g.fillStyle = paint.raised;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillText(text, left + w / 2, top + 14);
}

function dot(g, x, y, paint) {
  g.beginPath();
  g.arc(x, y, 4.5, 0, 2 * Math.PI);
  g.fillStyle = paint.accent;
  g.fill();
  g.lineWidth = 2;
  g.strokeStyle = paint.raised;
  g.stroke();
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

$("chart").onpointermove = (e) => {
  pointer = e.offsetX;
  draw();
};
$("chart").onpointerleave = () => {
  pointer = null;
  draw();
};
new ResizeObserver(draw).observe($("chart"));
matchMedia("(prefers-color-scheme: dark)").onchange = draw;
connect();
