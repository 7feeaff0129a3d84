// The search box and what was found.

import * as api from "./api.js";
import { element, setText } from "./element.js";
import { pagesOf, plural } from "./words.js";

const LONG = 420;

export function startSearch() {
  const form = document.getElementById("search");
  const state = document.getElementById("search-state");
  const results = document.getElementById("results");
  let newest = 0;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = form.elements.query.value.trim();
    if (!query) return;
    newest += 1;
    const mine = newest;
    state.classList.remove("failure");
    setText(state, "Searching");
    try {
      const items = await api.search(query);
      // A slow answer must not replace that of a later question.
      if (mine !== newest) return;
      results.replaceChildren(...items.map(result));
      setText(state, items.length ? plural(items.length, "result") : "Nothing was found.");
    } catch (error) {
      if (mine !== newest) return;
      state.classList.add("failure");
      setText(state, error.message);
    }
  });
}

function result(item) {
  const name = item.filename || item.documentId;
  const score = element("span", { class: "score", text: Number(item.score).toFixed(2), title: sides(item) });
  const head = element("div", { class: "head" }, element("h3", { class: "name", text: name, title: name }), score);
  const pages = element("p", { class: "meta", text: pagesOf(item.pageStart, item.pageEnd) });
  const text = element("p", { class: "text" }, ...marked(item));
  const root = element("li", { class: "card result" }, head, pages, text);
  root.dataset.documentId = item.documentId;
  if (item.text.length > LONG) root.append(whole(text));
  return root;
}

// What the score is made of, where the server tells.
function sides(item) {
  const near = typeof item.cosine === "number" ? `Cosine similarity ${item.cosine.toFixed(2)}` : "";
  const words = typeof item.words === "number" ? `words ${item.words.toFixed(1)}` : "";
  return [near, words].filter(Boolean).join(", ");
}

// Offsets count code points, and strings are made of UTF-16.
function marked({ text, highlights = [] }) {
  const points = Array.from(text);
  const parts = [];
  let end = 0;
  for (const [start, stop] of highlights) {
    parts.push(points.slice(end, start).join(""), element("mark", { text: points.slice(start, stop).join("") }));
    end = stop;
  }
  return [...parts, points.slice(end).join("")];
}

function whole(text) {
  text.classList.add("clipped");
  const button = element("button", { type: "button", class: "quiet", text: "Show all", "aria-expanded": "false" });
  button.addEventListener("click", () => {
    const clipped = text.classList.toggle("clipped");
    setText(button, clipped ? "Show all" : "Show less");
    button.setAttribute("aria-expanded", String(!clipped));
  });
  return button;
}
