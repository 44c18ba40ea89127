// Correcting: what is wrong with nuclei and links is clicked, drawn or typed; each is an event that can be undone.

import { ask, order, tell, told } from "/static/api.js";
import { drawn, element, when } from "/static/build.js";
import { LinkDrag } from "/static/link_drag.js";

// What can be said: its key, its words, whether a nucleus is chosen first, how many of a later time point are clicked on.
const KINDS = {
  merge: { key: "m", words: "merge", of: "one", ask: "Click on the nucleus that is one with it." },
  split: { key: "s", words: "split", of: "one", ask: "Click on a point in each of its parts, then press Enter." },
  delete: { key: "x", words: "delete", of: "one", at_once: true },
  add: { key: "a", words: "add", ask: "Click into the nucleus that was missed." },
  outline: { key: "o", words: "draw", ask: "" },
  confirm: { key: "c", words: "is right", of: "one", at_once: true },
  link: { key: "l", words: "link", of: "one", later: 1, ask: "Click on the nucleus that it is now, or let go on it." },
  unlink: { key: "u", words: "unlink", of: "one", at_once: true },
  divide: { key: "d", words: "divides", of: "one", later: 2, ask: "Click on its two daughters." },
  undivide: { key: "v", words: "no division", of: "one", at_once: true },
  end: { key: "e", words: "ends here", of: "one", at_once: true },
};
const HELP = [
  ["merge", "choose a nucleus, press m, click on the other one"],
  ["split", "choose it, press s, click on two points or more in it, press Enter"],
  ["add", "press a, click into it; the network draws it"],
  ["draw", "press o and draw around it: the slice of a chosen nucleus anew, or a new one where none is chosen"],
  ["link", "drag it to what it is at the next time point, which is shown meanwhile; or choose it, press l, click on that; arrow keys go to a later one"],
  ["unlink", "choose it, press u: it does not go on as what its track says"],
  ["divides", "choose the mother, press d, click on both daughters"],
  ["no division", "the track of the chosen one does not divide"],
  ["ends here", "its track ends with it"],
  ["undo", "press z for the last one, or take any from the list; Escape leaves what was begun"],
];
const MOST_CORNERS = 400;

export class Correcting {
  constructor(view) {
    this.view = view;
    this.begun = null; // what is being said: its kind, the nucleus and time point it is of, what was clicked since
    this.list = null;
    this.sending = false;
    this.drawing = null;
    this.drag = new LinkDrag(this);
  }

  get on() {
    return this.view.state.tab === "correct" && !this.view.about.read_only;
  }

  async read() {
    this.list = await ask(`${this.view.path}/corrections`);
  }

  listen(stage) {
    this.stage = stage;
    stage.canvas.addEventListener("pointerdown", (event) => this.draws(event));
    stage.canvas.addEventListener("pointermove", (event) => this.draws(event));
    stage.canvas.addEventListener("pointerup", (event) => this.draws(event));
    this.drag.listen(stage);
  }

  // True where a key meant something here.
  key(event) {
    if (!this.on || event.altKey || ((event.ctrlKey || event.metaKey) && event.key !== "z")) return false;
    const kind = Object.keys(KINDS).find((name) => KINDS[name].key === event.key);
    if (event.key === "z") told(this.undo());
    else if (event.key === "?") this.help.open = !this.help.open;
    else if (event.key === "Escape" && this.begun) this.leave();
    else if (event.key === "Enter" && this.begun && this.begun.kind === "split") told(this.split());
    else if (event.key === "Delete") told(this.begin("delete"));
    else if (kind) told(this.begin(kind));
    else return false;
    return true;
  }

  leave() {
    this.begun = this.drawing = null;
    this.show();
  }

  show() {
    if (this.view.state.tab === "correct") this.view.panes();
    this.paint();
  }

  async begin(kind) {
    const { view } = this;
    const { state } = view;
    if (this.sending) return;
    const label = view.chosen();
    if (KINDS[kind].of && label === null) return tell("Choose a nucleus first: click on it.");
    this.begun = { kind, label, t: state.t, points: [], labels: [] };
    if (KINDS[kind].at_once) return this.send(this.atOnce(kind, label));
    if (kind === "outline" && state.view !== "slice") {
      this.begun = null;
      return tell("Outlines are drawn on slices: go to the view of a slice.");
    }
    if (KINDS[kind].later && !(await this.later())) return tell("There is no later time point yet.");
    this.show();
  }

  // Go to the next time point, where what is being said is ended; false where there is none.
  async later() {
    const { view } = this;
    const next = view.visible().find((t) => t > view.state.t);
    if (next === undefined) this.begun = null;
    else await view.take({ t: next });
    return next !== undefined;
  }

  // A nucleus is being dragged.
  async dragged({ label, t, place }) {
    this.begun = { kind: "link", label, t, points: [{ place }], labels: [] };
    if (!(await this.later())) tell("There is no later time point yet.");
    this.show();
  }

  async dropped(label) {
    if (!this.begun) return;
    const { kind, t, label: of } = this.begun;
    if (label) return this.send({ kind, t, labels: [of], to: [label], to_t: this.view.state.t });
    this.leave();
    tell("Nothing is linked: let go on the nucleus that it is now.");
    await this.view.take({ t });
  }

  atOnce(kind, label) {
    const { t } = this.view.state;
    if (kind !== "unlink") return { kind, t, labels: [label] };
    const course = this.view.course || { t: [], label: [] };
    const next = course.t.findIndex((at) => at > t);
    return next < 0 ? null : { kind, t, labels: [label], to: [course.label[next]], to_t: course.t[next] };
  }

  // True where a click in the picture was meant for what is being said.
  clicked(label, place) {
    if (this.drag.over) return true;
    if (!this.on || !this.begun) return false;
    const { kind, t, labels, points } = this.begun;
    const of = this.begun.label;
    if (kind === "merge" && label && label !== of) told(this.send({ kind, t, labels: [of, label] }));
    else if (kind === "split") points.push({ voxel: this.voxel(label || of, place), place });
    else if (kind === "add") this.add(place);
    else if (KINDS[kind].later && label && !labels.includes(label)) {
      labels.push(label);
      points.push({ place });
      const to = [...labels];
      if (to.length === KINDS[kind].later) told(this.send({ kind, t, labels: [of], to, to_t: this.view.state.t }));
    }
    this.show();
    return true;
  }

  add(place) {
    if (this.view.state.view !== "slice") tell("A nucleus is added on a slice: go to the view of a slice.");
    else told(this.send({ kind: "add", t: this.begun.t, points: [this.voxel(null, place)] }));
  }

  async split() {
    const { t, label, points } = this.begun;
    if (points.length < 2) return tell("Click on two points in it, or more.");
    return this.send({ kind: "split", t, labels: [label], points: points.map((one) => one.voxel) });
  }

  // The voxel (z, y, x) under a place of the picture; what a view does not show of it is the nucleus' middle.
  voxel(label, place) {
    const { about, state, rows } = this.view;
    const { z, y, x } = about.size;
    const at = rows && label ? rows.label.indexOf(label) : -1;
    const middle = (axis) => (at >= 0 ? Math.round(rows[`centroid_${axis}_px`][at]) : 0);
    const along = (part, size) => Math.min(Math.max(Math.floor(part * size), 0), size - 1);
    if (state.view === "side") return [along(place.y, z), middle("y"), along(place.x, x)];
    return [state.view === "slice" ? state.z : middle("z"), along(place.y, y), along(place.x, x)];
  }

  draws(event) {
    if (!this.on || !this.begun || this.begun.kind !== "outline") return;
    if (event.type === "pointerdown") {
      this.drawing = [];
      this.stage.canvas.setPointerCapture(event.pointerId);
    }
    if (!this.drawing) return;
    this.drawing.push(this.stage.placeAt(event));
    this.paint();
    if (event.type === "pointerup") told(this.drew());
  }

  async drew() {
    const { about, state } = this.view;
    const { label, t } = this.begun;
    const every = Math.ceil(this.drawing.length / MOST_CORNERS);
    const corners = this.drawing.filter((_, i) => i % every === 0).map(({ x, y }) => [y * about.size.y, x * about.size.x]);
    this.drawing = null;
    const outline = { z: state.z, corners };
    await this.send(label === null ? { kind: "add", t, outline } : { kind: "redraw", t, labels: [label], outline });
  }

  async send(values) {
    if (values === null) {
      this.leave();
      return tell("Its track goes on to no later time point.");
    }
    await this.ordered("correct", values);
  }

  async undo(id = null) {
    if (!this.sending) await this.ordered("undo", id === null ? {} : { id });
  }

  async ordered(what, values) {
    this.sending = true;
    this.show();
    const answer = await told(order(`/api/orders/${what}`, { acquisition: this.view.id, ...values }));
    this.sending = false;
    this.begun = this.drawing = null;
    if (answer) tell(answer.said, "good");
    await this.view.changed(true);
  }

  // What was clicked and drawn, over the picture.
  paint() {
    const { marks, canvas } = this.stage;
    const { width, height } = canvas;
    const begun = this.view.state.tab === "correct" && this.begun;
    const points = begun ? begun.points : [];
    const dots = points.map(({ place }) => drawn("circle", { cx: place.x * width, cy: place.y * height, r: Math.max(3, width / 160) }));
    const line = this.drawing && this.drawing.map(({ x, y }) => `${x * width},${y * height}`).join(" ");
    const [from, to] = this.drag.line.map(({ x, y }) => [x * width, y * height]);
    if (from) dots.push(drawn("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }));
    marks.replaceChildren(...dots, ...(line ? [drawn("polygon", { points: line })] : []));
  }

  pane() {
    const parts = this.view.about.read_only ? [] : [this.tools(), element("p", { class: "doing", "data-doing": true }, this.doing())];
    const { said, progress } = this.list || { said: [], progress: [] };
    parts.push(...progress.map((one) => element("p", { class: "quiet", "data-progress": true }, one.sentence)));
    parts.push(element("h2", {}, "What was said"));
    if (!said.length) parts.push(element("p", { class: "quiet" }, this.list ? "Nothing yet." : "reading"));
    else parts.push(element("ul", { class: "said" }, ...said.map((one) => this.one(one))));
    return parts;
  }

  tools() {
    const pressed = (kind) => String(Boolean(this.begun && this.begun.kind === kind));
    const buttons = Object.entries(KINDS).map(([kind, { key, words }]) =>
      element("button", { "data-correct": kind, "aria-pressed": pressed(kind), disabled: this.sending, onclick: () => told(this.begin(kind)) }, words, element("kbd", {}, key)),
    );
    buttons.push(element("button", { "data-correct": "undo", disabled: this.sending, onclick: () => told(this.undo()) }, "undo", element("kbd", {}, "z")));
    const lines = HELP.flatMap(([name, words]) => [element("dt", {}, name), element("dd", {}, words)]);
    const open = this.help ? this.help.open : false;
    this.help = element("details", { open }, element("summary", { class: "quiet" }, "how (?)"), element("dl", { class: "facts" }, ...lines));
    return element("div", {}, element("div", { class: "keys" }, ...buttons), this.help);
  }

  // What is awaited of the person now.
  doing() {
    if (this.sending) return "being carried out …";
    const { view, begun } = this;
    const chosen = view.chosen();
    if (!begun) return chosen === null ? "Click on a nucleus, or add one." : `Nucleus ${chosen} is chosen.`;
    if (begun.kind === "outline") return `Draw around ${begun.label === null ? "a new nucleus" : `nucleus ${begun.label}, as it is on this slice`}.`;
    const of = begun.label === null || begun.kind === "add" ? "" : `Nucleus ${begun.label} of t = ${view.said(begun.t)}: `;
    const done = begun.points.length ? ` (${begun.points.length} so far)` : "";
    return `${of}${KINDS[begun.kind].ask}${done}`;
  }

  one(one) {
    const about = one.kind === "undo" ? `undid ${one.undoes}` : `${one.kind} ${one.labels.join(", ")}`;
    const state = one.undone_by !== null ? "undone" : one.state === "applied" ? "" : one.reason || one.state;
    const words = element("span", {}, `${one.id}  t = ${one.source_t}  ${about}  `, element("span", { class: "quiet" }, [state, one.how, one.author, when(one.ordered_at)].filter(Boolean).join(", ")));
    const undoable = one.kind !== "undo" && one.undone_by === null && !this.view.about.read_only;
    const undo = undoable ? element("button", { "data-undo": one.id, disabled: this.sending, onclick: () => told(this.undo(one.id)) }, "undo") : null;
    const go = element("button", { class: "plain", title: "go there", onclick: () => told(this.view.take({ t: one.t })) }, words);
    return element("li", { class: one.undone_by !== null ? "undone" : "", "data-said": one.id }, go, undo);
  }
}
