// The stages of a document as bars side by side, each as full as it is done.

import { partsOf } from "../parts/progress.js";
import { html } from "../parts/html.js";
import { nameOf } from "../parts/words.js";

const SPOKEN = { done: "done", current: "now", waiting: "waits", failed: "failed here", ahead: "still to come" };

export function StageBars({ document }) {
  return html`
    <span class="bars" role="img" aria-label=${`Stages of ${nameOf(document)}: ${partsOf(document).map(spoken).join(", ")}`}>
      ${partsOf(document).map(({ stage, state, share }) => html`
        <span key=${stage} class="bar" data-stage=${stage} data-state=${state} data-share=${share === null ? "unknown" : "known"}>
          <span class="full" style=${{ transform: `scaleX(${share ?? (state === "failed" ? 1 : 0)})` }}></span>
        </span>`)}
    </span>
  `;
}

const spoken = ({ label, state }) => `${label.toLowerCase()} ${SPOKEN[state]}`;
