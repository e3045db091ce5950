// The command palette: go to an item by its number or words, to a view, or do something with the card in hand. What
// it offers is on the page already, except items, which the server finds.

import { cardOf, movesOf, nameOf, openMenu, perform, titleOf } from "./menu.js";

const palette = document.getElementById("palette");
const field = document.getElementById("palette-q");
const list = document.getElementById("palette-list");
const project = document.body.dataset.path;
const FIND_MS = 120;
const MOST = 14;

let card = null;
let found = [];
let due = null;
let asked = 0;

/** An entry: what it says, and what choosing it does. */
function option(text, act, about = "") {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  const words = document.createElement("span");
  words.textContent = text;
  item.append(words);
  if (about) {
    const where = document.createElement("span");
    where.className = "where";
    where.textContent = about;
    item.append(" ", where);
  }
  item.act = act;
  return item;
}

function commands() {
  const ofCard = !card ? [] : [
    ...movesOf(card).map((move) => option(nameOf(card, move), () => perform(card, move), `#${card.dataset.handle}`)),
    option("Open", () => titleOf(card).click(), `#${card.dataset.handle}`),
    option("All actions", () => openMenu(card), `#${card.dataset.handle}`),
  ];
  const ofItem = [...document.querySelectorAll(".actions button[name=target]")].map((button) => option(button.textContent.trim(), () => button.click(), "this item"));
  const links = [...document.querySelectorAll("#palette-commands a, .saved a[href]")].map((link) => option(link.textContent.trim(), () => location.assign(link.href), link.dataset.about ?? "view"));
  return [...ofCard, ...ofItem, ...links];
}

const options = () => [...list.querySelectorAll("[role=option]")];
const chosen = () => list.querySelector("[aria-selected=true]");

function choose(item) {
  chosen()?.setAttribute("aria-selected", "false");
  item?.setAttribute("aria-selected", "true");
  item?.scrollIntoView({ block: "nearest" });
  if (item) field.setAttribute("aria-activedescendant", item.id);
  else field.removeAttribute("aria-activedescendant");
}

function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const passes = (item) => words.every((word) => item.textContent.toLowerCase().includes(word));
  const all = [...commands().filter(passes), ...found];
  // A number is a number first.
  if (/^#?\d/.test(field.value.trim())) all.sort((a, b) => found.includes(b) - found.includes(a));
  list.replaceChildren(...all.slice(0, MOST));
  options().forEach((item, index) => { item.id = `palette-${index}`; item.setAttribute("aria-selected", "false"); });
  choose(options()[0]);
}

async function find() {
  const now = ++asked;
  const words = field.value.trim();
  if (!words || !project) { found = []; show(); return; }
  try {
    const answer = await fetch(`${project}/find?${new URLSearchParams({ q: words })}`);
    const items = document.createElement("template");
    items.innerHTML = answer.ok ? await answer.text() : "";
    if (now !== asked) return;
    found = [...items.content.children];
    show();
  } catch {
    // Not reachable now: the commands stay.
  }
}

function run(item) {
  palette.close();
  if (item.act) item.act();
  else location.assign(item.dataset.href);
}

export function openPalette() {
  card = cardOf(document.activeElement?.closest?.("[data-id]"));
  field.value = "";
  found = [];
  palette.showModal();
  field.focus();
  show();
}

field.addEventListener("input", () => {
  show();
  clearTimeout(due);
  due = setTimeout(find, FIND_MS);
});

field.addEventListener("keydown", (event) => {
  // A search field would only empty itself.
  if (event.key === "Escape") { event.preventDefault(); palette.close(); return; }
  const all = options();
  const at = all.indexOf(chosen());
  const next = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
  if (next !== undefined && all.length) {
    event.preventDefault();
    choose(all[(next + all.length) % all.length]);
  }
});

// Enter sends the form; with nothing chosen it is a search of all items.
field.form.addEventListener("submit", (event) => {
  if (!chosen()) return;
  event.preventDefault();
  run(chosen());
});

list.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (!item || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  run(item);
});

palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  if (document.querySelector("dialog[open]:not(#palette)")) return;
  event.preventDefault();
  if (palette.open) palette.close();
  else openPalette();
});
