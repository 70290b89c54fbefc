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
  // 400 is a page with an invalid filter.
  else if (response.ok || response.status === 400) await show(fresh);
}

async function show(fresh) {
  // Tokens of forms that are kept are no longer valid after another sign-in.
  const token = fresh.querySelector("[name=csrfmiddlewaretoken]")?.value;
  for (const input of document.getElementsByName("csrfmiddlewaretoken")) {
    if (token) input.value = token;
  }
  document.getElementById("toasts").append(...fresh.querySelectorAll("#toasts > *"));
  for (const place of [".topbar", "#main"]) {
    const target = document.querySelector(place);
    const found = fresh.querySelector(place);
    if (target && found) await morph(target, found);
  }
  document.title = fresh.title;
  document.dispatchEvent(new Event("pageupdated"));
}

/* Updates an element, except for forms with typed text. If such a form is no longer on the page, all
   is left as it was: the server says why when the form is sent. */
async function morph(target, found) {
  const typed = new Set(typedFields(target).map((field) => field.form ?? field));
  const kept = [...typed].filter((element) => !element.matches("[hx-morph-skip]"));
  const counterparts = kept.map((element) => counterpartOf(element, found));
  if (!counterparts.every(Boolean)) return;
  // An element that has the same id in both is the same to htmx.
  const unnamed = kept.filter((element) => !element.hasAttribute("id"));
  kept.forEach((element, place) => {
    element.setAttribute("hx-morph-skip", "");
    if (!unnamed.includes(element)) return;
    for (const each of [element, counterparts[place]]) each.setAttribute("id", `kept-${place}`);
  });
  await window.htmx.swap({
    text: found.innerHTML, sourceElement: target, target, swap: "innerMorph",
  });
  for (const element of kept) element.removeAttribute("hx-morph-skip");
  for (const element of unnamed) element.removeAttribute("id");
}

function counterpartOf(element, found) {
  const id = element.getAttribute("id");
  if (id) return found.querySelector(`#${CSS.escape(id)}`);
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
