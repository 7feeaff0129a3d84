// Which documents are looked at, and in which order: as the API's list filters and sorts, for those known here.

import { isDone, STATUSES } from "./documents.js";

// What people choose among, and the statuses that each stands for.
export const STATES = {
  "": ["All", []],
  working: ["Under way", STATUSES.filter((status) => !isDone(status))],
  embedded: ["Embedded", ["embedded"]],
  failed: ["Failed", ["failed"]],
};

export const ORDERS = {
  "-createdAt": "Newest first",
  createdAt: "Oldest first",
  "-updatedAt": "Last changed",
  filename: "Name",
  "-size": "Largest first",
};

export const NO_FILTER = { state: "", name: "", fileType: "", ownerId: "", sort: "-createdAt" };

export const isFiltered = (filter) => ["state", "name", "fileType", "ownerId"].some((key) => filter[key]);

// The parameters of the API's list, as pairs.
export function queryOf(filter) {
  const pairs = STATES[filter.state][1].map((status) => ["status", status]);
  for (const key of ["name", "fileType", "ownerId"]) if (filter[key]) pairs.push([key, filter[key]]);
  return [...pairs, ["sort", filter.sort]];
}

// The body of a bulk call: what the list shows under this filter as it is now, and nothing that comes later.
export function bulkOf(filter, now) {
  const statuses = STATES[filter.state][1];
  const body = { createdBefore: now };
  if (statuses.length) body.status = statuses;
  for (const key of ["name", "fileType", "ownerId"]) if (filter[key]) body[key] = filter[key];
  return body;
}

export function matches(document, filter) {
  const statuses = STATES[filter.state][1];
  if (statuses.length && !statuses.includes(document.status)) return false;
  if (filter.fileType && document.fileType !== filter.fileType) return false;
  if (filter.ownerId && document.ownerId !== filter.ownerId) return false;
  return !filter.name || (document.filename ?? "").toLowerCase().includes(filter.name.toLowerCase());
}

export function comparing(sort) {
  const key = sort.replace("-", "");
  const sign = sort.startsWith("-") ? -1 : 1;
  return (a, b) => sign * (compare(a[key], b[key]) || compare(a.documentId, b.documentId));
}

function compare(a, b) {
  const [left, right] = [a ?? "", b ?? ""];
  return left < right ? -1 : left > right ? 1 : 0;
}
