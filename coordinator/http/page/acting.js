"use strict";
/* What a person does to operations: a button, and a dialog that tries it first. */

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
