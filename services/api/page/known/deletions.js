// Deletions that can still be taken back: a document is hidden at once, and deleted when the time for that is over.

import { deleteDocument } from "../api.js";

export const UNDO_MS = 6000;

export class Deletions {
  // hidden: a set of ids that the list leaves out. told: { changed(), failed(id, sentence) }
  constructor(hidden, told) {
    this.hidden = hidden;
    this.told = told;
    this.pending = null;
    // Whoever closes the page has meant it.
    addEventListener("pagehide", () => this.commit());
  }

  // Those of before are meant by now: one deletion at a time can be taken back.
  add(ids) {
    this.commit();
    ids.forEach((id) => this.hidden.add(id));
    this.pending = { ids, timer: setTimeout(() => this.commit(), UNDO_MS) };
    this.told.changed();
  }

  undo() {
    if (!this.pending) return [];
    const { ids, timer } = this.pending;
    clearTimeout(timer);
    this.pending = null;
    ids.forEach((id) => this.hidden.delete(id));
    this.told.changed();
    return ids;
  }

  commit() {
    if (!this.pending) return;
    const { ids, timer } = this.pending;
    clearTimeout(timer);
    this.pending = null;
    ids.forEach((id) => this.send(id));
    this.told.changed();
  }

  async send(id) {
    try {
      await deleteDocument(id);
    } catch (error) {
      if (error.status === 404) return; // somebody was faster
      this.hidden.delete(id);
      this.told.failed(id, error.message);
    }
  }
}
