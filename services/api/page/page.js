// The control panel: the list of documents, moved on by the event stream from the very point where it ends.

import * as api from "./api.js";
import { Card } from "./card.js";
import { Documents, isDone } from "./documents.js";
import { setText } from "./element.js";
import { startSearch } from "./search.js";
import { askToSignIn, startSignIn } from "./signin.js";
import { Stream } from "./stream.js";
import { Uploads } from "./uploads.js";
import { nameOf, plural } from "./words.js";

const at = (id) => document.getElementById(id);
const RETRY_LIST_MS = 3000;
const LOOK_AGAIN_MS = 3000;

const documents = new Documents();
const cards = new Map();
const changed = new Set();
const moving = new Set();
const announcements = [];
let cursor = null;
let drawing = false;

const actions = {
  async retry(id) {
    const answer = await api.retryDocument(id);
    if (answer?.documentId) describe(answer);
  },
  async remove(id) {
    await api.deleteDocument(id);
    documents.remove(id);
    remove(id);
  },
};

const stream = new Stream({
  status(event) {
    const outcome = documents.apply(event);
    if (outcome === "ignored") return;
    moving.add(event.documentId);
    if (outcome === "moved") announce(event.documentId);
    touch(event.documentId);
  },
  deleted(event) {
    documents.remove(event.documentId);
    remove(event.documentId);
  },
  reset: recover,
  state: showConnection,
});

function showConnection(state) {
  const place = at("connection");
  place.dataset.state = state;
  setText(place, { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" }[state]);
}

// The stream goes on after a reset and the list is merged into it: reopening at the list's position could be
// answered with a reset again, without end. The list may trail the stream a little, hence the second look.
function recover() {
  fetchList();
  setTimeout(fetchList, LOOK_AGAIN_MS);
}

async function fetchList() {
  const before = new Set(documents.byId.keys());
  moving.clear();
  let page;
  try {
    page = await api.listDocuments();
  } catch (error) {
    if (error.status === 401) {
      askToSignIn();
      return;
    }
    trouble(error.message);
    setTimeout(fetchList, RETRY_LIST_MS);
    return;
  }
  trouble("");
  const listed = new Set(page.items.map((item) => item.documentId));
  for (const id of before) if (!listed.has(id) && !moving.has(id)) remove(id);
  take(page);
  if (!stream.source) stream.open(page.position);
}

async function fetchMore() {
  at("more").disabled = true;
  try {
    take(await api.listDocuments(cursor));
    trouble("");
  } catch (error) {
    trouble(error.message);
  } finally {
    at("more").disabled = false;
  }
}

function take(page) {
  cursor = page.nextCursor ?? null;
  at("more").hidden = cursor === null;
  page.items.forEach(describe);
  schedule();
}

function describe(item) {
  if (documents.describe(item)) touch(item.documentId);
}

function remove(id) {
  const card = cards.get(id);
  // Keyboard users are not to fall back to the top of the page.
  if (card?.root.contains(document.activeElement)) focusNear(card.root);
  documents.forget(id);
  card?.root.remove();
  cards.delete(id);
  schedule();
}

function focusNear(root) {
  const next = (root.nextElementSibling ?? root.previousElementSibling)?.querySelector("button:last-of-type");
  (next ?? at("files")).focus();
}

function touch(id) {
  changed.add(id);
  schedule();
}

// A burst of events is drawn once.
function schedule() {
  if (drawing) return;
  drawing = true;
  setTimeout(draw, 50);
}

function draw() {
  drawing = false;
  const fresh = [...changed].some((id) => documents.byId.has(id) && !cards.has(id));
  for (const id of changed) drawOne(id);
  changed.clear();
  if (fresh) order();
  at("none").hidden = documents.byId.size > 0 || !stream.source;
  setText(at("announcer"), announcements.splice(0).join(". ") || at("announcer").textContent);
}

function drawOne(id) {
  const known = documents.byId.get(id);
  if (!known) return;
  if (!cards.has(id)) cards.set(id, new Card(id, actions));
  cards.get(id).draw(known);
}

// Only what is not in its place is moved, so that focus and scrolling stay.
function order() {
  const list = at("documents");
  let place = list.firstElementChild;
  for (const { documentId } of documents.sorted()) {
    const { root } = cards.get(documentId) ?? {};
    if (!root) continue;
    if (root === place) place = place.nextElementSibling;
    else list.insertBefore(root, place);
  }
}

function announce(id) {
  const known = documents.byId.get(id);
  const name = nameOf(known);
  if (known.status === "failed") announcements.push(`${name} failed: ${known.error.message}`);
  else if (isDone(known.status)) announcements.push(`${name} is embedded, ${plural(known.chunkCount ?? 0, "chunk")}`);
  else announcements.push(`${name}: ${known.status.replace("_", " ")}`);
  // After a burst nobody wants to hear them all.
  announcements.splice(0, announcements.length - 5);
}

function trouble(sentence) {
  setText(at("trouble"), sentence);
  at("trouble").hidden = !sentence;
}

at("more").addEventListener("click", fetchMore);
new Uploads(describe);
startSearch();
startSignIn(fetchList);
setInterval(() => documents.byId.forEach((known, id) => cards.get(id)?.drawTime(known)), 30_000);
fetchList();
