// The history of a document, as the log has it.

import { readHistory } from "../api.js";
import { html } from "../parts/html.js";
import { usePages } from "../parts/pages.js";
import { LABELS } from "../parts/progress.js";
import { seen } from "../parts/words.js";

// moved: changes with each status, when there is more to tell
export function Timeline({ id, moved }) {
  const [{ items, cursor, isRead, trouble }, more] = usePages((from) => readHistory(id, from), moved);
  return html`
    <section aria-labelledby="timeline-heading">
      <h3 id="timeline-heading">History</h3>
      ${trouble && html`<p class="hint">${trouble}</p>`}
      ${isRead && !trouble && items.length === 0 && html`<p class="hint">The log keeps nothing of it any more.</p>`}
      <ol class="timeline">${items.map((event) => html`<${Event} key=${event.eventId} event=${event} />`)}</ol>
      ${cursor && html`<button type="button" onClick=${more}>More of its history</button>`}
    </section>
  `;
}

function Event({ event: { status, timestamp, message, source, attempt, metadata = {} } }) {
  const at = new Date(timestamp);
  return html`
    <li data-status=${status}>
      <time datetime=${timestamp} title=${at.toLocaleString()}>${at.toLocaleTimeString([], { hour12: false })}</time>
      <span class="label">${LABELS[status] ?? status}</span>
      <span class="said">${seen(metadata.error ?? message ?? "")}</span>
      <span class="hint">${source}${attempt > 1 ? `, attempt ${attempt}` : ""}</span>
    </li>
  `;
}
