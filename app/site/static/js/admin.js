/* The back-office's comfort; every page works as plain links and forms without this module. */
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/* "/" jumps into the search, except while something is being typed. */
addEventListener("keydown", (event) => {
  const field = $("[data-slash]");
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey || !field) return;
  event.preventDefault();
  field.focus();
});

/* Copy an id. */
const armCopies = (root = document) => {
  for (const button of $$("[data-copy-text]", root)) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copyText);
        announce("Copied");
      } catch { announce("Select the text and copy it"); }
    });
  }
};

/* One place where short news are said. */
const live = document.createElement("div");
live.className = "toast";
live.setAttribute("role", "status");
live.hidden = true;
document.body.append(live);
let silence = 0;
export const announce = (text) => {
  live.textContent = text;
  live.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => { live.hidden = true; }, 3000);
};

/* Toasts go after six seconds, unless somebody looks at them. */
export const armToast = (toast) => {
  let timer = setTimeout(() => toast.remove(), 6000);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["mouseleave", "focusout"]) {
    toast.addEventListener(name, () => { timer = setTimeout(() => toast.remove(), 3000); });
  }
};
for (const toast of $$("[data-toast]")) armToast(toast);

/* The popups close on Escape and on a click elsewhere. */
addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && $("details.pop[open]");
  if (open) { open.open = false; $("summary", open).focus(); }
});
addEventListener("click", (event) => {
  for (const pop of $$("details.pop[open]")) if (!pop.contains(event.target)) pop.open = false;
});

/* A link with data-dialog opens its page's form in a dialog; a refused form shows its errors there. */
const openDialog = (page, url) => {
  const body = $("[data-dialog-body]", page);
  if (!body) { location.assign(url); return; }
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.setAttribute("aria-labelledby", "dialog-title");
  const heading = document.createElement("h2");
  heading.id = "dialog-title";
  heading.textContent = $("h1", page).textContent;
  const inside = document.createElement("div");
  inside.className = "dialog-body stack";
  inside.append(heading, ...body.childNodes);
  dialog.append(inside);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  for (const away of $$("[data-dialog-close]", dialog)) {
    away.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
  }
  for (const form of $$("form", dialog)) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const data = new FormData(form, event.submitter);
      const headers = { "X-Dialog": "1" };
      const answer = await fetch(form.getAttribute("action") || url, { method: "POST", body: data, headers });
      // Following the redirect here would use up what the next page is to say.
      const place = answer.headers.get("X-Location");
      if (place) { location.assign(place); return; }
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      dialog.close();
      openDialog(next, url);
    });
  }
  armCopies(dialog);
  dialog.showModal();
  ($("[data-error-summary]", dialog) ?? $("input:not([type=hidden]), select, textarea", dialog))?.focus();
};
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href);
    if (!answer.ok) throw new Error(answer.status);
    openDialog(new DOMParser().parseFromString(await answer.text(), "text/html"), link.href);
  } catch { location.assign(link.href); }
});

/* Unsaved work is never lost: a bar, a question before leaving, and a draft in this browser that survives signing out.
   A form takes part by data-guard; data-draft names what it edits with its version ("course:crs_1:7"). A draft made on an
   older version is offered too: saving it then shows both sides. One that was sent is over once the version is another. */
const read = (form) => JSON.stringify([...new FormData(form)].filter(([name, value]) => name !== "csrf_token" && typeof value === "string"));
const findDraft = (key) => {
  const stem = key && key.slice(0, key.lastIndexOf(":") + 1);
  for (const name of Object.keys(localStorage).filter((each) => stem && each.startsWith(stem))) {
    const draft = JSON.parse(localStorage.getItem(name));
    if (name === key || !draft.sent) return [name, draft];
    localStorage.removeItem(name);
  }
  return [];
};
for (const form of $$("form[data-guard]")) {
  const saved = read(form);
  const bar = $(`[data-save-bar="${form.id}"]`);
  const key = form.dataset.draft && `draft:${form.dataset.draft}`;
  let isLeaving = false;
  const isDirty = () => read(form) !== saved || "dirty" in form.dataset;
  const keep = (sent) => localStorage.setItem(key, JSON.stringify({ at: Date.now(), sent, fields: JSON.parse(read(form)) }));
  const note = () => {
    if (bar) bar.hidden = !isDirty();
    if (!key) return;
    if (isDirty()) keep(false);
    else localStorage.removeItem(key);
  };
  form.addEventListener("input", note);
  form.addEventListener("change", note);
  form.addEventListener("submit", () => { isLeaving = true; if (key && isDirty()) keep(true); });
  addEventListener("pageshow", (event) => { if (event.persisted) isLeaving = false; });
  addEventListener("beforeunload", (event) => { if (isDirty() && !isLeaving) event.preventDefault(); });
  $("[data-discard]", bar ?? form)?.addEventListener("click", () => {
    isLeaving = true;
    if (key) localStorage.removeItem(key);
    location.assign(location.href);
  });
  const [name, kept] = findDraft(key);
  /* data-dirty may be the time of a copy that the server kept; what this browser kept later is offered all the same. */
  const isOlder = !(Number(form.dataset.dirty) > 0 && kept?.at > Number(form.dataset.dirty));
  if ("dirty" in form.dataset && bar) bar.hidden = false;
  if ("dirty" in form.dataset && (isOlder || JSON.stringify(kept.fields) === saved)) note();
  else if (kept && JSON.stringify(kept.fields) !== saved) offerDraft(form, name, kept, note);
}

function offerDraft(form, key, draft, note) {
  const offer = document.createElement("div");
  offer.className = "flash flash--warn";
  offer.setAttribute("role", "status");
  const words = document.createElement("p");
  words.textContent = `You have unsaved changes from ${new Date(draft.at).toLocaleString()}.`;
  const buttons = [["Restore them", () => {
    form.dispatchEvent(new CustomEvent("restoredraft", { detail: draft }));
    const names = new Set(draft.fields.map(([name]) => name));
    for (const name of names) {
      const values = draft.fields.filter(([each]) => each === name).map(([, value]) => value);
      for (const [place, field] of [...form.elements].filter((each) => each.name === name && each.type !== "submit").entries()) {
        if (field.name === "csrf_token") continue;
        if (field.type === "checkbox" || field.type === "radio") field.checked = values.includes(field.value);
        else if (place < values.length) field.value = values[place];
      }
    }
    for (const field of form.elements) if (field.type === "checkbox" && !names.has(field.name)) field.checked = false;
    form.dispatchEvent(new Event("draftrestored"));
    note();
  }], ["Discard them", () => localStorage.removeItem(key)]].map(([label, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "linklike";
    button.textContent = label;
    button.addEventListener("click", () => { act(); offer.remove(); });
    return button;
  });
  offer.append(words, ...buttons);
  form.before(offer);
}

/* "Select all" above a column of boxes. */
for (const all of $$("[data-tick-all]")) {
  all.hidden = false;
  const boxes = () => $$("input[type=checkbox][name=ids]", all.closest("form, main"));
  all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; });
}

armCopies();
