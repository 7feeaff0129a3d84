// What was read of a document: its chunks, by page.

import { readChunks } from "../api.js";
import { html } from "../parts/html.js";
import { usePages } from "../parts/pages.js";
import { pagesOf, plural } from "../parts/words.js";

// ready: changes when there are others
export function Chunks({ id, ready }) {
  const [{ items, cursor, isRead, trouble }, more] = usePages((from) => readChunks(id, from), ready);
  return html`
    <section aria-labelledby="chunks-heading">
      <h3 id="chunks-heading">Text</h3>
      ${trouble && html`<p class="hint">${trouble}</p>`}
      ${isRead && !trouble && items.length === 0 && html`<p class="hint">Nothing was read of it yet.</p>`}
      <ol class="chunks">${items.map((chunk, at) => html`<${Chunk} key=${chunk.index} chunk=${chunk} before=${items[at - 1]} />`)}</ol>
      ${cursor && html`<button type="button" onClick=${more}>More of its text</button>`}
    </section>
  `;
}

function Chunk({ chunk, before }) {
  const isOfAnotherPage = chunk.pageStart !== null && chunk.pageStart !== before?.pageStart;
  return html`
    <li>
      ${isOfAnotherPage && html`<h4>${pagesOf(chunk.pageStart, chunk.pageEnd)}</h4>`}
      ${chunk.headings?.length > 0 && html`<p class="path"><bdi>${chunk.headings.join(" › ")}</bdi></p>`}
      <p class="text" dir="auto">${chunk.text}</p>
      <p class="hint">${plural(chunk.tokenCount, "token")}${chunk.recognized ? html` · <span class="badge">recognised</span>` : ""}</p>
    </li>
  `;
}
