/* Tells a form whose calendar its days are of: the reader's, not the server's. */

const { timeZone } = Intl.DateTimeFormat().resolvedOptions();

function fill() {
  if (!timeZone) return;
  for (const input of document.querySelectorAll("[data-time-zone]")) input.value = timeZone;
  for (const name of document.querySelectorAll("[data-time-zone-name]")) {
    name.textContent = timeZone;
  }
}
document.addEventListener("htmx:after:swap", fill);
fill();

/* Naming a day chooses it. */
document.querySelector("[name=expires_on]")?.addEventListener("input", () => {
  document.querySelector("[name=expires][value=date]").checked = true;
});
