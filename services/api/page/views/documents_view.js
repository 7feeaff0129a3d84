// The documents: files in, the list with its filters, and what is done with those that are chosen.

import { html } from "../parts/html.js";
import { isFiltered } from "../known/filter.js";
import { READ } from "../parts/words.js";
import { DocumentList } from "./document_list.js";
import { Filters } from "./filters.js";
import { SelectionBar } from "./selection_bar.js";
import { UploadArea } from "./upload_area.js";
import { UploadList } from "./upload_list.js";

export function DocumentsView({ panel, hidden }) {
  const rows = panel.list.rows();
  panel.selection.keep(rows.map((one) => one.documentId));
  return html`
    <section class="documents" aria-label="Documents" hidden=${hidden}>
      <${UploadArea} panel=${panel} />
      <${UploadList} uploads=${panel.uploads} />
      <${Filters} panel=${panel} />
      <${SelectionBar} panel=${panel} rows=${rows} />
      ${rows.length
        ? html`<${DocumentList} panel=${panel} rows=${rows} hidden=${hidden} />`
        : html`<${Nothing} panel=${panel} />`}
    </section>
  `;
}

function Nothing({ panel }) {
  if (!panel.list.isRead) return null;
  return isFiltered(panel.list.filter)
    ? html`<p id="none" class="hint">No document matches.</p>`
    : html`<p id="none" class="hint">Nothing here yet. Drop a file anywhere and see it go through its stages. What is read: ${READ}.</p>`;
}
