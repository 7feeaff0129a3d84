// Bulk calls that are under way, as the stream tells of them, whoever of us began them.

const SHOWN_AFTER_END_MS = 8000;

export class Operations {
  // changed() hears of each change
  constructor(changed) {
    this.changed = changed;
    this.byId = new Map();
  }

  started({ operationId, matched }, kind) {
    if (!this.byId.has(operationId)) this.byId.set(operationId, { operationId, kind, matched, done: 0, ended: false });
    this.changed();
  }

  apply(event) {
    const known = this.byId.get(event.operationId);
    if (known?.ended || (known && event.done < known.done && !event.ended)) return;
    this.byId.set(event.operationId, event);
    if (event.ended) setTimeout(() => this.forget(event.operationId), SHOWN_AFTER_END_MS);
    this.changed();
  }

  forget(id) {
    this.byId.delete(id);
    this.changed();
  }
}
