// Selecting rows of a list: by the letter x, with all between by the shift key, and all of them at once. The form
// works without this.

let last = null;

const boxOf = (row) => row?.querySelector("input[name=item]");
const boxes = () => [...document.querySelectorAll("table.list input[name=item]")];

/** Selects a row, or no longer. */
export function pick(row) {
  const box = boxOf(row);
  if (!box) return;
  box.checked = !box.checked;
  last = box;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("table.list input[name=item]");
  if (!box) return;
  const all = boxes();
  if (event.shiftKey && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const between of all.slice(from, to + 1)) between.checked = box.checked;
  }
  last = box;
});

document.addEventListener("change", (event) => {
  if (!event.target.matches?.("form.many .every")) return;
  for (const box of boxes()) box.checked = event.target.checked;
});
