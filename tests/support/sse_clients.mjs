// SSE clients from npm beside each other: `node sse_clients.mjs URL NAME…`, beside a node_modules that has them.
// Each event that one hands out is a line: its client, its name, its data, as a JSON array.
import { createRequire } from "node:module";

const [url, ...names] = process.argv.slice(2);
const requireHere = createRequire(process.cwd() + "/");
const kinds = ["connected", "heartbeat", "document_processing", "document_deleted", "reset", "reconnect", "message"];

const report = (client, event, data) => console.log(JSON.stringify([client, event || "message", data ?? ""]));

function follow(client, source) {
  for (const kind of kinds) source.addEventListener(kind, (event) => report(client, kind, event.data));
  source.addEventListener("error", () => {}); // it comes back by itself
}

const clients = {
  eventsource: ({ EventSource }, name) => follow(name, new EventSource(url)),
  "event-source-polyfill": ({ EventSourcePolyfill }, name) => follow(name, new EventSourcePolyfill(url)),
  "extended-eventsource": ({ EventSource }, name) => follow(name, new EventSource(url, { disableLogger: true })),
  "launchdarkly-eventsource": ({ EventSource }, name) =>
    follow(name, new EventSource(url, { errorFilter: () => true, readTimeoutMillis: 60_000 })),
  "eventsource-client": ({ createEventSource }, name) =>
    createEventSource({ url, onMessage: ({ event, data }) => report(name, event, data) }),
  "stagecast-client": ({ StagecastStream }, name) =>
    new StagecastStream({
      url: new URL(url).origin,
      EventSource: requireHere("eventsource").EventSource,
      token: process.env.STAGECAST_TOKEN && (() => process.env.STAGECAST_TOKEN),
      onMessage: ({ event, data }) => report(name, event, JSON.stringify(data)),
    }),
  "@microsoft/fetch-event-source": ({ fetchEventSource }, name) => {
    // It is made for pages; loaded last, since others would take this for one.
    globalThis.window = globalThis;
    globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} };
    fetchEventSource(url, {
      onmessage: ({ event, data }) => report(name, event, data),
      onclose() {
        throw new Error("come back"); // or the end of a stream is its end
      },
    });
  },
};

setInterval(() => {}, 60_000); // eventsource lets a program end while it waits to come back
for (const name of names) clients[name](requireHere(name), name);
