"use strict";
/* The dashboard. It asks the routes below /bgop/v1 with the token that was typed in, and follows the stream of events.
   What comes from the queue becomes text nodes only (h, below): nothing of it is ever read as HTML. A view is an object
   { title, show(into, params), stats(s), changes(c) }; lists keep their elements while they live (keep), so that focus,
   selections and readers of screens are not disturbed by what changes. */

const STATUSES = ["New", "Scheduled", "Waiting", "Running", "Merged", "Error", "Canceled", "Complete"];
const ORDERS = [["-SubmittedAt", "newest first"], ["SubmittedAt", "oldest first"], ["-LastModifiedDate", "last change first"]];
const PAGE_ROWS = 50, SEARCH_PAGES = 12, POLL_MS = 3000, QUIET_MS = 8000;
const state = { token: "", user: "", session: null, stats: null, history: null, skew: 0, view: null, stream: 0, live: false };
const $ = (id) => document.getElementById(id);

/* ---- elements ---- */

/* h("a", {href: "#/x", class: "y", onclick: f}, "text", child, [children]): texts become text nodes. */
function h(name, attributes, ...children) {
  const svg = ["svg", "path", "line"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function text(element, value) {
  const wanted = String(value);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/* The children of a container are those of items, by key: what is there already stays the same element. */
function keep(container, items, keyOf, make, update) {
  const there = container.kept || (container.kept = new Map()), wanted = new Set();
  let at = container.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    if (wanted.has(key)) continue;
    wanted.add(key);
    let element = there.get(key);
    if (!element) there.set(key, element = make(item));
    if (element === at) at = at.nextSibling;
    else container.insertBefore(element, at);
    if (update) update(element, item);
  }
  for (const [key, element] of there) if (!wanted.has(key)) { element.remove(); there.delete(key); }
}

const link = (href, ...children) => h("a", { href }, ...children);
const badge = (status) => h("span", { class: "badge s-" + String(status).toLowerCase() }, status || "none");
const panel = (title, ...children) => h("section", { class: "panel" }, h("header", {}, h("h2", {}, title)), ...children);
const toOperation = (id, shown) => link("#/operation/" + id, shown || id);

function heading(title, ...more) {
  return h("div", { class: "head" }, h("h1", { tabindex: "-1" }, title), ...more);
}

/* columns: [[name, class]..] */
function table(columns, kind) {
  const body = h("tbody");
  const element = h("table", { class: "cards " + (kind || "") },
    h("thead", {}, h("tr", {}, columns.map(([name, style]) => h("th", { class: style, scope: "col" }, name)))), body);
  return { element, body };
}

/* ---- texts ---- */

const now = () => Date.now() + state.skew;
const number = (value) => Number(value || 0).toLocaleString("en-US");
const rate = (value) => value >= 100 ? number(Math.round(value)) : Number(value || 0).toFixed(value >= 10 ? 1 : 2).replace(/\.00$/, "");
const moment = (value) => value === null || value === undefined ? NaN : typeof value === "number" ? value : Date.parse(String(value).replace("+0000", "Z"));
const full = (value) => Number.isNaN(moment(value)) ? "" : new Date(moment(value)).toLocaleString("sv");       // 2026-11-23 10:00:00, here
const quoted = (value) => "'" + value.replace(/\\/g, "\\\\").replace(/'/g, "\\'") + "'";

function length(ms) {
  const s = Math.abs(ms) / 1000;
  if (Math.abs(ms) < 1000) return Math.round(Math.abs(ms)) + " ms";
  if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min" + (s < 600 ? " " + Math.floor(s % 60) + " s" : "");
  if (s < 172800) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " days";
}

function ago(value) {
  const ms = moment(value);
  if (Number.isNaN(ms)) return "";
  const passed = now() - ms;
  return passed < 0 ? "in " + length(passed) : passed < 1000 ? "just now" : length(passed) + " ago";
}

const when = (value) => Number.isNaN(moment(value)) ? "" : h("time", { title: full(value), datetime: new Date(moment(value)).toISOString() }, ago(value));

function tell(message) {
  const line = h("p", {}, message);
  $("told").append(line);
  setTimeout(() => line.remove(), 6000);
}

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

/* ---- the last hour ---- */

/* The present minute grows with what is counted in total; a new one begins empty. */
function addToHistory(stats) {
  const history = state.history, minute = Math.floor(now() / 60000);
  if (!history || !history.accepted) return;
  while (history.minute < minute) {
    history.minute++;
    for (const name of ["accepted", "finished", "failed", "retried"]) { history[name].push(0); history[name].shift(); }
  }
  history.base = history.base || stats.totals;
  const last = history.accepted.length - 1;
  for (const name of ["accepted", "finished", "failed", "retried"]) {
    history[name][last] += Math.max((stats.totals[name] || 0) - (history.base[name] || 0), 0);
  }
  history.base = stats.totals;
}

function pathOf(values, top, width, height) {
  const step = width / (values.length - 1);
  return values.map((value, i) => (i ? "L" : "M") + (i * step).toFixed(1) + " " + (height - 2 - (height - 4) * value / top).toFixed(1)).join("");
}

function spark(name) {
  const line = h("path", { class: "spark c-" + name }), area = h("path", { class: "spark-area c-" + name });
  const svg = h("svg", { viewBox: "0 0 120 28", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
  const update = () => {
    if (!state.history || !state.history[name]) return;
    const values = state.history[name], path = pathOf(values, Math.max(...values, 1), 120, 28);
    line.setAttribute("d", path);
    area.setAttribute("d", path + "L120 28L0 28Z");
  };
  return { svg, update };
}

function chart() {
  const names = ["accepted", "finished", "failed", "retried"];
  const lines = names.map((name) => h("path", { class: "spark c-" + name }));
  const grid = [37, 75, 112].map((y) => h("line", { class: "grid", x1: 0, x2: 600, y1: y, y2: y }));
  const svg = h("svg", { class: "chart", viewBox: "0 0 600 150", preserveAspectRatio: "none", role: "img",
    "aria-label": "Operations accepted, finished, failed and retried in each of the last 60 minutes" }, grid, lines);
  const most = h("span"), keys = names.map((name) => h("span", {}, h("span", { class: "key c-" + name }), name));
  const element = h("section", { class: "panel" },
    h("header", {}, h("h2", {}, "The last hour"), h("span", { class: "end keys" }, keys)),
    h("div", { class: "inside" }, svg, h("div", { class: "axis" }, h("span", {}, "60 min ago"), most, h("span", {}, "now"))));
  const update = () => {
    if (!state.history || !state.history.accepted) return;
    const top = Math.max(1, ...names.flatMap((name) => state.history[name]));
    names.forEach((name, i) => lines[i].setAttribute("d", pathOf(state.history[name], top, 600, 150)));
    text(most, "top: " + number(top) + " a minute");
  };
  return { element, update };
}

/* ---- actions: a dry run first, always a reason ---- */

const VERBS = {
  cancel: { word: "Cancel", style: "main danger", about: "Waiting operations end as Canceled; running ones are asked to stop." },
  redrive: { word: "Redrive", style: "main", about: "Operations that failed for good (or were canceled) are run again." },
  pause: { word: "Pause", style: "main", about: "Nothing more of it starts until it is resumed. What runs goes on." },
  resume: { word: "Resume", style: "main", about: "What was held back becomes claimable again." },
};
const mayAct = () => state.session && state.session.role === "operator";

function actButton(verb, target, label, style) {
  if (!mayAct()) return null;
  return h("button", { type: "button", class: style || "", "data-verb": verb, onclick: () => actDialog(verb, typeof target === "function" ? target() : target) },
    label || VERBS[verb].word + "…");
}

/* target: {ids} or {where} or {type} or {parentKey}, and what it is called. */
function actDialog(verb, target) {
  if (!target) return;
  const about = VERBS[verb], many = verb === "cancel" || verb === "redrive", { called, ...what } = target;
  const reason = h("input", { name: "reason", required: true, maxlength: 200, autocomplete: "off" });
  const pace = h("input", { name: "rate", type: "number", min: 1, step: 1, placeholder: "no limit" });
  const tried = h("div", { class: "tried", role: "status" }, many ? "Looking how many match…" : called);
  const go = h("button", { class: about.style, disabled: many }, about.word), wrong = h("p", { class: "wrong", role: "alert" });
  const dialog = $("dialog");
  const form = h("form", {}, h("h2", { id: "dialog-title" }, about.word + " " + (many && what.where !== undefined ? "all that match" : called)),
    h("p", { class: "sub" }, about.about), many && what.where !== undefined && h("pre", {}, what.where), tried,
    h("label", {}, "Reason (is logged, with who and when)", reason), many && h("label", {}, "At most so many a second", pace), wrong,
    h("div", { class: "end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Back"), go));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    try {
      const body = { action: verb, ...what, reason: reason.value.trim(), dryRun: false };
      if (pace.value) body.rate = Number(pace.value);
      const action = await ask("/bgop/v1/actions", { body });
      dialog.close();
      tell(about.word + " was accepted: action " + action.id);
      viewCall("acted", action);
    } catch (error) {
      text(wrong, error.message);
      go.disabled = false;
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  reason.focus();
  if (many) dryRun(verb, what, tried, go, wrong);
}

async function dryRun(verb, what, tried, go, wrong) {
  try {
    const found = await ask("/bgop/v1/actions", { body: { action: verb, ...what, dryRun: true, reason: "dry run" } });
    const left = [found.skipped && number(found.skipped) + " have nothing to " + verb, found.refused && number(found.refused) + " would be refused"].filter(Boolean);
    tried.replaceChildren(h("strong", { id: "matching" }, plural(found.matching, "operation")), " would be " + (verb === "cancel" ? "cancelled" : "redriven") + ".",
      left.length ? " " + left.join(", ") + "." : "", found.examples.length ? h("div", { class: "mono dim" }, found.examples.slice(0, 3).join(" "), found.matching > 3 ? " …" : "") : null);
    text(go, VERBS[verb].word + " " + number(found.matching));
    go.disabled = found.matching === 0;
  } catch (error) {
    tried.replaceChildren("The dry run failed.");
    text(wrong, error.message);
  }
}

/* ---- overview ---- */

const overview = {
  title: "Overview",
  show(into) {
    this.sparks = Object.fromEntries(["accepted", "finished", "failed", "retried"].map((name) => [name, spark(name)]));
    this.chart = chart();
    this.tiles = h("div", { class: "tiles" });
    this.trouble = h("div", { class: "stack" });
    this.counts = table([["Type"], ...STATUSES.map((name) => [name, "num"]), ["Oldest waits", "num"], [""]], "counts");
    this.errors = table([["Error"], ["Count", "num"]]);
    this.workers = table([["Worker"], ["Running", "num"], ["Types"]]);
    this.facts = h("dl", { class: "facts" });
    this.none = h("p", { class: "empty", hidden: true }, "Nothing was submitted so far");
    this.errorsNote = h("span", { class: "end" });
    const errors = panel("What fails, of the newest errors", h("div", { class: "table" }, this.errors.element));
    errors.firstChild.append(this.errorsNote);
    into.append(heading("Overview"), this.trouble, this.tiles,
      panel("By Type and Status", h("div", { class: "table" }, this.counts.element), this.none),
      h("div", { class: "columns" }, h("div", { class: "stack" }, this.chart.element, errors),
        h("div", { class: "stack" }, panel("The queue", h("div", { class: "inside" }, this.facts)),
          panel("Workers", h("div", { class: "table" }, this.workers.element)))));
    this.paused = new Set();
    this.lag = null;
    this.polled = 0;
    if (state.stats) this.stats(state.stats);
    this.poll();
    this.timer = setInterval(() => this.poll(), POLL_MS);
  },
  hide() { clearInterval(this.timer); },
  acted() { setTimeout(() => this.poll(), 500); },
  async poll() {
    try {
      const [workers, paused] = await Promise.all([own("workers"), own("paused")]);
      showWorkers(this.workers.body, workers, true);
      this.paused = new Set(paused.paused.filter((pause) => pause.Type && !pause.resuming).map((pause) => pause.Type));
      setCount("paused", paused.paused.length);
      if (this.polled++ % 10 === 9) state.session = await own("session");      // another coordinator may have armed it anew
      this.lag = lagOf(await ask("/metrics", { plain: true }));
      if (state.stats) this.stats(state.stats);
    } catch (error) { if (error.status !== 0) setAway(error.message); }
  },
  stats(s) {
    this.showTrouble(s.health || []);
    this.showTiles(s);
    this.showCounts(s);
    keep(this.errors.body, s.errors.slice(0, 12), (e) => e.error, (e) => h("tr", {}, h("td", {}, link("#/operations?" + new URLSearchParams({ status: "Error", where: "Error = " + quoted(e.error) }), e.error)), h("td", { class: "num" })),
      (row, e) => text(row.lastChild, number(e.count)));
    text(this.errorsNote, s.errors.length ? number(s.errorsLookedAt) + " looked at" : "none");
    this.showFacts(s);
    Object.values(this.sparks).forEach((one) => one.update());
    this.chart.update();
  },
  showTrouble(health) {
    keep(this.trouble, health.length ? [health] : [], () => "trouble", () => h("section", { class: "panel bad", role: "alert" }, h("header", {}, h("h2", {}, "What is wrong")), h("ul", { class: "trouble" })),
      (element) => keep(element.lastChild, health, (one) => one.what + one.where, () => h("li"), (line, one) => text(line, `${one.what}: ${one.where}: ${one.text}` + (one.since ? ` (${ago(one.since)})` : ""))));
  },
  showTiles(s) {
    const waiting = Math.max(0, ...Object.values(s.oldestWaitingMs)), sum = (status) => Object.values(s.byType).reduce((all, one) => all + (one[status] || 0), 0);
    const ms = (value) => value === null || value === undefined ? "–" : length(value);
    const rates = ["accepted", "finished", "failed", "retried"].map((name) => ({ key: name, name: name[0].toUpperCase() + name.slice(1), number: rate(s.rates[name]["1m"]) + "/s",
      more: rate(s.rates[name]["60m"]) + "/s over the hour", spark: this.sparks[name].svg }));
    const tiles = [...rates, { key: "running", name: "Running", number: number(sum("Running")), more: number(s.claimable ? Object.values(s.claimable).reduce((a, b) => a + b, 0) : 0) + " claimable" },
      { key: "oldest", name: "Oldest waits", number: waiting ? length(waiting) : "–", more: "for a worker" },
      { key: "wait", name: "Wait, p95", number: ms(s.wait.p95), more: "p50 " + ms(s.wait.p50) + " · p99 " + ms(s.wait.p99) },
      { key: "run", name: "Run, p95", number: ms(s.run.p95), more: "p50 " + ms(s.run.p50) + " · p99 " + ms(s.run.p99) }];
    keep(this.tiles, tiles, (tile) => tile.key, (tile) => h("div", { class: "tile", "data-tile": tile.key }, h("div", { class: "name" }, tile.name), h("div", { class: "number" }), h("div", { class: "more" }), tile.spark || null),
      (element, tile) => { text(element.children[1], tile.number); text(element.children[2], tile.more); });
  },
  showCounts(s) {
    const types = Object.keys(s.byType).sort();
    const make = (type) => h("tr", { "data-type": type }, h("td", {}, link("#/operations?" + new URLSearchParams({ type }), type), " ", h("span", { class: "badge warn" }, "paused")),
      STATUSES.map((status) => h("td", { class: "num", "data-name": status }, link("#/operations?" + new URLSearchParams({ type, status }), ""))),
      h("td", { class: "num", "data-name": "Oldest waits" }),
      h("td", { class: "num" }, actButton("pause", { type, called: "Type " + type }, "Pause…", "small"), actButton("resume", { type, called: "Type " + type }, "Resume…", "small")));
    keep(this.counts.body, types, (type) => type, make, (row, type) => {
      STATUSES.forEach((status, i) => {
        const cell = row.children[i + 1], count = s.byType[type][status] || 0;
        text(cell.firstChild, number(count));
        cell.classList.toggle("zero", !count);
      });
      const oldest = s.oldestWaitingMs[type], last = row.children[STATUSES.length + 1], buttons = row.lastChild.children, paused = this.paused.has(type);
      text(last, oldest ? length(oldest) : "");
      row.firstChild.lastChild.hidden = !paused;
      if (buttons.length) { buttons[0].hidden = paused; buttons[1].hidden = !paused; }
    });
    this.none.hidden = types.length > 0;
  },
  showFacts(s) {
    const generations = (state.session.shards || []).map((shard) => shard.generation), least = Math.min(...generations), most = Math.max(...generations);
    const facts = [["Mode", s.mode + (s.recovering.length ? ", shards " + s.recovering.join(" ") : "")], ["Generation", generations.length ? (least === most ? least : least + " to " + most) : "none"],
      ["Shards", s.shards], ["Lag", this.lag === null ? "…" : plural(this.lag, "message") + " here"], ["Accepted", number(s.accepted)], ["Duplicates", number(s.duplicates)], ["Rejected", number(s.rejected)],
      ["Redriven", number(s.totals.redriven)], ["Leases lost", number(s.totals.lost)], ["Blocked groups", number(s.blocked)], ["Version", state.session.version]];
    keep(this.facts, facts.flatMap(([name, value]) => [["t" + name, name], ["d" + name, value]]), (fact) => fact[0], (fact) => h(fact[0][0] === "t" ? "dt" : "dd"), (element, fact) => text(element, fact[1]));
  },
};

/* bgop_consumer_lag_messages{log="submit",partition="0"} 12 */
function lagOf(metrics) {
  let sum = 0;
  for (const line of metrics.split("\n")) if (line.startsWith("bgop_consumer_lag_messages{")) sum += Number(line.slice(line.lastIndexOf(" ")));
  return Math.max(sum, 0);
}

/* ---- workers ---- */

function showWorkers(body, answer, brief) {
  keep(body, answer.workers.slice().sort((a, b) => a.instance < b.instance ? -1 : 1), (worker) => worker.instance,
    () => h("tr", {}, h("td"), h("td", { class: "num", "data-name": "Running" }), h("td", { class: "dim", "data-name": "Types" }), brief ? null : [h("td", { "data-name": "Seen" }), h("td", { "data-name": "Runs" })]),
    (row, worker) => {
      text(row.children[0], worker.instance);
      text(row.children[1], number(worker.running) + " / " + number(worker.slots));
      const types = worker.types.split(" ").filter(Boolean);
      text(row.children[2], brief && types.length > 3 ? types.slice(0, 3).join(", ") + " and " + (types.length - 3) + " more" : types.join(", "));
      if (brief) return;
      text(row.children[3], worker.seenAtMs ? length(Math.max(answer.nowMs - worker.seenAtMs, 0)) + " ago" : "gone, its leases are left");
      keep(row.children[4], worker.ids, (id) => id, (id) => h("div", { class: "mono" }, toOperation(id)));
    });
}

const workersView = {
  title: "Workers",
  show(into) {
    this.table = table([["Worker"], ["Running / slots", "num"], ["Types"], ["Seen"], ["Runs (20 at most)"]]);
    this.empty = h("p", { class: "empty" }, "No workers");
    into.append(heading("Workers"), h("section", { class: "panel" }, h("div", { class: "table" }, this.table.element), this.empty));
    this.poll();
    this.timer = setInterval(() => this.poll(), POLL_MS);
  },
  hide() { clearInterval(this.timer); },
  async poll() {
    try {
      const answer = await own("workers");
      showWorkers(this.table.body, answer, false);
      this.empty.hidden = answer.workers.length > 0;
    } catch (error) { setAway(error.message); }
  },
};

/* ---- operations ---- */

function conditionOf(params) {
  const parts = [params.status && "Status = " + quoted(params.status), params.type && "Type = " + quoted(params.type), params.parent && "ParentKey = " + quoted(params.parent)].filter(Boolean);
  if (params.where && params.where.trim()) parts.push(parts.length ? "(" + params.where.trim() + ")" : params.where.trim());
  return parts.join(" AND ");
}

const operations = {
  title: "Operations",
  show(into, params) {
    this.params = params;
    this.condition = conditionOf(params);
    this.rows = [];
    this.selected = new Set();
    this.moved = new Set();
    this.asked = 0;
    this.cursor = null;
    this.list = table([[mayAct() ? "" : null, "check"], ["Status"], ["Operation"], ["Type"], ["ParentKey"], ["Submitted"], ["Retries", "num"], ["Error"]].filter(([name]) => name !== null));
    this.note = h("span", { role: "status" });
    this.more = h("button", { type: "button", onclick: () => this.load() }, "More");
    this.fresh = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.reload() }, "Newer ones: read again");
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.chosen = h("span", { class: "dim" });
    const all = () => ({ where: this.condition || "Id != null", called: "all that match" });
    const some = () => this.selected.size ? { ids: [...this.selected], called: plural(this.selected.size, "selected operation") } : (tell("Nothing is selected"), null);
    const bar = h("div", { class: "end" }, mayAct() ? [this.chosen, actButton("redrive", some, "Redrive selected…"), actButton("cancel", some, "Cancel selected…", "danger"),
      actButton("redrive", all, "Redrive all that match…"), actButton("cancel", all, "Cancel all that match…", "danger")] : h("span", { class: "dim" }, "This token may read, not act"));
    into.append(heading("Operations", bar), h("section", { class: "panel" }, this.form(params), h("div", { class: "table" }, this.list.element), h("div", { class: "foot" }, this.note, this.more, this.fresh)));
    this.showChosen();
    this.load();
  },
  form(params) {
    const types = [...new Set([...(state.session.types || []), ...Object.keys(state.stats ? state.stats.byType : {})])].sort();
    const select = (name, label, values, chosen) => h("label", {}, label, h("select", { name, onchange: (event) => event.target.form.requestSubmit() }, values.map(([value, shown]) => h("option", { value, selected: value === (chosen || "") }, shown))));
    return h("form", { class: "filter", role: "search", onsubmit: (event) => {
      event.preventDefault();
      const given = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value.trim()));
      if (given.order === ORDERS[0][0]) delete given.order;
      const hash = "#/operations?" + new URLSearchParams(given);
      if (hash === location.hash) this.reload(); else location.hash = hash;
    } }, select("status", "Status", [["", "any"], ...STATUSES.map((one) => [one, one])], params.status), select("type", "Type", [["", "any"], ...types.map((one) => [one, one])], params.type),
      h("label", {}, "ParentKey", h("input", { name: "parent", value: params.parent || "", autocomplete: "off" })),
      h("label", { class: "where" }, "Condition, as in SOQL behind WHERE", h("input", { class: "mono", name: "where", value: params.where || "", autocomplete: "off", spellcheck: "false", placeholder: "RetryCount > 2 AND SubmittedAt = TODAY" })),
      select("order", "Order", ORDERS, params.order || ORDERS[0][0]), h("button", { class: "main" }, "Find"), this.wrong);
  },
  async reload() {
    this.cursor = null;
    this.fresh.hidden = true;
    await this.load(true);
  },
  /* A page may be empty while there is a cursor: some are asked for in a row, then a person decides. */
  async load(anew) {
    const asked = ++this.asked;
    let found = 0;
    this.more.disabled = true;
    text(this.wrong, "");
    try {
      for (let pages = 0; pages < SEARCH_PAGES && found < PAGE_ROWS; pages++) {
        const params = { where: this.condition, order: this.params.order || ORDERS[0][0], limit: PAGE_ROWS - found };
        if (this.cursor) params.cursor = this.cursor;
        const page = await own("operations", params);
        if (asked !== this.asked) return;
        if (!params.cursor) { this.total = page.total; if (anew) this.rows = []; }
        this.cursor = page.cursor;
        this.rows.push(...page.rows);
        found += page.rows.length;
        this.showRows();
        if (!this.cursor) break;
      }
    } catch (error) {
      if (asked === this.asked) text(this.wrong, error.message);
    }
    this.more.disabled = false;
    this.showRows();
  },
  showRows() {
    const make = (row) => h("tr", { "data-id": row.Id }, mayAct() ? h("td", { class: "check" }, h("input", { type: "checkbox", "aria-label": "Select " + row.Name, onchange: (event) => {
      this.selected[event.target.checked ? "add" : "delete"](row.Id);
      this.showChosen();
    } })) : null, h("td"), h("td", {}, toOperation(row.Id, row.Name), h("div", { class: "mono dim" }, row.Name.startsWith("BO-") ? "" : row.Id)), h("td", { "data-name": "Type" }, row.Type),
      h("td", { "data-name": "ParentKey" }, row.ParentKey ? link("#/operations?" + new URLSearchParams({ parent: row.ParentKey }), row.ParentKey) : ""), h("td", { class: "nowrap", "data-name": "Submitted" }, when(row.SubmittedAt)), h("td", { class: "num", "data-name": "Retries" }), h("td", {}, h("span", { class: "short" })));
    keep(this.list.body, this.rows, (row) => row.Id, make, (element, row) => {
      const cells = [...element.children].slice(mayAct() ? 1 : 0);
      if (element.shown !== row.Status) { cells[0].replaceChildren(badge(row.Status)); element.shown = row.Status; }
      text(cells[5], row.RetryCount ? row.RetryCount + " of " + row.RetryLimit : "");
      text(cells[6].firstChild, row.Error || "");
      if (this.moved.delete(row.Id)) { element.classList.remove("moved"); void element.offsetWidth; element.classList.add("moved"); }
    });
    this.more.hidden = !this.cursor;
    text(this.more, this.rows.length ? "More" : "Search further");
    text(this.note, (this.rows.length ? number(this.rows.length) + " shown" : this.cursor ? "None so far" : "None") + (this.total !== null && this.total !== undefined ? " of " + number(this.total) : ""));
  },
  showChosen() { text(this.chosen, this.selected.size ? number(this.selected.size) + " selected" : ""); },
  /* Rows that are shown follow what happens; new ones are only told of, so that nothing jumps under the hand. */
  changes(c) {
    const shown = new Set(this.rows.map((row) => row.Id));
    for (const [id, status] of c.changed) {
      if (shown.has(id)) this.dirty = (this.dirty || new Set()).add(id);
      else if (status === "New" || status === "Scheduled") this.fresh.hidden = false;
    }
    if (c.more) { this.dirty = shown; this.fresh.hidden = false; }
    if (this.dirty && this.dirty.size && !this.later) this.later = setTimeout(() => this.refresh(), 300);
  },
  async refresh() {
    const ids = [...this.dirty].slice(0, 200);
    this.dirty = new Set();
    try {
      const rows = new Map();
      for (let from = 0; from < ids.length; from += 100) {
        const page = await own("operations", { where: "Id IN (" + ids.slice(from, from + 100).map(quoted).join(",") + ")", limit: 100 });
        page.rows.forEach((row) => rows.set(row.Id, row));
      }
      this.rows = this.rows.map((row) => { if (rows.has(row.Id) && rows.get(row.Id).LastModifiedDate !== row.LastModifiedDate) this.moved.add(row.Id); return rows.get(row.Id) || row; });
      this.showRows();
    } catch (error) { /* the next change asks again */ }
    this.later = 0;
  },
  hide() { clearTimeout(this.later); this.later = 0; this.asked++; },
  acted(action) { if (action.id) this.selected.clear(); this.list.body.querySelectorAll("input:checked").forEach((box) => { box.checked = false; }); this.showChosen(); },
};

/* ---- one operation ---- */

const operation = {
  title: "Operation",
  show(into, params, id) {
    this.id = id;
    this.into = into;
    this.panels = h("div", { class: "stack" });
    this.top = h("div", { class: "stack" });
    into.append(this.top, this.panels);
    this.load(true);
    this.timer = setInterval(() => this.data && ["Running", "Waiting", "Scheduled", "Error", "New"].includes(this.data.record.Status) && this.load(), 2 * POLL_MS);
  },
  hide() { clearInterval(this.timer); clearTimeout(this.later); this.later = 0; },
  acted() { setTimeout(() => this.load(), 300); },
  changes(c) {
    if ((c.more || c.changed.some(([id]) => id === this.id)) && !this.later) this.later = setTimeout(() => { this.later = 0; this.load(); }, 200);
  },
  async load(first) {
    try {
      const data = await own("operations/" + encodeURIComponent(this.id)), same = JSON.stringify(data) === this.shown;
      this.data = data;
      if (!same) { this.shown = JSON.stringify(data); this.render(); }
    } catch (error) {
      if (first || error.status === 404) this.top.replaceChildren(heading("Operation " + this.id), h("p", { class: "panel" }, error.status === 404 ? "There is no such operation: it was refused, or was removed after its time." : error.message));
      if (error.status === 404) this.panels.replaceChildren();
    }
    if (first && state.moved) focusHeading();
  },
  render() {
    const { record: r, why, history } = this.data, target = { ids: [r.Id], called: r.Name };
    const focused = document.activeElement && this.top.contains(document.activeElement) ? document.activeElement.dataset.verb : null;
    this.top.replaceChildren(h("div", { class: "head" }, h("h1", { tabindex: "-1" }, r.Name), badge(r.Status), h("div", { class: "end" }, actButton("redrive", target), actButton("cancel", target, null, "danger"))),
      h("p", { class: "sub mono" }, r.Id, " · ", link("#/operations?" + new URLSearchParams({ type: r.Type }), r.Type)));
    if (focused) { const again = this.top.querySelector(`[data-verb="${focused}"]`); if (again) again.focus(); }
    this.panels.replaceChildren(this.whyPanel(why), h("div", { class: "columns" }, h("div", { class: "stack" }, this.linePanel(r, why, history), textPanel("Payload", history.payload, history.payloadBytes, "There was none, or it was dropped at the end"), textPanel("Result", history.out, history.outBytes, "None")),
      h("div", { class: "stack" }, this.recordPanel(r, history), this.groupPanel(r, history))));
  },
  whyPanel(why) {
    return panel("Why it is where it is", h("div", { class: "inside" }, h("p", { id: "why" }, why.reason),
      why.blockedBy.length ? h("p", {}, "Behind: ", why.blockedBy.map((id) => [toOperation(id), " "])) : null, why.nextAttemptAt ? h("p", { class: "dim" }, "Next attempt ", when(why.nextAttemptAt)) : null));
  },
  linePanel(r, why, history) {
    const events = [["calm", r.SubmittedAt, "Submitted"]];
    if (r.ProcessAfter) events.push(["warn", r.ProcessAfter, "Not before this time"]);
    for (const one of history.tries) events.push(["bad", one.finished, `Attempt ${one.attempt} failed: ${one.error}`, one.worker]);
    for (const one of history.commands) events.push(["warn", one.at, one.command + (one.reason ? ": " + one.reason : "")]);
    if (r.StartedAt && !history.tries.some((one) => one.started === moment(r.StartedAt))) events.push(["run", r.StartedAt, "Started", r.WorkerUri]);
    if (r.Status === "Complete" && r.FinishedAt) events.push(["good", r.FinishedAt, "Complete"]);
    if (why.nextAttemptAt) events.push(["warn", why.nextAttemptAt, "Next attempt"]);
    if (r.ExpiresAt) events.push(["calm", r.ExpiresAt, "To be removed"]);
    events.sort((a, b) => moment(a[1]) - moment(b[1]));
    return panel("History", h("div", { class: "inside" }, h("ol", { class: "line" }, events.map(([kind, at, what, where]) => h("li", { class: "is-" + kind }, h("span", { class: "what" }, what, where ? h("span", { class: "dim" }, " · " + where) : null), h("span", { class: "when" }, when(at), " · " + full(at)))))));
  },
  recordPanel(r, history) {
    const times = /At$|After$|Date$|Modstamp$/, skip = ["Id", "IsDeleted", "CreatedDate", "SystemModstamp", "attributes"];
    const facts = Object.entries(r).filter(([name, value]) => value !== null && !skip.includes(name));
    if (history.redrives) facts.push(["Redrives", history.redrives]);
    return panel("Record", h("div", { class: "inside" }, h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, times.test(name) ? when(value) : name === "ParentKey" ? link("#/operations?" + new URLSearchParams({ parent: value }), value) : name === "GroupLeaderId" ? toOperation(value) : String(value))]))));
  },
  groupPanel(r, history) {
    if (!r.SequenceGroup && !r.ExecutionGroup) return null;
    const condition = `SequenceGroup = ${quoted(r.SequenceGroup || "")}`;
    return panel("Groups", h("div", { class: "inside" }, r.SequenceGroup ? h("p", {}, `Number ${r.SequenceNumber} of sequence group `, link("#/operations?" + new URLSearchParams({ type: r.Type, parent: r.ParentKey || "", where: condition, order: "SubmittedAt" }), r.SequenceGroup)) : null,
      r.ExecutionGroup ? h("p", {}, r.GroupLeaderId ? "Follows " : "Leads ", "an execution group", history.group && history.group.length ? [": ", history.group.map((id) => [toOperation(id), " "])] : null) : null));
  },
};

function textPanel(title, value, bytes, none) {
  const shown = value === null || value === undefined ? null : typeof value === "object" ? value.base64 : value;
  const about = typeof value === "object" && value ? " as base64" : "";
  return panel(title, h("div", { class: "inside" }, shown === null || shown === "" ? h("p", { class: "dim" }, none) : [h("pre", { tabindex: "0", "data-text": title }, shown), h("p", { class: "dim" }, plural(bytes, "byte") + about + (about === "" && new TextEncoder().encode(shown).length < bytes ? ", the beginning is shown" : ""))]));
}

/* ---- blocked groups ---- */

const blocked = {
  title: "Blocked",
  show(into) {
    this.table = table([["Sequence group"], ["Type"], ["ParentKey"], ["Held by"], ["Error"], ["Since"], ["Behind it", "num"], [""]]);
    this.note = h("p", { class: "empty" });
    into.append(heading("Blocked sequence groups"), h("p", { class: "sub" }, "A member that failed for good holds what is behind it until it is redriven or cancelled."), h("section", { class: "panel" }, h("div", { class: "table" }, this.table.element), this.note));
    this.poll();
    this.timer = setInterval(() => this.poll(), POLL_MS);
  },
  hide() { clearInterval(this.timer); },
  acted() { setTimeout(() => this.poll(), 500); },
  async poll() {
    try {
      const answer = await own("blocked");
      const make = (g) => h("tr", {}, h("td", {}, link("#/operations?" + new URLSearchParams({ type: g.Type, parent: g.ParentKey || "", where: "SequenceGroup = " + quoted(g.SequenceGroup || ""), order: "SubmittedAt" }), g.SequenceGroup)), h("td", { "data-name": "Type" }, g.Type), h("td", { "data-name": "ParentKey" }, g.ParentKey || ""), h("td", { class: "mono", "data-name": "Held by" }, toOperation(g.Id)), h("td", {}, g.Error || ""), h("td", { class: "nowrap", "data-name": "Since" }, when(g.since)), h("td", { class: "num", "data-name": "Behind it" }), h("td", { class: "num" }, actButton("redrive", { ids: [g.Id], called: g.Id }, "Redrive…", "small"), " ", actButton("cancel", { ids: [g.Id], called: g.Id }, "Cancel…", "small danger")));
      keep(this.table.body, answer.groups, (g) => g.Id + g.since, make, (row, g) => text(row.children[6], number(g.waiting)));
      text(this.note, answer.total > answer.groups.length ? `The longest held ${answer.groups.length} of ${answer.total}` : answer.total ? "" : "No group is held");
      setCount("blocked", answer.total);
    } catch (error) { setAway(error.message); }
  },
};

/* ---- pauses ---- */

const pauses = {
  title: "Pauses",
  show(into) {
    this.table = table([["Paused"], ["Since"], ["Laid aside", "num"], ["Reason"], [""]]);
    this.note = h("p", { class: "empty" });
    const kind = h("select", { name: "kind" }, h("option", { value: "type" }, "Type"), h("option", { value: "parentKey" }, "ParentKey"));
    const name = h("input", { name: "name", required: true, autocomplete: "off", list: "types" });
    const form = mayAct() ? panel("Pause", h("form", { class: "foot", onsubmit: (event) => { event.preventDefault(); actDialog("pause", { [kind.value]: name.value.trim(), called: (kind.value === "type" ? "Type " : "ParentKey ") + name.value.trim() }); } },
      h("label", {}, "What", kind), h("label", {}, "Name", name), h("datalist", { id: "types" }, state.session.types.map((type) => h("option", { value: type }))), h("button", { class: "main" }, "Pause…"))) : null;
    into.append(heading("Pauses"), h("section", { class: "panel" }, h("div", { class: "table" }, this.table.element), this.note), form || "");
    this.poll();
    this.timer = setInterval(() => this.poll(), POLL_MS);
  },
  hide() { clearInterval(this.timer); },
  acted() { setTimeout(() => this.poll(), 500); setTimeout(() => this.poll(), 1500); },
  async poll() {
    try {
      const answer = await own("paused");
      const make = (p) => h("tr", {}, h("td", {}, p.Type ? "Type " : "ParentKey ", h("strong", {}, p.Type || p.ParentKey)), h("td", { class: "nowrap", "data-name": "Since" }, when(p.since)), h("td", { class: "num", "data-name": "Laid aside" }), h("td", {}, p.reason || ""), h("td", { class: "num" }, actButton("resume", p.Type ? { type: p.Type, called: "Type " + p.Type } : { parentKey: p.ParentKey, called: "ParentKey " + p.ParentKey }, "Resume…", "small")));
      keep(this.table.body, answer.paused, (p) => (p.Type || "") + "/" + (p.ParentKey || "") + p.since + p.resuming, make, (row, p) => text(row.children[2], number(p.laidAside) + (p.resuming ? ", being resumed" : "")));
      text(this.note, answer.paused.length ? "" : "Nothing is paused");
      setCount("paused", answer.paused.length);
    } catch (error) { setAway(error.message); }
  },
};

/* ---- actions ---- */

const actions = {
  title: "Actions",
  show(into) {
    this.table = table([["Started"], ["Action"], ["What"], ["Who, why"], ["State"], ["Progress"], [""]]);
    this.note = h("p", { class: "empty" });
    into.append(heading("Actions"), h("p", { class: "sub" }, "What was done to many at once, by whom and why. The queue does it, whoever looks."), h("section", { class: "panel" }, h("div", { class: "table" }, this.table.element), this.note));
    this.poll();
    this.timer = setInterval(() => this.poll(), 1000);
  },
  hide() { clearInterval(this.timer); },
  async poll() {
    try {
      const answer = await own("actions", { limit: 100 });
      keep(this.table.body, answer.actions, (a) => a.id, (a) => this.row(a), (row, a) => this.update(row, a));
      text(this.note, answer.actions.length ? "" : "Nothing was done so far");
    } catch (error) { text(this.note, error.message); }
  },
  row(a) {
    const what = a.where ? h("code", {}, a.where) : a.type ? "Type " + a.type : a.parentKey ? "ParentKey " + a.parentKey : plural(a.ids, "operation");
    const abort = mayAct() ? h("button", { type: "button", class: "small danger", onclick: () => this.abort(a.id) }, "Abort") : null;
    return h("tr", { "data-id": a.id }, h("td", { class: "nowrap" }, when(a.startedAt)), h("td", {}, h("strong", {}, a.action), h("div", { class: "mono dim" }, a.id)), h("td", {}, what), h("td", {}, a.who, h("div", { class: "dim" }, a.reason || "")), h("td"), h("td", {}, h("progress", { "aria-label": "Progress" }), h("div", { class: "dim" })), h("td", { class: "num" }, abort));
  },
  update(row, a) {
    const style = { Running: "s-running", Complete: "s-complete", Error: "s-error" }[a.state] || "", over = a.state !== "Running", progress = row.children[5].firstChild;
    if (row.shown !== a.state) { row.children[4].replaceChildren(h("span", { class: "badge " + style }, a.state)); row.shown = a.state; }
    const handled = (a.done || 0) + (a.skipped || 0) + (a.failed || 0), all = Math.max(a.matching || 0, handled);
    progress.max = all || 1;
    progress.value = over && a.state === "Complete" ? progress.max : handled;
    text(row.children[5].lastChild, [number(a.done) + " done", a.skipped && number(a.skipped) + " skipped", a.failed && number(a.failed) + " failed", a.error].filter(Boolean).join(", "));
    if (row.children[6].firstChild) row.children[6].firstChild.hidden = over;
  },
  async abort(id) {
    try { await ask("/bgop/v1/actions/" + id + "/abort", { body: { reason: "aborted on the page" } }); tell("Aborted " + id); this.poll(); } catch (error) { tell(error.message); }
  },
};

/* ---- which view ---- */

const VIEWS = { overview, operations, operation, blocked, workers: workersView, paused: pauses, actions };
const MENU = ["overview", "operations", "blocked", "workers", "paused", "actions"];

function focusHeading() {
  const title = $("content").querySelector("h1");
  if (title) title.focus({ preventScroll: true });
}

function route(event) {
  if (!state.session) return;
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?"), [name, id] = path.split("/");
  const view = VIEWS[name] || overview, into = $("content");
  if ($("dialog").open) $("dialog").close();
  if (state.view && state.view.hide) state.view.hide();
  state.view = view;
  into.replaceChildren();
  document.title = "bgop: " + view.title;
  for (const entry of $("nav").children) {
    if (entry.dataset.view === (VIEWS[name] ? name === "operation" ? "operations" : name : "overview")) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
  }
  view.show(into, Object.fromEntries(new URLSearchParams(query || "")), id ? decodeURIComponent(id) : "");
  window.scrollTo(0, 0);
  state.moved = Boolean(event);            // not on the first view: there the skip link comes first
  if (event) focusHeading();
}

/* ---- the door ---- */

function leave(message) {
  state.stream++;
  if (state.view && state.view.hide) state.view.hide();
  Object.assign(state, { token: "", session: null, stats: null, history: null, view: null });
  sessionStorage.removeItem("bgop.token");
  $("bar").hidden = true;
  setAway("");
  if ($("dialog").open) $("dialog").close();
  showDoor(message);
}

function showDoor(message) {
  const token = h("input", { type: "password", name: "token", required: true, autocomplete: "off", spellcheck: "false" });
  const user = h("input", { name: "user", autocomplete: "off", maxlength: 60, value: sessionStorage.getItem("bgop.user") || "" });
  const wrong = h("p", { class: "wrong", role: "alert" }, message || "");
  const form = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    if (!await enter(token.value.trim(), user.value.trim(), (why) => text(wrong, why))) token.select();
  } }, h("h1", {}, h("img", { src: "/icon.svg", alt: "", width: 26, height: 26 }), "bgop"), h("label", {}, "Token (of [http] token_file, or operator_token_file to act)", token), h("label", {}, "Your name (is logged with what you do)", user), wrong, h("button", { class: "main" }, "Look"));
  $("content").replaceChildren(h("section", { class: "panel door" }, form));
  document.title = "bgop";
  token.focus();
}

/* The token is kept for this tab only, and never becomes part of an address. */
async function enter(token, user, onWrong) {
  state.token = token;
  state.user = user.replace(/[^\x20-\x7e]/g, "?");
  try {
    const session = await own("session");
    state.skew = session.nowMs - Date.now();
    state.session = session;
  } catch (error) {
    state.token = "";
    onWrong(error.status === 401 ? "This token is not known here" : error.message);
    return false;
  }
  sessionStorage.setItem("bgop.token", token);
  sessionStorage.setItem("bgop.user", user);
  text($("role"), state.session.role === "operator" ? "operator" + (user ? " " + user : "") : "read-only");
  $("nav").replaceChildren(...MENU.map((name) => h("a", { href: "#/" + name, "data-view": name }, VIEWS[name].title, ["blocked", "paused"].includes(name) ? h("span", { class: "count", hidden: true }) : null)));
  $("bar").hidden = false;
  setLive(false);
  own("history").then((history) => { state.history = history; if (state.stats) viewCall("stats", state.stats); }).catch(() => {});
  own("paused").then((answer) => setCount("paused", answer.paused.length)).catch(() => {});
  follow();
  route();
  return true;
}

async function begin() {
  $("leave").addEventListener("click", () => leave(""));
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("content").focus(); });
  window.addEventListener("hashchange", route);
  setInterval(() => document.querySelectorAll("time").forEach((element) => text(element, ago(element.dateTime))), 5000);
  const token = sessionStorage.getItem("bgop.token");
  if (!token || !await enter(token, sessionStorage.getItem("bgop.user") || "", () => {})) showDoor("");
}

begin();
