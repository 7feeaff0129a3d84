// The routes that the page calls. Every failure is an Error whose message is a sentence for people.

const DOCUMENTS = "/api/v1/documents";

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (!response.ok) {
    const error = new Error(sentenceOf(response.status, await response.text()));
    error.status = response.status;
    throw error;
  }
  return response.status === 204 ? null : response.json();
}

// RFC 9457 where the server had the last word; a proxy may answer with anything.
export function sentenceOf(status, body) {
  try {
    const problem = JSON.parse(body);
    const sentence = problem.detail || problem.title;
    if (typeof sentence === "string" && sentence) return sentence;
  } catch {
    // Not JSON.
  }
  return `The server answered with status ${status}.`;
}

export const signIn = (token) =>
  ask("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ token }),
  });

export function listDocuments(cursor) {
  const query = new URLSearchParams({ limit: "25" });
  if (cursor) query.set("cursor", cursor);
  return ask(`${DOCUMENTS}?${query}`);
}

export const retryDocument = (id) => ask(`${DOCUMENTS}/${encodeURIComponent(id)}/retry`, { method: "POST" });

export const deleteDocument = (id) => ask(`${DOCUMENTS}/${encodeURIComponent(id)}`, { method: "DELETE" });

export async function search(query) {
  const body = JSON.stringify({ query, limit: 20 });
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return (await ask("/api/v1/search", { method: "POST", headers, body })).items;
}

// XMLHttpRequest, because fetch tells nothing of how much was sent. Resolves to {already, document}.
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) {
        reject(new Error(sentenceOf(request.status, request.responseText)));
        return;
      }
      try {
        resolve({ already: request.status === 200, document: JSON.parse(request.responseText) });
      } catch {
        reject(new Error("The server's answer could not be read."));
      }
    });
    request.addEventListener("error", () => reject(new Error("The connection broke during the upload.")));
    const form = new FormData();
    form.append("file", file);
    request.open("POST", DOCUMENTS);
    request.setRequestHeader("Accept", "application/json");
    request.send(form);
  });
}
