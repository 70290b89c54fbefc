/* Dragging cards. A drop is an intent: the server decides, and the card stays pending until it
   did. Everything here can also be done with the card's Move link. */

import { announce, openDialog, returnFocusTo } from "./app.js";

const wired = new WeakSet();
// Where each card that was picked up came from, until the server has moved it or it is put back.
const origins = new WeakMap();
let held = null;
let givenUp = false;

function wire() {
  document.querySelectorAll("[data-board] [data-cards]").forEach((list) => {
    if (wired.has(list)) return;
    wired.add(list);
    window.Sortable.create(list, {
      group: "board",
      sort: false,
      draggable: "[data-card]",
      filter: "a, button, input, [data-reasons], [data-pending]",
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
  origins.set(item, {
    list: from,
    previous: item.previousElementSibling,
    next: item.nextElementSibling,
  });
  held = item;
  givenUp = false;
  let moves;
  try {
    const response = await fetch(item.dataset.movesUrl, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    moves = await response.json();
  } catch {
    // Only the preview is missing; the server still decides about the drop.
    return;
  }
  if (held !== item) return;
  document.querySelectorAll("[data-board] [data-column]").forEach((column) => {
    const move = moves[column.dataset.stage];
    if (!move || move.here) return;
    column.dataset.drop = move.allowed ? "yes" : "no";
    column.toggleAttribute("data-warns", move.warns);
    column.toggleAttribute("data-asks", move.asks);
    const note = column.querySelector("[data-note]");
    note.textContent = move.note;
    note.hidden = false;
  });
}

function clearNotes() {
  document.querySelectorAll("[data-board] [data-column]").forEach((column) => {
    delete column.dataset.drop;
    delete column.dataset.warns;
    delete column.dataset.asks;
    const note = column.querySelector("[data-note]");
    note.hidden = true;
    note.textContent = "";
  });
}

/* Return the column under the pointer, by the columns' left and right edges: a short column extends
   to the end of the board. Outside the board there is none. */
function columnAt(event) {
  const point = event?.changedTouches?.[0] ?? event;
  const board = document.querySelector("[data-board]");
  if (point?.clientX === undefined || !board || point.clientY < board.getBoundingClientRect().top) {
    return null;
  }
  return [...board.querySelectorAll("[data-column]")].find((column) => {
    const { left, right } = column.getBoundingClientRect();
    return left <= point.clientX && point.clientX <= right;
  });
}

/* Where the pointer let go counts, not the list that the card touched last. */
function drop({ item, from, originalEvent }) {
  const column = givenUp ? null : columnAt(originalEvent);
  const list = column?.querySelector("[data-cards]");
  const refused = column?.dataset.drop === "no";
  // Some stages always ask before the move; a full one asks whether to archive what is there.
  const asks = column?.dataset.asking !== undefined || column?.dataset.asks !== undefined;
  held = null;
  clearNotes();
  if (!list || list === from) {
    putBack(item);
    return;
  }
  if (item.parentNode !== list) list.prepend(item);
  item.dataset.pending = "";
  const stage = list.dataset.cards;
  announce(`Moving ${item.dataset.name}…`);
  const link = item.querySelector("[data-dialog]");
  if (asks && !refused) {
    openDialog(`${item.dataset.transitionUrl}?to=${stage}`, link, () => putBack(item));
    return;
  }
  returnFocusTo(link);
  window.htmx.ajax("POST", item.dataset.transitionUrl, {
    source: item,
    // Not the card: htmx drops an answer whose target has left the page, and a filter replaces it.
    target: "#dialog",
    swap: "none",
    values: { to_stage: stage, expected_revision: item.dataset.revision },
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !held) return;
  givenUp = true;
  clearNotes();
  announce(`${held.dataset.name} was not moved.`);
});

function putBack(item) {
  const origin = origins.get(item);
  if (!origin) return;
  origins.delete(item);
  delete item.dataset.pending;
  const { list, previous, next } = origin;
  if (!item.isConnected) return;
  // Its neighbours may have left meanwhile.
  if (previous?.parentNode === list) previous.after(item);
  else if (next?.parentNode === list) next.before(item);
  else list.prepend(item);
}

/* The card that a request moves: itself, or the one that the form speaks of. */
function cardOf(source) {
  if (source?.matches?.("[data-card]")) return source;
  const pk = source?.dataset?.cardPk;
  return pk ? document.getElementById(`card-${pk}`) : null;
}

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  const card = cardOf(ctx.sourceElement);
  if (!card) return;
  if (ctx.response.status === 200) origins.delete(card);
  else putBack(card);
});

document.addEventListener("htmx:error", (event) => {
  // A form that got no answer stays open, and its card waits with it.
  const source = event.detail.ctx?.sourceElement;
  if (source?.matches?.("[data-card]")) putBack(source);
});

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
  if (token && ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = token;
});

/* Cards take the place of the link to them; if it had the focus, the first of them gets it. */
let lastBeforeMore = null;

document.addEventListener("htmx:before:swap", (event) => {
  const more = event.detail.ctx.sourceElement?.closest?.(".more");
  lastBeforeMore = more?.contains(document.activeElement) ? more.previousElementSibling : null;
});

document.addEventListener("htmx:after:swap", (event) => {
  wire();
  lastBeforeMore?.nextElementSibling?.querySelector("a")?.focus({ preventScroll: true });
  lastBeforeMore = null;
  if (event.detail.ctx.target?.id === "results") markFilterError();
});

/* The fields stay as they were typed, so what is wrong with one is marked here. */
function markFilterError() {
  const error = document.getElementById("filter-error");
  document.querySelectorAll("#filters [name]").forEach((field) => {
    if (error?.dataset.field === field.name) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", error.id);
    } else {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
  });
}

wire();
