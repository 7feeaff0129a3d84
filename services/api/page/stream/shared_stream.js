// The stream as a tab has it: that of a SharedWorker, else of a leading tab, else its own. Twenty tabs are one
// connection either way; without both a browser has six to an origin, and the seventh tab would not load.

import { Hub } from "./hub.js";
import { LeadingTab } from "./leading_tab.js";

const WORKER = new URL("./worker.js", import.meta.url).href;
const ANSWER_MS = 5000;

let policy = null;

// take(message): see EventStream. Returns { open(position), restart(position), leave() }.
export function sharedStream(take) {
  try {
    if (typeof SharedWorker === "function") return new WorkersStream(take);
  } catch {
    // Forbidden here; the others do as well.
  }
  return withoutWorker(take);
}

function withoutWorker(take) {
  if (navigator.locks && typeof BroadcastChannel === "function") return new LeadingTab(take);
  return new OwnStream(take);
}

class OwnStream {
  constructor(take) {
    this.hub = new Hub();
    this.hub.add(take);
  }

  open(position) {
    this.hub.open(position);
  }

  restart(position) {
    this.hub.restart(position);
  }

  leave() {
    this.hub.close();
  }
}

class WorkersStream {
  constructor(take) {
    this.take = take;
    this.asked = [];
    this.instead = null;
    this.worker = new SharedWorker(trusted(WORKER), { type: "module", name: "stagecast" });
    this.worker.addEventListener("error", () => this.giveUp());
    this.worker.port.addEventListener("message", ({ data }) => this.heard(data));
    this.worker.port.start();
    this.ask({ ask: "join" });
    // A browser that has no module workers may say nothing at all.
    this.patience = setTimeout(() => this.giveUp(), ANSWER_MS);
    addEventListener("pagehide", () => this.leave());
    addEventListener("pageshow", (event) => event.persisted && this.ask({ ask: "join" }));
  }

  open(position) {
    this.ask({ ask: "open", position });
  }

  restart(position) {
    this.ask({ ask: "restart", position });
  }

  leave() {
    if (!this.instead) this.worker.port.postMessage({ ask: "leave" });
  }

  ask(message) {
    if (this.instead) {
      this.instead[message.ask]?.(message.position);
      return;
    }
    this.asked.push(message);
    this.worker.port.postMessage(message);
  }

  heard(message) {
    clearTimeout(this.patience);
    this.asked = [];
    if (!this.instead) this.take(message);
  }

  giveUp() {
    clearTimeout(this.patience);
    if (this.instead) return;
    this.instead = withoutWorker(this.take);
    for (const { ask, position } of this.asked) this.instead[ask]?.(position);
  }
}

// The page's policy takes no text for a script's address but what this policy lets through: this one file.
function trusted(address) {
  if (typeof trustedTypes === "undefined") return address;
  policy ??= trustedTypes.createPolicy("stagecast-worker", {
    createScriptURL(asked) {
      if (asked !== WORKER) throw new TypeError(`Not a script of this page: ${asked}`);
      return asked;
    },
  });
  return policy.createScriptURL(address);
}

