/* Files of a version: sent in pieces that go on where they broke off, with a bar. */

import { announce } from "./app.js";

const PIECE = 8 * 1024 * 1024;
const WAITS_MS = [1000, 3000, 9000];
const UNITS = ["bytes", "KB", "MB", "GB", "TB"];

const form = document.querySelector("[data-upload]");
const part = (name) => form.querySelector(`[data-${name}]`);
const chosen = form?.querySelector("#upload-files");
const folder = form?.querySelector("#upload-folder");
let stopping = null;

/* What the server refused in words: sending it again would change nothing. */
class Refused extends Error {}

/* The files by their paths; what was chosen as a folder is named from inside of it. */
function files() {
  const within = [...folder.files].map((file) => [
    file.webkitRelativePath.split("/").slice(1).join("/"), file,
  ]);
  return [...[...chosen.files].map((file) => [file.name, file]), ...within];
}

function sized(bytes) {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${unit ? value.toFixed(1) : value} ${UNITS[unit]}`;
}

function complain(sentence) {
  form.querySelector(".field-error")?.remove();
  const line = document.createElement("p");
  line.className = "field-error";
  line.id = "upload-problem";
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  part("sending").before(line);
  chosen.setAttribute("aria-describedby", "upload-hint upload-problem");
}

function show(isSending) {
  part("sending").hidden = !isSending;
  part("stop").hidden = !isSending;
  part("start").disabled = isSending;
  chosen.disabled = isSending;
  folder.disabled = isSending;
}

async function ask(path, file, method, more = {}, body = undefined) {
  const query = new URLSearchParams({
    path, size: file.size, modified: file.lastModified, ...more,
  });
  const answer = await fetch(`${form.dataset.pieces}?${query}`, {
    method,
    body,
    signal: stopping.signal,
    headers: {
      "X-CSRFToken": form.elements.csrfmiddlewaretoken.value,
      "HX-Request": "true",
    },
  });
  if (answer.ok && !answer.redirected) return answer.json();
  if (answer.redirected) throw new Refused("You are signed out. Sign in again and upload the same files. Received data is kept.");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const sentence = page.querySelector("[data-problem] p")?.textContent;
  if (answer.status < 500 || answer.status === 507) throw new Refused(sentence ?? "The server refused the upload.");
  throw new Error(sentence);
}

/* Sends one file; whatever breaks is tried again from where the server has it. */
async function send(path, file, showReceived) {
  let failures = 0;
  let here = null;
  for (;;) {
    try {
      here ??= await ask(path, file, "GET");
      showReceived(here.received);
      if (here.sha256) return { path, sha256: here.sha256 };
      const piece = file.slice(here.received, here.received + PIECE);
      here = await ask(path, file, "PUT", { offset: here.received }, piece);
      failures = 0;
    } catch (error) {
      if (error instanceof Refused || stopping.signal.aborted) throw error;
      if (failures === WAITS_MS.length) {
        throw new Refused("The server can’t be reached. Upload the same files again. Received data is kept.");
      }
      await new Promise((wake) => setTimeout(wake, WAITS_MS[failures]));
      failures += 1;
      here = null;
    }
  }
}

async function sendAll() {
  const all = files();
  const total = all.reduce((sum, [, file]) => sum + file.size, 0);
  const sent = [];
  let before = 0;
  for (const [path, file] of all) {
    const showReceived = (received) => {
      part("progress").value = total ? (100 * (before + received)) / total : 100;
      part("progress-text").textContent =
        `${sized(before + received)} of ${sized(total)}, file ${sent.length + 1} of ${all.length}: ${path}`;
    };
    sent.push(await send(path, file, showReceived));
    before += file.size;
  }
  return sent;
}

async function upload() {
  stopping = new AbortController();
  form.querySelector(".field-error")?.remove();
  chosen.removeAttribute("aria-invalid");
  show(true);
  announce("Upload started.");
  try {
    const named = document.createElement("input");
    named.type = "hidden";
    named.name = "files";
    named.value = JSON.stringify(await sendAll());
    form.append(named);
    form.enctype = "application/x-www-form-urlencoded";
    part("progress-text").textContent = "All files are uploaded.";
    // Past the listener below; the file inputs are disabled, so that nothing is sent twice.
    form.submit();
  } catch (error) {
    const stopped = stopping.signal.aborted;
    show(false);
    complain(stopped ? "Upload stopped. Upload the same files again to continue. Received data is kept." : error.message);
    part("start").focus();
  }
}

function offerFolders() {
  part("folder").hidden = false;
  chosen.required = false;
}

if (form) {
  document.addEventListener("htmx:after:swap", offerFolders);
  offerFolders();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!files().length) complain("Choose the files of this version.");
    else upload();
  });
  part("stop").addEventListener("click", () => stopping.abort());
}
