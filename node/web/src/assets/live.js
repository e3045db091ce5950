// Keeps `#live` up to date: listens for events and fetches the page's fragment again when one is about it. The
// server renders everything.

const live = document.getElementById("live");
const toast = document.getElementById("toast");
const announcements = document.getElementById("announcements");
const WAIT_MS = 200;
const BUSY_MS = 1000;
const TOAST_MS = 8000;

let due = null;
let fetching = false;
let again = false;
let hideToast = null;

/** Shows a message for a while. */
export function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
}

/** Whether the user is dragging, choosing or typing: a refresh would lose that. */
function busy() {
  if (document.querySelector(".dragged, #menu:popover-open, .verb[open], .edit[open], .more-filters[open], dialog[open]")) return true;
  const at = document.activeElement;
  if (at && live.contains(at) && at.matches("select, input:not([type=hidden]), textarea")) return true;
  const touched = (field) => field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  return [...live.querySelectorAll("textarea, input:not([type=hidden])")].some(touched);
}

/** Ids of items that changed since the page was fetched; `null` when it must be fetched whole. */
let changed = new Set();
const MOST_CHANGED = 50;

/** Fetches what changed, now or once the user is not busy: the cards, or the whole fragment. */
export async function refresh(items = []) {
  if (!live) return;
  for (const id of items) changed?.add(id);
  if (fetching) { again = true; return; }
  clearTimeout(due);
  due = null;
  if (busy()) { due = setTimeout(() => refresh(), BUSY_MS); return; }
  const ids = live.dataset.cards && changed?.size && changed.size <= MOST_CHANGED ? [...changed] : null;
  changed = new Set();
  fetching = true;
  try {
    if (!ids || !await patch(ids)) await whole();
  } catch {
    // Not reachable now; the next hello of the stream fetches again.
    changed = null;
  } finally {
    fetching = false;
    if (again) { again = false; later(); }
  }
}

async function whole() {
  const answer = await fetch(live.dataset.live, { headers: { accept: "text/html" } });
  const html = await answer.text();
  // A drag or a menu may have begun during the fetch: then fetch again afterwards.
  if (answer.ok && busy()) { changed = null; again = true; }
  else if (answer.ok) swap(html);
  else if (answer.status === 404) say("This page no longer exists.");
}

/** Shows the page of another address of this board: the address bar changes, the head of the page stays. */
export async function go(address) {
  const { search } = new URL(address, location.href);
  history.replaceState(null, "", address);
  for (const part of ["live", "cards"]) live.dataset[part] = live.dataset[part].split("?")[0] + search;
  changed = null;
  await refresh();
}

function swap(html) {
  const focused = document.activeElement?.closest?.("#live [data-handle]")?.dataset.id;
  const board = live.querySelector(".board");
  const across = board?.scrollLeft ?? 0;
  const down = new Map([...live.querySelectorAll(".column")].map((column) => [column.className, column.querySelector(".scroll").scrollTop]));
  live.innerHTML = html;
  const now = live.querySelector(".board");
  if (now) now.scrollLeft = across;
  for (const column of live.querySelectorAll(".column")) column.querySelector(".scroll").scrollTop = down.get(column.className) ?? 0;
  if (focused) live.querySelector(`[data-id="${CSS.escape(focused)}"] a.title`)?.focus({ preventScroll: true });
}

/** Puts the cards of these items where they are now; whether the page is then as the server has it. */
async function patch(ids) {
  const answer = await fetch(`${live.dataset.cards}${live.dataset.cards.includes("?") ? "&" : "?"}ids=${ids.join(",")}`, { headers: { accept: "text/html" } });
  if (!answer.ok) return false;
  const news = document.createElement("template");
  news.innerHTML = await answer.text();
  if (busy()) { for (const id of ids) changed?.add(id); again = true; return true; }
  const place = (list) => live.querySelector(`ul.cards[data-list="${CSS.escape(list.dataset.list)}"]`);
  const lists = [...news.content.querySelectorAll("[data-list]")];
  if (lists.some((list) => !place(list)) || live.querySelectorAll("[data-list]").length !== lists.length) return false;
  const focused = document.activeElement?.closest?.("#live [data-handle]")?.dataset.id;
  const card = (id) => live.querySelector(`.card[data-id="${CSS.escape(id)}"]`)?.closest("li");
  const here = news.content.querySelectorAll(".card[data-id]");
  for (const id of new Set([...ids, ...[...here].map((one) => one.dataset.id)])) card(id)?.remove();
  for (const list of lists) {
    const into = place(list);
    for (const item of [...list.children]) {
      const before = item.dataset.after && card(item.dataset.after);
      if (item.dataset.after && before?.parentElement !== into) return false;
      if (before) before.after(item);
      else into.prepend(item);
    }
    const cards = into.querySelectorAll(":scope > li:not(.none)");
    const { total, shown } = list.dataset;
    for (const cut of [...cards].slice(Number(shown))) cut.remove();
    const hidden = live.querySelector(`[data-hidden="${CSS.escape(list.dataset.list)}"]`);
    if (cards.length < shown || (total !== shown) !== (hidden !== null)) return false;
    if (hidden) hidden.textContent = total - shown;
    live.querySelector(`[data-total="${CSS.escape(list.dataset.list)}"]`).textContent = total;
  }
  live.querySelector("[data-part=tabs]").replaceWith(news.content.querySelector("[data-part=tabs]"));
  if (focused && !document.activeElement?.closest?.("#live [data-handle]")) card(focused)?.querySelector("a.title").focus({ preventScroll: true });
  return true;
}

function later() {
  due ??= setTimeout(() => refresh(), WAIT_MS);
}

function concerns(event) {
  const { project, item } = live.dataset;
  return (!project || event.project === project) && (!item || event.item === item);
}

/** Events after which the whole fragment is fetched. */
const WHOLE = new Set(["deleted", "restored", "changed-by-merge"]);

const CHANGES = {
  "item-created": "was created",
  "holds-changed": "was put on hold or resumed",
  "claimed": "was claimed",
  "released": "was released",
  "commented": "has a new comment",
  "conflict-raised": "has a new conflict",
  "conflicts-settled": "has no conflicts any more",
  "deleted": "moved to the trash",
  "restored": "was restored",
};

function announce(event) {
  const { number, title, what } = event;
  const change = what.type === "stage-changed" ? `moved to ${what.to}` : CHANGES[what.type] ?? "changed";
  announcements.textContent = `#${number} ${title} ${change}`;
}

/** The feed positions of the page, by project, as the server wrote them into it. */
function rendered() {
  const { project, position, positions } = live.dataset;
  if (project) return { [project]: Number(position) };
  return Object.fromEntries((positions ?? "").split(",").filter(Boolean).map((pair) => {
    const [id, at] = pair.split(":");
    return [id, Number(at)];
  }));
}

let known = live ? rendered() : {};

function receive(message) {
  if (message.type === "hello") {
    const behind = Object.entries(known).some(([id, at]) => message.positions[id] !== undefined && message.positions[id] !== at);
    for (const id of Object.keys(known)) known[id] = message.positions[id] ?? known[id];
    if (behind) { changed = null; later(); }
  } else if (message.type === "resync") {
    if (!live.dataset.project || message.project === live.dataset.project) { changed = null; later(); }
  } else if (message.type === "event") {
    if (message.event.project in known) known[message.event.project] = message.event.position;
    if (!concerns(message.event)) return;
    if (!message.event.backfill) announce(message.event);
    // What is in the trash, or has left an epic, counts for cards that no longer name it.
    if (WHOLE.has(message.event.what.type) || message.event.what.field === "epic") changed = null;
    changed?.add(message.event.item);
    later();
  }
}

function listenThroughWorker() {
  const worker = new SharedWorker("/assets/worker.js", { name: "towline" });
  worker.port.onmessage = ({ data }) => receive(data);
  worker.port.start();
  worker.port.postMessage("hello");
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) worker.port.postMessage("hello"); });
}

// Without a shared worker each tab has its own stream, and closes it while the tab is hidden.
function listenAlone() {
  let source = null;
  const open = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("hello", (event) => receive({ type: "hello", positions: JSON.parse(event.data).positions }));
    source.addEventListener("resync", (event) => receive({ type: "resync", ...JSON.parse(event.data) }));
    source.onmessage = (event) => receive({ type: "event", event: JSON.parse(event.data) });
  };
  const turn = () => {
    if (document.hidden) { source?.close(); source = null; }
    else if (!source || source.readyState === EventSource.CLOSED) open();
  };
  document.addEventListener("visibilitychange", turn);
  turn();
}

if (live) {
  if ("SharedWorker" in window) listenThroughWorker();
  else listenAlone();
}
