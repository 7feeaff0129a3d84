// One stream for all tabs where the browser has no SharedWorker: the tab that holds the lock has it, and tells the
// others by BroadcastChannel. The lock goes to another when that tab is closed, however it ends.

import { Hub } from "./hub.js";

const NAME = "stagecast-stream";

export class LeadingTab {
  constructor(take) {
    this.take = take;
    this.me = crypto.randomUUID();
    this.position = null;
    this.hub = null;
    this.channel = new BroadcastChannel(NAME);
    this.channel.addEventListener("message", ({ data }) => this.heard(data));
    this.say({ ask: "join" });
    navigator.locks.request(NAME, () => this.lead());
  }

  open(position) {
    this.position ??= position;
    if (this.hub) this.hub.open(this.position);
    else this.say({ ask: "open", position });
  }

  restart(position) {
    this.position = position;
    if (this.hub) this.hub.restart(position);
    else this.say({ ask: "restart", position });
  }

  leave() {
    // The browser frees the lock.
  }

  // Goes on where the leader before was last heard of. Never ends: the lock is held as long as the tab is there.
  lead() {
    this.hub = new Hub();
    this.hub.add((message) => {
      this.keep(message);
      this.take(message);
      this.say({ message });
    });
    if (this.position) this.hub.open(this.position);
    return new Promise(() => {});
  }

  heard({ ask, from, to, position, message }) {
    if (message && (!to || to === this.me) && !this.hub) {
      this.keep(message);
      this.take(message);
    }
    if (!this.hub) return;
    if (ask === "join") this.introduce(from);
    if (ask === "open") this.hub.open(position);
    if (ask === "restart") this.hub.restart(position);
  }

  introduce(tab) {
    const once = (message) => this.say({ to: tab, message });
    this.hub.add(once);
    this.hub.remove(once);
  }

  keep(message) {
    if (message.id) this.position = message.id;
  }

  say(what) {
    this.channel.postMessage({ from: this.me, ...what });
  }
}
