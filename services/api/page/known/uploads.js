// Files on their way to the server, three at a time; a broken upload is sent again by one press, the file is kept.

import { upload } from "../api.js";

const AT_ONCE = 3;
const LONGEST_WAIT_S = 60;
const USUAL_WAIT_S = 5;

export class Uploads {
  // told: { taken(document), changed() }
  constructor(told) {
    this.told = told;
    this.entries = [];
    this.running = 0;
    this.started = 0;
    this.taken = 0;
  }

  add(files) {
    if (!this.isBusy) [this.started, this.taken] = [0, 0];
    for (const file of files) {
      this.started += 1;
      this.entries.push({ key: crypto.randomUUID(), file, state: "waiting", sent: 0, total: file.size, sentence: "" });
    }
    this.next();
  }

  get isBusy() {
    return this.entries.some(({ state }) => state === "waiting" || state === "sending");
  }

  get failed() {
    return this.entries.filter(({ state }) => state === "failed");
  }

  again(entries) {
    for (const entry of entries.filter(({ mayPass }) => mayPass)) Object.assign(entry, { state: "waiting", sent: 0, sentence: "" });
    this.next();
  }

  dismiss(entries) {
    this.entries = this.entries.filter((entry) => !entries.includes(entry));
    this.told.changed();
  }

  next() {
    for (const entry of this.entries) {
      if (this.running >= AT_ONCE) break;
      if (entry.state === "waiting") this.send(entry);
    }
    this.told.changed();
  }

  async send(entry) {
    this.running += 1;
    entry.state = "sending";
    try {
      const { already, document } = await upload(entry.file, (sent, total) => this.sent(entry, sent, total));
      this.taken += 1;
      this.end(entry, already);
      this.told.taken(document);
    } catch (error) {
      await this.failedBy(entry, error);
    }
    this.running -= 1;
    this.next();
  }

  sent(entry, sent, total) {
    Object.assign(entry, { sent, total });
    this.told.changed();
  }

  end(entry, already) {
    if (already) Object.assign(entry, { state: "note", sentence: "Already there, nothing was uploaded twice." });
    else this.entries.splice(this.entries.indexOf(entry), 1);
  }

  // "Too much at once" is no failure: the server says when there is room.
  async failedBy(entry, error) {
    if (error.status !== 429 && error.status !== 503) {
      // What the server has refused for what it is, it refuses again.
      const mayPass = Boolean(error.isBroken) || error.status >= 500;
      Object.assign(entry, { state: "failed", sentence: error.message, mayPass });
      return;
    }
    entry.sentence = `Waiting: ${error.message}`;
    this.told.changed();
    const seconds = Math.min(error.retryAfter ?? USUAL_WAIT_S, LONGEST_WAIT_S);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    Object.assign(entry, { state: "waiting", sent: 0 });
  }
}
