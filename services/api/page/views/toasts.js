// What was just done and can be taken back, and bulk calls on their way.

import { html } from "../parts/html.js";
import { nameOf, plural } from "../parts/words.js";
import { useEffect } from "../vendor/hooks.js";

const VERBS = { retry: ["Retrying", "Retried"], cancel: ["Cancelling", "Cancelled"], delete: ["Deleting", "Deleted"] };

export function Toasts({ panel }) {
  const { pending } = panel.deletions;
  useUndoKey(panel);
  return html`
    <div class="toasts" role="status">
      ${pending && html`
        <p class="toast" id="undo">
          <span>${deletedSentence(panel, pending.ids)}</span>
          <button type="button" onClick=${() => panel.deletions.undo()}>Undo</button>
        </p>`}
      ${[...panel.operations.byId.values()].map((one) => html`<${Operation} key=${one.operationId} operation=${one} />`)}
    </div>
  `;
}

function deletedSentence(panel, ids) {
  const known = ids.length === 1 && panel.documents.byId.get(ids[0]);
  return html`Deleted ${known ? html`<bdi>${nameOf(known)}</bdi>` : plural(ids.length, "document")}`;
}

function Operation({ operation: { kind, done, matched, ended } }) {
  const [running, over] = VERBS[kind] ?? [kind, kind];
  return html`
    <p class="toast operation">
      <span>${ended ? over : running} ${done} of ${plural(matched, "document")}</span>
      ${!ended && html`<progress max=${matched || 1} value=${done} aria-label=${running}></progress>`}
    </p>
  `;
}

// As everywhere: Ctrl or Command with Z, but in a field, which has an undo of its own.
function useUndoKey(panel) {
  useEffect(() => {
    const pressed = (event) => {
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches?.("input, textarea")) return;
      if (panel.deletions.undo().length) event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [panel]);
}
