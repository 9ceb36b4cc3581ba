/* The post editor's comfort: live preview, pictures by paste and drop, and a copy of what is typed kept on the server.
   Every button here is a form's button first: without this module it sends its form. */
import { announce } from "./admin.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const form = document.getElementById("post-form");
const body = document.getElementById("body");
const changed = () => form.dispatchEvent(new Event("input", { bubbles: true }));
const token = () => {
  const data = new FormData();
  data.append("csrf_token", form.elements.csrf_token.value);
  return data;
};
for (const part of $$("[data-without-script]")) part.hidden = true;

/* The preview follows the text; an answer that another one has overtaken is dropped. */
let previewTimer = 0;
let previewing = null;
const preview = async () => {
  previewing?.abort();
  previewing = new AbortController();
  const data = token();
  data.append("body", body.value);
  try {
    const answer = await fetch(form.dataset.previewUrl, { method: "POST", body: data, signal: previewing.signal });
    if (answer.ok && !answer.redirected) $("[data-preview]").innerHTML = await answer.text();
  } catch { /* The next change asks again. */ }
};
const previewSoon = () => {
  clearTimeout(previewTimer);
  previewTimer = setTimeout(preview, 300);
};
body.addEventListener("input", previewSoon);
form.addEventListener("draftrestored", () => { previewSoon(); keepSoon(); });

/* What is typed is kept on the server a moment later. A save ends that: a copy still on its way is called back. */
let keepTimer = 0;
let keeping = null;
const bar = $(`[data-save-bar="${form.id}"]`);
const kept = document.createElement("span");
kept.className = "small";
$("p", bar ?? form)?.after(kept);
let isWaiting = false;
const keep = async () => {
  isWaiting = false;
  keeping?.abort();
  keeping = new AbortController();
  const data = new FormData(form);
  data.delete("picture");
  try {
    const answer = await fetch(form.dataset.autosave, { method: "POST", body: data, signal: keeping.signal });
    const found = answer.ok && !answer.redirected ? await answer.json() : {};
    kept.textContent = found.kept ? `Kept for you at ${found.kept.split(", ").pop()}` : "Kept in this browser only";
  } catch (error) {
    if (error.name !== "AbortError") kept.textContent = "Kept in this browser only";
  }
};
const keepSoon = () => {
  if (!form.dataset.autosave) return;
  clearTimeout(keepTimer);
  isWaiting = true;
  keepTimer = setTimeout(keep, 1200);
};
form.addEventListener("input", keepSoon);
form.addEventListener("change", keepSoon);
const stopKeeping = () => {
  clearTimeout(keepTimer);
  keeping?.abort();
};
form.addEventListener("submit", stopKeeping);
/* The preview's page shows what is typed: what still waits is kept first. */
const link = $("[data-preview-link]");
link?.addEventListener("click", async (event) => {
  if (!isWaiting) return;
  event.preventDefault();
  clearTimeout(keepTimer);
  const tab = open("about:blank");
  await keep();
  if (tab) tab.location = link.href;
});
/* Discarding forgets the copy on the server before the page is opened anew. */
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-discard], [data-discard-copy]");
  if (!button || button.dataset.forgotten) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  stopKeeping();
  try { await fetch(document.getElementById("discard-form").action, { method: "POST", body: token() }); } catch { /* Offered again then. */ }
  const own = $("[data-discard]", bar);
  own.dataset.forgotten = "1";
  own.click();
}, true);

/* Pictures: pasted, dropped or chosen; described, uploaded, and named where the cursor stood. */
const box = $("[data-picture]");
const file = document.getElementById("text-picture");
const words = document.getElementById("alt-text");
const offer = (files) => {
  const picture = [...files].find((each) => each.type.startsWith("image/"));
  if (!picture) return false;
  const transfer = new DataTransfer();
  transfer.items.add(picture);
  file.files = transfer.files;
  box.open = true;
  words.focus();
  announce("Say what the picture shows, then add it");
  return true;
};
const add = $("[data-add-picture]");
if (add) {
  /* Programs for texts and tables put a picture of what was copied beside its words: then the words are meant. */
  body.addEventListener("paste", (event) => {
    if (!event.clipboardData.types.includes("text/plain") && offer(event.clipboardData.files)) event.preventDefault();
  });
  body.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  body.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    offer(event.dataTransfer.files);
  });
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    add.click();
  });
  add.addEventListener("click", async (event) => {
    event.preventDefault();
    const data = token();
    if (file.files.length) data.append("picture", file.files[0]);
    data.append("alt_text", words.value);
    announce("Uploading…");
    let found = {};
    try {
      const answer = await fetch(add.dataset.addPicture, { method: "POST", body: data });
      found = answer.status === 413 ? { error: "Choose a picture of at most 10 MB." } : await answer.json();
    } catch { /* Said below. */ }
    if (!found.markdown) {
      announce(found.error ?? "That didn’t work. Check your connection and try again.");
      return;
    }
    const before = body.value.slice(0, body.selectionStart);
    const gap = !before || before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
    body.setRangeText(`${gap}${found.markdown}\n\n`, body.selectionStart, body.selectionEnd, "end");
    file.value = words.value = "";
    box.open = false;
    body.focus();
    body.dispatchEvent(new Event("input", { bubbles: true }));
    announce("Picture added");
  });
}

/* Related courses: added, moved and removed in place. */
const list = $("[data-courses]");
const typed = document.getElementById("course");
const options = $$("#course-list option");
const makeRow = (slug) => {
  const row = $("[data-course-template]").content.firstElementChild.cloneNode(true);
  const title = options.find((each) => each.dataset.slug === slug)?.value ?? slug;
  Object.assign($("input", row), { name: "courses", value: slug });
  $("[data-course-title]", row).textContent = title;
  for (const button of $$("[data-course-act]", row)) {
    button.value = `${button.dataset.courseAct}:${slug}`;
    $(".sr", button).textContent += title;
  }
  return row;
};
const addCourse = () => {
  const text = typed.value.trim().toLowerCase();
  const exact = options.find((each) => [each.value.toLowerCase(), each.dataset.slug].includes(text));
  const near = options.filter((each) => each.value.toLowerCase().includes(text));
  const found = exact ?? (text && near.length === 1 ? near[0] : null);
  if (!found) { announce("No course is called that. Choose one of the list."); return; }
  if (!$$("input", list).some((each) => each.value === found.dataset.slug)) list.append(makeRow(found.dataset.slug));
  typed.value = "";
  changed();
  announce(`Added: ${found.value}`);
};
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-course-act], [data-course-add]");
  if (!button) return;
  event.preventDefault();
  if ("courseAdd" in button.dataset) { addCourse(); return; }
  const row = button.closest("[data-course-row]");
  if (button.dataset.courseAct === "up") row.previousElementSibling?.before(row);
  else if (button.dataset.courseAct === "down") row.nextElementSibling?.after(row);
  else row.remove();
  (button.isConnected ? button : typed).focus();
  changed();
});
typed?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  addCourse();
});
let dragged = null;
list.addEventListener("dragstart", (event) => {
  dragged = event.target.closest("[data-course-row]");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
});
list.addEventListener("dragover", (event) => {
  const over = event.target.closest("[data-course-row]");
  if (!dragged || !over) return;
  event.preventDefault();
  const half = over.getBoundingClientRect();
  if (over !== dragged) over[event.clientY < half.top + half.height / 2 ? "before" : "after"](dragged);
});
list.addEventListener("drop", (event) => event.preventDefault());
list.addEventListener("dragend", () => {
  if (dragged) changed();
  dragged = null;
});
/* A draft may have other courses than the page. */
form.addEventListener("restoredraft", (event) => {
  const slugs = event.detail.fields.filter(([name]) => name === "courses").map(([, slug]) => slug);
  list.replaceChildren(...slugs.map(makeRow));
});
