/* Progressive enhancement only: every flow works as a plain link or form without this module. */
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/* Copy link: without JavaScript it is a link to the page itself. */
for (const link of $$("[data-copy]")) {
  link.setAttribute("role", "button");
  const copy = async (event) => {
    event.preventDefault();
    const status = $(".status", link.parentElement);
    try {
      await navigator.clipboard.writeText(link.dataset.copy);
      if (status) status.textContent = "Link copied";
    } catch {
      if (status) status.textContent = "Copy the address from your browser’s address bar";
    }
    if (status) setTimeout(() => { status.textContent = ""; }, 6000);
  };
  link.addEventListener("click", copy);
  link.addEventListener("keydown", (event) => { if (event.key === " ") copy(event); });
}

/* A # link on every heading of a text. */
for (const heading of $$(".post-main :is(h2, h3)[id], .lesson-main .prose :is(h2, h3)[id]")) {
  const anchor = document.createElement("a");
  anchor.className = "anchor";
  anchor.href = `#${heading.id}`;
  anchor.textContent = "#";
  anchor.setAttribute("aria-label", `Link to “${heading.textContent}”`);
  heading.append(anchor);
}

/* Contents: mark the section being read, in the side list and in the phone's. */
const entries = new Map();
for (const link of $$("[data-toc] a")) {
  const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (heading) entries.set(heading, [...(entries.get(heading) ?? []), link]);
}
if (entries.size && "IntersectionObserver" in window) {
  const headings = [...entries.keys()];
  const mark = () => {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight * 0.3);
    /* Where a link has just landed counts, even when the next heading follows close behind. */
    const landed = headings.find((heading) => `#${heading.id}` === decodeURIComponent(location.hash)
      && Math.abs(heading.getBoundingClientRect().top) < 80);
    const current = landed ?? passed.at(-1) ?? headings[0];
    for (const [heading, links] of entries) {
      for (const link of links) {
        if (heading === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }
  };
  const observer = new IntersectionObserver(mark, { rootMargin: "0px 0px -70% 0px", threshold: [0, 1] });
  headings.forEach((heading) => observer.observe(heading));
  addEventListener("hashchange", mark);
  mark();
}
/* A tap in the phone's contents closes it. */
for (const link of $$("details.toc-phone a")) link.addEventListener("click", () => { link.closest("details").open = false; });

/* The lesson being read stays in view in a long list. */
const here = $(".lesson-side [aria-current]");
if (here) {
  const list = here.closest(".lesson-side");
  list.scrollTop += here.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 3;
}

/* Expand all: the button is hidden until this module runs. */
for (const button of $$("[data-expand]")) {
  const parts = $$("details", document.getElementById(button.dataset.expand));
  const label = () => {
    const all = parts.every((part) => part.open);
    button.textContent = all ? "Collapse all" : "Expand all";
    button.setAttribute("aria-expanded", String(all));
  };
  button.hidden = parts.length < 2;
  button.addEventListener("click", () => {
    const open = !parts.every((part) => part.open);
    parts.forEach((part) => { part.open = open; });
    label();
  });
  parts.forEach((part) => part.addEventListener("toggle", label));
  label();
}

/* The posts on the way here, and UTM values, go on in the links' addresses: nothing is stored in the browser. */
const address = new URLSearchParams(location.search);
const carried = [...address].filter(([name]) => name.startsWith("utm_"));
if (address.has("from") || carried.length) {
  for (const link of $$('a:is([href^="/courses/"], [href^="/blog/"], [href^="/checkout/"])')) {
    const next = new URL(link.href);
    for (const [name, value] of carried) next.searchParams.set(name, value);
    const steps = [address.get("from"), next.searchParams.get("from")].filter(Boolean);
    if (steps.length) next.searchParams.set("from", steps.join(","));
    link.href = next.pathname + next.search + next.hash;
  }
}

/* Say that a form is on its way. Never `disabled`: the server de-duplicates. */
document.addEventListener("submit", (event) => {
  const button = event.submitter ?? $("button[type=submit]", event.target);
  if (!button?.matches(".btn")) return;
  if (button.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
  button.setAttribute("aria-busy", "true");
  const words = $("span", button);
  if (button.dataset.busy && words) {
    button.dataset.idle = words.textContent;
    words.textContent = button.dataset.busy;
  }
});
/* Coming back with the back button must find a usable button. */
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of $$(".btn[aria-busy]")) {
    button.removeAttribute("aria-busy");
    if (button.dataset.idle) $("span", button).textContent = button.dataset.idle;
  }
});

/* A payment that takes its time: ask every 2 s for 30 s, reload when the state changes, then promise an email. */
const waiting = $("[data-poll-url]");
if (waiting) {
  const until = Date.now() + 30_000;
  const stop = () => {
    $$("[data-while-waiting]").forEach((part) => { part.hidden = true; });
    $$("[data-when-slow]").forEach((part) => { part.hidden = false; });
  };
  const ask = async () => {
    try {
      const answer = await fetch(waiting.dataset.pollUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.ok && (await answer.json()).state !== waiting.dataset.state) { location.reload(); return; }
    } catch { /* offline for a moment: the next try, or a reload by hand, finds the answer */ }
    if (Date.now() >= until) stop();
    else setTimeout(ask, 2000);
  };
  setTimeout(ask, 2000);
}

/* Phones: price and Enroll stay reachable once the main button has left the screen. */
const bar = $("[data-buybar]");
const mainAction = $("[data-main-action]");
if (bar && mainAction && "IntersectionObserver" in window) {
  new IntersectionObserver(([entry]) => { bar.hidden = entry.isIntersecting || entry.boundingClientRect.top > 0; }).observe(mainAction);
}

/* Print buttons appear only where they can work. */
for (const button of $$("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

/* The phone menu closes on Escape and on a click elsewhere. */
const menu = $("details.menu");
if (menu) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; $("summary", menu).focus(); }
  });
  addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
}

/* After a refused form: straight to what needs fixing; its links land in the field. */
const summary = $("[data-error-summary]");
if (summary) {
  summary.focus();
  summary.addEventListener("click", (event) => {
    const field = event.target.hash && document.getElementById(event.target.hash.slice(1));
    if (field) { event.preventDefault(); field.focus(); field.scrollIntoView({ block: "center" }); }
  });
}

/* Our checkout page: the sums follow seats and purpose at once; the code, and browsers without this, use "Update total". */
const checkout = $("form[data-checkout]");
if (checkout) {
  let latest = 0;
  const update = async () => {
    const turn = ++latest;
    const body = new URLSearchParams(new FormData(checkout));
    body.set("step", "update");
    try {
      const answer = await fetch(checkout.action, { method: "POST", body });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || turn !== latest) return;
      for (const part of $$("[data-part]")) {
        const fresh = $(`[data-part="${part.dataset.part}"]`, page);
        if (fresh) part.replaceChildren(...fresh.childNodes);
      }
    } catch { /* offline for a moment: paying asks the server again anyway */ }
  };
  for (const field of $$("[data-updates]", checkout)) field.addEventListener("change", update);
}
