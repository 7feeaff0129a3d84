// The page as a whole: its head, and the view that was chosen.

import { html } from "../parts/html.js";
import { addressOf } from "../known/route.js";
import { shownLater } from "../parts/later.js";
import { DocumentsView } from "./documents_view.js";
import { SearchView } from "./search_view.js";
import { SignIn } from "./sign_in.js";
import { Toasts } from "./toasts.js";

const DocumentPanel = shownLater(() => import("./document_panel.js"), "DocumentPanel");
const PipelineView = shownLater(() => import("./pipeline_view.js"), "PipelineView");
const STATES = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };
const TITLES = { documents: "Documents", search: "Search", pipeline: "Pipeline" };

export function App({ panel }) {
  const { view, documentId } = panel.route;
  return html`
    <${Head} panel=${panel} />
    ${panel.mustSignIn && html`<${SignIn} panel=${panel} />`}
    <main>
      ${panel.trouble && html`<p class="trouble" id="trouble" role="alert">${panel.trouble}</p>`}
      <${DocumentsView} panel=${panel} hidden=${view !== "documents"} />
      <${SearchView} hidden=${view !== "search"} />
      ${view === "pipeline" && html`<${PipelineView} panel=${panel} />`}
    </main>
    ${documentId && html`<${DocumentPanel} key=${documentId} panel=${panel} id=${documentId} />`}
    <${Toasts} panel=${panel} />
    <p id="announcer" class="visually-hidden" aria-live="polite">${panel.announcements.join(". ")}</p>
  `;
}

function Head({ panel }) {
  const views = Object.entries(TITLES).filter(([view]) => view !== "pipeline" || panel.isOperator);
  return html`
    <header class="top">
      <h1><img src="icon.svg" alt="" width="24" height="24" />Stagecast</h1>
      <nav aria-label="Views">
        ${views.map(([view, title]) => html`
          <a href=${addressOf(view)} aria-current=${panel.route.view === view ? "page" : null}>${title}</a>`)}
      </nav>
      <p id="connection" class="connection" data-state=${panel.state} role="status">${STATES[panel.state]}</p>
    </header>
  `;
}
