"use strict";
/* The dashboard: which view is shown, and the door in front of it. A view is an object
   { title, show(into, params), hide(), stats(s), changes(c), acted(action) }. The files are loaded in the order of index.html, and
   this one, the last, begins. */

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
