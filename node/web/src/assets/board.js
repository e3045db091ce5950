// The keyboard of every page, and what acts at once where scripts run: filters, and the search as it is typed.

import { go, say } from "./live.js";
import { cardOf, closeMenu, isMenuOpen, movesOf, openMenu, perform, titleOf, token } from "./menu.js";
import "./drag.js";
import { pick } from "./list.js";
import "./palette.js";

document.documentElement.classList.add("scripted");

const keys = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");
const KEYS_OFF = "towline-keys-off";
keysOn.checked = localStorage.getItem(KEYS_OFF) === null;
keysOn.addEventListener("change", () => {
  if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "1");
});

/* Filters. */

const FILTER_MS = 200;
let typed = null;
const search = document.querySelector(".board-head form.search");

function address(form) {
  const fields = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  const query = new URLSearchParams(fields).toString();
  return form.getAttribute("action") + (query && `?${query}`);
}

search?.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => go(address(search)), FILTER_MS);
});
search?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typed);
  go(address(search));
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form.filters");
  if (!form?.closest(".more-filters")) return;
  location.assign(address(form));
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.more-filters[open]")) if (!open.contains(event.target)) open.open = false;
});

/* Keyboard. */

function visible(element) {
  return element.offsetParent !== null;
}

function step(down, right) {
  const columns = [...document.querySelectorAll(".column, table.list")].filter(visible).map((column) => [...column.querySelectorAll("a.title")]);
  const current = document.activeElement?.closest?.("[data-id]")?.querySelector("a.title");
  const x = columns.findIndex((column) => column.includes(current));
  let next;
  if (x < 0) next = columns.find((column) => column.length)?.[0];
  else if (down) next = columns[x][columns[x].indexOf(current) + down];
  else {
    // Empty columns are passed over.
    for (let to = x + right; to >= 0 && to < columns.length && !next; to += right) {
      next = columns[to][Math.min(columns[x].indexOf(current), columns[to].length - 1)];
    }
  }
  next?.focus();
  next?.closest("[data-id]").scrollIntoView({ block: "nearest", inline: "nearest" });
}

function withCard(action) {
  const card = document.activeElement?.closest?.("[data-id][data-handle]");
  if (!card) say("Select a card first, with h, j, k or l.");
  else if (!token) say("Read only. Run `towline open` to get a sign-in link.");
  else if (cardOf(card)) action(card);
}

function toggle(card, on, off) {
  const moves = movesOf(card);
  const move = moves.find(({ value }) => value === off) ?? moves.find(({ value }) => value === on);
  if (move) perform(card, move);
  else say(`Cannot ${on} #${card.dataset.handle} now.`);
}

const actions = {
  h: () => step(0, -1),
  j: () => step(1, 0),
  k: () => step(-1, 0),
  l: () => step(0, 1),
  m: () => withCard((card) => openMenu(card)),
  b: () => withCard((card) => toggle(card, "block", "unblock")),
  f: () => withCard((card) => toggle(card, "freeze", "unfreeze")),
  x: () => pick(document.activeElement?.closest?.("tr[data-id]")),
  "/": () => (document.getElementById("filter") ?? document.getElementById("find")).focus(),
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    const open = document.querySelector("details.more-filters[open]");
    if (isMenuOpen()) closeMenu();
    else if (open) { open.open = false; open.querySelector("summary").focus(); }
    else if (event.target.matches?.("input, textarea, select")) event.target.blur();
    return;
  }
  if (event.target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]") || isMenuOpen()) return;
  // `?` works even when the single letters are off: it is the way to switch them on again.
  if (!keysOn.checked && event.key !== "?") return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

document.getElementById("help")?.addEventListener("click", () => keys.showModal());
