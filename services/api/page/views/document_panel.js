// One document, opened: what is known of it, its history, and its chunks.

import { contentOf, readDocument } from "../api.js";
import { addressOf } from "../known/route.js";
import { html } from "../parts/html.js";
import { sentenceOf, timeLeftOf, timesOf } from "../parts/progress.js";
import { nameOf, plural, sizeOf, typeOf } from "../parts/words.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { Chunks } from "./chunks.js";
import { Timeline } from "./timeline.js";

export function DocumentPanel({ panel, id }) {
  const dialog = useRef(null);
  const [trouble, setTrouble] = useState("");
  const document = panel.documents.byId.get(id);
  useEffect(() => {
    dialog.current.showModal();
    readDocument(id).then((item) => panel.take(item)).catch((error) => setTrouble(error.message));
  }, [id]);
  const close = () => {
    location.hash = addressOf(panel.route.view);
  };
  return html`
    <dialog class="document" ref=${dialog} aria-labelledby="document-name" onClose=${close}
      onClick=${(event) => event.target === dialog.current && dialog.current.close()}>
      <div class="inside">
        <header>
          <h2 id="document-name"><bdi>${document ? nameOf(document) : id}</bdi></h2>
          <button type="button" class="quiet" autofocus onClick=${() => dialog.current.close()}>Close</button>
        </header>
        ${trouble && html`<p class="trouble" role="alert">${trouble}</p>`}
        ${document && html`<${Facts} document=${document} />`}
        ${document && html`<${Timeline} id=${id} moved=${`${document.attempt} ${document.status}`} />`}
        ${document && html`<${Chunks} id=${id} ready=${`${document.attempt} ${document.chunkCount ?? 0}`} />`}
      </div>
    </dialog>
  `;
}

function Facts({ document }) {
  const facts = factsOf(document).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return html`
    <p class=${document.status === "failed" ? "failure" : "now"}>${[sentenceOf(document), timeLeftOf(document)].filter(Boolean).join(" · ")}</p>
    <dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${document.size != null && html`
      <p><a class="button" href=${contentOf(document.documentId)} download=${document.filename ?? ""}>Download the original</a></p>`}
  `;
}

function factsOf(document) {
  const { pageCount, pagesRecognized, pagesFailed, pagesGarbled, error } = document;
  return [
    ["Title", document.title],
    ["Type", document.fileType && typeOf(document.fileType)],
    ["Size", Number.isFinite(document.size) ? sizeOf(document.size) : null],
    ["Language", document.language],
    ["Pages", pageCount],
    ["Recognised", pagesRecognized ? plural(pagesRecognized, "page") : null],
    ["Unreadable", pagesFailed?.length ? `pages ${pagesFailed.join(", ")}` : null],
    ["Text that is no text", pagesGarbled?.length ? `pages ${pagesGarbled.join(", ")}` : null],
    ["Chunks", document.chunkCount],
    ["Time", timesOf(document).join(", ")],
    ["Attempt", document.attempt > 1 ? document.attempt : null],
    ["Owner", document.ownerId],
    ["Code", error?.code],
    ["Attached to", document.parentId && html`<a href=${addressOf("documents", document.parentId)}>${document.parentId}</a>`],
    ["Uploaded", document.createdAt && new Date(document.createdAt).toLocaleString()],
    ["Id", html`<code>${document.documentId}</code>`],
    ["SHA-256", document.sha256 && html`<code>${document.sha256}</code>`],
  ];
}
