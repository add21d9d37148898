// How a file is known again after a reload: name, size, time and, for big ones, both ends' hash.

const END = 1024 * 1024;
const WORTH_HASHING = 8 * END;

/** SHA-256 of the first and last megabyte, or "" for small files and where hashing is not allowed. */
export async function fingerprint(file) {
  if (file.size < WORTH_HASHING || !globalThis.crypto?.subtle) return "";
  const ends = new Blob([file.slice(0, END), file.slice(file.size - END)]);
  const digest = await crypto.subtle.digest("SHA-256", await ends.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether this file is the one whose upload stopped; `ghost` has strings as the server keeps them. */
export async function same(file, ghost) {
  if (file.name !== ghost.name || file.size !== Number(ghost.size)) return false;
  if (ghost.modified && Number(ghost.modified) !== file.lastModified) return false;
  if (!ghost.fingerprint) return true;
  const mine = await fingerprint(file);
  return mine === "" || mine === ghost.fingerprint;
}
