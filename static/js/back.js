/* Going back: the browser shows the page as it was left. This updates what has changed since then,
   and keeps what was typed. It is not on responses to forms: their URLs have another page. */

const [visit] = performance.getEntriesByType("navigation");

window.addEventListener("pageshow", (event) => {
  if (event.persisted || visit?.type === "back_forward") update();
});

async function update() {
  // The admin's pages have no htmx.
  if (!window.htmx) {
    if (!typedFields().length) location.reload();
    return;
  }
  let response, fresh;
  try {
    response = await fetch(location.href, { cache: "no-cache" });
    fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    // The page stays as it was left.
    return;
  }
  // Signed out, or the page no longer exists.
  if (response.redirected || [403, 404].includes(response.status)) location.reload();
  else if (response.status < 500) await show(fresh);
}

async function show(fresh) {
  const token = fresh.querySelector("[name=csrfmiddlewaretoken]")?.value;
  for (const input of document.getElementsByName("csrfmiddlewaretoken")) input.value = token;
  document.getElementById("toasts").append(...fresh.querySelectorAll("#toasts > *"));
  for (const place of [".topbar", "#main"]) {
    const target = document.querySelector(place);
    const found = fresh.querySelector(place);
    if (target && found) await morph(target, found);
  }
  document.title = fresh.title;
  document.dispatchEvent(new Event("pageupdated"));
}

async function morph(target, found) {
  const kept = new Set(typedFields(target).map((field) => field.form ?? field));
  const named = [];
  for (const [number, element] of [...kept].entries()) {
    const counterpart = counterpartOf(element, found);
    // Its form is no longer on the page. The server says why when it is sent.
    if (!counterpart) return;
    if (!element.id) {
      // An element with an id keeps its place in the update.
      element.id = counterpart.id = `kept-${number}`;
      named.push(element);
    }
    element.setAttribute("hx-morph-skip", "");
  }
  await window.htmx.swap({
    text: found.innerHTML, sourceElement: target, target, swap: "innerMorph",
  });
  for (const element of kept) element.removeAttribute("hx-morph-skip");
  for (const element of named) element.removeAttribute("id");
}

function counterpartOf(element, found) {
  if (element.id) return found.querySelector(`#${CSS.escape(element.id)}`);
  if (!(element instanceof HTMLFormElement)) return null;
  const action = element.getAttribute("action");
  const names = [...element.elements].map((field) => field.name).filter(Boolean);
  return [...found.querySelectorAll("form")].find((form) =>
    form.getAttribute("action") === action && names.every((name) => form.elements.namedItem(name)));
}

/* The boxes that select cards are left out: compare.js remembers what is selected. */
function typedFields(place = document) {
  return [...place.querySelectorAll("input, select, textarea")].filter(
    (field) => isTyped(field) && !field.matches("[data-pick]"));
}

function isTyped(field) {
  if (field.type === "hidden") return false;
  if (field.type === "file") return field.files.length > 0;
  if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
  if (field.type === "select-one") {
    const usual = [...field.options].findLastIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(usual, 0);
  }
  if (field.type === "select-multiple") {
    return [...field.options].some((option) => option.selected !== option.defaultSelected);
  }
  return field.value !== field.defaultValue;
}
