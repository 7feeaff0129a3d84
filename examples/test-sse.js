// Tests the event stream of a Stagecast from outside: connects, shows events as they come, reports one by the webhook
// and waits for it on the stream. Ends after a minute (TEST_SECONDS).
//
//     npm install eventsource
//     node test-sse.js
//
// STAGECAST_URL (http://localhost:3000), INTERNAL_API_KEY (as the API has it; without one the webhook is left out) and
// STAGECAST_TOKEN (where the server asks for tokens) are read from the environment. Exit status 1: something failed.

const URL_OF_API = (process.env.STAGECAST_URL || "http://localhost:3000").replace(/\/+$/, "");
const KEY = (process.env.INTERNAL_API_KEY || "").split(",")[0].split("=").pop();
const TOKEN = process.env.STAGECAST_TOKEN;
const SECONDS = Number(process.env.TEST_SECONDS || 60);
const KINDS = ["document_processing", "document_deleted", "operation", "heartbeat", "reset", "reconnect"];

const documentId = `test-sse-${Date.now()}`;
const passed = { connected: false, accepted: false, received: false };

// A token stands in a header, which this EventSource can send through its fetch; a browser's takes a cookie or a ticket.
function fetching(address, options) {
  const headers = { ...options.headers, ...(TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {}) };
  return fetch(address, { ...options, headers });
}

async function report() {
  if (!KEY) {
    console.log("webhook: left out, set INTERNAL_API_KEY to try it");
    passed.accepted = passed.received = true;
    return;
  }
  const response = await fetch(`${URL_OF_API}/api/v1/events/webhook/document-processing`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Webhook-Key": KEY },
    body: JSON.stringify({ documentId, status: "embedded", message: "A test of the webhook." }),
  });
  passed.accepted = response.status === 202;
  console.log(`webhook: ${response.status} ${await response.text()}`);
}

function show(kind, event) {
  const data = JSON.parse(event.data);
  console.log(`${kind}${event.lastEventId ? ` (${event.lastEventId})` : ""}: ${event.data}`);
  if (kind === "document_processing" && data.documentId === documentId) passed.received = true;
}

function end(source) {
  source.close();
  for (const [what, hasPassed] of Object.entries(passed)) console.log(`${hasPassed ? "ok    " : "FAILED"} ${what}`);
  process.exit(Object.values(passed).every(Boolean) ? 0 : 1);
}

async function main() {
  const { EventSource } = await import("eventsource");
  const source = new EventSource(`${URL_OF_API}/api/v1/events`, { fetch: fetching });
  source.addEventListener("connected", (event) => {
    show("connected", event);
    if (!passed.connected) report().catch((error) => console.error(`webhook: ${error.message}`));
    passed.connected = true;
  });
  for (const kind of KINDS) source.addEventListener(kind, (event) => show(kind, event));
  source.addEventListener("error", (event) => console.error(`stream: ${event.message || "cut, it comes back by itself"}`));
  setTimeout(() => end(source), SECONDS * 1000);
}

main();
