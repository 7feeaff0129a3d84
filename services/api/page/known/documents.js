// What is known of the documents: what the API has listed, moved on by events. Events may be repeated, late, or of
// an attempt that is over; a document never goes back within an attempt.

export const STATUSES = ["parsing_started", "parsing", "parsed", "embedding", "embedded", "failed"];
const rank = (status) => STATUSES.indexOf(status);
export const isDone = (status) => status === "embedded" || status === "failed";

const REMEMBERED = 20_000;
const LISTED = ["filename", "fileType", "size", "createdAt", "ownerId", "title", "language", "parentId", "priority"];
const COUNTS = [
  "pagesDone", "pageCount", "pagesRecognized", "embeddedCount", "chunkCount",
];
const PAGES = ["pagesFailed", "pagesGarbled"];
// The stage that a status is of, and whether it ends it.
const TIMES = {
  parsing_started: ["parsing", false],
  parsing: ["parsing", false],
  parsed: ["parsing", true],
  embedding: ["embedding", false],
  embedded: ["embedding", true],
};

export class Documents {
  constructor() {
    this.byId = new Map();
    this.seen = new Set();
    this.deleted = new Set();
  }

  // Somebody else is signed in.
  clear() {
    this.byId.clear();
    this.seen.clear();
    this.deleted.clear();
  }

  // A document as the API describes it. Returns whether it told anything new.
  describe(item) {
    const known = this.byId.get(item.documentId);
    if (this.deleted.has(item.documentId)) return false;
    if (known && isOlder(item.attempt, item.status, known)) {
      // Events went ahead of the list; what only the list knows is taken all the same.
      for (const key of LISTED) known[key] = item[key] ?? known[key];
      known.isPartial = false;
      return true;
    }
    const described = { pagesDone: null, ...item, isPartial: false };
    if (known?.attempt === item.attempt) {
      described.pagesDone = known.pagesDone;
      if (known.status === item.status) described.embeddedCount = most(known.embeddedCount, item.embeddedCount);
    }
    this.byId.set(item.documentId, described);
    return true;
  }

  // A status event. Returns "ignored", "progressed" (same status as before) or "moved".
  apply(event) {
    if (rank(event.status) < 0 || this.isRepeated(event.eventId)) return "ignored";
    const fromOutside = String(event.source).startsWith("webhook:");
    // Work that was under way may still report; a producer that uses an id again means a new document.
    if (this.deleted.has(event.documentId) && !fromOutside) return "ignored";
    this.deleted.delete(event.documentId);
    const known = this.byId.get(event.documentId);
    if (known && (isOlder(event.attempt, event.status, known) || isBehind(event, known))) return "ignored";
    const document = !known || event.attempt > known.attempt ? begun(event, known) : known;
    const moved = !known || known.status !== event.status || known !== document;
    this.byId.set(event.documentId, document);
    advance(document, event);
    return moved ? "moved" : "progressed";
  }

  remove(id) {
    this.deleted.add(id);
    if (this.deleted.size > REMEMBERED) this.deleted.delete(this.deleted.values().next().value);
    this.byId.delete(id);
  }

  // No longer shown, for whatever reason.
  forget(id) {
    this.byId.delete(id);
  }

  isRepeated(eventId) {
    if (this.seen.has(eventId)) return true;
    this.seen.add(eventId);
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value);
    return false;
  }
}

function isOlder(attempt, status, known) {
  if (attempt !== known.attempt) return attempt < known.attempt;
  return rank(status) < rank(known.status) || (isDone(known.status) && status !== known.status);
}

function isBehind(event, known) {
  if (event.attempt !== known.attempt || event.status !== known.status) return false;
  const { pagesDone, embeddedCount } = event.metadata ?? {};
  return count(pagesDone) < count(known.pagesDone) || count(embeddedCount) < count(known.embeddedCount);
}

const most = (a, b) => (Number.isFinite(a) && Number.isFinite(b) ? Math.max(a, b) : (a ?? b ?? null));

const count = (value) => (Number.isFinite(value) ? value : Infinity);

// A document at the start of an attempt, as far as its first event tells.
function begun(event, known) {
  return {
    documentId: event.documentId,
    filename: known?.filename ?? null,
    fileType: known?.fileType ?? null,
    size: known?.size ?? null,
    ownerId: known?.ownerId ?? event.ownerId ?? null,
    title: known?.title ?? null,
    createdAt: known?.createdAt ?? event.timestamp,
    // When it was created, only its first event tells; of others the API is asked.
    isPartial: known ? known.isPartial : event.attempt > 1 || event.status !== "parsing_started",
    ...Object.fromEntries(COUNTS.map((key) => [key, null])),
    error: null,
    ahead: null,
    secondsLeft: null,
    stages: {},
  };
}

function advance(document, event) {
  const metadata = event.metadata ?? {};
  document.status = event.status;
  document.attempt = event.attempt;
  document.message = event.message;
  document.updatedAt = event.timestamp;
  for (const key of ["filename", "fileType"]) if (typeof metadata[key] === "string") document[key] = metadata[key];
  for (const key of ["size", ...COUNTS]) if (Number.isFinite(metadata[key])) document[key] = metadata[key];
  for (const key of PAGES) if (Array.isArray(metadata[key])) document[key] = metadata[key];
  document.secondsLeft = Number.isFinite(metadata.secondsLeft) ? metadata.secondsLeft : null;
  // It goes on, so nothing is before it; what waits for its next stage is told by the list.
  document.ahead = null;
  document.stages = timesOf(document.stages ?? {}, event);
  if (event.status === "embedded") document.chunkCount = metadata.embeddingCount ?? document.chunkCount;
  if (event.status === "failed") {
    document.error = {
      message: String(metadata.error || event.message || "The document failed."),
      code: typeof metadata.code === "string" ? metadata.code : null,
      stage: metadata.stage ?? null,
      retryable: metadata.retryable === true,
    };
  }
}

// Start and end of each stage, as the API's list has them.
function timesOf(stages, { status, timestamp }) {
  const [stage, ends] = TIMES[status] ?? [];
  if (!stage) return Object.fromEntries(Object.entries(stages).map(([name, span]) => [name, ended(span, timestamp)]));
  return { ...stages, [stage]: { startedAt: stages[stage]?.startedAt ?? timestamp, endedAt: ends ? timestamp : null } };
}

const ended = (span, timestamp) => ({ ...span, endedAt: span?.endedAt ?? timestamp });
