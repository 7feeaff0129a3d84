// The files that are on their way, and those that did not arrive: a line each, as far as people can read them.

import { html } from "../parts/html.js";
import { plural, seen, sizeOf } from "../parts/words.js";

const MOST_LINES = 6;
const ORDER = ["failed", "sending", "note", "waiting"];

export function UploadList({ uploads }) {
  if (!uploads.entries.length) return null;
  const inOrder = [...uploads.entries].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const more = inOrder.length - MOST_LINES;
  return html`
    <div class="uploads">
      <${Summary} uploads=${uploads} />
      <ul id="uploads" aria-label="Uploads">
        ${inOrder.slice(0, MOST_LINES).map((entry) => html`<${Line} key=${entry.key} uploads=${uploads} entry=${entry} />`)}
      </ul>
      ${more > 0 && html`<p class="hint">and ${plural(more, "more file")}</p>`}
    </div>
  `;
}

function Summary({ uploads }) {
  const { failed, entries, started, taken } = uploads;
  if (entries.length < 2) return null;
  const ended = entries.filter(({ state }) => state === "failed" || state === "note");
  return html`
    <p class="summary">
      <span role="status">${taken} of ${plural(started, "file")} taken${failed.length > 0 ? `, ${failed.length} not` : ""}</span>
      ${failed.filter(({ mayPass }) => mayPass).length > 1 && html`<button type="button" onClick=${() => uploads.again(failed)}>Try all again</button>`}
      ${ended.length > 1 && html`<button type="button" class="quiet" onClick=${() => uploads.dismiss(ended)}>Dismiss all</button>`}
    </p>
  `;
}

function Line({ uploads, entry }) {
  const { file, state, sentence } = entry;
  const name = seen(file.name);
  const isOver = state === "failed" || state === "note";
  return html`
    <li class=${state === "failed" ? "failure" : state}>
      <bdi class="name" title=${name}>${name}</bdi>
      ${!isOver && html`<progress max=${entry.total || 1} value=${entry.sent} aria-label=${`Uploading ${name}`}></progress>`}
      <span class="state" role=${isOver ? (state === "failed" ? "alert" : "status") : null}>${sentence || stateOf(entry)}</span>
      <span class="buttons">
        ${state === "failed" && entry.mayPass && html`
          <button type="button" aria-label=${`Upload ${name} again`} onClick=${() => uploads.again([entry])}>Try again</button>`}
        ${isOver && html`
          <button type="button" class="quiet" aria-label=${`Dismiss the message about ${name}`}
            onClick=${() => uploads.dismiss([entry])}>Dismiss</button>`}
      </span>
    </li>
  `;
}

function stateOf({ state, sent, total }) {
  if (state === "waiting") return `waiting · ${sizeOf(total)}`;
  return sent < total ? `${Math.floor((100 * sent) / total)} %` : "being taken in";
}
