/* The refund shows what it would do while it is being chosen; without this module a button shows it. */
document.documentElement.dataset.livePreview = "";

const preview = async (form) => {
  const query = new URLSearchParams(new FormData(form));
  for (const name of ["csrf_token", "key", "shown", "left"]) query.delete(name);
  const turn = (form.dataset.turn = String(Number(form.dataset.turn ?? 0) + 1));
  try {
    const answer = await fetch(`${form.getAttribute("action")}?${query}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("[data-preview]");
    if (answer.ok && next && form.dataset.turn === turn) form.querySelector("[data-preview]").replaceWith(next);
  } catch { /* The button still shows it, and nothing is refunded that was not shown. */ }
};

let timer = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-refund]");
  if (!form || ["reason", "detail"].includes(event.target.name)) return;
  clearTimeout(timer);
  timer = setTimeout(() => preview(form), 250);
});
document.addEventListener("click", (event) => {
  const away = event.target.closest?.("dialog [data-dialog-close]");
  if (away) { event.preventDefault(); away.closest("dialog").close(); }
});
