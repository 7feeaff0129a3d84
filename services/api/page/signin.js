// Where the server asks for tokens: a box to paste one into. The server keeps it in a cookie that no script can read.

import * as api from "./api.js";
import { setText } from "./element.js";

const at = (id) => document.getElementById(id);

// done() is called each time somebody has signed in
export function startSignIn(done) {
  const form = at("sign-in");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = form.elements.token;
    try {
      await api.signIn(field.value.trim());
      field.value = "";
      form.hidden = true;
      setText(at("sign-in-state"), "");
      done();
    } catch (error) {
      setText(at("sign-in-state"), error.message);
      field.focus();
    }
  });
}

export function askToSignIn() {
  const form = at("sign-in");
  if (!form.hidden) return;
  form.hidden = false;
  form.elements.token.focus();
}
