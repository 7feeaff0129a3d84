// The list: a row for each document, of which only those are built that can be seen. A grid to keyboards and screen
// readers: arrows go from row to row, space chooses, Enter opens, Delete deletes.

import { addressOf } from "../known/route.js";
import { html } from "../parts/html.js";
import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { DocumentRow } from "./document_row.js";

const BEYOND = 8;
const NEAR_THE_END = 40;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

export function DocumentList({ panel, rows, hidden }) {
  const root = useRef(null);
  const [height, first, last] = useWindow(root, rows.length, hidden);
  const [active, setActive] = useActive(rows, root, height);
  useEffect(() => {
    if (panel.list.hasMore && last >= rows.length - NEAR_THE_END) panel.list.more();
  }, [last, rows.length]);
  const shown = new Set(Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index));
  if (active.index >= 0) shown.add(active.index); // else the focus would be lost by scrolling
  return html`
    <div id="documents" class="rows" role="grid" aria-label="Documents" aria-rowcount=${panel.list.hasMore ? -1 : rows.length}
      aria-multiselectable="true" ref=${root} style=${{ height: `${rows.length * height}px` }}
      onKeyDown=${(event) => pressed(event, panel, rows, active, setActive)}>
      ${[...shown].sort((a, b) => a - b).map((index) => html`
        <${DocumentRow} key=${rows[index].documentId} panel=${panel} document=${rows[index]} index=${index} top=${index * height}
          isActive=${index === Math.max(active.index, 0)} focused=${(id) => setActive(id, false)}
          choose=${(isRange) => choose(panel, rows, rows[index].documentId, isRange)} />`)}
    </div>
  `;
}

function pressed(event, panel, rows, active, setActive) {
  const at = Math.max(active.index, 0);
  const id = rows[at]?.documentId;
  if (event.target.matches("button, a") && (event.key === "Enter" || event.key === " ")) return;
  if (event.key in STEPS) {
    const to = Math.min(Math.max(at + STEPS[event.key], 0), rows.length - 1);
    setActive(rows[to].documentId, true);
  } else if (event.key === " ") choose(panel, rows, id, event.shiftKey);
  else if (event.key === "Enter") location.hash = addressOf("documents", id);
  else if (event.key === "Delete") panel.act("delete", panel.selection.ids.size ? [...panel.selection.ids] : [id]);
  else return;
  event.preventDefault();
}

function choose(panel, rows, id, isRange) {
  if (isRange) panel.selection.extend(id, rows.map((one) => one.documentId));
  else panel.selection.toggle(id);
  panel.changed();
}

// The height of a row, as the style has it, and the first and the last row that are in sight.
function useWindow(root, count, hidden) {
  const [seen, setSeen] = useState([48, 0, 30]);
  useLayoutEffect(() => {
    const look = () => {
      if (!root.current || hidden) return;
      const height = Number.parseFloat(getComputedStyle(root.current).getPropertyValue("--row")) || 48;
      const top = root.current.getBoundingClientRect().top;
      const first = Math.max(0, Math.floor(-top / height) - BEYOND);
      const last = Math.ceil((innerHeight - top) / height) + BEYOND;
      setSeen((before) => (before[0] === height && before[1] === first && before[2] === last ? before : [height, first, last]));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [hidden]);
  const last = Math.min(seen[2], count);
  return [seen[0], Math.min(seen[1], last), last];
}

// The row that has the focus, or had it last. When its document goes, the one in its place has it.
function useActive(rows, root, height) {
  const [id, setId] = useState(null);
  const wanted = useRef(false);
  const place = useRef(-1);
  const found = id === null ? -1 : rows.findIndex((one) => one.documentId === id);
  const index = id === null ? -1 : found >= 0 ? found : Math.min(place.current, rows.length - 1);
  useLayoutEffect(() => {
    const isGone = id !== null && found < 0;
    if (isGone) setId(rows[index]?.documentId ?? null);
    // A focused row that is taken out drops the focus to the page itself.
    if (wanted.current || (isGone && document.activeElement === document.body)) focusRow(root.current, index, height);
    wanted.current = false;
    place.current = index;
  });
  const set = (next, hasToMove) => {
    wanted.current = hasToMove;
    setId(next);
  };
  return [{ id, index }, set];
}

function focusRow(grid, index, height) {
  const row = grid?.querySelector(`[aria-rowindex="${index + 1}"]`);
  if (!row) return;
  row.focus({ preventScroll: true });
  const head = 120; // the bars that stay on top
  const { top, bottom } = row.getBoundingClientRect();
  if (top < head) scrollBy(0, top - head);
  else if (bottom > innerHeight) scrollBy(0, bottom - innerHeight + height);
}
