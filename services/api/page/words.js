// Numbers, times and names as people read them.

const TYPES = {
  "application/pdf": "PDF",
  "text/plain": "Text",
  "text/markdown": "Markdown",
  "text/html": "HTML",
};

export const nameOf = (document) => document.filename || document.documentId;

export const typeOf = (fileType) => TYPES[fileType] ?? fileType;

export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

export function pagesOf(first, last) {
  if (first == null) return "";
  return last == null || last === first ? `page ${first}` : `pages ${first}–${last}`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function agoOf(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (seconds > -60) return "just now";
  if (seconds > -3600) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds > -86_400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}
