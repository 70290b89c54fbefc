/* On every page: the dialog, toasts, and a message when the server does not respond. */

const dialog = document.getElementById("dialog");
const TOAST_MS = 8000;
const UNREACHABLE = "The server could not be reached. Try again.";
let opener = null;
let whenClosed = null;
let isLoading = false;

// Going back loads the page again: a body swapped in would leave the scripts with the old one.
window.htmx.config.history = "reload";
// If the user went back or forward before this script ran, the page is not that of its URL.
const [loaded] = performance.getEntriesByType("navigation");
if (loaded?.name.startsWith("http") && loaded.name.split("#", 1)[0] !== location.href.split("#", 1)[0]) {
  location.reload();
}
// No settling: it would copy the style that a drag left on an element, which the CSP forbids.
window.htmx.config.defaultSettleDelay = 0;
// An update leaves open what the reader opened.
window.htmx.config.morphIgnore.push("open");

function toast(text) {
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.toast = "";
  element.textContent = text;
  document.getElementById("toasts").append(element);
}

export function announce(text) {
  document.getElementById("live").textContent = text;
}

/* Says it where the reader is: a toast lies behind the open dialog. */
function tell(text) {
  announce(text);
  if (!dialog.open) {
    toast(text);
    return;
  }
  const note = dialog.querySelector("[data-problem]") ?? document.createElement("p");
  note.className = "banner banner-bad";
  note.dataset.problem = "";
  note.setAttribute("role", "alert");
  note.textContent = text;
  dialog.querySelector("h2").after(note);
}

/* What gets the focus back when the dialog closes: by id, as a move replaces the element. */
export function returnFocusTo(element) {
  opener = element?.id ?? null;
}

/* Loads a form into the dialog. `from` gets the focus back, and `closed` is called, when it
   closes or cannot be loaded. */
export async function openDialog(url, from, closed = null) {
  if (isLoading) return;
  isLoading = true;
  // A dialog opened out of the dialog gives the focus back to what opened the first.
  if (!dialog.open) {
    returnFocusTo(from);
    whenClosed = closed;
  }
  await window.htmx.ajax("GET", url, { target: "#dialog", swap: "none", source: dialog });
  isLoading = false;
  if (!dialog.open) finish();
}

function finish() {
  whenClosed?.();
  whenClosed = null;
  restoreFocus();
}

function showDialog() {
  if (!dialog.open) dialog.showModal();
  const focus =
    dialog.querySelector("[data-refusal]") ? dialog.querySelector("h2")
    : dialog.querySelector("input[type=radio]:checked") ||
      dialog.querySelector("input[type=radio]:enabled") ||
      dialog.querySelector("h2");
  focus?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    openDialog(link.href, link);
    return;
  }
  if (event.target.closest("[data-dialog-close]") && dialog.open) {
    event.preventDefault();
    dialog.close();
    return;
  }
  if (event.target === dialog) dialog.close();
});

dialog.addEventListener("close", () => {
  finish();
  dialog.replaceChildren();
});

function restoreFocus() {
  if (!opener) return;
  const target = document.getElementById(opener) ?? document.getElementById("main");
  target.focus({ preventScroll: true });
}

document.addEventListener("submit", (event) => {
  const pk = event.target.closest?.("[data-toast] [data-card-pk]")?.dataset.cardPk;
  if (pk) returnFocusTo(document.getElementById(`move-${pk}`));
});

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  ctx.sourceElement?.closest?.("[data-toast]")?.remove();
  const wasMove = ctx.sourceElement?.matches?.("[data-card], [data-card-pk]");
  if (wasMove && ctx.response?.status === 200) {
    // What opened the dialog may no longer exist: a rollback moves its card out of Production.
    if (!document.getElementById(opener)) opener = lastToast()?.dataset.focus ?? null;
    if (dialog.open) dialog.close();
    else restoreFocus();
  } else if (dialog.childElementCount && ctx.swap === "none") {
    showDialog();
  }
});

function lastToast() {
  return document.getElementById("toasts").lastElementChild;
}

document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx) tell(UNREACHABLE);
});

/* Show the message of an error response that has no place on the page. */
document.addEventListener("htmx:response:error", (event) => {
  const { ctx } = event.detail;
  if (ctx.swap !== "none" || ctx.text.includes("<hx-partial")) return;
  const answer = new DOMParser().parseFromString(ctx.text, "text/html");
  tell(answer.querySelector("[data-problem] p")?.textContent ?? "The server failed. Try again.");
});

/* If the user was signed out, the response is the sign-in page, which is loaded into the window. */
document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  const url = new URL(raw.url, location.href);
  if (!raw.redirected || !url.searchParams.has("next")) return;
  event.preventDefault();
  url.searchParams.set("next", location.pathname + location.search);
  location.assign(url);
});

new MutationObserver((records) => {
  for (const record of records) {
    for (const node of record.addedNodes) {
      if (node.nodeType === Node.ELEMENT_NODE) fade(node);
    }
  }
}).observe(document.getElementById("toasts"), { childList: true });

function fade(element) {
  const timer = setTimeout(() => element.remove(), TOAST_MS);
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("mouseenter", () => clearTimeout(timer));
}
document.querySelectorAll("[data-toast]").forEach(fade);

/* What can be copied: a button that is there only where the browser can. */
function offerCopying() {
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = !navigator.clipboard;
  });
}
document.addEventListener("htmx:after:swap", offerCopying);
offerCopying();

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    announce("Copied.");
    toast("Copied.");
  } catch {
    tell("The browser does not allow copying. Select the text and copy it.");
  }
});
