// What kind a file probably is, before the server has looked into it.

const TYPES = {
  heic: "image/heic", heif: "image/heif", avif: "image/avif", tif: "image/tiff", tiff: "image/tiff", jxl: "image/jxl",
  mkv: "video/x-matroska", mov: "video/quicktime", avi: "video/x-msvideo", mts: "video/mp2t", m2ts: "video/mp2t", m4v: "video/mp4",
  pdf: "application/pdf", flac: "audio/flac", opus: "audio/ogg", m4a: "audio/mp4",
};
const TABLES = {
  csv: "text/csv", parquet: "application/vnd.apache.parquet",
  tsv: "text/tab-separated-values", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson", json: "application/json",
  sqlite: "application/vnd.sqlite3", db: "application/vnd.sqlite3", xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ods: "application/vnd.oasis.opendocument.spreadsheet",
};
const OFFICE = {
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", odt: "application/vnd.oasis.opendocument.text",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation", odp: "application/vnd.oasis.opendocument.presentation",
  doc: "application/msword", ppt: "application/vnd.ms-powerpoint", rtf: "application/rtf",
};
// Browsers call these by several names.
const ARCHIVES = {
  zip: "application/zip", tar: "application/x-tar", gz: "application/gzip", tgz: "application/gzip", bz2: "application/x-bzip2", tbz2: "application/x-bzip2",
  xz: "application/x-xz", txz: "application/x-xz", zst: "application/zstd", tzst: "application/zstd", "7z": "application/x-7z-compressed",
};
// Behind the type of a table that is packed.
const PACKINGS = { gz: "+gzip", bz2: "+bzip2", xz: "+xz", zst: "+zstd" };

/** The browser's word, or the ending's, or “any bytes”. */
export function mediaType(file) {
  const packed = /\.(csv|tsv|json|ndjson|jsonl)\.(gz|bz2|xz|zst)$/i.exec(file.name);
  if (packed) return TABLES[packed[1].toLowerCase()] + PACKINGS[packed[2].toLowerCase()];
  const ending = file.name.slice(file.name.lastIndexOf(".") + 1).toLowerCase();
  const named = ARCHIVES[ending] ?? OFFICE[ending];
  if (named) return named;
  if (file.type) return file.type;
  return TYPES[ending] ?? TABLES[ending] ?? "application/octet-stream";
}

export function family(type) {
  const name = type.split("/", 1)[0];
  if (["image", "video", "audio"].includes(name)) return name;
  if (Object.values(PACKINGS).some((suffix) => type.endsWith(suffix))) return "table";
  if (Object.values(ARCHIVES).includes(type)) return "archive";
  if (type === "application/pdf") return "document";
  if (Object.values(OFFICE).includes(type)) return "office";
  return Object.values(TABLES).includes(type) ? "table" : "file";
}

// Whether one of the patterns (a type, a family with a star, or anything) takes the type.
export function fits(patterns, type) {
  return patterns.some((pattern) => pattern === "*/*" || pattern === type || pattern === `${type.split("/", 1)[0]}/*`);
}

const NAMES = { image: ["photo", "photos"], video: ["video", "videos"], audio: ["sound file", "sound files"], table: ["table", "tables"], archive: ["archive", "archives"], document: ["PDF", "PDFs"], office: ["office file", "office files"], file: ["file", "files"] };

export function kindWords(kind) {
  return NAMES[kind];
}
