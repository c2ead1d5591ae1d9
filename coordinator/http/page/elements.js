"use strict";
/* Elements, and what texts say of numbers and times. What comes from the queue becomes text nodes only (h, below): nothing of it is
   ever read as HTML. Lists keep their elements while they live (keep), so that focus, selections and readers of screens are not
   disturbed by what changes. */

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
