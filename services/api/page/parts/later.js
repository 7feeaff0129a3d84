// A view whose script is fetched when it is first shown.

import { html } from "./html.js";
import { useEffect, useState } from "../vendor/hooks.js";

// load() resolves to the module, name: of the component in it
export function shownLater(load, name) {
  let Loaded = null;
  return function Later(properties) {
    const [, again] = useState(0);
    const [trouble, setTrouble] = useState("");
    useEffect(() => {
      if (Loaded) return;
      load().then((module) => {
        Loaded = module[name];
        again(1);
      }, () => setTrouble("A part of this page could not be fetched. Load it again."));
    }, []);
    if (trouble) return html`<p class="trouble" role="alert">${trouble}</p>`;
    return Loaded && html`<${Loaded} ...${properties} />`;
  };
}
