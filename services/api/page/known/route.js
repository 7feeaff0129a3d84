// What of the page is shown, kept in the address behind "#", so that it can be bookmarked and "back" goes back.

export const VIEWS = ["documents", "search", "pipeline"];

export class Route {
  constructor(changed) {
    this.read();
    addEventListener("hashchange", () => {
      this.read();
      changed();
    });
  }

  read() {
    const [view, id] = location.hash.replace(/^#\/?/, "").split("/");
    this.view = VIEWS.includes(view) ? view : "documents";
    this.documentId = id ? decoded(id) : null;
  }
}

export const addressOf = (view, id) => `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}`;

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
