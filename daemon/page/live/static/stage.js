// The picture: a plane with the outlines of its nuclei, what is under the pointer, and what is chosen.

import { picture, query } from "/static/api.js";
import { drawn, element, number } from "/static/build.js";
import { inWords } from "/static/columns.js";
import { paintPair } from "/static/pair.js";

const CLEAR = 640; // smaller planes are enlarged, so that outlines hide little
const KEPT = 48;
const SHOWN = ["track_id", "volume_um3", "area_um2", "equivalent_diameter_um", "intensity_mean", "score"];

export class Stage {
  constructor(id, picked) {
    this.id = id;
    this.canvas = element("canvas", { tabindex: 0, "aria-label": "image with outlines" });
    this.tip = element("div", { class: "tip" });
    this.say = element("div", { class: "say" });
    this.marks = drawn("svg", { class: "marks" }); // what is being said of the picture, over it
    this.root = element("div", { class: "stage" }, this.canvas, this.marks, this.tip, this.say);
    this.kept = new Map();
    this.asked = null;
    this.plane = null;
    this.dividing = new Map(); // labels of who divides, or was just born
    this.pair = null; // two results, drawn in place of the outlines of one
    this.pointer = null; // where it rests: what is under it changes with the plane
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.tip.style.display = "none";
    });
    this.canvas.addEventListener("click", (event) => picked(this.labelAt(event), this.placeAt(event)));
    new ResizeObserver(() => this.fit()).observe(this.root);
  }

  // What was loaded may be old.
  forget() {
    this.kept.clear();
  }

  async show(state, ratio) {
    if (this.asked) this.asked.abort();
    const asked = new AbortController();
    this.asked = asked;
    this.coming = null;
    const started = performance.now();
    const [grey, labels] = await Promise.all([this.load("image", state, asked.signal), this.load("labels", state, asked.signal)]);
    if (asked.signal.aborted) return false;
    if (!grey) throw grey;
    this.plane = { grey, labels, ratio: state.view === "side" ? ratio : 1, name: `${state.t}/${state.z}/${state.view}`, started };
    this.say.textContent = labels ? "" : "its labels are not there yet";
    return true;
  }

  // Load what may be wanted next, one after the other, as soon as nothing else is; what is less likely after a while.
  async ahead(states, later) {
    const coming = {};
    this.coming = coming;
    for (const [wait, some] of [[30, states], [300, later]]) {
      await new Promise((done) => setTimeout(done, wait));
      for (const state of some) {
        for (const kind of ["image", "labels"]) {
          if (this.coming !== coming) return;
          await this.load(kind, state).catch(() => undefined);
        }
      }
    }
  }

  load(kind, state, signal) {
    const grey = kind === "image" ? { c: state.c, low: state.low, high: state.high } : {};
    const asked = query({ t: state.t, z: state.view === "slice" ? state.z : 0, view: state.view, width: 1024, ...grey });
    const path = `/api/acquisitions/${this.id}/${kind}.png?${asked}`;
    if (!this.kept.has(path)) {
      const made = picture(path, signal).then(kind === "labels" ? read : (bitmap) => bitmap);
      const given = kind === "labels" ? made.catch((error) => (error.name === "AbortError" ? Promise.reject(error) : null)) : made;
      given.catch(() => this.kept.delete(path));
      this.kept.set(path, given);
      while (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    }
    return this.kept.get(path);
  }

  draw(colour, chosen, wanted) {
    if (!this.plane) return;
    const { grey, labels, ratio } = this.plane;
    const times = Math.max(1, Math.round(CLEAR / grey.width));
    const width = grey.width * times;
    const height = Math.max(1, Math.round(grey.height * times * ratio));
    this.canvas.width = width;
    this.canvas.height = height;
    this.fit();
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingEnabled = false;
    context.drawImage(grey, 0, 0, width, height);
    if (this.pair) paintPair(context, width, height, this.pair);
    else if (labels) {
      const image = context.getImageData(0, 0, width, height);
      outline(image, labels, colour, chosen, wanted);
      context.putImageData(image, 0, 0);
      rings(context, labels, this.dividing);
    }
    this.canvas.dataset.took = String(Math.round(performance.now() - this.plane.started));
    this.canvas.dataset.shown = this.plane.name;
    if (this.pointer) this.hover(this.pointer);
  }

  // As large as the column and most of the window's height allow.
  fit() {
    const { width, height } = this.canvas;
    const room = Math.min(this.root.clientWidth, (0.72 * innerHeight * width) / height);
    this.canvas.style.width = `${Math.floor(room)}px`;
    this.marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.marks.style.left = `${this.canvas.offsetLeft}px`;
    this.marks.style.width = this.canvas.style.width;
  }

  // Where in the picture the pointer is, from 0 to 1 along both edges.
  placeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  labelAt(event) {
    if (!this.plane || !this.plane.labels) return 0;
    const { labels } = this.plane;
    const place = this.placeAt(event);
    const x = Math.floor(place.x * labels.width);
    const y = Math.floor(place.y * labels.height);
    const inside = x >= 0 && y >= 0 && x < labels.width && y < labels.height;
    return inside ? labels.values[y * labels.width + x] : 0;
  }

  hover(event) {
    this.pointer = event;
    const label = this.labelAt(event);
    const row = label && this.rows ? this.rows.label.indexOf(label) : -1;
    if (!label) {
      this.tip.style.display = "none";
      return;
    }
    const lines = [`nucleus ${label}`];
    for (const name of SHOWN) {
      if (row >= 0 && this.rows[name] && this.rows[name][row] !== null) lines.push(`${inWords(name)}  ${number(this.rows[name][row])}`);
    }
    this.tip.textContent = lines.join("\n");
    const box = this.root.getBoundingClientRect();
    this.tip.style.display = "block"; // before it is measured
    this.tip.style.left = `${beside(event.clientX - box.left, this.tip.offsetWidth, box.width)}px`;
    this.tip.style.top = `${beside(event.clientY - box.top, this.tip.offsetHeight, box.height)}px`;
  }
}

// Where the tip begins: after the pointer, or before it where there is no room after it.
function beside(at, size, room) {
  return at + 14 + size <= room ? at + 14 : Math.max(at - 14 - size, 0);
}

// Labels out of the three bytes of each pixel.
export function read(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const bytes = context.getImageData(0, 0, bitmap.width, bitmap.height).data;
  const values = new Uint32Array(bitmap.width * bitmap.height);
  for (let i = 0, at = 0; i < values.length; i++, at += 4) values[i] = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
  return { width: bitmap.width, height: bitmap.height, values };
}

const RING = { divides: "#ff9f3f", born: "#5fd38d" };

// A ring around each nucleus of `marks` that is in this plane.
function rings(context, labels, marks) {
  context.canvas.dataset.rings = "0";
  if (!marks.size) return;
  const boxes = new Map();
  labels.values.forEach((label, i) => {
    if (!label || !marks.has(label)) return;
    const x = i % labels.width;
    const y = (i - x) / labels.width;
    const box = boxes.get(label);
    if (!box) boxes.set(label, [x, y, x, y]);
    else boxes.set(label, [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)]);
  });
  const across = context.canvas.width / labels.width;
  const down = context.canvas.height / labels.height;
  context.lineWidth = 2;
  for (const [label, [left, top, right, bottom]] of boxes) {
    context.strokeStyle = RING[marks.get(label)];
    context.beginPath();
    context.ellipse(((left + right + 1) / 2) * across, ((top + bottom + 1) / 2) * down, ((right - left + 1) / 2) * 1.25 * across + 5, ((bottom - top + 1) / 2) * 1.25 * down + 5, 0, 0, 2 * Math.PI);
    context.stroke();
  }
  context.canvas.dataset.rings = String(boxes.size);
}

function outline(image, labels, colour, chosen, wanted) {
  const { width, height, data } = image;
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x * labels.width) / width));
  const colours = new Map();
  const own = (label) => {
    if (!colours.has(label)) colours.set(label, label === chosen ? [255, 255, 255] : wanted(label) ? colour(label) : null);
    return colours.get(label);
  };
  const rowOf = (y) => Math.floor((y * labels.height) / height) * labels.width;
  for (let y = 0; y < height; y++) {
    const row = rowOf(y);
    const above = rowOf(Math.max(y - 1, 0));
    const below = rowOf(Math.min(y + 1, height - 1));
    for (let x = 0; x < width; x++) {
      const label = labels.values[row + columns[x]];
      if (!label) continue;
      const left = columns[Math.max(x - 1, 0)];
      const right = columns[Math.min(x + 1, width - 1)];
      const inside =
        labels.values[row + left] === label &&
        labels.values[row + right] === label &&
        labels.values[above + columns[x]] === label &&
        labels.values[below + columns[x]] === label;
      const mark = inside ? (label === chosen ? [255, 255, 255] : null) : own(label);
      if (!mark) continue;
      const at = 4 * (y * width + x);
      const share = inside ? 0.18 : 1;
      for (let i = 0; i < 3; i++) data[at + i] = data[at + i] * (1 - share) + mark[i] * share;
    }
  }
}
