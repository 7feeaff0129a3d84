// How far a document is: its stages, how much of each is done, and the same in words.

import { leftOf, plural, seen, spanOf } from "./words.js";

const STAGES = [
  { stage: "parsing", label: "Parsed", verb: "parse", of: (one) => [one.pagesDone, one.pageCount] },
  { stage: "embedding", label: "Embedded", verb: "embed", of: (one) => [one.embeddedCount, one.chunkCount] },
];
// Which stage a status is in, and whether work on it has begun.
const PLACES = {
  parsing_started: [0, false],
  parsing: [0, true],
  parsed: [1, false],
  embedding: [1, true],
  embedded: [2, true],
};

export const LABELS = {
  parsing_started: "Started",
  parsing: "Parsing",
  parsed: "Parsed",
  embedding: "Embedding",
  embedded: "Embedded",
  failed: "Failed",
};

// One part for each stage: its name, "done", "current", "waiting", "failed" or "ahead", and from 0 to 1 (or null).
export function partsOf(document) {
  const [at, begun] = placeOf(document);
  return STAGES.map(({ stage, label, of }, index) => {
    if (index !== at) return { stage, label, state: index < at ? "done" : "ahead", share: index < at ? 1 : 0 };
    const state = document.status === "failed" ? "failed" : begun ? "current" : "waiting";
    return { stage, label, state, share: shareOf(...of(document)) };
  });
}

function placeOf(document) {
  if (document.status !== "failed") return PLACES[document.status] ?? [0, false];
  const failedIn = { upload: 0, parsing: 0, recognition: 0, embedding: 1 }[document.error?.stage];
  return [failedIn ?? (document.chunkCount ? 1 : 0), true];
}

function shareOf(done, total) {
  return Number.isFinite(done) && total > 0 ? Math.min(done / total, 1) : null;
}

// A sentence for people.
export function sentenceOf(document) {
  const { status, pagesDone, pageCount, embeddedCount, chunkCount } = document;
  if (status === "failed") return seen(document.error?.message || document.message || "The document failed.");
  if (status === "parsing_started") return waiting("Waits to be parsed", document, "page");
  if (status === "parsing") {
    return pageCount > 0 && Number.isFinite(pagesDone) ? `Parsing, ${pagesDone} of ${plural(pageCount, "page")}` : "Parsing";
  }
  if (status === "parsed") return waiting("Waits to be embedded", document, "chunk");
  if (status === "embedding") {
    return chunkCount > 0 ? `Embedding, ${embeddedCount ?? 0} of ${plural(chunkCount, "chunk")}` : "Embedding";
  }
  return [plural(chunkCount ?? 0, "chunk"), ...timesOf(document)].join(" · ");
}

function waiting(sentence, { ahead }, unit) {
  return ahead > 0 ? `${sentence} · ${plural(ahead, unit)} before it` : sentence;
}

// How long each stage took.
export function timesOf({ stages = {} }) {
  return STAGES.flatMap(({ stage, verb }) => {
    const { startedAt, endedAt } = stages[stage] ?? {};
    const seconds = (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
    return seconds >= 0 ? [`${verb} ${spanOf(seconds)}`] : [];
  });
}

export const timeLeftOf = (document) => leftOf(document.secondsLeft);
