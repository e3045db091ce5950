// Moves cards by drag and by keyboard. Every move is one request with the revision that the page showed; the page
// changes when the server has answered, never before.

import { refresh, say } from "./live.js";

const token = document.querySelector('meta[name="csrf-token"]')?.content;
const live = document.getElementById("live");
const cardOf = (element) => element?.closest?.(".card[data-id]");

/** The labels of statuses, where they differ from the machine words. */
const STATUS = { "review-hold": "waits for approval", "merge-failure": "merge failed", "merge-failure-final": "merge given up" };
const label = (status) => STATUS[status] ?? status;

async function send(card, transition) {
  const project = live.dataset.project;
  const body = { request: "transition", item: card.dataset.id, expect: card.dataset.revision, ...transition };
  try {
    const answer = await fetch(`/api/v1/projects/${project}/requests`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": token },
      body: JSON.stringify({ body }),
    });
    const reply = await answer.json();
    if (answer.ok) {
      const { card: moved, notes } = reply.applied[0];
      say(notes?.length ? notes.join(" ") : `#${moved.handle}: ${transition.verb}, now in ${moved.column} (${label(moved.status)})`);
    } else if (answer.status === 409 && reply.current) say(`${reply.message} #${reply.current.handle} is now in ${reply.current.column} (${label(reply.current.status)}).`);
    else say(reply.message);
  } catch {
    say("The node did not answer. The change may not have been made; reload the page to check.");
  }
  await refresh();
}

/** The transition of a menu value: `move:` and a column, or a verb. */
function transition(value) {
  return value.startsWith("move:") ? { verb: "move", to: value.slice(5) } : { verb: value };
}

function option(card, column) {
  return card.querySelector(`.move option[data-column="${column}"]`);
}

/* Dragging. */

let dragged = null;

function columnAt(target) {
  const column = target.closest?.(".column");
  return column && { column, name: (target.closest("ul.cards") ?? column.querySelector("ul.cards")).dataset.column };
}

function mark(over) {
  for (const column of document.querySelectorAll(".column")) column.classList.toggle("over", column === over);
}

document.addEventListener("dragstart", (event) => {
  const card = cardOf(event.target);
  if (!card || !token) return;
  dragged = card;
  event.dataTransfer.setData("text/plain", `#${card.dataset.handle}`);
  event.dataTransfer.effectAllowed = "move";
  card.classList.add("dragged");
  for (const list of document.querySelectorAll("ul.cards")) {
    const legal = option(card, list.dataset.column) || list.contains(card);
    if (!legal) list.closest(".column").classList.add("no");
  }
});

document.addEventListener("dragover", (event) => {
  const at = dragged && columnAt(event.target);
  const legal = at && option(dragged, at.name);
  mark(legal ? at.column : null);
  if (legal) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  const at = dragged && columnAt(event.target);
  const chosen = at && option(dragged, at.name);
  if (!chosen) return;
  event.preventDefault();
  send(dragged, transition(chosen.value));
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  mark(null);
  for (const column of document.querySelectorAll(".column.no")) column.classList.remove("no");
});

/* The menu of a card: the same request as a drag, without leaving the page. */

document.addEventListener("submit", (event) => {
  const form = event.target.closest(".card .move form");
  if (!form) return;
  event.preventDefault();
  const chosen = transition(form.elements.target.value);
  closeMenu(form.closest(".move"));
  send(cardOf(form), chosen);
});

document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.(".move") || !event.target.open) return;
  for (const other of document.querySelectorAll(".move[open]")) if (other !== event.target) other.open = false;
}, true);

/* Keyboard. */

const keys = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");
const ask = document.getElementById("ask");
const KEYS_OFF = "towline-keys-off";
keysOn.checked = localStorage.getItem(KEYS_OFF) === null;
keysOn.addEventListener("change", () => {
  if (keysOn.checked) localStorage.removeItem(KEYS_OFF);
  else localStorage.setItem(KEYS_OFF, "1");
});

function visible(column) {
  return column.offsetParent !== null;
}

function step(down, right) {
  const columns = [...document.querySelectorAll(".column")].filter(visible).map((column) => [...column.querySelectorAll("a.title")]);
  const current = cardOf(document.activeElement)?.querySelector("a.title");
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
  next?.closest(".card").scrollIntoView({ block: "nearest", inline: "nearest" });
}

function withCard(action) {
  const card = cardOf(document.activeElement);
  if (!card) say("Select a card first, with h, j, k or l.");
  else if (!token) say("Read only. Run `towline open` to get a sign-in link.");
  else action(card, (card.dataset.legal ?? "").split(" "));
}

function toggle(card, legal, on, off) {
  if (legal.includes(off)) return send(card, { verb: off });
  if (!legal.includes(on)) return say(`Cannot ${on} #${card.dataset.handle} now.`);
  if (on !== "block") return send(card, { verb: on });
  const reason = document.getElementById("ask-reason");
  document.getElementById("ask-title").textContent = `Block #${card.dataset.handle}`;
  reason.value = "";
  ask.returnValue = "";
  ask.onclose = () => {
    if (ask.returnValue === "yes" && reason.value.trim()) send(card, { verb: on, reason: reason.value.trim() });
    else card.querySelector("a.title").focus();
  };
  ask.showModal();
}

function closeMenu(menu) {
  menu.open = false;
  cardOf(menu).querySelector("a.title").focus();
}

function openMenu(card) {
  const menu = card.querySelector(".move");
  if (!menu) return;
  menu.open = true;
  menu.querySelector("select").focus();
}

const actions = {
  h: () => step(0, -1),
  j: () => step(1, 0),
  k: () => step(-1, 0),
  l: () => step(0, 1),
  m: () => withCard(openMenu),
  b: () => withCard((card, legal) => toggle(card, legal, "block", "unblock")),
  f: () => withCard((card, legal) => toggle(card, legal, "freeze", "unfreeze")),
  "/": () => (document.getElementById("filter") ?? document.getElementById("find")).focus(),
  "?": () => keys.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") {
    const menu = document.activeElement?.closest?.(".move[open]") ?? document.querySelector(".move[open]");
    if (menu) closeMenu(menu);
    else if (event.target.matches?.("input, textarea, select")) event.target.blur();
    return;
  }
  if (event.target.matches?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  // `?` works even when the single letters are off: it is the way to switch them on again.
  if (!keysOn.checked && event.key !== "?") return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
