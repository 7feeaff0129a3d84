// The control panel: what is known, drawn.

import { Panel } from "./panel.js";
import { html } from "./parts/html.js";
import { render } from "./vendor/preact.js";
import { App } from "./views/app.js";

const root = document.getElementById("app");
const panel = new Panel(() => render(html`<${App} panel=${panel} />`, root));
panel.draw();
// "3 minutes ago" grows old by itself.
setInterval(() => panel.changed(), 30_000);
