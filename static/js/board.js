/* Dragging cards. A drop is an intent: the server decides, and the card stays pending until it
   did. Everything here can also be done with the card's Move link. */

import { announce, openDialog, returnFocusTo } from "./app.js";

const WITH_DIALOG = new Set(["production", "archived"]);
const wired = new WeakSet();
let origin = null;

function wire() {
  document.querySelectorAll("[data-board] [data-cards]").forEach((list) => {
    if (wired.has(list)) return;
    wired.add(list);
    window.Sortable.create(list, {
      group: "board",
      sort: false,
      draggable: "[data-card]",
      filter: "a, button, input",
      preventOnFilter: false,
      animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
      ghostClass: "is-ghost",
      dragClass: "is-lifted",
      delay: 250,
      delayOnTouchOnly: true,
      touchStartThreshold: 6,
      forceFallback: true,
      fallbackOnBody: true,
      fallbackTolerance: 4,
      scrollSensitivity: 60,
      onStart: pickUp,
      onEnd: drop,
    });
  });
}

async function pickUp({ item, from }) {
  origin = { list: from, next: item.nextElementSibling, item };
  const held = origin;
  const response = await fetch(item.dataset.movesUrl, { headers: { Accept: "application/json" } });
  if (!response.ok || origin !== held) return;
  const moves = await response.json();
  document.querySelectorAll("[data-board] [data-column]").forEach((column) => {
    const move = moves[column.dataset.stage];
    if (!move || move.here) return;
    column.dataset.drop = move.allowed ? "yes" : "no";
    const note = column.querySelector("[data-note]");
    note.textContent = move.note;
    note.hidden = false;
  });
}

function clearNotes() {
  document.querySelectorAll("[data-board] [data-column]").forEach((column) => {
    delete column.dataset.drop;
    const note = column.querySelector("[data-note]");
    note.hidden = true;
    note.textContent = "";
  });
}

function drop({ item, from, to }) {
  const refused = to.closest("[data-column]").dataset.drop === "no";
  clearNotes();
  if (from === to) {
    origin = null;
    return;
  }
  item.dataset.pending = "";
  const stage = to.dataset.cards;
  announce(`Moving ${item.dataset.name}…`);
  const link = item.querySelector("[data-dialog]");
  if (WITH_DIALOG.has(stage) && !refused) {
    openDialog(`${item.dataset.transitionUrl}?to=${stage}`, link);
    return;
  }
  returnFocusTo(link);
  window.htmx.ajax("POST", item.dataset.transitionUrl, {
    source: item,
    target: item,
    swap: "none",
    values: { to_stage: stage, expected_revision: item.dataset.revision },
  });
}

function putBack() {
  if (!origin) return;
  const { list, next, item } = origin;
  origin = null;
  delete item.dataset.pending;
  if (!item.isConnected) return;
  list.insertBefore(item, next && next.parentNode === list ? next : list.firstChild);
}

document.addEventListener("obeya:put-back", putBack);

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx?.sourceElement?.matches?.("[data-card], [data-move-form]")) {
    if (ctx.response.status === 200) origin = null;
    else putBack();
  }
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.sourceElement?.matches?.("[data-card]")) putBack();
});

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  if (token && ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = token;
});

document.addEventListener("htmx:after:swap", wire);
wire();
