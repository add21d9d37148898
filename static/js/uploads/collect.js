// Files out of a drop, an input or the clipboard, folders walked to their ends.

/** All files of a drop with their paths; entries must be taken before the event ends. */
export async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = items.map((item, place) => (entries[place] ? null : item.getAsFile()));
  const found = plain.filter(Boolean).map((file) => ({ file, path: "" }));
  for (const entry of entries.filter(Boolean)) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    const path = entry.fullPath.replace(/^\//, "");
    found.push({ file, path: path.includes("/") ? path : "" });
    return;
  }
  for (const child of await childrenOf(entry)) await walk(child, found);
}

/** What a folder holds, in the order people expect: IMG_2 before IMG_10. */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    // One call returns at most 100 entries; an empty answer is the end.
    const more = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (more.length === 0) break;
    children.push(...more);
  }
  return children.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

/** The files of an input; a folder's carry their path. */
export function picked(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath ?? "" }));
}

/** The files of a paste, or none. */
export function pasted(data) {
  return [...(data?.files ?? [])].map((file) => ({ file, path: "" }));
}
