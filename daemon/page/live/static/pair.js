// Two results on one picture: the outline of the first, of the second, and where both agree.

import { picture } from "/static/api.js";
import { read } from "/static/stage.js";

export const BEFORE = [0, 224, 255];
export const AFTER = [255, 140, 40];
const BOTH = [255, 255, 255];
const KEPT = 60;

const kept = new Map();

// Labels of a trial; null where there are none.
export function trialLabels(id, state, signal) {
  const z = state.view === "slice" ? state.z : 0;
  return labelsOf(`/api/trials/${id}/labels.png?view=${state.view}&z=${z}`, signal);
}

function labelsOf(path, signal) {
  if (!kept.has(path)) {
    const made = picture(path, signal).then(read);
    made.catch(() => kept.delete(path));
    kept.set(path, made);
    while (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(path);
}

// Draw the outlines of two label images, either of which may be absent.
export function paintPair(context, width, height, { before, after }) {
  const image = context.getImageData(0, 0, width, height);
  const first = edges(before, width, height);
  const second = edges(after, width, height);
  const { data } = image;
  for (let i = 0, at = 0; i < width * height; i++, at += 4) {
    const mark = first && first[i] ? (second && second[i] ? BOTH : BEFORE) : second && second[i] ? AFTER : null;
    if (!mark) continue;
    data[at] = mark[0];
    data[at + 1] = mark[1];
    data[at + 2] = mark[2];
  }
  context.putImageData(image, 0, 0);
}

// Pixels of nuclei beside which something else lies.
function edges(labels, width, height) {
  if (!labels) return null;
  const found = new Uint8Array(width * height);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x * labels.width) / width));
  const rows = Int32Array.from({ length: height }, (_, y) => Math.floor((y * labels.height) / height) * labels.width);
  const { values } = labels;
  for (let y = 0; y < height; y++) {
    const row = rows[y];
    const above = rows[Math.max(y - 1, 0)];
    const below = rows[Math.min(y + 1, height - 1)];
    for (let x = 0; x < width; x++) {
      const label = values[row + columns[x]];
      if (!label) continue;
      const inside =
        values[row + columns[Math.max(x - 1, 0)]] === label &&
        values[row + columns[Math.min(x + 1, width - 1)]] === label &&
        values[above + columns[x]] === label &&
        values[below + columns[x]] === label;
      if (!inside) found[y * width + x] = 1;
    }
  }
  return found;
}
