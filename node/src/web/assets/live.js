// Keeps `#live` true: listens for events and fetches the page's fragment again when one concerns it.
// The server renders; nothing here guesses what a page will look like.

const live = document.getElementById("live");
const toast = document.getElementById("toast");
const news = document.getElementById("news");
const WAIT_MS = 200;
const BUSY_MS = 1000;
const TOAST_MS = 8000;

let due = null;
let fetching = false;
let again = false;
let hideToast = null;

/** Says something to everybody, for a while. */
export function say(text) {
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
}

/** Somebody who is dragging, choosing or writing must not lose what they are at. */
function busy() {
  if (document.querySelector(".dragged, .move[open], .verb[open], dialog[open]")) return true;
  const at = document.activeElement;
  if (at && live.contains(at) && at.matches("select, input:not([type=hidden]), textarea")) return true;
  return [...live.querySelectorAll("textarea, input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
}

/** Fetches the fragment anew, at once or when nobody is in the middle of something. */
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
    // A drag or a menu may have begun while the answer was on its way: then it is fetched again afterwards.
    if (answer.ok && busy()) again = true;
    else if (answer.ok) swap(html);
    else if (answer.status === 404) say("This is not here any more.");
  } catch {
    // Not reachable just now; the stream's next hello fetches again.
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

function tell(event) {
  const { number, title, what } = event;
  const change = what.type === "stage-changed" ? `is in ${what.to} now` : what.type.replaceAll("-", " ");
  news.textContent = `#${number} ${title} ${change}`;
}

/** How far the page is, by project, from what the server wrote into it. */
function rendered() {
  const { project, position, positions } = live.dataset;
  if (project) return { [project]: Number(position) };
  return Object.fromEntries((positions ?? "").split(",").filter(Boolean).map((pair) => {
    const [id, at] = pair.split(":");
    return [id, Number(at)];
  }));
}

let known = live ? rendered() : {};

function heard(message) {
  if (message.type === "hello") {
    const behind = Object.entries(known).some(([id, at]) => message.positions[id] !== undefined && message.positions[id] !== at);
    for (const id of Object.keys(known)) known[id] = message.positions[id] ?? known[id];
    if (behind) later();
  } else if (message.type === "resync") {
    if (!live.dataset.project || message.project === live.dataset.project) later();
  } else if (message.type === "event") {
    if (message.news.project in known) known[message.news.project] = message.news.position;
    if (!concerns(message.news)) return;
    if (!message.news.backfill) tell(message.news);
    later();
  }
}

function listenThroughWorker() {
  const worker = new SharedWorker("/assets/worker.js", { name: "towline" });
  worker.port.onmessage = ({ data }) => heard(data);
  worker.port.start();
  worker.port.postMessage("hello");
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) worker.port.postMessage("hello"); });
}

// Without a shared worker each tab has its own stream, and gives it up while nobody looks.
function listenAlone() {
  let source = null;
  const open = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("hello", (event) => heard({ type: "hello", positions: JSON.parse(event.data).positions }));
    source.addEventListener("resync", (event) => heard({ type: "resync", ...JSON.parse(event.data) }));
    source.onmessage = (event) => heard({ type: "event", news: JSON.parse(event.data) });
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
