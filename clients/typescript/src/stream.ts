// The event stream, kept open for ever: it comes back after any cut where it was, and notices a connection that is
// half open by its missing heartbeats.

import { addressOf, fetchTicket, TicketRefused, type Filters } from "./address.js";
import type { StreamEvents } from "./events.js";

type Kinds = { [Kind in keyof StreamEvents]: { event: Kind; id: string | null; data: StreamEvents[Kind] } };

/** An event with its name, to switch on, and for those of the log the id to go on after. */
export type Message = Kinds[keyof StreamEvents];
export type State = "connecting" | "live" | "reconnecting" | "closed";
/** What stands between us and the stream; it is tried again unless `isFinal`. */
export type Problem = { message: string; isFinal: boolean };

export type Options = {
  /** Of the API: "http://localhost:3000", or "" for the origin of the page. */
  url: string;
  onMessage(message: Message): void;
  onState?(state: State): void;
  onProblem?(problem: Problem): void;
  /** Asked at each connection, for tokens that expire. Not needed where a cookie or no token at all is. */
  token?: () => string | Promise<string>;
  filters?: Filters;
  /** An id or a list's `position`: what came after it is told first. */
  position?: string;
  /** Begin with the newest event of each document that is under way. */
  snapshot?: boolean;
  /** Also where we lag each step of the progress, and not only the newest. */
  everyStep?: boolean;
  /** Where the runtime has no EventSource (Node): that of the package "eventsource". */
  EventSource?: typeof EventSource;
};

const KINDS = Object.keys({
  connected: 0, heartbeat: 0, document_processing: 0, document_deleted: 0, operation: 0, reset: 0, reconnect: 0,
} satisfies Record<keyof StreamEvents, 0>) as (keyof StreamEvents)[];
const HEARTBEAT_MS = 30_000;
const BEATS_MISSED = 2.5;
const LONGEST_PATIENCE_MS = 600_000;
const LONGEST_WAIT_MS = 30_000;
const OPEN = 1;
const CLOSED = 2;

export class StagecastStream {
  /** The id of the newest event, to be kept and given as `position` another time. */
  position: string | null;
  private source: EventSource | null = null;
  private readonly watching: ReturnType<typeof setInterval>;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private isClosed = false;
  private failures = 0;
  private heardAt = 0;
  private beatAt = 0;
  private patience = HEARTBEAT_MS * BEATS_MISSED;

  constructor(private readonly options: Options) {
    this.position = options.position ?? null;
    this.watching = setInterval(() => this.watch(), 1000);
    options.onState?.("connecting");
    void this.open();
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.watching);
    clearTimeout(this.waiting);
    this.source?.close();
    this.options.onState?.("closed");
  }

  private async open(): Promise<void> {
    clearTimeout(this.waiting);
    this.source?.close();
    this.source = null;
    try {
      const ticket = await this.ticket();
      if (!this.isClosed) this.connect(ticket);
    } catch (error) {
      this.refused(error);
    }
  }

  private async ticket(): Promise<string | null> {
    const token = await this.options.token?.();
    return token === undefined ? null : fetchTicket(this.options.url, token);
  }

  private connect(ticket: string | null): void {
    const { url, filters = {}, snapshot = false, everyStep = false } = this.options;
    const address = addressOf(url, { filters, snapshot, everyStep, ticket, position: this.position });
    const source = new (this.options.EventSource ?? EventSource)(address);
    this.source = source;
    [this.beatAt, this.heardAt] = [0, Date.now()];
    source.addEventListener("error", () => this.lost(source));
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.hear(kind, event as MessageEvent<string>));
  }

  private hear(kind: keyof StreamEvents, event: MessageEvent<string>): void {
    this.heardAt = Date.now();
    const message = messageOf(kind, event);
    if (message === null) return;
    if (message.event === "connected") this.connected(message.data.position);
    if (message.event === "heartbeat") this.beat();
    if (message.event === "reset") this.position = message.data.position;
    if (message.id !== null) this.position = message.id;
    this.options.onMessage(message);
  }

  private connected(position: string): void {
    this.failures = 0;
    this.position ??= position;
    this.options.onState?.("live");
  }

  // The interval is a setting of the server that only its beats tell.
  private beat(): void {
    const now = performance.now();
    if (this.beatAt) this.patience = Math.max(HEARTBEAT_MS, now - this.beatAt) * BEATS_MISSED;
    this.beatAt = now;
  }

  private watch(): void {
    if (this.source?.readyState !== OPEN || Math.abs(Date.now() - this.heardAt) < this.patience) return;
    // Where beats come more seldom than thought, this must not go on at the same pace for ever.
    if (!this.beatAt) this.patience = Math.min(this.patience * 2, LONGEST_PATIENCE_MS);
    this.options.onState?.("reconnecting");
    void this.open();
  }

  private lost(source: EventSource): void {
    if (source !== this.source || this.isClosed) return;
    this.options.onState?.("reconnecting");
    // EventSource comes back by itself after a cut, but with the same ticket, which is used up by now.
    if (source.readyState === CLOSED || this.options.token) this.openLater();
  }

  private refused(error: unknown): void {
    const isFinal = error instanceof TicketRefused && (error.status === 401 || error.status === 403);
    this.options.onProblem?.({ message: error instanceof Error ? error.message : String(error), isFinal });
    if (isFinal) this.close();
    else if (!this.isClosed) this.openLater();
  }

  private openLater(): void {
    this.source?.close();
    const wait = Math.min(1000 * 2 ** this.failures, LONGEST_WAIT_MS) * (0.8 + Math.random() * 0.4);
    this.failures += 1;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.open(), wait);
  }
}

function messageOf(kind: keyof StreamEvents, event: MessageEvent<string>): Message | null {
  try {
    const data: unknown = JSON.parse(event.data);
    // That the server keeps to its schemas is its own tests' to show.
    return { event: kind, id: event.lastEventId || null, data } as Message;
  } catch {
    return null;
  }
}
