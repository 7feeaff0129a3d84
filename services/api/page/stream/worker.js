// The SharedWorker that holds the one stream of all tabs of this origin.

import { Hub } from "./hub.js";

const hub = new Hub();

addEventListener("connect", ({ ports: [port] }) => {
  const tab = (message) => port.postMessage(message);
  const asked = {
    join: () => hub.add(tab),
    open: ({ position }) => hub.open(position),
    restart: ({ position }) => hub.restart(position),
    leave: () => hub.remove(tab),
  };
  port.addEventListener("message", ({ data }) => asked[data.ask]?.(data));
  port.start();
});
