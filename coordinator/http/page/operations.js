"use strict";
/* Operations by a condition, and one of them with its history. */

const ORDERS = [["-SubmittedAt", "newest first"], ["SubmittedAt", "oldest first"], ["-LastModifiedDate", "last change first"]];
const PAGE_ROWS = 50, SEARCH_PAGES = 12;

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
