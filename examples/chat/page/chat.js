// The chat's page. What other people wrote reaches the document as text (textContent), never as HTML.
//
// The server numbers what is said in a room (`at`, ms since 1970, always rising), so history after a reconnect is
// merged by number. What we say carries a mark of ours (`ref`) and is shown as pending until it comes back from the
// server; whatever is still pending after a reconnect is sent again. So nothing is lost and nothing is shown twice.

import { Link } from "./link.js";

const $ = (id) => document.getElementById(id);
const TOGETHER = 3 * 60_000; // ms within which messages of one person stand under one name
const tidy = (name) => [...name.trim()].slice(0, 24).join("").trim() || "lobby"; // as the server does with rooms
const randomID = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(36)).join("");

let name = localStorage.getItem("name") ?? "";
let room = roomInAddress();
let people = [];
let rooms = {}; // how many people are where
let lastAt = 0; // number of the newest message shown of this room
let awaited = 0; // answers to "join" still to come; until then the server speaks of another room
let pending = []; // {ref, room, text, item}: said, not yet come back
let unread = 0;
let following = true; // the newest message is in view, and is to stay there
const key = sessionStorage.getItem("key") ?? randomID(); // tells the server that a new connection is still us
sessionStorage.setItem("key", key);

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const link = new Link(`${scheme}//${location.host}/ws`, { open: reopened, message: receive, change: showLink });

// ── What the server says ─────────────────────────────────────────────────────────────────────────────

function reopened() {
  awaited = 0; // what was asked on the old connection is not answered any more
  join();
}

function join() {
  awaited = link.send({ type: "join", room, name, key }) ? awaited + 1 : 0;
}

function receive(m) {
  if (m.type === "pong") return showRooms(m.rooms);
  if (m.type === "welcome") awaited--;
  if (awaited > 0) return;
  switch (m.type) {
    case "welcome": welcome(m); break;
    case "say": said(m, true); break;
    case "join": showPeople([...people, m.name]); note(`${m.name} came in`); break;
    case "leave": showPeople(people.filter((p) => p !== m.name)); note(`${m.name} left`); break;
  }
  if (following) toBottom();
  else if (m.type === "say") $("newest").hidden = false;
}

function welcome(m) {
  name = m.name; // "Ana 2" if somebody else is Ana
  showPeople(m.people);
  for (const old of m.history ?? []) said(old, false);
  for (const p of pending) if (p.room === room) link.send({ type: "say", text: p.text, ref: p.ref });
}

function said(m, isNew) {
  if (!isNew && m.at <= lastAt) return; // history that we have
  lastAt = m.at;
  const mine = pending.find((p) => p.ref === m.ref);
  if (mine) {
    pending = pending.filter((p) => p !== mine);
    mine.item.remove();
  }
  show(m, isNew && !mine);
  if (isNew && document.hidden) document.title = `(${++unread}) #${room}`;
}

// ── What is shown ────────────────────────────────────────────────────────────────────────────────────

function el(tag, className, text = "") {
  const e = document.createElement(tag);
  e.className = className;
  e.textContent = text;
  return e;
}

function avatar(who) {
  const initials = who.split(/\s+/).map((word) => [...word][0] ?? "");
  const e = el("span", "avatar", (initials.shift() + (initials.pop() ?? "")).toUpperCase());
  let hash = 7;
  for (const c of who) hash = (hash * 31 + c.codePointAt(0)) % 9973;
  e.style.setProperty("--hue", (hash * 47) % 360);
  e.ariaHidden = "true";
  return e;
}

// show appends a message above those that are still pending, and returns its list item.
function show({ name: who, text, at = Date.now(), ref }, isNew) {
  const item = el("li", "msg");
  const by = el("p", "by");
  const time = el("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(at).toISOString();
  const author = el("b", "", who);
  author.dir = "auto";
  by.append(author, time);
  const body = el("p", "text");
  body.dir = "auto";
  body.append(...linked(text));
  item.append(avatar(who), by, body);
  const isPending = pending.some((p) => p.ref === ref);
  const before = isPending ? null : $("log").querySelector(".pending");
  const above = before ? before.previousElementSibling : $("log").lastElementChild;
  item.classList.toggle("mine", who === name);
  item.classList.toggle("pending", isPending);
  item.classList.toggle("new", isNew);
  item.classList.toggle("more", above?.dataset.who === who && at - above.dataset.at < TOGETHER && !isPending);
  Object.assign(item.dataset, { who, at });
  $("log").insertBefore(item, before);
  return item;
}

// linked splits text into strings and links. Only http and https become links.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?')\]])/).map((part, i) => {
    if (i % 2 === 0) return part;
    const a = el("a", "", part);
    a.href = part;
    a.target = "_blank";
    a.rel = "noopener noreferrer";
    return a;
  });
}

function note(text) {
  const last = $("log").lastElementChild;
  if (last?.classList.contains("note") && last.textContent.length < 80) last.textContent += `, ${text}`;
  else $("log").append(el("li", "note new", text));
}

function showPeople(now) {
  people = now.sort((a, b) => (b === name) - (a === name) || a.localeCompare(b));
  $("count").textContent = people.length;
  $("subtitle").textContent = ["", "Only you so far"][people.length] ?? `${people.length} people here`;
  $("people").replaceChildren(...people.map((who) => {
    const item = el("li", "");
    item.append(avatar(who), el("bdi", "name", who));
    if (who === name) item.append(el("span", "you", "you"));
    return item;
  }));
  showRooms(rooms);
}

function showRooms(counts) {
  rooms = { lobby: 0, ideas: 0, random: 0, ...counts, [room]: people.length };
  const focused = document.activeElement.hash;
  $("rooms").replaceChildren(...Object.keys(rooms).sort().map((which) => {
    const item = el("li", "");
    const a = el("a", "");
    a.href = "#" + encodeURIComponent(which);
    if (which === room) a.ariaCurrent = "page";
    a.append(el("bdi", "name", which), el("span", "number", rooms[which] || ""));
    item.append(a);
    return item;
  }));
  if (focused) [...$("rooms").querySelectorAll("a")].find((a) => a.hash === focused)?.focus();
}

function showLink() {
  document.body.dataset.state = link.state;
  $("retry").hidden = link.state !== "waiting" && link.state !== "stopped";
  $("status").textContent = {
    online: "Online", connecting: link.retries ? "Reconnecting…" : "Connecting…", waiting: "Reconnecting…", stopped: link.reason || "Disconnected",
  }[link.state];
  $("latency").textContent = link.latency === null ? "" : link.latency < 1 ? "<1 ms" : `${Math.round(link.latency)} ms`;
}

function toBottom() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
  following = true;
  $("newest").hidden = true;
}

// ── What we do ───────────────────────────────────────────────────────────────────────────────────────

function roomInAddress() {
  try {
    return tidy(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return "lobby"; // the address was cut in the middle of an escape
  }
}

function enter(next) {
  room = tidy(next);
  location.hash = encodeURIComponent(room);
  lastAt = 0;
  $("log").replaceChildren();
  showPeople([]);
  $("title").textContent = document.title = `#${room}`;
  drawer(false);
  for (const p of pending) if (p.room === room) p.item = show({ ...p, name }, false);
  join();
}

function say(text) {
  const p = { ref: randomID(), room, text };
  pending.push(p);
  p.item = show({ ...p, name }, true);
  toBottom();
  if (awaited === 0) link.send({ type: "say", text, ref: p.ref });
}

function composed(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) say(text);
  $("text").value = $("left").textContent = "";
  $("text").focus();
}

// drawer opens or closes the list of rooms and people, which lies over the room on a phone.
function drawer(open) {
  if (document.body.classList.contains("drawer") === open) return;
  document.body.classList.toggle("drawer", open);
  $("menu").ariaExpanded = String(open);
  (open ? $("side").querySelector("a") : $("menu")).focus();
}

$("compose").onsubmit = composed;
$("text").onkeydown = (e) => e.key === "Enter" && !e.shiftKey && !e.isComposing && composed(e);
$("text").oninput = () => {
  const left = $("text").maxLength - $("text").value.length;
  $("left").textContent = left <= 100 ? left : "";
};
$("open-room").onsubmit = (e) => {
  e.preventDefault();
  location.hash = encodeURIComponent(e.target.room.value.trim());
  e.target.reset();
};
$("menu").onclick = () => drawer(true);
$("shade").onclick = () => drawer(false);
$("retry").onclick = () => link.retry();
$("newest").onclick = toBottom;
$("scroll").onscroll = () => {
  following = $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 60;
  if (following) $("newest").hidden = true;
};
new ResizeObserver(() => following && toBottom()).observe($("scroll")); // a phone's keyboard comes up
addEventListener("keydown", (e) => e.key === "Escape" && drawer(false));
addEventListener("hashchange", () => {
  if (roomInAddress() !== room) enter(roomInAddress());
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = `#${room}`;
});

const door = $("door").querySelector("form");
door.elements.name.value = name;
door.elements.room.value = room;
door.onsubmit = () => {
  name = door.elements.name.value.trim() || "Guest";
  localStorage.setItem("name", name);
  enter(door.elements.room.value);
  link.retry();
  $("text").focus();
};
$("door").addEventListener("cancel", (e) => e.preventDefault());
$("title").textContent = `#${room}`;
$("door").showModal();
