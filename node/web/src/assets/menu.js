// What can be done to a card: its transitions, the one menu of the page, the question for a reason, the request.
// Every change is one request with the revision that the page showed; the page changes when the server has answered,
// never before.

import { refresh, say } from "./live.js";

export const token = document.querySelector('meta[name="csrf-token"]')?.content;
const live = document.getElementById("live");
const menu = document.getElementById("menu");
const ask = document.getElementById("ask");
const words = menu ? JSON.parse(menu.dataset.words) : null;
export const cardOf = (element) => element?.closest?.("[data-id][data-moves]");
export const titleOf = (card) => card.querySelector("a.title");

/** The labels of statuses, where they differ from the machine words. */
const STATUS = { "review-hold": "waits for approval", "merge-failure": "merge failed", "merge-failure-final": "merge given up" };
const label = (status) => STATUS[status] ?? status;

/** The transitions of a card: what is sent, where it leads, whether it asks for a reason, whether it is proposed. */
export function movesOf(card) {
  return (card.dataset.moves ?? "").split(" ").filter(Boolean).map((one) => {
    const [, value, to, asks, proposed] = /^([^>!*]+)(?:>([^!*]+))?(!?)(\*?)$/.exec(one);
    return { value, to, asks: asks !== "", proposed: proposed !== "" };
  });
}

/** What a transition is called. */
export function nameOf(card, { value, to }) {
  return value.startsWith("move:") ? words.moves[`${card.dataset.column}>${to}`] : words.verbs[value];
}

export const notPossible = () => words.stay;

async function send(card, transition) {
  const body = { request: "transition", item: card.dataset.id, expect: card.dataset.revision, ...transition };
  try {
    const answer = await fetch(`/api/v1/projects/${live.dataset.project}/requests`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": token },
      body: JSON.stringify({ body }),
    });
    const reply = await answer.json();
    if (answer.ok) {
      const { card: moved, notes } = reply.applied[0];
      say(notes?.length ? notes.join(" ") : `#${moved.handle}: ${words.verbs[transition.verb]}, now in ${words.columns[moved.column]} (${label(moved.status)})`);
    } else if (answer.status === 409 && reply.current) say(`${reply.message} #${reply.current.handle} is now in ${words.columns[reply.current.column]} (${label(reply.current.status)}).`);
    else say(reply.message);
  } catch {
    say("The node did not answer. The change may not have been made; reload the page to check.");
  }
  await refresh([card.dataset.id]);
}

/** Does it, once it has a reason where the rules want one. */
export async function perform(card, move) {
  const { value, asks } = move;
  const verb = value.startsWith("move:") ? "move" : value;
  const transition = verb === "move" ? { verb, to: value.slice(5) } : { verb };
  if (asks) {
    const reason = await askReason(card, move, verb);
    if (!reason) return;
    transition.reason = reason;
    // A start past what it waits for is one by force, as on the command line.
    if (verb === "start") transition.force = true;
  }
  await send(card, transition);
}

function askReason(card, move, verb) {
  const field = document.getElementById("ask-reason");
  const waits = card.querySelector(".wait")?.title;
  document.getElementById("ask-title").textContent = `${nameOf(card, move)}: #${card.dataset.handle} ${titleOf(card).textContent}`;
  document.getElementById("ask-why").textContent = [words.why[verb], verb === "start" && waits].filter(Boolean).join(" ");
  document.getElementById("ask-yes").textContent = nameOf(card, move);
  field.value = "";
  ask.returnValue = "";
  return new Promise((done) => {
    ask.onclose = () => {
      const reason = field.value.trim();
      if (ask.returnValue === "yes" && reason) return done(reason);
      titleOf(card).focus();
      done(null);
    };
    ask.showModal();
    field.focus();
  });
}

/* The menu. */

let shown = null;

function entry(text, about, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("role", "menuitem");
  button.tabIndex = -1;
  button.textContent = text;
  if (about) {
    const where = document.createElement("span");
    where.textContent = about;
    button.append(" ", where);
  }
  button.addEventListener("click", () => { const card = shown; closeMenu(); act(card); });
  return button;
}

/** Fills the menu for a card and shows it there. */
export function openMenu(card, at = card) {
  if (!menu) return;
  if (isMenuOpen()) menu.hidePopover();
  shown = card;
  // The proposed step comes first, then the pipeline in its order.
  const moves = movesOf(card).sort((a, b) => b.proposed - a.proposed);
  const entries = moves.map((move) => {
    const button = entry(nameOf(card, move), move.to && `→ ${words.columns[move.to]}`, () => perform(card, move));
    button.value = move.value;
    button.dataset.proposed = move.proposed;
    if (!move.to) button.classList.add("here");
    return button;
  });
  entries.push(entry(words.open, null, () => titleOf(card).click()));
  menu.setAttribute("aria-label", `Actions for #${card.dataset.handle}`);
  menu.replaceChildren(...entries);
  menu.showPopover();
  const box = at.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  const below = box.bottom + 4 + height < innerHeight;
  menu.style.top = `${Math.max(8, below ? box.bottom + 4 : Math.min(box.top - height - 4, innerHeight - height - 8))}px`;
  card.classList.add("chosen");
  // Where nothing is proposed nothing is chosen, and a press does nothing.
  (menu.querySelector('[data-proposed="true"]') ?? menu).focus();
}

export const isMenuOpen = () => menu?.matches(":popover-open") ?? false;

export function closeMenu() {
  if (isMenuOpen()) menu.hidePopover();
}

menu?.addEventListener("toggle", (event) => {
  if (event.newState === "open" || !shown) return;
  const card = shown;
  shown = null;
  card.classList.remove("chosen");
  if (menu.contains(document.activeElement) || document.activeElement === document.body) titleOf(card).focus();
});

menu?.addEventListener("keydown", (event) => {
  const all = [...menu.querySelectorAll("button")];
  const at = all.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? all.length - 1 : at - 1, j: at + 1, k: at < 0 ? all.length - 1 : at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Tab") { event.preventDefault(); closeMenu(); }
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  all[(next + all.length) % all.length].focus();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("a.do");
  const card = cardOf(opener);
  if (!card || !menu || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openMenu(card, opener);
});

document.addEventListener("contextmenu", (event) => {
  const card = cardOf(event.target);
  // Links keep the browser's own menu, which opens them in a tab.
  if (!card || !menu || event.shiftKey || event.target.closest("a")) return;
  event.preventDefault();
  openMenu(card, { getBoundingClientRect: () => new DOMRect(event.clientX, event.clientY, 180, 0) });
});
