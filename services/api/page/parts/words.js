// Numbers, times and names as people read them.

const TYPES = {
  "application/pdf": "PDF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "application/vnd.ms-excel": "Excel 97",
  "application/vnd.oasis.opendocument.text": "OpenDocument text",
  "application/vnd.oasis.opendocument.presentation": "OpenDocument slides",
  "application/vnd.oasis.opendocument.spreadsheet": "OpenDocument sheet",
  "application/epub+zip": "EPUB",
  "text/html": "HTML",
  "text/markdown": "Markdown",
  "application/rtf": "RTF",
  "message/rfc822": "Mail",
  "text/csv": "CSV",
  "text/tab-separated-values": "TSV",
  "application/json": "JSON",
  "application/x-ndjson": "JSON Lines",
  "application/xml": "XML",
  "text/plain": "Text",
};

// What the server reads, as the browser's dialogue takes it and as people read it.
export const ACCEPTED =
  "text/*,.pdf,.docx,.docm,.dotx,.pptx,.pptm,.ppsx,.xlsx,.xlsm,.xlsb,.xls,.odt,.ott,.odp,.otp,.ods,.ots,.epub,.html,.htm,.xhtml,.md,.markdown,.mdown,.rtf,.eml,.csv,.tsv,.tab,.json,.ipynb,.geojson,.jsonl,.ndjson,.xml,.rss,.atom,.txt,.text,.log,.rst,.tex";
export const READ =
  "PDF, Word, PowerPoint, Excel, Excel 97, OpenDocument text, OpenDocument slides, OpenDocument sheet, EPUB, HTML, Markdown, RTF, Mail, CSV, TSV, JSON, JSON Lines, XML and Text";

export const TYPE_NAMES = Object.entries(TYPES);

// What turns the reading direction round for all that follows, and what is no character to be seen.
const UNSEEN = /[\u202a-\u202e\u2066-\u2069\u0000-\u001f\u007f-\u009f]/g;

export const nameOf = (document) => seen(document.filename || document.documentId);

export const seen = (text) => text.replace(UNSEEN, "\ufffd");

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

// A span of time: "0.4 s", "12 s", "3 min", "2 h".
export function spanOf(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

// What is left of it, as roughly as it is known: in steps that don't flicker.
export function leftOf(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 5) return "a few seconds left";
  if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  return `about ${spanOf(seconds)} left`;
}
