// The messages that stages gave up, with the reason; each can be processed again.

import { readDeadLetters, redrive } from "../api.js";
import { addressOf } from "../known/route.js";
import { html } from "../parts/html.js";
import { usePages } from "../parts/pages.js";
import { agoOf } from "../parts/words.js";
import { useState } from "../vendor/hooks.js";

// when: changes when there are others
export function DeadLetters({ when }) {
  const [pressed, setPressed] = useState(0);
  const [{ items, isRead, trouble }] = usePages(readDeadLetters, `${when} ${pressed}`);
  const again = () => setPressed((before) => before + 1);
  if (!isRead) return null;
  return html`
    <section aria-labelledby="dead-heading">
      <h2 id="dead-heading">Dead letters</h2>
      ${trouble && html`<p class="failure">${trouble}</p>`}
      ${items.length === 0 && html`<p class="hint">None.</p>`}
      <ul class="dead">${items.map((letter) => html`<${Letter} key=${letter.deadLetterId} letter=${letter} done=${again} />`)}</ul>
    </section>
  `;
}

function Letter({ letter, done }) {
  const [trouble, setTrouble] = useState("");
  const press = async () => {
    try {
      await redrive(letter.deadLetterId);
      done();
    } catch (error) {
      setTrouble(error.message);
    }
  };
  return html`
    <li>
      ${letter.documentId
        ? html`<a href=${addressOf("pipeline", letter.documentId)}><code>${letter.documentId}</code></a>`
        : html`<span>no document</span>`}
      <span>${letter.stage}</span> <span>${letter.reason}</span>
      <time datetime=${letter.at} title=${new Date(letter.at).toLocaleString()}>${agoOf(letter.at)}</time>
      <button type="button" aria-label=${`Process ${letter.documentId ?? "the message"} again`} onClick=${press}>Redrive</button>
      ${trouble && html`<span class="failure" role="alert">${trouble}</span>`}
    </li>
  `;
}
