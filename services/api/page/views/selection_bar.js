// What can be done with the documents that are chosen, or with all that the filter shows.

import { countBulk } from "../api.js";
import { bulkOf } from "../known/filter.js";
import { html } from "../parts/html.js";
import { plural } from "../parts/words.js";
import { useState } from "../vendor/hooks.js";

const VERBS = [["retry", "Retry"], ["cancel", "Cancel"], ["delete", "Delete"]];

export function SelectionBar({ panel, rows }) {
  const [asked, setAsked] = useState(null);
  const { selection, list } = panel;
  const ids = rows.map((one) => one.documentId);
  const chosen = selection.ids.size;
  if (asked) return html`<${Question} panel=${panel} asked=${asked} close=${() => setAsked(null)} />`;
  if (!chosen) return null;
  const hasAll = chosen === ids.length;
  const isAllOfMany = hasAll && list.hasMore;
  return html`
    <div class="selection" role="toolbar" aria-label="Chosen documents">
      <span>${plural(chosen, "document")} chosen</span>
      ${VERBS.map(([kind, verb]) => html`
        <button type="button" class=${kind === "delete" ? "danger" : ""} disabled=${!panel.canDo(kind, selection.ids).length}
          onClick=${() => panel.act(kind, selection.ids)}>${verb}</button>`)}
      ${!hasAll && html`<button type="button" class="quiet" onClick=${() => all(panel, ids)}>Choose all that are shown</button>`}
      ${isAllOfMany && html`
        <span class="every">Of all that match, however many:
          ${VERBS.map(([kind, verb]) => html`
            <button type="button" onClick=${() => ask(panel, kind, verb, setAsked)}>${verb} all</button>`)}</span>`}
      <button type="button" class="quiet" onClick=${() => clear(panel)}>Choose none</button>
    </div>
  `;
}

function all(panel, ids) {
  panel.selection.all(ids);
  panel.changed();
}

function clear(panel) {
  panel.selection.clear();
  panel.changed();
}

async function ask(panel, kind, verb, setAsked) {
  try {
    const { matched } = await countBulk(kind, bulkOf(panel.list.filter, new Date().toISOString()));
    setAsked({ kind, verb, matched });
  } catch (error) {
    panel.say(error.message);
  }
}

// A bulk call can't be taken back, so it is asked for with its number.
function Question({ panel, asked: { kind, verb, matched }, close }) {
  const answered = async () => {
    close();
    try {
      await panel.actOnAll(kind);
    } catch (error) {
      panel.say(error.message);
    }
  };
  return html`
    <div class="selection question" role="alertdialog" aria-label=${`${verb} all`}>
      <span>${verb} ${plural(matched, "document")}?</span>
      <button type="button" class="danger" disabled=${!matched} onClick=${answered}>${verb}</button>
      <button type="button" class="quiet" autofocus onClick=${close}>Leave them</button>
    </div>
  `;
}
