// Makes the forms of items quicker: previews in place, the key `c`, Ctrl+Enter, Escape. Without this file every form
// works all the same.

const token = document.querySelector('meta[name="csrf-token"]')?.content;
const KEYS_OFF = "towline-keys-off";
const typing = (element) => element?.matches?.("input, textarea, select, [contenteditable]");

/* Previews. */

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.('button[name="do"][value="preview"]');
  const box = button?.form.querySelector("textarea");
  const shown = button?.form.querySelector("div.preview");
  if (!token || !box || !shown) return;
  event.preventDefault();
  try {
    const answer = await fetch("/preview", { method: "POST", body: new URLSearchParams({ csrf: token, text: box.value }) });
    const html = await answer.text();
    if (answer.ok) shown.innerHTML = html;
    else shown.textContent = "The node refused to make the preview. Reload the page and try again.";
  } catch {
    shown.textContent = "The node did not answer. Try again.";
  }
  shown.hidden = false;
});

/* One press sends a form once. */

document.addEventListener("submit", (event) => {
  const form = event.target.closest(".edit-form, .say, .press");
  if (!form || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

/* Forms that open in place. */

document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.(".edit") || !event.target.open) return;
  for (const other of document.querySelectorAll(".edit[open]")) {
    const changed = [...other.querySelectorAll("textarea, input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
    if (other !== event.target && !changed) other.open = false;
  }
  event.target.querySelector("input:not([type=hidden]), textarea, select")?.focus();
}, true);

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("textarea")) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    const open = event.target.closest?.(".edit[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
    return;
  }
  if (event.key !== "c" || typing(event.target) || document.querySelector("dialog[open]")) return;
  const make = document.querySelector("a.make");
  if (!make || localStorage.getItem(KEYS_OFF) !== null) return;
  event.preventDefault();
  make.click();
});
