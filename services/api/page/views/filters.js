// Which documents the list shows, and in which order.

import { NO_FILTER, isFiltered, ORDERS, STATES } from "../known/filter.js";
import { html } from "../parts/html.js";
import { TYPE_NAMES } from "../parts/words.js";
import { useRef } from "../vendor/hooks.js";

const TYPING_MS = 250;

export function Filters({ panel }) {
  const { filter } = panel.list;
  const typing = useRef(null);
  const choose = (change) => panel.filter({ ...panel.list.filter, ...change });
  const typed = (key) => (event) => {
    clearTimeout(typing.current);
    const value = event.target.value.trim();
    typing.current = setTimeout(() => choose({ [key]: value }), TYPING_MS);
  };
  return html`
    <form class="filters" role="search" aria-label="Filter the list" onSubmit=${(event) => event.preventDefault()}>
      <input type="search" aria-label="Part of the name" placeholder="Part of the name" value=${filter.name}
        maxlength="200" onInput=${typed("name")} />
      <${Choice} label="Status" value=${filter.state} choose=${(state) => choose({ state })}
        options=${Object.entries(STATES).map(([key, [label]]) => [key, label])} />
      <${Choice} label="Type" value=${filter.fileType} choose=${(fileType) => choose({ fileType })}
        options=${[["", "All types"], ...TYPE_NAMES]} />
      ${panel.isOperator && html`
        <input type="search" aria-label="Owner" placeholder="Owner" value=${filter.ownerId} maxlength="200"
          onInput=${typed("ownerId")} />`}
      <${Choice} label="Order" value=${filter.sort} choose=${(sort) => choose({ sort })} options=${Object.entries(ORDERS)} />
      ${isFiltered(filter) && html`
        <button type="button" class="quiet" onClick=${() => choose({ ...NO_FILTER, sort: filter.sort })}>Show all</button>`}
    </form>
  `;
}

function Choice({ label, value, choose, options }) {
  return html`
    <select aria-label=${label} value=${value} onChange=${(event) => choose(event.target.value)}>
      ${options.map(([key, name]) => html`<option value=${key} selected=${key === value}>${name}</option>`)}
    </select>
  `;
}
