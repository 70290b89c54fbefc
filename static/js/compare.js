/* Picking cards to compare. The picks outlive filters, moves and a look at another page: they are
   kept for the window's session. Without this script the cards' boxes make a plain form. */

import { announce } from "./app.js";

const KEY = "obeya.picks";
const bar = document.querySelector("[data-picks]");
const counter = bar.querySelector("[data-picks-count]");
const list = bar.querySelector("[data-picks-list]");
const MAX = Number(bar.dataset.picksMax);

const picks = new Set(stored());
let isPicking = picks.size > 0;

function stored() {
  try {
    const values = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return values.filter((value) => typeof value === "string").slice(0, MAX);
  } catch {
    // No storage, or not ours: begin with nothing.
    return [];
  }
}

function store() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...picks]));
  } catch {
    // The picks then last as long as the page.
  }
}

/* "resnet50:4" as the cards say it. */
function shown(value) {
  const colon = value.lastIndexOf(":");
  return `${value.slice(0, colon)} v${value.slice(colon + 1)}`;
}

function sentence() {
  if (!picks.size) return `Select 2 to ${MAX} versions to compare.`;
  return `${picks.size} selected`;
}

/* Shows on the page what is picked; the page may have been swapped meanwhile. */
function show() {
  document.documentElement.toggleAttribute("data-picking", isPicking);
  document.querySelectorAll("[data-picks-toggle]").forEach((toggle) => {
    toggle.setAttribute("aria-pressed", String(isPicking));
  });
  document.querySelectorAll("[data-pick]").forEach((box) => {
    box.checked = picks.has(box.value);
  });
  counter.textContent = sentence();
  list.replaceChildren(...[...picks].map(chip));
  bar.querySelector("[data-picks-clear]").disabled = !picks.size;
}

function chip(value) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.dataset.unpick = value;
  button.textContent = `${shown(value)} ×`;
  button.setAttribute("aria-label", `Remove ${shown(value)}`);
  item.append(button);
  return item;
}

function change(say) {
  store();
  show();
  announce(say ?? sentence());
}

function pick(box) {
  if (box.checked && picks.size >= MAX) {
    box.checked = false;
    counter.textContent = `You can compare at most ${MAX} versions.`;
    announce(counter.textContent);
    return;
  }
  if (box.checked) picks.add(box.value);
  else picks.delete(box.value);
  change();
}

function setPicking(on) {
  isPicking = on;
  if (!on) picks.clear();
  store();
  show();
  if (on) {
    announce(sentence());
    document.querySelector("[data-pick]")?.focus();
  } else {
    document.querySelector("[data-picks-toggle]")?.focus();
  }
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick]")) pick(event.target);
});

document.addEventListener("click", (event) => {
  const { target } = event;
  if (target.closest("[data-picks-toggle]")) setPicking(!isPicking);
  else if (target.closest("[data-picks-close]")) setPicking(false);
  else if (target.closest("[data-picks-clear]")) {
    picks.clear();
    change();
    bar.querySelector("[data-picks-go]").focus();
  } else if (target.matches("[data-unpick]")) {
    const value = target.dataset.unpick;
    picks.delete(value);
    change(`${shown(value)} removed, ${sentence()}`);
    (list.querySelector("button") ?? bar.querySelector("[data-picks-go]")).focus();
  }
});

/* All that is picked is compared, also what the filter does not show now. */
bar.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!picks.size) {
    announce(sentence());
    return;
  }
  const query = new URLSearchParams([...picks].map((value) => ["v", value]));
  location.assign(`${bar.action}?${query}`);
});

document.addEventListener("htmx:after:swap", show);
// A page from the browser's own memory has the boxes of then.
window.addEventListener("pageshow", show);
show();
