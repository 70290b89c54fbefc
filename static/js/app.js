/* What every page does: the dialog, toasts, and a word when the server cannot be reached. */

const dialog = document.getElementById("dialog");
const TOAST_MS = 8000;
let opener = null;

export function toast(text) {
  const element = document.createElement("div");
  element.className = "toast";
  element.dataset.toast = "";
  element.textContent = text;
  document.getElementById("toasts").append(element);
}

export function announce(text) {
  document.getElementById("live").textContent = text;
}

/* What gets the focus back when the dialog closes: by id, as a move replaces the element. */
export function returnFocusTo(element) {
  opener = element?.id ?? null;
}

/* Loads a form into the dialog. `from` is what gets the focus back when it closes. */
export async function openDialog(url, from) {
  returnFocusTo(from);
  await window.htmx.ajax("GET", url, { target: "#dialog", swap: "none", source: dialog });
}

export function closeDialog() {
  if (dialog.open) dialog.close();
}

function showDialog() {
  if (!dialog.open) dialog.showModal();
  const focus =
    dialog.querySelector("[data-refusal]") ? dialog.querySelector("h2")
    : dialog.querySelector("input[type=radio]:checked") || dialog.querySelector("h2");
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
    closeDialog();
    return;
  }
  if (event.target === dialog) closeDialog();
});

dialog.addEventListener("close", () => {
  const pending = document.querySelector("[data-card][data-pending]");
  if (pending) pending.dispatchEvent(new CustomEvent("obeya:put-back", { bubbles: true }));
  restoreFocus();
  dialog.replaceChildren();
});

function restoreFocus() {
  if (opener) document.getElementById(opener)?.focus({ preventScroll: true });
}

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const fromForm = ctx?.sourceElement?.matches?.("[data-move-form]");
  if (fromForm && ctx.response?.status === 200) {
    closeDialog();
    restoreFocus();
  } else if (dialog.childElementCount && ctx?.target?.id !== "results") {
    showDialog();
  }
});

document.addEventListener("htmx:error", (event) => {
  const source = event.detail.ctx?.sourceElement;
  if (event.detail.ctx?.response) return;
  const text = "The server could not be reached. Nothing was changed; try again.";
  if (source) toast(text);
  announce(text);
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
