// The documents that are chosen, and what is asked for all of them.

import { cancelDocument, retryDocument } from "../api.js";
import { isDone } from "./documents.js";

const AT_ONCE = 4;

export const CALLS = { retry: retryDocument, cancel: cancelDocument };

// What came by the webhook has no bytes here that could be processed again.
export const CAN = {
  retry: (one) => isDone(one.status) && one.size != null,
  cancel: (one) => !isDone(one.status) && one.size != null,
};

export class Selection {
  constructor() {
    this.ids = new Set();
    this.last = null;
  }

  toggle(id) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.last = id;
  }

  // From the one that was chosen last to this one, as in any list.
  extend(id, rows) {
    const [from, to] = [rows.indexOf(this.last), rows.indexOf(id)].sort((a, b) => a - b);
    if (from < 0) return this.toggle(id);
    return rows.slice(from, to + 1).forEach((one) => this.ids.add(one));
  }

  all(rows) {
    rows.forEach((id) => this.ids.add(id));
  }

  clear() {
    this.ids.clear();
  }

  // What is gone, or shown no more, must not be acted on unseen.
  keep(rows) {
    if (!this.ids.size) return;
    const shown = new Set(rows);
    for (const id of this.ids) if (!shown.has(id)) this.ids.delete(id);
  }
}

// Calls once for each document, a few at a time. Resolves to the errors, by id.
export async function callEach(kind, ids, done) {
  const waiting = [...ids];
  const errors = new Map();
  const work = async () => {
    while (waiting.length) {
      const id = waiting.shift();
      try {
        done(id, await CALLS[kind](id));
      } catch (error) {
        errors.set(id, error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return errors;
}
