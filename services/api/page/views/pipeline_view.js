// What waits and runs in each lane of each stage, for operators. Asked for as events come, never by the clock.

import { readPipeline } from "../api.js";
import { html } from "../parts/html.js";
import { spanOf } from "../parts/words.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { DeadLetters } from "./dead_letters.js";

const AT_MOST_EVERY_MS = 1500;
const HEADS = ["Stage", "Lane", "Waiting", "Running", "Oldest waits", "A minute", "Workers"];
const NAMES = { parse: "Parsing", ocr: "Recognition", embed: "Embedding" };

export function PipelineView({ panel }) {
  const [pipeline, trouble, again] = usePipeline(panel.eventsHeard);
  return html`
    <section class="pipeline" aria-label="Pipeline">
      <p class="bar"><button type="button" onClick=${again}>Look again</button> ${trouble && html`<span class="failure">${trouble}</span>`}</p>
      ${pipeline && html`<${Lanes} stages=${pipeline.stages ?? []} /><${Log} pipeline=${pipeline} />`}
      <${DeadLetters} when=${JSON.stringify(pipeline?.deadLetters ?? null)} />
    </section>
  `;
}

function usePipeline(eventsHeard) {
  const [known, setKnown] = useState([null, ""]);
  const due = useRef(null);
  const again = async () => {
    try {
      setKnown([await readPipeline(), ""]);
    } catch (error) {
      setKnown(([before]) => [before, error.message]);
    }
  };
  useEffect(() => {
    due.current ??= setTimeout(() => {
      due.current = null;
      again();
    }, known[0] ? AT_MOST_EVERY_MS : 0);
  }, [eventsHeard]);
  useEffect(() => () => clearTimeout(due.current), []);
  return [...known, again];
}

function Lanes({ stages }) {
  const rows = stages.flatMap(({ name, stage, workers, lanes = [] }) => lanes.map((lane) => ({ stage: name ?? stage, workers, ...lane })));
  return html`
    <div class="scrolls" role="region" aria-label="Stages and their lanes" tabindex="0">
      <table>
        <thead><tr>${HEADS.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
        <tbody>${rows.map((row) => html`<${Row} key=${`${row.stage} ${row.lane}`} row=${row} />`)}</tbody>
      </table>
    </div>
  `;
}

function Row({ row }) {
  return html`
    <tr data-waits=${row.waiting > 0 ? "yes" : "no"}>
      <th scope="row">${NAMES[row.stage] ?? row.stage}</th>
      <td>${row.lane ?? row.name}</td>
      <td>${numberOf(row.waiting)}</td>
      <td>${numberOf(row.running)}</td>
      <td>${Number.isFinite(row.oldestWaiting) ? spanOf(row.oldestWaiting) : "–"}</td>
      <td>${Number.isFinite(row.rate) ? numberOf(Math.round(row.rate * 60)) : "–"}</td>
      <td>${numberOf(row.workers)}</td>
    </tr>
  `;
}

function Log({ pipeline }) {
  const lag = pipeline.projectionLag ?? pipeline.lag;
  return html`
    <p class="hint">Dead letters: ${numberOf(pipeline.deadLetters)} · end of the log: ${pipeline.logEnd ?? "–"} ·
      the list is ${Number.isFinite(lag) ? `${numberOf(lag)} events` : "an unknown number of events"} behind it</p>
  `;
}

const numberOf = (value) => (Number.isFinite(value) ? value.toLocaleString("en") : "–");
