// Dragging a card is a transition: while it is held, every column says which one a drop there would be, and what goes
// past the rules asks for a reason first.

import { cardOf, movesOf, nameOf, notPossible, perform, token } from "./menu.js";

let dragged = null;
let moves = [];

/** The column under the pointer, and the list in it that a drop would reach. */
function columnAt(target) {
  const column = target.closest?.(".column");
  return column && { column, name: (target.closest("ul.cards") ?? column.querySelector("ul.cards")).dataset.column };
}

const moveTo = (name) => moves.find((move) => move.to === name);

const headOf = (column) => column.querySelector("header");

/** Says at the head of a column what a drop there would be; the dots mean that it asks for a reason. */
function name(column, move) {
  headOf(column).dataset.into = nameOf(dragged, move) + (move.asks ? " …" : "");
}

function mark(over) {
  for (const column of document.querySelectorAll(".column")) column.classList.toggle("over", column === over);
}

document.addEventListener("dragstart", (event) => {
  const card = cardOf(event.target);
  if (!card || !token || !card.closest(".board")) return;
  dragged = card;
  moves = movesOf(card);
  event.dataTransfer.setData("text/plain", `#${card.dataset.handle}`);
  event.dataTransfer.effectAllowed = "move";
  card.classList.add("dragged");
  for (const column of document.querySelectorAll(".column")) {
    const lists = [...column.querySelectorAll("ul.cards")];
    const move = lists.map((list) => moveTo(list.dataset.column)).find(Boolean);
    const home = lists.some((list) => list.contains(card));
    column.classList.toggle("no", !move && !home);
    if (move) name(column, move);
    else if (!home) headOf(column).dataset.into = notPossible();
  }
});

document.addEventListener("dragover", (event) => {
  const at = dragged && columnAt(event.target);
  const move = at && moveTo(at.name);
  mark(move ? at.column : null);
  if (!move) return;
  name(at.column, move);
  event.preventDefault();
});

document.addEventListener("drop", (event) => {
  const at = dragged && columnAt(event.target);
  const move = at && moveTo(at.name);
  if (!move) return;
  event.preventDefault();
  perform(dragged, move);
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  moves = [];
  mark(null);
  for (const column of document.querySelectorAll(".column")) {
    column.classList.remove("no");
    delete headOf(column).dataset.into;
  }
});
