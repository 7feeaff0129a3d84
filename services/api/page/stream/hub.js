// One event stream for many tabs: runs in a SharedWorker, or in the tab that leads.
//
// A tab that comes later is told what was heard shortly before as well: its list may have been read from a
// database that trails the stream, and what fell between would be missing. Repeats do no harm, tabs drop them.

import { EventStream } from "./event_stream.js";

const REMEMBERED = 5000;
const REMEMBERED_MS = 60_000;

export class Hub {
  constructor() {
    this.tabs = new Set();
    this.recent = [];
    this.state = "connecting";
    this.stream = new EventStream((message) => this.hand(message));
    this.isOpen = false;
  }

  // tab: a function that takes messages
  add(tab) {
    this.tabs.add(tab);
    tab({ kind: "state", state: this.state });
    for (const { message } of this.lately()) tab(message);
  }

  remove(tab) {
    this.tabs.delete(tab);
  }

  // Begins at a list's position; once open it goes on, whoever else has a list.
  open(position) {
    if (!this.isOpen) this.restart(position);
  }

  // Somebody has signed in: who may see what has changed, so nothing of before is handed on.
  restart(position) {
    this.isOpen = true;
    this.recent = [];
    this.stream.open(position);
  }

  close() {
    this.stream.close();
  }

  hand(message) {
    if (message.kind === "state") this.state = message.state;
    else if (message.kind !== "reset") this.recent.push({ message, at: performance.now() });
    if (this.recent.length > 2 * REMEMBERED) this.recent = this.lately();
    for (const tab of this.tabs) tab(message);
  }

  lately() {
    const oldest = performance.now() - REMEMBERED_MS;
    return this.recent.slice(-REMEMBERED).filter(({ at }) => at >= oldest);
  }
}
