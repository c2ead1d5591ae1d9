"use strict";
/* What the page knows of the queue (state), and how it asks: the routes below /bgop/v1, and the stream of events, with the token
   that was typed in. */

const state = { token: "", user: "", session: null, stats: null, history: null, skew: 0, view: null, stream: 0, live: false };
const POLL_MS = 3000, QUIET_MS = 8000;

/* ---- asking ---- */

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  const headers = { Authorization: "Bearer " + state.token };
  if (options.body) headers["Content-Type"] = "application/json";
  if (state.user) headers["X-Bgop-User"] = state.user;
  let answer;
  try {
    answer = await fetch(path, { method: options.body ? "POST" : "GET", headers, body: options.body && JSON.stringify(options.body),
      cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    throw new Refused(0, "The coordinator does not answer");
  }
  const body = await (options.plain ? answer.text() : answer.json()).catch(() => null);
  if (answer.ok) return body;
  if (answer.status === 401 && state.session) leave("The token is not valid any more");
  throw new Refused(answer.status, Array.isArray(body) && body[0] ? body[0].message : "The coordinator answered " + answer.status);
}

const own = (path, params) => ask("/bgop/v1/" + path + (params ? "?" + new URLSearchParams(params) : ""));

/* ---- the stream of events ---- */

async function follow() {
  const mine = ++state.stream;
  let last = "", wait = 500;
  while (mine === state.stream) {
    try {
      await readStream(mine, last, (event) => { wait = 500; if (event.id) last = event.id; onEvent(event); });
    } catch (error) {
      if (error.status === 401) return;
    }
    setLive(false);
    if (mine !== state.stream) return;
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 2, 8000);
    if (!state.live) own("stats").then((stats) => mine === state.stream && takeStats(stats)).catch((error) => setAway(error.message));
  }
}

async function readStream(mine, last, onOne) {
  const stop = new AbortController(), headers = { Authorization: "Bearer " + state.token };
  let quiet = setTimeout(() => stop.abort(), QUIET_MS), rest = "";
  if (last) headers["Last-Event-ID"] = last;
  const answer = await fetch("/bgop/v1/events", { headers, cache: "no-store", credentials: "omit", signal: stop.signal });
  if (!answer.ok) { clearTimeout(quiet); throw new Refused(answer.status, ""); }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done || mine !== state.stream) return;
      clearTimeout(quiet);
      quiet = setTimeout(() => stop.abort(), QUIET_MS);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) onOne(parseEvent(event));
    }
  } finally {
    clearTimeout(quiet);
    stop.abort();
  }
}

function parseEvent(lines) {
  const event = { name: "message", data: "" };
  for (const line of lines.split("\n")) {
    const at = line.indexOf(":"), name = line.slice(0, at), value = line.slice(at + 1).replace(/^ /, "");
    if (name === "event") event.name = value;
    else if (name === "data") event.data += value;
    else if (name === "id") event.id = value;
  }
  return event;
}

function onEvent(event) {
  const data = JSON.parse(event.data || "null");
  if (event.name === "away") setAway(data.message);
  if (event.name === "stats") takeStats(data);
  if (event.name === "hello") { setLive(true); if (!data.resumed && state.view) viewCall("changes", { counts: {}, changed: [], more: true }); }
  if (event.name === "changes") viewCall("changes", data);
}

function takeStats(stats) {
  setAway("");
  state.stats = stats;
  addToHistory(stats);
  const mode = $("mode"), trouble = (stats.health || []).length;
  text(mode, stats.mode === "OPEN" && trouble ? plural(trouble, "trouble") : stats.mode === "OPEN" ? "all well" : stats.mode.toLowerCase());
  mode.className = "pill " + (stats.mode === "OPEN" && !trouble ? "good" : stats.mode === "OPEN" ? "warn" : "bad");
  viewCall("stats", stats);
  setCount("blocked", stats.blocked);
}

const plural = (count, one) => number(count) + " " + one + (count === 1 ? "" : "s");
function viewCall(what, data) { if (state.view && state.view[what]) state.view[what](data); }
function setLive(on) {
  state.live = on;
  $("live").className = "live" + (on ? " on" : "");
  text($("live"), on ? "live" : "connecting");
}
function setAway(message) { $("away").hidden = !message; text($("away"), message || ""); }
function setCount(view, count) {
  const element = document.querySelector(`nav [data-view="${view}"] .count`);
  if (element) { element.hidden = !count; text(element, number(count)); }
}
