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
  if (document.querySelector(".dragged, .move[open], .verb[open], .edit[open], dialog[open]")) return true;
  const at = document.activeElement;
  if (at && live.contains(at) && at.matches("select, input:not([type=hidden]), textarea")) return true;
  return [...live.querySelectorAll("textarea, input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
}

/** Fetches the fragment again, now or once the user is not busy. */
export async function refresh() {
  if (!live) return;
  if (fetching) { again = true; return; }
  clearTimeout(due);
  due = null;
  if (busy()) { due = setTimeout(refresh, BUSY_MS); return; }
  fetching = true;
  try {
    const answer = await fetch(live.dataset.live, { headers: { accept: "text/html" } });
    const html = await answer.text();
    // A drag or a menu may have begun during the fetch: then fetch again afterwards.
    if (answer.ok && busy()) again = true;
    else if (answer.ok) swap(html);
    else if (answer.status === 404) say("This page no longer exists.");
  } catch {
    // Not reachable now; the next hello of the stream fetches again.
  } finally {
    fetching = false;
    if (again) { again = false; later(); }
  }
}

function swap(html) {
  const focused = document.activeElement?.closest?.("#live [data-handle]")?.dataset.id;
  const board = live.querySelector(".board");
  const across = board?.scrollLeft ?? 0;
  live.innerHTML = html;
  const now = live.querySelector(".board");
  if (now) now.scrollLeft = across;
  if (focused) live.querySelector(`[data-id="${CSS.escape(focused)}"] a.title`)?.focus({ preventScroll: true });
}

function later() {
  due ??= setTimeout(refresh, WAIT_MS);
}

function concerns(event) {
  const { project, item } = live.dataset;
  return (!project || event.project === project) && (!item || event.item === item);
}

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
    if (behind) later();
  } else if (message.type === "resync") {
    if (!live.dataset.project || message.project === live.dataset.project) later();
  } else if (message.type === "event") {
    if (message.event.project in known) known[message.event.project] = message.event.position;
    if (!concerns(message.event)) return;
    if (!message.event.backfill) announce(message.event);
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
