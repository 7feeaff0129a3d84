// Writes src/events.ts from the JSON Schema of the stream's events: node scripts/generate.mjs [SCHEMA [INTO]]

import { readFile, writeFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const SCHEMA = new URL("../../../contracts/schemas/StreamEvents.json", import.meta.url);
const INTO = new URL("../src/events.ts", import.meta.url);
const BANNER = "// Made by scripts/generate.mjs from contracts/schemas/StreamEvents.json: change that, and make this again.";

// Each title would become a type of its own, so "Eventid" for a string.
function withoutTitles(node, isProperties = false) {
  if (Array.isArray(node)) return node.map((one) => withoutTitles(one));
  if (node === null || typeof node !== "object") return node;
  const kept = Object.entries(node).filter(([key]) => isProperties || key !== "title");
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutTitles(value, key === "properties")]));
}

const [from = SCHEMA, into = INTO] = process.argv.slice(2);
const schema = { ...withoutTitles(JSON.parse(await readFile(from, "utf8"))), title: "StreamEvents" };
const types = await compile(schema, "StreamEvents", { bannerComment: BANNER, style: { printWidth: 116 } });
await writeFile(into, types);
