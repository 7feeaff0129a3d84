// Made by scripts/generate.mjs from contracts/schemas/StreamEvents.json: change that, and make this again.

/**
 * The reason why a document failed, for programs.
 */
export type FailureCode =
  | "unsupported_type"
  | "empty_document"
  | "no_text_layer"
  | "encrypted"
  | "corrupt"
  | "too_large"
  | "parse_timeout"
  | "parse_memory"
  | "parser_crashed"
  | "embedder_crashed"
  | "delivery_limit"
  | "cancelled"
  | "internal";

/**
 * The data of each event of the stream, by the event's name.
 */
export interface StreamEvents {
  connected: Connected;
  heartbeat: Heartbeat;
  document_processing:
    ParsingStartedEvent | ParsingEvent | ParsedEvent | EmbeddingEvent | EmbeddedEvent | FailedEvent;
  document_deleted: DocumentDeleted;
  operation: OperationProgress;
  reset: Reset;
  reconnect: Reconnect;
}
/**
 * The first event of a connection; ``position`` is where it starts.
 */
export interface Connected {
  clientId: string;
  serverTime: string;
  position: string;
  [k: string]: unknown;
}
/**
 * The connection lives.
 */
export interface Heartbeat {
  serverTime: string;
  [k: string]: unknown;
}
/**
 * A document was taken, and waits to be parsed.
 */
export interface ParsingStartedEvent {
  eventId: string;
  documentId: string;
  status: "parsing_started";
  message: string;
  metadata: ParsingStartedMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * ``file_type`` is a media type, ``size`` in bytes.
 */
export interface ParsingStartedMetadata {
  filename?: string | null;
  fileType?: string | null;
  size?: number | null;
  [k: string]: unknown;
}
/**
 * A document is being parsed; told again with progress.
 */
export interface ParsingEvent {
  eventId: string;
  documentId: string;
  status: "parsing";
  message: string;
  metadata: ParsingMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * How far the parser is, in pages; ``pages_recognized`` are those of them by OCR.
 */
export interface ParsingMetadata {
  filename?: string | null;
  fileType?: string | null;
  pagesDone?: number | null;
  pageCount?: number | null;
  pagesRecognized?: number | null;
  secondsLeft?: number | null;
  [k: string]: unknown;
}
/**
 * A document was parsed, and waits to be embedded.
 */
export interface ParsedEvent {
  eventId: string;
  documentId: string;
  status: "parsed";
  message: string;
  metadata: ParsedMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * What was read; the numbers of pages that can't be read, and of those whose text is none.
 *
 * ``recognition_confidence`` is from 0 to 1.
 */
export interface ParsedMetadata {
  filename?: string | null;
  chunkCount?: number | null;
  pageCount?: number | null;
  tokenCount?: number | null;
  pagesRecognized?: number | null;
  recognitionConfidence?: number | null;
  pagesFailed?: number[] | null;
  pagesGarbled?: number[] | null;
  [k: string]: unknown;
}
/**
 * A document is being embedded; told again with progress.
 */
export interface EmbeddingEvent {
  eventId: string;
  documentId: string;
  status: "embedding";
  message: string;
  metadata: EmbeddingMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * How far the embedder is, in chunks.
 */
export interface EmbeddingMetadata {
  filename?: string | null;
  embeddedCount?: number | null;
  chunkCount?: number | null;
  secondsLeft?: number | null;
  [k: string]: unknown;
}
/**
 * A document can be found. Nothing more comes in this attempt.
 */
export interface EmbeddedEvent {
  eventId: string;
  documentId: string;
  status: "embedded";
  message: string;
  metadata: EmbeddedMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * ``dimensions`` of each vector; ``duration_ms`` since the upload.
 */
export interface EmbeddedMetadata {
  filename?: string | null;
  embeddingCount?: number | null;
  model?: string | null;
  dimensions?: number | null;
  durationMs?: number | null;
  [k: string]: unknown;
}
/**
 * A document could not be processed. Nothing more comes in this attempt.
 */
export interface FailedEvent {
  eventId: string;
  documentId: string;
  status: "failed";
  message: string;
  metadata: FailedMetadata;
  timestamp: string;
  ownerId: string | null;
  attempt: number;
  source: string;
  [k: string]: unknown;
}
/**
 * ``error`` is a sentence for people, ``code`` for programs; producers may have codes of their own.
 */
export interface FailedMetadata {
  filename?: string | null;
  error?: string | null;
  code?: FailureCode | string | null;
  stage?: string | null;
  retryable?: boolean | null;
  [k: string]: unknown;
}
/**
 * A document, its chunks and its bytes were removed.
 */
export interface DocumentDeleted {
  documentId: string;
  ownerId?: string | null;
  timestamp: string;
  [k: string]: unknown;
}
/**
 * A bulk call has dealt with so many of the documents that it is for, or has ended.
 */
export interface OperationProgress {
  operationId: string;
  kind: string;
  done: number;
  matched: number;
  ended: boolean;
  ownerId?: string | null;
  timestamp: string;
  [k: string]: unknown;
}
/**
 * Events may be missing: fetch the list again. What follows ``position`` comes next.
 */
export interface Reset {
  reason: "expired" | "unknown" | "slow";
  position: string;
  [k: string]: unknown;
}
/**
 * The server closes next; come back.
 */
export interface Reconnect {
  reason: "shutdown" | "lease" | "auth";
  [k: string]: unknown;
}
