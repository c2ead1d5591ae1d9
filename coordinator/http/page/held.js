"use strict";
/* What is held, and what was done to many: blocked groups, pauses, actions. */

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
