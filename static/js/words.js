// Numbers in words, as uploads/pages/tags.py says them.

const UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];

/** Bytes, powers of 1024: “8.2 MB”. */
export function size(count) {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return value === 1 ? "1 byte" : `${Math.round(value)} bytes`;
  const text = value >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
  return `${text}\u00a0${UNITS[unit]}`;
}

/** Seconds left, rounded as a person would: “48 s”, “about 6 min”, “about 1 h 20 min”. */
export function left(seconds) {
  if (seconds < 10) return "a few seconds";
  if (seconds < 55) return `${Math.round(seconds / 5) * 5}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${Math.max(1, minutes)}\u00a0min`;
  const rest = Math.round((minutes % 60) / 10) * 10;
  const hours = Math.floor(minutes / 60) + (rest === 60 ? 1 : 0);
  return `about ${hours}\u00a0h${rest % 60 ? ` ${rest}\u00a0min` : ""}`;
}

/** “1 file”, “3 files”. */
export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en").replaceAll(",", "\u202f")}\u00a0${count === 1 ? one : many}`;
}

/** A fraction as whole percent; only a full one is 100. */
export function percent(fraction) {
  return fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100));
}

/** A moment as “5 min ago”; null when it is so old that its day says more. */
export function ago(moment, now = Date.now()) {
  const seconds = (now - moment) / 1000;
  if (seconds < 45) return "just now";
  for (const [limit, length, unit] of [[5400, 60, "min"], [36 * 3600, 3600, "h"], [7 * 86400, 86400, "d"]]) {
    if (seconds < limit) return `${Math.round(seconds / length)}\u00a0${unit} ago`;
  }
  return null;
}
