// All that the page knows and does; the views draw it, and call it.

import { readPipeline, signIn, startBulk } from "./api.js";
import { Deletions } from "./known/deletions.js";
import { Documents, isDone } from "./known/documents.js";
import { bulkOf } from "./known/filter.js";
import { List } from "./known/list.js";
import { Operations } from "./known/operations.js";
import { Route } from "./known/route.js";
import { CAN, callEach, Selection } from "./known/selection.js";
import { Uploads } from "./known/uploads.js";
import { nameOf, plural } from "./parts/words.js";
import { sharedStream } from "./stream/shared_stream.js";

const DRAW_MS = 50;
const LOOK_AGAIN_MS = 3000;
const MOST_ANNOUNCED = 5;

export class Panel {
  // draw() is called after changes, once for a burst of them
  constructor(draw) {
    this.draw = draw;
    this.drawing = false;
    this.state = "connecting";
    this.trouble = "";
    this.mustSignIn = false;
    this.isOperator = false;
    this.isOpen = false;
    this.hasEntered = false;
    this.eventsHeard = 0;
    this.announcements = [];
    this.notices = new Map();
    const changed = () => this.changed();
    this.route = new Route(changed);
    this.documents = new Documents();
    this.selection = new Selection();
    this.operations = new Operations(changed);
    this.list = new List(this.documents, {
      changed,
      trouble: (sentence) => this.say(sentence),
      denied: () => this.deny(),
      read: (position) => this.listRead(position),
    });
    this.deletions = new Deletions(this.list.hidden, {
      changed,
      failed: (id, sentence) => this.notice(id, sentence),
    });
    this.uploads = new Uploads({ changed, taken: (document) => this.take(document) });
    this.stream = sharedStream((message) => this.hear(message));
    this.list.again();
    this.meet();
  }

  changed() {
    if (this.drawing) return;
    this.drawing = true;
    setTimeout(() => {
      this.drawing = false;
      this.draw();
    }, DRAW_MS);
  }

  say(sentence) {
    this.trouble = sentence;
    this.changed();
  }

  // What went wrong with one document, at its row, until it moves on.
  notice(id, sentence) {
    if (sentence) this.notices.set(id, sentence);
    else this.notices.delete(id);
    this.changed();
  }

  // The stream

  hear({ kind, data, state }) {
    if (kind === "state") this.state = state;
    else if (kind === "reset") this.recover();
    else if (kind === "document_processing") this.move(data);
    else if (kind === "document_deleted") this.forget(data.documentId);
    else if (kind === "operation") this.operations.apply(data);
    this.eventsHeard += 1;
    this.changed();
  }

  move(event) {
    const outcome = this.documents.apply(event);
    if (outcome === "ignored") return;
    this.list.moved(event.documentId);
    if (outcome !== "moved") return;
    this.notices.delete(event.documentId);
    this.announce(this.documents.byId.get(event.documentId));
  }

  forget(id) {
    this.documents.remove(id);
    this.list.hidden.delete(id);
    this.selection.ids.delete(id);
    this.notices.delete(id);
  }

  // The stream goes on after a reset and the list is read again: reopening at the list's position could be answered
  // with a reset again, without end. The list may trail the stream a little, hence the second look.
  recover() {
    this.list.again();
    setTimeout(() => this.list.again(), LOOK_AGAIN_MS);
  }

  listRead(position) {
    if (this.isOpen) return;
    this.isOpen = true;
    if (this.hasEntered) this.stream.restart(position);
    else this.stream.open(position);
  }

  announce(document) {
    const name = nameOf(document);
    if (document.status === "failed") this.announcements.push(`${name} failed: ${document.error.message}`);
    else if (isDone(document.status)) this.announcements.push(`${name} is embedded, ${plural(document.chunkCount ?? 0, "chunk")}`);
    else this.announcements.push(`${name}: ${document.status.replace("_", " ")}`);
    // After a burst nobody wants to hear them all.
    this.announcements.splice(0, this.announcements.length - MOST_ANNOUNCED);
  }

  // Who looks

  // Operators see the pipeline; whether one looks, the server alone knows.
  async meet() {
    try {
      await readPipeline();
      this.isOperator = true;
      this.changed();
    } catch {
      this.isOperator = false;
    }
  }

  deny() {
    this.mustSignIn = true;
    this.changed();
  }

  async enter(token) {
    await signIn(token);
    this.mustSignIn = false;
    this.documents.clear();
    this.selection.clear();
    // Another may have been signed in before: the stream begins anew, where the list of this one ends.
    [this.hasEntered, this.isOpen] = [true, false];
    await Promise.all([this.list.again(), this.meet()]);
  }

  // What is done with documents

  take(document) {
    this.documents.describe(document);
    this.list.moving.add(document.documentId);
    this.changed();
  }

  filter(filter) {
    this.selection.clear();
    this.list.choose(filter);
    this.changed();
  }

  canDo(kind, ids) {
    return [...ids].filter((id) => {
      const known = this.documents.byId.get(id);
      return known && (kind === "delete" || CAN[kind](known));
    });
  }

  async act(kind, ids) {
    const able = this.canDo(kind, ids);
    able.forEach((id) => this.notice(id, ""));
    if (kind === "delete") {
      this.deletions.add(able);
      able.forEach((id) => this.selection.ids.delete(id));
      return;
    }
    const errors = await callEach(kind, able, (_, answer) => answer?.documentId && this.take(answer));
    errors.forEach((error, id) => this.notice(id, error.message));
  }

  // All that the filter shows, those included that no page was read of yet.
  async actOnAll(kind) {
    const answer = await startBulk(kind, bulkOf(this.list.filter, new Date().toISOString()));
    this.operations.started(answer, kind);
    this.selection.clear();
  }
}
