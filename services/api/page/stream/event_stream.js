// The event stream, kept open for ever.
//
// EventSource comes back by itself after a cut, with the last id; not after any answer but 200, and not from
// a connection that is half open. Those two are seen to here.

const HEARTBEAT_MS = 30_000;
const BEATS_MISSED = 2.5;
const LONGEST_PATIENCE_MS = 600_000;
const LONGEST_WAIT_MS = 30_000;
const KINDS = ["document_processing", "document_deleted", "operation", "model"];

export class EventStream {
  // take(message) hears { kind: one of KINDS, data, id }, { kind: "reset" } and
  // { kind: "state", state: "connecting" | "live" | "reconnecting" }
  constructor(take) {
    this.take = take;
    this.source = null;
    this.position = null;
    this.failures = 0;
    this.heardAt = 0;
    this.beatAt = 0;
    this.patience = HEARTBEAT_MS * BEATS_MISSED;
    this.watching = setInterval(() => this.watch(), 1000);
    this.online = () => this.source?.readyState !== EventSource.OPEN && this.reopen();
    addEventListener("online", this.online);
  }

  // position: where the list that is shown ends
  open(position) {
    this.position = position;
    this.reopen();
  }

  close() {
    clearInterval(this.watching);
    clearTimeout(this.timer);
    removeEventListener("online", this.online);
    this.source?.close();
  }

  reopen() {
    clearTimeout(this.timer);
    this.source?.close();
    this.beatAt = 0;
    this.heardAt = Date.now();
    const query = this.position ? `?lastEventId=${encodeURIComponent(this.position)}` : "";
    const source = new EventSource(`/api/v1/events${query}`);
    this.source = source;
    source.addEventListener("error", () => this.lost(source));
    source.addEventListener("connected", (event) => this.connected(event));
    source.addEventListener("heartbeat", () => this.beat());
    source.addEventListener("reconnect", (event) => this.toReconnect(event));
    source.addEventListener("reset", (event) => this.reset(event));
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.hear(kind, event));
  }

  connected(event) {
    this.heard();
    this.beatAt = 0;
    this.failures = 0;
    if (!this.position) this.position = read(event)?.position ?? null;
    this.tell("live");
  }

  hear(kind, event) {
    this.heard();
    if (event.lastEventId) this.position = event.lastEventId;
    const data = read(event);
    if (data) this.take({ kind, data, id: this.position });
  }

  reset(event) {
    this.heard();
    this.position = read(event)?.position ?? this.position;
    this.take({ kind: "reset" });
  }

  toReconnect(event) {
    this.heard();
    // The token is over: the list is fetched, and whoever has to sign in again is asked to.
    if (read(event)?.reason === "auth") this.take({ kind: "reset" });
  }

  beat() {
    const now = performance.now(); // a clock that was set between two beats would be taken for their interval
    // The interval is a setting of the server that only its beats tell.
    if (this.beatAt) this.patience = Math.max(HEARTBEAT_MS, now - this.beatAt) * BEATS_MISSED;
    this.beatAt = now;
    this.heard();
  }

  heard() {
    this.heardAt = Date.now();
  }

  tell(state) {
    this.take({ kind: "state", state });
  }

  watch() {
    if (this.source?.readyState !== EventSource.OPEN || Math.abs(Date.now() - this.heardAt) < this.patience) return;
    // Where beats come more seldom than thought, this must not go on at the same pace for ever.
    if (!this.beatAt) this.patience = Math.min(this.patience * 2, LONGEST_PATIENCE_MS);
    this.tell("reconnecting");
    this.reopen();
  }

  lost(source) {
    if (source !== this.source) return;
    this.tell("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    const wait = Math.min(1000 * 2 ** this.failures, LONGEST_WAIT_MS) * (0.8 + Math.random() * 0.4);
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reopen(), wait);
  }
}

function read(event) {
  try {
    const data = JSON.parse(event.data);
    return data && typeof data === "object" ? data : null;
  } catch {
    return null;
  }
}
