// Where the server asks for tokens: a box to paste one into. The server keeps it in a cookie that no script can read.

import { html } from "../parts/html.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";

export function SignIn({ panel }) {
  const [sentence, setSentence] = useState("");
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  async function submit(event) {
    event.preventDefault();
    try {
      await panel.enter(field.current.value.trim());
    } catch (error) {
      setSentence(error.message);
      field.current?.focus();
    }
  }
  return html`
    <form id="sign-in" class="sign-in" onSubmit=${submit}>
      <label for="token">This server asks for a token</label>
      <div class="field">
        <input id="token" type="password" ref=${field} required maxlength="8192" autocomplete="off" spellcheck="false" />
        <button type="submit" class="primary">Sign in</button>
      </div>
      <p id="sign-in-state" class="trouble" role="alert">${sentence}</p>
    </form>
  `;
}
