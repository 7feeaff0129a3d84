// The routes that the page calls. Every failure is an Error whose message is a sentence for people.

const API = "/api/v1";
const DOCUMENTS = `${API}/documents`;

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new Error("The server does not answer.");
  }
  if (!response.ok) throw failure(response.status, await response.text(), response.headers.get("Retry-After"));
  return response.status === 204 ? null : response.json();
}

const post = (path, body, options = {}) =>
  ask(path, {
    method: "POST",
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    ...options,
  });

function failure(status, body, retryAfter) {
  const error = new Error(sentenceOf(status, body));
  error.status = status;
  const seconds = Number.parseInt(retryAfter, 10);
  error.retryAfter = Number.isFinite(seconds) ? seconds : null;
  return error;
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

const document = (id, part = "") => `${DOCUMENTS}/${encodeURIComponent(id)}${part}`;

function query(pairs) {
  const parameters = new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined));
  return parameters.size ? `?${parameters}` : "";
}

export const signIn = (token) => post(`${API}/session`, { token });

export const listDocuments = (filter, cursor) =>
  ask(`${DOCUMENTS}${query([...filter, ["limit", "100"], ["cursor", cursor]])}`);

export const readDocument = (id) => ask(document(id));
export const readHistory = (id, cursor) => ask(document(id, `/events${query([["cursor", cursor]])}`));
export const readChunks = (id, cursor) => ask(document(id, `/chunks${query([["limit", "50"], ["cursor", cursor]])}`));
export const contentOf = (id) => document(id, "/content");

export const retryDocument = (id) => post(document(id, "/retry"));
export const cancelDocument = (id) => post(document(id, "/cancel"));
// It goes out as well where the page is just being closed.
export const deleteDocument = (id) => ask(document(id), { method: "DELETE", keepalive: true });

// kind: "retry", "cancel" or "delete". Resolves to { matched }, and to { operationId, matched } in earnest.
export const countBulk = (kind, filter) => post(`${DOCUMENTS}/${kind}?dryRun=true`, { filter });
export const startBulk = (kind, filter) => post(`${DOCUMENTS}/${kind}`, { filter });

export const readPipeline = () => ask(`${API}/pipeline`);
export const readDeadLetters = () => ask(`${API}/dead-letters`);
export const redrive = (id) => post(`${API}/dead-letters/${encodeURIComponent(id)}/redrive`);

// Resolves to the whole answer.
export const search = (text, mode) => post(`${API}/search`, { query: text, mode, limit: 20 });

// XMLHttpRequest, because fetch tells nothing of how much was sent. Resolves to { already, document }.
export function upload(file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status < 200 || request.status > 299) {
        reject(failure(request.status, request.responseText, request.getResponseHeader("Retry-After")));
        return;
      }
      try {
        resolve({ already: request.status === 200, document: JSON.parse(request.responseText) });
      } catch {
        reject(new Error("The server's answer could not be read."));
      }
    });
    request.addEventListener("error", () => reject(broken()));
    request.addEventListener("abort", () => reject(broken()));
    const form = new FormData();
    form.append("file", file);
    request.open("POST", DOCUMENTS);
    request.setRequestHeader("Accept", "application/json");
    request.send(form);
  });
}

function broken() {
  const error = new Error("The connection broke during the upload.");
  error.isBroken = true;
  return error;
}
