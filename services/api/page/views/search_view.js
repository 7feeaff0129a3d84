// The search box and what was found.

import { search } from "../api.js";
import { addressOf } from "../known/route.js";
import { html } from "../parts/html.js";
import { pagesOf, plural, seen } from "../parts/words.js";
import { useRef, useState } from "../vendor/hooks.js";

const LONG = 420;
const MODES = [["hybrid", "Meaning and words"], ["semantic", "Meaning"], ["words", "Words"]];

export function SearchView({ hidden }) {
  const [found, setFound] = useState({ items: [], sentence: "", hasFailed: false });
  const newest = useRef(0);
  const form = useRef(null);
  async function submit(event) {
    event?.preventDefault();
    const text = form.current.elements.query.value.trim();
    if (!text) return;
    const mine = (newest.current += 1);
    setFound((before) => ({ ...before, sentence: "Searching", hasFailed: false }));
    const answer = await ask(text, form.current.elements.mode.value);
    // A slow answer must not replace that of a later question.
    if (mine === newest.current) setFound((before) => ({ ...before, ...answer }));
  }
  return html`
    <section class="search" aria-label="Search" hidden=${hidden}>
      <form id="search" role="search" ref=${form} onSubmit=${submit}>
        <label for="query">What are you looking for?</label>
        <div class="field">
          <input id="query" name="query" type="search" required maxlength="10000" autocomplete="off"
            placeholder="A sentence or a few words" />
          <select name="mode" aria-label="By" onChange=${submit}>
            ${MODES.map(([mode, label]) => html`<option value=${mode}>${label}</option>`)}
          </select>
          <button type="submit" class="primary">Search</button>
        </div>
      </form>
      <p id="search-state" class=${found.hasFailed ? "hint failure" : "hint"} role="status">${found.sentence}</p>
      <ol id="results" class="results">
        ${found.items.map((item) => html`<${Result} key=${`${item.documentId} ${item.chunkIndex}`} item=${item} />`)}
      </ol>
    </section>
  `;
}

async function ask(text, mode) {
  try {
    const { items } = await search(text, mode);
    return { items, sentence: items.length ? plural(items.length, "result") : "Nothing was found." };
  } catch (error) {
    return { sentence: error.message, hasFailed: true };
  }
}

function Result({ item }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = item.text.length > LONG;
  const name = seen(item.filename || item.documentId);
  const where = [pagesOf(item.pageStart, item.pageEnd), (item.headings ?? []).join(" › ")].filter(Boolean);
  return html`
    <li class="card result" data-document-id=${item.documentId}>
      <div class="head">
        <h2><a class="name" href=${addressOf("search", item.documentId)} title=${name}><bdi>${name}</bdi></a></h2>
        <span class="score" title=${sides(item)}>${Number(item.score).toFixed(2)}</span>
      </div>
      ${where.length > 0 && html`<p class="meta"><bdi>${where.join(" · ")}</bdi></p>`}
      <p class=${isLong && !isWhole ? "text clipped" : "text"} dir="auto">${marked(item)}</p>
      ${isLong && html`
        <button type="button" class="quiet" aria-expanded=${String(isWhole)} onClick=${() => setWhole(!isWhole)}>
          ${isWhole ? "Show less" : "Show all"}</button>`}
    </li>
  `;
}

// What the score is made of, where the server tells.
function sides(item) {
  const near = typeof item.cosine === "number" ? `Cosine similarity ${item.cosine.toFixed(2)}` : "";
  const words = typeof item.words === "number" ? `words ${item.words.toFixed(1)}` : "";
  return [near, words].filter(Boolean).join(", ");
}

// Offsets count code points, and strings are made of UTF-16.
function marked({ text, highlights = [] }) {
  const points = Array.from(text);
  const parts = [];
  let end = 0;
  for (const [start, stop] of highlights) {
    parts.push(points.slice(end, start).join(""), html`<mark>${points.slice(start, stop).join("")}</mark>`);
    end = stop;
  }
  return [...parts, points.slice(end).join("")];
}
