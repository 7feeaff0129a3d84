// Files come in: by two buttons, or dropped anywhere on the page.

import { droppedFiles, isWanted } from "../parts/dropped_files.js";
import { html } from "../parts/html.js";
import { ACCEPTED, READ } from "../parts/words.js";
import { useEffect, useState } from "../vendor/hooks.js";

export function UploadArea({ panel }) {
  const isOver = useDrop(panel);
  const chosen = (event) => {
    add(panel, [...event.target.files]);
    // Else choosing the same file again would change nothing, and nothing would happen.
    event.target.value = "";
  };
  return html`
    <div id="drop" class=${isOver ? "drop over" : "drop"}>
      <input id="files" type="file" multiple accept=${ACCEPTED} class="visually-hidden" onChange=${chosen} />
      <label for="files" class="primary button">Choose files</label>
      <input id="folder" type="file" webkitdirectory class="visually-hidden" onChange=${chosen} />
      <label for="folder" class="button">Choose a folder</label>
      <span class="hint" title=${READ}>or drop files and folders anywhere</span>
    </div>
  `;
}

// A file that was named by itself is sent as it is; what a folder holds for the system's own use is not.
function add(panel, files) {
  panel.uploads.add(files.length > 1 ? files.filter(isWanted) : files);
}

// On the whole page: a file that just misses a zone must not make the browser leave for it.
function useDrop(panel) {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      setOver(true);
    };
    const left = (event) => event.relatedTarget === null && setOver(false);
    const dropped = async (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(false);
      add(panel, await droppedFiles(event.dataTransfer));
    };
    const heard = { dragover: over, dragleave: left, drop: dropped };
    for (const [kind, hear] of Object.entries(heard)) addEventListener(kind, hear);
    return () => {
      for (const [kind, hear] of Object.entries(heard)) removeEventListener(kind, hear);
    };
  }, [panel]);
  return isOver;
}
