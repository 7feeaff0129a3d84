// One document in the list: its name, its stages, how long it takes, and what can be done with it.

import { isDone } from "../known/documents.js";
import { addressOf } from "../known/route.js";
import { CAN } from "../known/selection.js";
import { html } from "../parts/html.js";
import { LABELS, sentenceOf, timeLeftOf } from "../parts/progress.js";
import { agoOf, nameOf, plural, sizeOf, typeOf } from "../parts/words.js";
import { StageBars } from "./stage_bars.js";

export function DocumentRow({ panel, document, index, top, isActive, focused, choose }) {
  const id = document.documentId;
  const name = nameOf(document);
  const isChosen = panel.selection.ids.has(id);
  const notice = panel.notices.get(id);
  return html`
    <div class="row" role="row" aria-rowindex=${index + 1} aria-selected=${String(isChosen)} tabindex=${isActive ? 0 : -1}
      data-document-id=${id} data-status=${document.status} style=${{ transform: `translateY(${top}px)` }}
      onFocus=${() => focused(id)}>
      <span role="gridcell" class="choose">
        <input type="checkbox" tabindex="-1" aria-label=${`Choose ${name}`} checked=${isChosen}
          onClick=${(event) => choose(event.shiftKey)} />
      </span>
      <span role="gridcell" class="what">
        <a class="name" href=${addressOf("documents", id)} tabindex=${isActive ? 0 : -1} title=${name}><bdi>${name}</bdi></a>
        <span class="about">${aboutOf(document)}</span>
      </span>
      <span role="gridcell" class="way">
        <span class="badge">${LABELS[document.status] ?? document.status}</span>
        <${StageBars} document=${document} />
        <span class=${document.status === "failed" || notice ? "said failure" : "said"} title=${notice ?? sentenceOf(document)}>
          ${notice ?? sentenceOf(document)}${!notice && document.error?.code && document.status === "failed"
            ? html` <code>${document.error.code}</code>` : ""}</span>
      </span>
      <span role="gridcell" class="when"><${When} document=${document} /></span>
      <span role="gridcell" class="buttons">
        <${Actions} panel=${panel} document=${document} name=${name} isActive=${isActive} />
      </span>
    </div>
  `;
}

function When({ document }) {
  const left = isDone(document.status) ? "" : timeLeftOf(document);
  if (left) return left;
  const at = document.createdAt;
  return at ? html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${agoOf(at)}</time>` : "";
}

function Actions({ panel, document, name, isActive }) {
  const button = (kind, verb) => html`
    <button type="button" class=${kind} tabindex=${isActive ? 0 : -1} aria-label=${`${verb} ${name}`}
      onClick=${() => panel.act(kind, [document.documentId])}>${verb}</button>`;
  return html`
    ${document.status === "failed" && CAN.retry(document) && button("retry", "Retry")}
    ${CAN.cancel(document) && button("cancel", "Cancel")}
    ${button("delete", "Delete")}
  `;
}

function aboutOf(document) {
  const parts = [];
  if (document.fileType) parts.push(typeOf(document.fileType));
  if (Number.isFinite(document.size)) parts.push(sizeOf(document.size));
  if (document.pageCount > 0) parts.push(plural(document.pageCount, "page"));
  if (document.attempt > 1) parts.push(`attempt ${document.attempt}`);
  if (document.priority === "bulk") parts.push("in bulk");
  const unread = (document.pagesFailed?.length ?? 0) + (document.pagesGarbled?.length ?? 0);
  if (unread > 0) parts.push(`${plural(unread, "page")} unreadable`);
  return parts.join(" · ");
}
