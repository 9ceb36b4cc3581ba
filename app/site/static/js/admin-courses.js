/* The course editor's comfort. Every button here is a form's button first: without this module it sends its form. */
import { announce, armToast } from "./admin.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const changed = (form) => form?.dispatchEvent(new Event("input", { bubbles: true }));

/* "Add a new topic…" shows its field. */
for (const topic of $$("[data-topic]")) {
  const select = $("select", topic);
  const extra = $("[data-topic-new]", topic);
  const show = () => { extra.hidden = select.value !== "+"; };
  select.addEventListener("change", show);
  show();
}

/* How long a text is, and what search engines would show of it. */
for (const field of $$("[data-count]")) {
  const hint = document.getElementById(field.getAttribute("aria-describedby").split(" ")[0]);
  field.addEventListener("input", () => {
    hint.textContent = hint.textContent.replace(/\d+ of \d+/, `${field.value.length} of ${field.dataset.count}`);
  });
}
for (const field of $$("[data-shown-as]")) {
  const place = $(`[data-shows="${field.dataset.shownAs}"]`);
  field.addEventListener("input", () => { if (place) place.textContent = field.value; });
}

/* The curriculum changes at once and alone: what is typed elsewhere on the page stays. */
const panel = () => $("[data-curriculum]");
const send = async (url, data) => {
  panel().setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { method: "POST", body: data });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = $("[data-curriculum]", page);
    if (!next) { location.assign(answer.url); return false; }
    panel().replaceWith(next);
    for (const toast of $$("[data-toast]")) toast.remove();
    for (const toast of $$("[data-toast]", page)) { document.body.append(toast); armToast(toast); }
    const said = $(".desk-flashes p", page);
    if (said) announce(said.textContent);
    return true;
  } catch {
    panel()?.removeAttribute("aria-busy");
    announce("That didn’t work. Check your connection and try again.");
    return false;
  }
};
const token = () => new FormData(document.getElementById("curriculum-form"));
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-live]");
  if (!button) return;
  event.preventDefault();
  const data = token();
  if (button.name) data.append(button.name, button.value);
  const path = button.getAttribute("formaction");
  if (!await send(path, data)) return;
  const again = $(`[formaction="${path}"][value="${button.value}"]`, panel());
  (again && !again.disabled ? again : $("h2", panel()))?.focus?.();
});

/* Drag and drop, beside the buttons. */
let dragged = null;
document.addEventListener("dragstart", (event) => {
  const row = event.target.closest?.("[data-drag]");
  if (!row) return;
  dragged = row.dataset.drag === "section" ? row.parentElement : row;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  dragged.classList.add("is-dragged");
});
document.addEventListener("dragover", (event) => {
  if (!dragged) return;
  const isSection = "section" in dragged.dataset;
  const over = event.target.closest?.(isSection ? "[data-section]" : "[data-lesson], [data-section]");
  if (!over || !panel().contains(over)) return;
  event.preventDefault();
  if (over === dragged) return;
  if (!isSection && "section" in over.dataset) {
    if (!over.contains(dragged) || !$("[data-lesson]", over)) $("[data-lessons]", over).append(dragged);
    return;
  }
  const box = over.getBoundingClientRect();
  over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
});
document.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });
document.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged.classList.remove("is-dragged");
  dragged = null;
  const data = token();
  data.append("order", $$("[data-section]", panel()).map((section) =>
    `${section.dataset.section}:${$$("[data-lesson]", section).map((lesson) => lesson.dataset.lesson).join(",")}`).join(";"));
  send(panel().dataset.curriculum, data);
});

/* Questions: added, moved and removed in place; their numbers follow. */
const faq = $("[data-faq-rows]");
const renumber = () => {
  $$("[data-faq-row]", faq).forEach((row, place) => {
    for (const part of $$("[name], [id], [for], [aria-describedby]", row)) {
      for (const name of ["name", "id", "for", "aria-describedby"]) {
        const value = part.getAttribute(name);
        if (value) part.setAttribute(name, value.replace(/faq-\d+-/g, `faq-${place}-`));
      }
    }
    for (const button of $$("button[name=faq_step]", row)) button.value = `${button.dataset.faq}:${place}`;
    for (const words of $$("label, .sr", row)) words.textContent = words.textContent.replace(/\d+/, place + 1);
  });
};
const blankRow = () => {
  const row = document.createElement("li");
  row.className = "faq-row";
  row.dataset.faqRow = "";
  const fields = document.createElement("div");
  fields.className = "stack stack-2";
  for (const [name, label, tag] of [["question", "Question", "input"], ["answer", "Answer", "textarea"]]) {
    const field = document.createElement("div");
    field.className = "field";
    const words = Object.assign(document.createElement("label"), { className: "label", textContent: `${label} 1`, htmlFor: `faq-0-${name}` });
    const input = Object.assign(document.createElement(tag), { className: "input", name: `faq-0-${name}`, id: `faq-0-${name}` });
    if (tag === "textarea") input.rows = 3;
    field.append(words, input);
    fields.append(field);
  }
  const acts = document.createElement("div");
  acts.className = "faq-acts";
  const icons = $("svg use")?.getAttribute("href").split("#")[0];
  for (const [act, icon, words] of [["up", "chevron-up", "Move question 1 up"], ["down", "chevron-down", "Move question 1 down"], ["remove", "trash", "Remove question 1"]]) {
    const button = Object.assign(document.createElement("button"), { type: "submit", name: "faq_step", className: "icon-button" });
    button.dataset.faq = act;
    button.innerHTML = `<svg class="icon" aria-hidden="true" width="18" height="18" viewBox="0 0 24 24"><use href="${icons}#${icon}"></use></svg><span class="sr">${words}</span>`;
    acts.append(button);
  }
  row.append(fields, acts);
  return row;
};
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-faq]");
  if (!button) return;
  event.preventDefault();
  const row = button.closest("[data-faq-row]");
  const act = button.dataset.faq;
  if (act === "add") {
    faq.append(blankRow());
    $("[data-faq-empty]")?.remove();
  } else if (act === "up") row.previousElementSibling?.before(row);
  else if (act === "down") row.nextElementSibling?.after(row);
  else {
    const place = row.nextSibling;
    row.remove();
    announceRemoval(row, place);
  }
  renumber();
  if (act === "add") $("input", faq.lastElementChild).focus();
  else if (act !== "remove") button.focus();
  changed(faq.closest("form"));
});
const announceRemoval = (row, place) => {
  for (const old of $$("[data-toast]")) old.remove();
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.dataset.toast = "";
  toast.setAttribute("role", "status");
  const undo = Object.assign(document.createElement("button"), { type: "button", className: "linklike", textContent: "Undo" });
  undo.addEventListener("click", () => {
    if (place?.isConnected) place.before(row); else faq.append(row);
    renumber();
    changed(faq.closest("form"));
    toast.remove();
  });
  toast.append(Object.assign(document.createElement("span"), { textContent: "Question removed." }), undo);
  document.body.append(toast);
  armToast(toast);
};
/* A draft may have more or fewer questions than the page. */
document.getElementById("course-form")?.addEventListener("restoredraft", (event) => {
  const count = event.detail.fields.filter(([name]) => /^faq-\d+-question$/.test(name)).length;
  while ($$("[data-faq-row]", faq).length < count) faq.append(blankRow());
  for (const row of $$("[data-faq-row]", faq).slice(count)) row.remove();
  renumber();
});

/* A chosen picture is sent at once and shown in its place; nothing else on the page is touched. */
const cover = document.getElementById("cover-form");
document.getElementById("picture")?.addEventListener("change", async (event) => {
  const field = event.target;
  if (!field.files.length) return;
  announce("Uploading…");
  try {
    const answer = await fetch(cover.action, { method: "POST", body: new FormData(cover) });
    if (answer.status === 413) throw new Error("Choose a picture of at most 10 MB.");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = $(".cover-now", page);
    for (const shown of now ? $$(".cover-now") : []) shown.src = now.getAttribute("src");
    announce($(".desk-flashes p", page)?.textContent ?? "That didn’t work. Try again.");
    field.value = "";
  } catch (error) {
    announce(error.message.endsWith(".") ? error.message : "That didn’t work. Check your connection and try again.");
  }
});
