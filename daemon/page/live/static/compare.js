// Two results of one source side by side: the same plane, how many nuclei, and what became of those of the first.

import { ask, order, query, Refused, tell, told } from "/static/api.js";
import { element } from "/static/build.js";
import { chart } from "/static/charts.js";
import { forget } from "/static/orders.js";
import { spoken } from "/static/setting_rows.js";
import { Stage } from "/static/stage.js";
import { changes, isOpen, sizes, summary } from "/static/trial_cards.js";

const LOOK_MS = 400;
const SETTLED_MS = 500;

export function comparison(main, ids) {
  const view = new Comparison(main, ids);
  return { go: (asked) => told(view.go(asked)), changed: () => told(view.changed()), end: () => view.end() };
}

class Comparison {
  constructor(main, ids) {
    this.main = main;
    this.ids = ids;
    this.state = { t: 0, z: 0, view: "slice", c: 0, low: "", high: "" };
    this.keys = (event) => this.key(event);
    addEventListener("keydown", this.keys);
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    removeEventListener("keydown", this.keys);
  }

  async go(asked) {
    const first = !this.abouts;
    if (first) {
      await this.read();
      if (this.ended) return;
      this.build();
    }
    const wanted = (name, usual) => (asked.get(name) === null ? usual : Number(asked.get(name)));
    const z = Math.floor(((this.abouts[0].size.z || 1) - 1) / 2);
    const both = this.times();
    await this.take({ t: wanted("t", both.at(-1) ?? 0), z: wanted("z", z), c: this.abouts[0].nuclear_channel || 0 });
  }

  async read() {
    this.abouts = await Promise.all(this.ids.map((id) => ask(`/api/acquisitions/${id}`)));
    this.counts = await Promise.all(this.ids.map((id) => ask(`/api/acquisitions/${id}/counts`)));
    const known = await ask(`/api/acquisitions/${this.ids[0]}/settings`);
    this.settings = known.settings;
    this.readOnly = known.read_only;
  }

  // Time points that both show.
  times() {
    const shown = this.abouts.map(({ timepoints }) => timepoints.t.filter((_, i) => timepoints.published_at[i] !== null));
    return shown[0].filter((t) => shown[1].includes(t));
  }

  async changed() {
    const before = JSON.stringify(this.abouts);
    try {
      await this.read();
    } catch (error) {
      if (error instanceof Refused) location.hash = "#/"; // one of them is forgotten
      throw error;
    }
    if (this.ended || before === JSON.stringify(this.abouts)) return;
    for (const stage of this.stages) stage.forget();
    this.build();
    await this.take({});
  }

  // What stays when a result grows: pictures that are shown, and what was chosen.
  begin() {
    this.stages = this.ids.map((id) => new Stage(id, () => undefined));
    for (const stage of this.stages) stage.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.both = element("input", { type: "checkbox", "aria-label": "both outlines", onchange: () => this.paint() });
    this.both.checked = true;
    this.figures = element("div", { class: "compared" });
    this.measured = null;
  }

  // What the figures of a time point are made of: they are made anew when that is another, not whenever a result grows.
  subject(t) {
    return JSON.stringify([t, ...this.abouts.map(({ timepoints }) => timepoints.published_at[timepoints.t.indexOf(t)] ?? null)]);
  }

  build() {
    document.getElementById("where").textContent = `${this.abouts[0].name} and ${this.abouts[1].name}`;
    document.title = `${this.abouts[0].name} compared - nusetd`;
    if (!this.stages) this.begin();
    const slide = (name, most) => element("input", { type: "range", min: 0, max: most, step: name === "t" ? this.abouts[0].step : 1, "aria-label": name, oninput: (event) => told(this.take({ [name]: Number(event.target.value) })) });
    const last = this.times().at(-1) ?? 0;
    this.sliders = { t: slide("t", last), z: slide("z", (this.abouts[0].size.z || 1) - 1) };
    this.outputs = { t: element("output"), z: element("output") };
    const rows = ["t", ...((this.abouts[0].size.z || 1) > 1 ? ["z"] : [])].flatMap((name) => [name === "t" ? "time" : "slice", this.sliders[name], this.outputs[name]]);
    const sides = this.stages.map((stage, i) => element("section", {}, this.head(i), stage.root));
    this.main.replaceChildren(
      element("div", { class: "tools" }, element("label", {}, this.both, "both outlines in each picture"), element("span", { class: "swatch before" }, this.abouts[0].name), element("span", { class: "swatch after" }, this.abouts[1].name), element("span", { class: "swatch both" }, "both agree")),
      element("div", { class: "sides" }, ...sides),
      element("div", { class: "sliders" }, ...rows),
      this.figures,
      element("div", { class: "sides" }, this.differing(), this.courses()),
    );
  }

  head(i) {
    const one = this.abouts[i];
    const done = one.timepoints.state.filter((state) => state === "done").length;
    const said = `${one.state.replaceAll("_", " ")}, ${done} of ${Math.max(one.size.t || 0, done)} time points`;
    return element("div", { class: "side-head" }, element("a", { href: `#/a/${one.id}` }, one.name), element("span", { class: "quiet" }, ` ${said}${i ? "" : ", the first result"}`));
  }

  differing() {
    const value = (about, one) => {
      const [section, name] = one.name.split(".");
      const found = (about.params[section] || {})[name];
      return found === undefined ? one.default : found;
    };
    const rows = this.settings
      .map((one) => [one, ...this.abouts.map((about) => value(about, one))])
      .filter(([, a, b]) => a !== b)
      .map(([one, a, b]) => element("tr", {}, element("td", { class: "words", title: one.meaning }, one.name), element("td", {}, spoken(a, one)), element("td", {}, spoken(b, one))));
    const model = this.abouts[0].model === this.abouts[1].model ? [] : [element("tr", {}, element("td", { class: "words" }, "weights"), ...this.abouts.map((one) => element("td", {}, one.model)))];
    const head = element("tr", {}, element("th", { class: "words" }, "made with other settings"), ...this.abouts.map((one) => element("th", {}, one.name)));
    const buttons = this.readOnly ? [] : this.abouts.map((one) => forget(one));
    buttons.forEach((button, i) => (button.textContent = `forget ${this.abouts[i].name} …`));
    const keep = element("p", { class: "quiet small" }, "Both stay until you choose which to keep.");
    return element("section", { class: "pane" }, element("table", { class: "differing" }, head, ...rows, ...model), keep, element("div", { class: "row" }, ...buttons));
  }

  courses() {
    const points = (i, name) => this.counts[i].t.map((x, at) => ({ x, y: this.counts[i][name] ? this.counts[i][name][at] : null }));
    const given = { now: this.state.t, go: (t) => told(this.take({ t })), say: (t) => this.said(t), step: this.abouts[0].step };
    const charts = this.abouts.flatMap((one, i) => [chart(`detections, ${one.name}`, "", points(i, "nuclei_count"), given)]);
    return element("section", { class: "pane" }, ...charts);
  }

  said(t) {
    return String(t + (this.abouts[0].first_source_t || 0));
  }

  async take(values) {
    this.state = { ...this.state, ...values };
    const now = this.state;
    for (const name of ["t", "z"]) this.sliders[name].value = now[name];
    this.outputs.t.textContent = `${this.said(now.t)} / ${this.said(Number(this.sliders.t.max))}`;
    this.outputs.z.textContent = `${now.z} / ${this.sliders.z.max}`;
    history.replaceState(null, "", `#/compare/${this.ids.join("/")}?${query({ t: now.t, z: now.z })}`);
    const key = this.subject(now.t);
    if (this.measured !== key) {
      this.measured = key;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => told(this.measure()), SETTLED_MS);
      this.figures.replaceChildren(element("p", { class: "quiet" }, "comparing …"));
    }
    const voxel = this.abouts[0].voxel_um;
    const shown = await Promise.allSettled(this.stages.map((stage) => stage.show(now, voxel ? voxel[0] / voxel[2] : 1)));
    if (this.ended || now !== this.state) return;
    const failed = shown.find((one) => one.status === "rejected" && one.reason.name !== "AbortError");
    if (failed) tell(failed.reason.message);
    this.paint();
  }

  paint() {
    const labels = this.stages.map((stage) => (stage.plane ? stage.plane.labels : null));
    this.stages.forEach((stage, i) => {
      const mine = i === 0 ? { before: labels[0], after: null } : { before: null, after: labels[1] };
      stage.pair = this.both.checked ? { before: labels[0], after: labels[1] } : mine;
      stage.draw(() => [255, 255, 255], null, () => true);
    });
  }

  // The figures of the whole time point, made by a process of its own on the server.
  async measure() {
    const { t } = this.state;
    if (!this.times().includes(t)) {
      this.figures.replaceChildren(element("p", { class: "quiet" }, `Time point ${this.said(t)} is not there in both yet.`));
      return;
    }
    if (this.readOnly) {
      this.figures.replaceChildren(element("p", { class: "quiet" }, "This page is read only: what changed is not counted."));
      return;
    }
    let trial = await order("/api/trials", { acquisition: this.ids[0], other: this.ids[1], t });
    while (isOpen(trial) && !this.ended && t === this.state.t) {
      await new Promise((then) => setTimeout(then, LOOK_MS));
      trial = (await ask(`/api/acquisitions/${this.ids[0]}/trials`)).trials.find((one) => one.id === trial.id) || { state: "failed", text: "gone" };
    }
    if (this.ended || t !== this.state.t) return;
    if (trial.state !== "done") {
      this.figures.replaceChildren(element("p", { class: "error" }, trial.text));
      return;
    }
    const side = (i, figures) => element("div", { "data-side": i }, element("span", { class: `swatch ${i ? "after" : "before"}` }, this.abouts[i].name), summary(figures));
    this.figures.replaceChildren(
      element("h2", {}, `Time point ${this.said(t)}`),
      side(0, trial.stored),
      side(1, trial.result),
      changes(trial.changes.stored),
      sizes(trial.stored, trial.result) || "",
    );
    this.figures.dataset.t = t;
  }

  step(name, by) {
    const most = Number(this.sliders[name].max);
    const to = Math.min(Math.max(this.state[name] + by * (name === "t" ? this.abouts[0].step : 1), 0), most);
    if (to !== this.state[name]) told(this.take({ [name]: to }));
  }

  wheel(event) {
    event.preventDefault();
    this.step(event.shiftKey ? "t" : "z", event.deltaY + event.deltaX > 0 ? 1 : -1);
  }

  key(event) {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "range") return;
    const moves = { ArrowLeft: ["t", -1], ArrowRight: ["t", 1], ArrowUp: ["z", 1], ArrowDown: ["z", -1] };
    if (!moves[event.key] || !this.abouts) return;
    event.preventDefault();
    this.step(...moves[event.key]);
  }
}
