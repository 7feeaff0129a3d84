// One document in the list: its name, its stages, what can be done with it.

import { isDone } from "./documents.js";
import { element, setText } from "./element.js";
import { agoOf, nameOf, plural, sizeOf, typeOf } from "./words.js";

const STEPS = [
  ["parsing_started", "Started"],
  ["parsing", "Parsing"],
  ["parsed", "Parsed"],
  ["embedding", "Embedding"],
  ["embedded", "Embedded"],
];
const LABELS = { ...Object.fromEntries(STEPS), failed: "Failed" };
const CONFIRM_MS = 4000;

export class Card {
  // actions: { retry(id), remove(id) }, both promises
  constructor(id, actions) {
    this.id = id;
    this.name = element("h3", { class: "name" });
    this.badge = element("span", { class: "badge" });
    this.retry = element("button", { type: "button", text: "Retry" });
    this.remove = element("button", { type: "button", class: "quiet", text: "Delete" });
    this.about = element("span");
    this.when = element("time");
    this.progress = element("progress", { max: "1", value: "0" });
    this.error = element("p", { class: "failure", hidden: "" });
    this.trouble = element("p", { class: "trouble", role: "alert", hidden: "" });
    this.steps = STEPS.map(([status, label]) => new Step(status, label));
    this.root = this.build();
    this.retry.addEventListener("click", () => this.act(this.retry, () => actions.retry(id)));
    this.remove.addEventListener("click", () => this.confirmed() && this.act(this.remove, () => actions.remove(id)));
  }

  build() {
    const buttons = element("div", { class: "buttons" }, this.retry, this.remove);
    const head = element("div", { class: "head" }, this.name, this.badge, buttons);
    const meta = element("p", { class: "meta" }, this.about, this.when);
    const stepper = element("ol", { class: "stepper" }, ...this.steps.map((step) => step.root));
    const root = element("li", { class: "card" }, head, meta, stepper, this.progress, this.error, this.trouble);
    root.dataset.documentId = this.id;
    return root;
  }

  draw(document) {
    const name = nameOf(document);
    setText(this.name, name);
    this.name.title = name;
    setText(this.badge, LABELS[document.status] ?? document.status);
    this.root.dataset.status = document.status;
    setText(this.about, aboutOf(document));
    this.drawTime(document);
    this.drawSteps(document);
    this.drawProgress(document);
    this.drawError(document);
    // What came by the webhook has no bytes here that could be processed again.
    this.retry.hidden = document.status !== "failed" || document.size == null;
    this.retry.setAttribute("aria-label", `Retry ${name}`);
    if (!this.asking) this.remove.setAttribute("aria-label", `Delete ${name}`);
  }

  drawTime(document) {
    this.when.dateTime = document.createdAt ?? "";
    this.when.title = document.createdAt ? new Date(document.createdAt).toLocaleString() : "";
    setText(this.when, agoOf(document.createdAt));
  }

  drawSteps(document) {
    const reached = reachedOf(document);
    this.steps.forEach((step, index) => step.draw(stateOf(index, reached, document.status), detailOf(step.status, document)));
  }

  drawProgress(document) {
    const [done, total] = document.status === "parsing"
      ? [document.pagesDone, document.pageCount]
      : [document.embeddedCount, document.chunkCount];
    this.progress.hidden = isDone(document.status);
    if (Number.isFinite(done) && total > 0 && ["parsing", "embedding"].includes(document.status)) {
      this.progress.max = total;
      this.progress.value = Math.min(done, total);
    } else {
      this.progress.removeAttribute("value");
    }
    this.progress.setAttribute("aria-label", `${LABELS[document.status]} ${nameOf(document)}`);
  }

  drawError(document) {
    const failed = document.status === "failed";
    this.error.hidden = !failed;
    const sentence = failed ? document.error?.message || document.message || "The document failed." : "";
    const code = failed ? document.error?.code : null;
    this.error.replaceChildren(sentence, ...(code ? [" ", element("code", { text: code })] : []));
  }

  // The first press asks, a second one within some seconds confirms.
  confirmed() {
    clearTimeout(this.asking);
    const sure = Boolean(this.asking);
    this.asking = sure ? null : setTimeout(() => this.stopAsking(), CONFIRM_MS);
    if (!sure) {
      setText(this.remove, "Really delete?");
      this.remove.removeAttribute("aria-label");
      this.remove.classList.add("danger");
    }
    return sure;
  }

  stopAsking() {
    this.asking = null;
    setText(this.remove, "Delete");
    this.remove.classList.remove("danger");
    this.remove.setAttribute("aria-label", `Delete ${this.name.textContent}`);
  }

  async act(button, action) {
    button.disabled = true;
    this.trouble.hidden = true;
    try {
      await action();
    } catch (error) {
      setText(this.trouble, error.message);
      this.trouble.hidden = false;
    } finally {
      button.disabled = false;
      this.stopAsking();
    }
  }
}

class Step {
  constructor(status, label) {
    this.status = status;
    this.detail = element("span", { class: "detail" });
    this.spoken = element("span", { class: "visually-hidden" });
    this.root = element("li", {}, element("span", { class: "label", text: label }), this.spoken, this.detail);
  }

  draw(state, detail) {
    this.root.dataset.state = state;
    if (state === "current" || state === "failed") this.root.setAttribute("aria-current", "step");
    else this.root.removeAttribute("aria-current");
    setText(this.spoken, { done: ", done", current: ", now", failed: ", failed here", ahead: "" }[state]);
    setText(this.detail, detail);
  }
}

// The index of the step that the document is at, or at which it failed.
function reachedOf(document) {
  const index = STEPS.findIndex(([status]) => status === document.status);
  if (index >= 0) return index;
  return { upload: 0, parsing: 1, embedding: 3 }[document.error?.stage] ?? (document.chunkCount ? 3 : 1);
}

function stateOf(index, reached, status) {
  if (index < reached || status === "embedded") return "done";
  if (index > reached) return "ahead";
  return status === "failed" ? "failed" : "current";
}

function detailOf(step, document) {
  const { status, pagesDone, pageCount, embeddedCount, chunkCount } = document;
  if (step === "parsing" && pageCount > 0) {
    return status === "parsing" && Number.isFinite(pagesDone) ? `${pagesDone}/${pageCount} pages` : plural(pageCount, "page");
  }
  if (step === "embedding" && status === "embedding" && chunkCount > 0) return `${embeddedCount ?? 0}/${chunkCount}`;
  if (step === "parsed" && chunkCount > 0) return plural(chunkCount, "chunk");
  return "";
}

function aboutOf(document) {
  const parts = [];
  if (document.fileType) parts.push(typeOf(document.fileType));
  if (Number.isFinite(document.size)) parts.push(sizeOf(document.size));
  if (document.attempt > 1) parts.push(`attempt ${document.attempt}`);
  return parts.map((part) => `${part} · `).join("");
}
