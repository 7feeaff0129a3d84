// Where the stream is: filters, the place to go on from, and a ticket where the server asks for tokens.

export type Filters = {
  documentId?: string | readonly string[];
  status?: string | readonly string[];
  fileType?: string | readonly string[];
  source?: string | readonly string[];
};

export type Place = {
  filters: Filters;
  position: string | null;
  snapshot: boolean;
  everyStep: boolean;
  ticket: string | null;
};

export function addressOf(url: string, place: Place): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(place.filters)) {
    for (const one of typeof value === "string" ? [value] : value) query.append(key, one);
  }
  if (place.position !== null) query.set("lastEventId", place.position);
  else if (place.snapshot) query.set("snapshot", "true");
  if (place.everyStep) query.set("progress", "all");
  if (place.ticket !== null) query.set("ticket", place.ticket);
  const asked = query.toString();
  return `${url.replace(/\/+$/, "")}/api/v1/events${asked ? `?${asked}` : ""}`;
}

// A ticket is used once: each connection needs its own. Throws where the server refuses one.
export async function fetchTicket(url: string, token: string): Promise<string> {
  const response = await fetch(`${url.replace(/\/+$/, "")}/api/v1/events/tickets`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
  });
  if (!response.ok) throw new TicketRefused(response.status);
  const { ticket } = (await response.json()) as { ticket: string };
  return ticket;
}

export class TicketRefused extends Error {
  constructor(readonly status: number) {
    super(`The server gave no ticket: status ${status}.`);
  }
}
