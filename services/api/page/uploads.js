// Files on their way to the server: a drop zone, a button, and a line for each file until it is taken.

import * as api from "./api.js";
import { element, setText } from "./element.js";
import { sizeOf } from "./words.js";

const AT_ONCE = 3;

export class Uploads {
  // taken(document) hears of each file that the server took
  constructor(taken) {
    this.taken = taken;
    this.list = document.getElementById("uploads");
    this.waiting = [];
    this.running = 0;
    this.acceptChosen(document.getElementById("files"));
    this.acceptDropped(document.getElementById("drop"));
  }

  acceptChosen(input) {
    input.addEventListener("change", () => {
      this.add([...input.files]);
      // Else choosing the same file again would change nothing, and nothing would happen.
      input.value = "";
    });
  }

  acceptDropped(zone) {
    const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
    // On the whole page: a file that just misses the zone must not make the browser leave for it.
    addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      zone.classList.add("over");
    });
    addEventListener("dragleave", (event) => event.relatedTarget === null && zone.classList.remove("over"));
    addEventListener("drop", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      zone.classList.remove("over");
      this.add([...event.dataTransfer.files]);
    });
  }

  add(files) {
    for (const file of files) {
      const line = new Line(file);
      this.list.append(line.root);
      this.waiting.push([file, line]);
    }
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const [file, line] = this.waiting.shift();
      this.running += 1;
      this.send(file, line).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async send(file, line) {
    try {
      const { already, document } = await api.upload(file, (sent, total) => line.sent(sent, total));
      this.taken(document);
      if (already) line.end("Already there, nothing was uploaded twice.", "note");
      else line.root.remove();
    } catch (error) {
      line.end(error.message, "failure");
    }
  }
}

class Line {
  constructor(file) {
    this.state = element("span", { class: "state", text: `waiting · ${sizeOf(file.size)}` });
    this.bar = element("progress", { max: "1", value: "0", "aria-label": `Uploading ${file.name}` });
    this.close = element("button", { type: "button", class: "quiet", text: "Dismiss", hidden: "" });
    this.close.setAttribute("aria-label", `Dismiss the message about ${file.name}`);
    this.close.addEventListener("click", () => this.root.remove());
    const name = element("span", { class: "name", text: file.name });
    this.root = element("li", {}, name, this.bar, this.state, this.close);
  }

  sent(sent, total) {
    this.bar.max = total || 1;
    this.bar.value = sent;
    setText(this.state, sent < total ? `${Math.floor((100 * sent) / total)} %` : "being taken in");
  }

  end(sentence, kind) {
    this.bar.remove();
    this.root.className = kind;
    this.state.setAttribute("role", kind === "failure" ? "alert" : "status");
    setText(this.state, sentence);
    this.close.hidden = false;
  }
}
