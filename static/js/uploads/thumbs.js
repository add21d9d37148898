// Small pictures of local images, one at a time and only for rows in sight; no page waits for them.

const EDGE = 96;
const LARGEST_BYTES = 40 * 1024 * 1024;
const wanted = new WeakMap();
let line = Promise.resolve();

const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    line = line.then(() => paint(target, wanted.get(target))).catch(() => {});
  }
});

/** Show the image's picture in the tile once the tile is seen; formats the browser can't read keep their icon. */
export function thumb(tile, file) {
  if (file.size > LARGEST_BYTES) return;
  wanted.set(tile, file);
  sight.observe(tile);
}

async function paint(tile, file) {
  if (!tile.isConnected) return;
  const picture = await createImageBitmap(file, { resizeWidth: EDGE, resizeQuality: "low" });
  const canvas = document.createElement("canvas");
  const side = Math.min(picture.width, picture.height);
  canvas.width = canvas.height = EDGE;
  canvas.getContext("2d").drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, EDGE, EDGE);
  picture.close();
  tile.replaceChildren(canvas);
}
