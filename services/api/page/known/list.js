// The list as it is shown: the documents that match, as far as pages of it have been read, always true to the events.

import { listDocuments, readDocument } from "../api.js";
import { comparing, matches, NO_FILTER, queryOf } from "./filter.js";

const RETRY_MS = 3000;
const ASKED_AT_ONCE = 2;
const MOST_ASKED = 50;
const SOON_MS = 1000;
const MOST_PAGES_AGAIN = 20;

export class List {
  // documents: Documents. told: { changed(), trouble(sentence), denied(), read(position) }
  constructor(documents, told) {
    this.documents = documents;
    this.told = told;
    this.filter = NO_FILTER;
    this.hidden = new Set();
    this.cursor = null;
    this.last = null;
    this.pages = 0;
    this.reading = 0;
    this.isRead = false;
    this.moving = new Set();
    this.unknown = [];
    this.asking = 0;
  }

  // The documents in their order, up to where the pages that were read end: beyond it there may be others between.
  rows() {
    const order = comparing(this.filter.sort);
    const shown = [];
    for (const one of this.documents.byId.values()) {
      if (this.hidden.has(one.documentId) || !matches(one, this.filter)) continue;
      if (this.last && order(one, this.last) > 0) continue;
      shown.push(one);
    }
    return shown.sort(order);
  }

  get hasMore() {
    return this.cursor !== null;
  }

  choose(filter) {
    this.filter = filter;
    this.pages = 0;
    this.again();
  }

  // Reads what is shown once more, from the start: the filter is another, or events may be missing.
  async again() {
    const mine = ++this.reading;
    const before = [...this.documents.byId.keys()];
    const listed = new Set();
    this.moving.clear();
    try {
      let page = null;
      const pages = Math.max(1, Math.min(this.pages, MOST_PAGES_AGAIN));
      for (let number = 0; number < pages && (!page || page.nextCursor); number += 1) {
        page = await listDocuments(queryOf(this.filter), page?.nextCursor);
        if (mine !== this.reading) return;
        page.items.forEach((item) => listed.add(item.documentId));
        this.take(page, number + 1);
      }
      this.dropUnlisted(before, listed);
      this.told.trouble("");
      this.told.read(page.position);
    } catch (error) {
      if (mine === this.reading) this.failed(error, () => this.again());
    }
  }

  async more() {
    if (this.isReadingMore || this.cursor === null) return;
    this.isReadingMore = true;
    const mine = this.reading;
    try {
      const page = await listDocuments(queryOf(this.filter), this.cursor);
      if (mine === this.reading) this.take(page, this.pages + 1);
    } catch (error) {
      this.failed(error, () => {});
    } finally {
      this.isReadingMore = false;
    }
  }

  take(page, pages) {
    page.items.forEach((item) => this.documents.describe(item));
    this.pages = pages;
    this.cursor = page.nextCursor ?? null;
    // Its place in the order as it was read; the document itself may move on.
    this.last = this.cursor ? { ...page.items.at(-1) } : null;
    this.isRead = true;
    this.told.changed();
  }

  dropUnlisted(before, listed) {
    const shown = new Set(this.rows().map((one) => one.documentId));
    for (const id of before) if (shown.has(id) && !listed.has(id) && !this.moving.has(id)) this.documents.forget(id);
    this.told.changed();
  }

  // A document that an event was heard of.
  moved(id) {
    this.moving.add(id);
    if (!this.documents.byId.get(id)?.isPartial || this.unknown.includes(id)) return;
    this.unknown.push(id);
    if (this.unknown.length > MOST_ASKED) this.againSoon();
    else this.askNext();
  }

  // So many at once that the list tells of them faster than each by itself.
  againSoon() {
    this.unknown = [];
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.again();
    }, SOON_MS);
  }

  async askNext() {
    if (this.asking >= ASKED_AT_ONCE || !this.unknown.length) return;
    this.asking += 1;
    const id = this.unknown.pop();
    try {
      this.documents.describe(await readDocument(id));
      this.told.changed();
    } catch {
      // Deleted meanwhile, or away: the event has told what is shown.
    } finally {
      this.asking -= 1;
      this.askNext();
    }
  }

  failed(error, again) {
    if (error.status === 401) {
      this.told.denied();
      return;
    }
    this.told.trouble(error.message);
    setTimeout(again, RETRY_MS);
  }
}
