"use strict";
/* The queue as a whole: the last hour, the overview, workers. */

const STATUSES = ["New", "Scheduled", "Waiting", "Running", "Merged", "Error", "Canceled", "Complete"];

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
