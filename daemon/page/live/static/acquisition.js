// One acquisition: its images by slice and time, what is chosen, courses over time, lineage and table.

import { ask, query, tell, told, untell } from "/static/api.js";
import { element, number } from "/static/build.js";
import { chart } from "/static/charts.js";
import { colouring } from "/static/colours.js";
import { inWords } from "/static/columns.js";
import { Correcting } from "/static/correcting.js";
import { divisionList, divisionsOf, marksAt } from "/static/divisions.js";
import { Doubting } from "/static/doubting.js";
import { tree } from "/static/lineage.js";
import { nucleus } from "/static/nucleus.js";
import { forget, retry, submit } from "/static/orders.js";
import { Stage } from "/static/stage.js";
import { Movie } from "/static/movie.js";
import { plots } from "/static/plots.js";
import { table } from "/static/table.js";
import { Trying } from "/static/trying.js";

const VIEWS = { slice: "slice", top: "from above", side: "from the side" };
const TABS = { chosen: "nucleus", course: "over time", divisions: "divisions", table: "table", plots: "plots, movie", doubts: "doubts", correct: "correct", try: "try settings", about: "about" };
const COLOURS = ["track_id", "label", "generation", "score", "volume_um3", "area_um2", "intensity_mean", "elongation"];
const PLAIN = { t: 0, z: 0, view: "slice", c: 0, low: "", high: "", by: "track_id", label: "", track: "", tab: "chosen", where: "" };
const WORDS = ["view", "by", "tab", "where"];

export function acquisition(main, id) {
  const view = new View(main, id);
  return { go: (asked) => told(view.go(asked)), changed: (results) => told(view.changed(results)), end: () => view.end() };
}

class View {
  constructor(main, id) {
    this.main = main;
    this.id = id;
    this.state = { ...PLAIN };
    this.rows = null;
    this.counts = null;
    this.family = this.generations = this.divisions = null;
    this.course = null;
    this.sort = { name: null, down: false };
    this.playing = null;
    this.trying = new Trying(this, () => this.paint());
    this.correcting = new Correcting(this);
    this.doubting = new Doubting(this);
    this.everShown = new Set();
    this.heading = ["z", 1];
    this.keys = (event) => this.key(event);
    addEventListener("keydown", this.keys);
  }

  end() {
    removeEventListener("keydown", this.keys);
    clearInterval(this.playing);
    this.trying.end();
    if (this.movie) this.movie.end();
    this.ended = true;
  }

  // A time point as people write it: the number in its file's name.
  said(t) {
    return String(t + (this.about.first_source_t || 0));
  }

  get path() {
    return `/api/acquisitions/${this.id}`;
  }

  async go(asked) {
    const first = !this.about;
    if (first) {
      this.about = await ask(this.path).catch((error) => this.absent(error));
      if (this.ended || !this.about) return;
      this.build();
    }
    const given = Object.fromEntries(Object.entries(PLAIN).map(([name, usual]) => [name, read(name, asked.get(name), usual)]));
    for (const [name, known] of Object.entries({ tab: Object.keys(TABS), view: Object.keys(VIEWS), by: COLOURS })) {
      if (!known.includes(given[name])) given[name] = PLAIN[name]; // an address that was typed
    }
    if (asked.get("c") === null) given.c = this.about.nuclear_channel || 0;
    if (asked.get("z") === null) given.z = Math.floor(((this.about.size.z || 1) - 1) / 2);
    if (asked.get("t") === null) given.t = this.visible().at(-1) ?? 0;
    await this.take(given, first);
  }

  // It may have been forgotten, or never been there.
  absent(error) {
    if (!this.ended) this.main.replaceChildren(element("p", { class: "empty" }, error.message, " ", element("a", { href: "#/" }, "See all acquisitions.")));
    throw error;
  }

  visible() {
    const points = this.about.timepoints;
    points.t.filter((_, i) => points.published_at[i] !== null).forEach((t) => this.everShown.add(t));
    return points.t.filter((t) => this.everShown.has(t)); // corrected, it is there until the new one is
  }

  // Go to another state: only what depends on what changed is asked for again.
  // Whoever only follows what comes gets what is shown, and nothing ahead.
  async take(values, all = false, follows = false) {
    const before = this.state;
    this.state = { ...before, ...values };
    const now = this.state;
    const differs = (...names) => all || names.some((name) => before[name] !== now[name]);
    const seen = [];
    if (differs("t", "where")) seen.push(this.readRows());
    if (differs("t", "z", "view", "c", "low", "high")) seen.push(this.stage.show(now, this.ratio()));
    if (now.tab === "try" && differs("t", "z", "view", "tab")) seen.push(this.trying.show(now));
    const beside = [];
    if (differs("track")) beside.push(this.readFamily());
    if (now.tab === "course" && !this.counts) beside.push(this.readCounts());
    if (now.tab === "correct" && differs("tab")) beside.push(this.correcting.read());
    if (all || !this.divisions) beside.push(this.readDivisions());
    if (now.tab === "doubts" && differs("tab")) beside.push(this.doubting.read());
    if (now.by === "generation" && (all || !this.generations)) beside.push(this.readGenerations());
    this.heading = ["z", "t"].map((name) => [name, Math.sign(now[name] - before[name])]).find(([, by]) => by) || this.heading;
    this.sync();
    const first = await Promise.allSettled(seen);
    if (this.ended || this.state !== now) return;
    this.paint();
    const done = first.concat(await Promise.allSettled(beside));
    if (this.ended || this.state !== now) return;
    if (beside.length) this.paint();
    this.panes();
    this.address();
    if (!follows) this.ahead();
    const failed = done.find((one) => one.status === "rejected" && one.reason && one.reason.name !== "AbortError");
    if (failed) tell(failed.reason.message);
    else if (differs("where")) untell();
  }

  async changed(results) {
    if (!results) return;
    const newest = this.state.t === this.visible().at(-1);
    this.about = await ask(this.path);
    if (this.ended) return;
    this.stage.forget();
    if (this.state.tab === "try") told(this.trying.reload());
    this.counts = null;
    this.sliders();
    const last = this.visible().at(-1) ?? 0;
    const follows = newest && this.follow.checked && !this.correcting.begun;
    await this.take(follows ? { t: last } : {}, true, true);
  }

  async readRows() {
    const { t, where } = this.state;
    const [all, kept] = await Promise.allSettled([ask(`${this.path}/nuclei?t=${t}`), where ? ask(`${this.path}/nuclei?${query({ t, where })}`) : null]);
    if (all.status === "rejected") throw all.reason;
    if (t !== this.state.t) return;
    this.rows = all.value.columns;
    this.more = all.value.more;
    this.kept = kept.value ? kept.value.columns : null;
    this.stage.rows = this.rows;
    if (kept.status === "rejected") throw kept.reason; // a filter that is none hides nothing
  }

  async readCounts() {
    this.counts = await ask(`${this.path}/counts`);
  }

  async readDivisions() {
    this.divisions = divisionsOf((await ask(`${this.path}/divisions`)).columns);
  }

  async readGenerations() {
    const { columns } = await ask(`${this.path}/tracks`);
    this.generations = new Map(columns.track_id.map((id, i) => [id, columns.generation[i]]));
  }

  async readFamily() {
    const { track } = this.state;
    this.family = this.course = null;
    if (track === "") return;
    const [family, course] = await Promise.all([ask(`${this.path}/tracks?track=${track}`), ask(`${this.path}/nuclei?track=${track}`)]);
    if (track !== this.state.track) return;
    this.family = family.columns;
    this.course = course.columns;
  }

  build() {
    document.getElementById("where").textContent = this.about.name;
    document.title = `${this.about.name} - nusetd`;
    this.stage = new Stage(this.id, (label, place) => this.correcting.clicked(label, place) || this.pick(label));
    this.correcting.listen(this.stage);
    this.stage.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.tools = this.buildTools();
    this.slides = element("div", { class: "sliders" });
    this.sliders();
    this.tabs = element("div", { class: "tabs" });
    this.pane = element("div", { class: "pane" });
    const left = element("section", {}, this.tools, this.stage.root, this.slides);
    const right = element("section", {}, this.tabs, this.pane);
    this.main.replaceChildren(element("div", { class: "acquisition" }, left, right));
  }

  buildTools() {
    const views = Object.entries(VIEWS).map(([name, words]) => element("button", { "data-view": name, onclick: () => told(this.take({ view: name })) }, words));
    if ((this.about.size.z || 1) === 1) views.splice(1);
    const channels = element(
      "select",
      { "aria-label": "channel", onchange: (event) => told(this.take({ c: Number(event.target.value), low: "", high: "" })) },
      ...this.about.channels.map((name, i) => element("option", { value: i }, name || `channel ${i}`)),
    );
    const by = element("select", { "aria-label": "colour by", onchange: (event) => told(this.take({ by: event.target.value })) }, ...COLOURS.map((name) => element("option", { value: name, title: name }, inWords(name))));
    const level = (name) => element("input", { type: "number", "aria-label": name, size: 6, step: "any", onchange: (event) => told(this.take({ [name]: event.target.value })) });
    this.follow = element("input", { type: "checkbox", checked: true });
    this.rings = element("input", { type: "checkbox", checked: true, "aria-label": "mark divisions", onchange: () => this.paint() });
    const only = element("button", { "data-only": true, title: "show all nuclei again", onclick: () => told(this.take({ where: "" })) });
    const viewer = element("a", { target: "_blank", rel: "noopener" }, "open in 3D");
    this.parts = { channels, by, only, viewer, low: level("low"), high: level("high") };
    for (const one of [this.parts.low, this.parts.high]) one.style.width = "6.5rem";
    return element(
      "div",
      { class: "tools" },
      ...views,
      this.about.channels.length > 1 ? channels : null,
      element("label", {}, "black", this.parts.low),
      element("label", {}, "white", this.parts.high),
      element("label", {}, "colour by", by),
      this.about.viewer ? this.parts.viewer : null,
      element("label", { title: "orange: it divides next; green: it was just born" }, this.rings, "mark divisions"),
      element("label", { title: "go to each new time point as it comes" }, this.follow, "follow new time points"),
      only,
    );
  }

  sliders() {
    const last = Math.max(this.visible().at(-1) ?? 0, 0);
    const slide = (name, most) => {
      const input = element("input", { type: "range", min: 0, max: most, step: name === "t" ? this.about.step : 1, "aria-label": name, oninput: (event) => told(this.take({ [name]: Number(event.target.value) })) });
      const text = element("output");
      return { input, text };
    };
    this.time = slide("t", last);
    this.depth = slide("z", (this.about.size.z || 1) - 1);
    this.play = element("button", { onclick: () => this.toggle(), title: "space" }, "play");
    this.slides.replaceChildren("time", this.time.input, this.time.text);
    if ((this.about.size.z || 1) > 1) this.slides.append("slice", this.depth.input, this.depth.text);
    const keys = element("span", { class: "quiet" }, "arrow keys: time and slice; wheel: slice, with shift: time; click: choose a nucleus");
    this.slides.append(element("div", { class: "row hint" }, this.play, keys));
  }

  sync() {
    const { t, z, view, c, low, high, by, where } = this.state;
    this.time.input.value = t;
    this.time.text.textContent = `${this.said(t)} / ${this.said(Number(this.time.input.max))}`;
    this.depth.input.value = z;
    this.depth.text.textContent = `${z} / ${this.depth.input.max}`;
    this.depth.input.disabled = view !== "slice";
    for (const button of this.tools.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === view);
    this.parts.channels.value = c;
    this.parts.by.value = by;
    const usual = this.about.levels[c] || ["", ""];
    this.parts.low.placeholder = number(usual[0]);
    this.parts.high.placeholder = number(usual[1]);
    this.parts.low.value = low;
    this.parts.high.value = high;
    this.parts.viewer.href = `${this.about.viewer}?${query({ t })}`;
    this.parts.only.hidden = !where;
    this.parts.only.textContent = `only ${where} ✕`;
  }

  paint() {
    const kept = this.kept ? new Set(this.kept.label) : null;
    const generations = this.generations || new Map();
    const rows = this.rows && this.state.by === "generation" ? { ...this.rows, generation: this.rows.track_id.map((id) => generations.get(id) ?? null) } : this.rows;
    this.stage.pair = this.state.tab === "try" && this.stage.plane ? this.trying.pair(this.stage.plane.labels) : null;
    this.stage.dividing = this.dividing();
    this.stage.draw(colouring(rows, this.state.by), this.chosen(), (label) => !kept || kept.has(label));
    this.correcting.paint();
  }

  // Who divides, or was born, at this time point, by label.
  dividing() {
    if (!this.rings.checked || !this.divisions || !this.rows) return new Map();
    const tracks = marksAt(this.divisions, this.state.t);
    return new Map(this.rows.track_id.flatMap((track, i) => (tracks.has(track) ? [[this.rows.label[i], tracks.get(track)]] : [])));
  }

  // The label of what is chosen, at this time point.
  chosen() {
    const { label, track } = this.state;
    if (track !== "" && this.rows) {
      const at = this.rows.track_id.indexOf(track);
      return at >= 0 ? this.rows.label[at] : null;
    }
    return label === "" ? null : label;
  }

  pick(label) {
    if (!label) return told(this.take({ label: "", track: "" }));
    const at = this.rows ? this.rows.label.indexOf(label) : -1;
    const track = at >= 0 ? this.rows.track_id[at] : null;
    return told(this.take({ label, track: track ?? "" }));
  }

  panes() {
    this.tabs.replaceChildren(...Object.entries(TABS).map(([name, words]) => element("button", { "data-tab": name, "aria-pressed": String(this.state.tab === name), onclick: () => told(this.take({ tab: name })) }, words)));
    const made = { chosen: () => this.chosenPane(), course: () => this.coursePane(), divisions: () => this.divisionsPane(), table: () => this.tablePane(), plots: () => this.plotsPane(), doubts: () => this.doubting.pane(), correct: () => this.correcting.pane(), try: () => this.trying.pane(), about: () => this.aboutPane() }[this.state.tab];
    const typing = this.pane.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
    if (typing && this.state.tab === "table") this.list.replaceChildren(...this.listed());
    else this.put(made());
  }

  // What is one element, always the same, stays where it is: a hand may be at it.
  put(parts) {
    if (parts.length !== 1 || this.pane.childNodes.length !== 1 || this.pane.firstChild !== parts[0]) this.pane.replaceChildren(...parts);
  }

  chosenPane() {
    const label = this.chosen();
    const at = label && this.rows ? this.rows.label.indexOf(label) : -1;
    const parts = [];
    const { track, t } = this.state;
    if (track === "" && at < 0) return [element("p", { class: "quiet" }, "Click on a nucleus: its measures, its course and its family appear here.")];
    const go = (to) => told(this.take({ t: to }));
    const say = (to) => this.said(to);
    const { step } = this.about;
    if (track !== "") {
      parts.push(element("h2", {}, `track ${track}`), tree(this.family, track, t, { go, say, choose: (id, to) => told(this.take({ track: id, label: "", t: to })) }));
      if (at < 0) parts.push(element("p", { class: "quiet" }, `It is not there at t = ${this.said(t)}.`));
    }
    if (at >= 0) parts.push(element("h2", {}, `nucleus ${label} at t = ${this.said(t)}`), ...nucleus(Object.keys(this.rows).map((name) => [name, this.rows[name][at]])));
    if (track !== "") {
      if (this.course) {
        const points = (name) => this.course.t.map((x, i) => ({ x, y: this.course[name] ? this.course[name][i] : null, id: `nucleus ${this.course.label[i]}` }));
        const size = this.course.volume_um3 && this.course.volume_um3.some((one) => one !== null) ? ["volume_um3", "volume", "µm³"] : ["area_um2", "area", "µm²"];
        parts.push(chart(size[1], size[2], points(size[0]), { now: t, go, say, step }), chart("mean intensity", "", points("intensity_mean"), { now: t, go, say, step }));
      }
    }
    return parts;
  }

  divisionsPane() {
    if (!this.divisions) return [element("p", { class: "quiet" }, "looking")];
    return divisionList(this.divisions, this.state.t, { choose: (track, t) => told(this.take({ track, label: "", t })), say: (t) => this.said(t) });
  }

  coursePane() {
    if (!this.counts) return [element("p", { class: "quiet" }, "counting")];
    const { t } = this.state;
    const given = { now: t, go: (to) => told(this.take({ t: to })), say: (to) => this.said(to), step: this.about.step };
    const points = (name) => this.counts.t.map((x, i) => ({ x, y: this.counts[name] ? this.counts[name][i] : null }));
    return [
      chart("detections", "", points("nuclei_count"), given),
      chart("cells (tracks alive)", "", points("cells"), given),
      chart("divisions", "", points("divisions"), given),
      chart("mean diameter", "µm", points("diameter_mean_um"), given),
      chart("mean intensity", "", points("intensity_mean"), given),
      element("p", { class: "quiet" }, "Drag to zoom, double click to see all, click to go there."),
    ];
  }

  tablePane() {
    const filter = element("input", { "aria-label": "filter", placeholder: "volume_um3 > 300 and score > 0.8", value: this.state.where, onchange: (event) => told(this.take({ where: event.target.value.trim() })) });
    filter.style.flex = "1";
    this.list = element("div");
    this.list.replaceChildren(...this.listed());
    return [element("div", { class: "row" }, "only", filter), this.list];
  }

  listed() {
    const rows = this.kept || this.rows;
    if (!rows) return [];
    const count = element("p", { class: "quiet" }, `${rows.label.length} nuclei at t = ${this.said(this.state.t)}${this.kept ? ` of ${this.rows.label.length}` : ""}`);
    const sorted = (name) => {
      this.sort = { name, down: this.sort.name === name ? !this.sort.down : false };
      this.list.replaceChildren(...this.listed());
    };
    return [count, ...table(rows, this.more, this.chosen(), this.sort, { pick: (label) => this.pick(label), sorted })];
  }

  // Drawn when somebody asks, not at every time point.
  plotsPane() {
    const asked = (picture) => {
      this.plotted = { picture, t: this.state.t };
      this.plotsKey = null;
      this.panes();
    };
    if (!this.movie) {
      this.movie = new Movie(this.id, this.about);
      this.drawn = element("div");
      this.plots = element("div", {}, this.drawn, this.movie.root);
    }
    const key = JSON.stringify(this.plotted ?? this.state.t);
    if (this.plotsKey !== key) this.drawn.replaceChildren(...plots(this.path, this.plotted, this.said(this.state.t), asked, (t) => this.said(t)));
    this.plotsKey = key;
    return [this.plots];
  }

  aboutPane() {
    const one = this.about;
    const size = `${one.size.t ?? "?"} time points, ${one.size.c} channel${one.size.c === 1 ? "" : "s"}, ${one.size.z} slice${one.size.z === 1 ? "" : "s"}, ${one.size.y} x ${one.size.x} px`;
    const channel = one.nuclear_channel === null ? "-" : `${one.nuclear_channel} ${one.channels[one.nuclear_channel] || ""}`;
    const failed = one.timepoints.t.filter((_, i) => one.timepoints.error[i]);
    const parts = [
      facts([
        ["source", one.source_path], ["state", one.meaning], ["size", size],
        ["voxel size", one.voxel_um ? `${one.voxel_um.map(number).join(" x ")} µm (${one.voxel_source})` : "unknown"],
        ["interval", one.frame_interval_s ? `${number(one.frame_interval_s)} s` : "unknown"],
        ["nuclear channel", channel], ["weights", one.model],
      ]),
    ];
    if (one.error) parts.push(element("p", { class: "error" }, one.error));
    if (!one.read_only) parts.push(element("div", { class: "row" }, one.error || failed.length ? retry(one) : null, submit(one), forget(one)));
    if (failed.length) parts.push(element("h2", {}, "Time points with faults"), facts(failed.map((t) => [`t = ${this.said(t)}`, one.timepoints.error[one.timepoints.t.indexOf(t)]])));
    if (Object.keys(one.params).some((name) => ["segmentation", "volume", "tracking"].includes(name))) parts.push(element("h2", {}, "Settings"));
    for (const section of ["segmentation", "volume", "tracking"]) if (one.params[section]) parts.push(facts(Object.entries(one.params[section]).map(([name, value]) => [`${section}.${name}`, value])));
    return parts;
  }

  ratio() {
    const voxel = this.about.voxel_um;
    return voxel ? voxel[0] / voxel[2] : 1;
  }

  ahead() {
    const { t, z } = this.state;
    const [name, by] = this.heading;
    const other = name === "z" ? [{ t: t + this.about.step }, { t: t - this.about.step }] : [{ z: z + 1 }, { z: z - 1 }];
    const far = name === "z" ? by : by * this.about.step;
    const here = this.state[name];
    const [near, later] = [[{ [name]: here + far }, { [name]: here + 2 * far }, { [name]: here - far }], other].map((steps) =>
      steps.map((step) => ({ ...this.state, ...step })).filter((one) => one.t >= 0 && one.t <= Number(this.time.input.max) && one.z >= 0 && one.z <= Number(this.depth.input.max)),
    );
    this.stage.ahead(near, later);
  }

  address() {
    const asked = Object.fromEntries(Object.entries(this.state).filter(([name, value]) => value !== PLAIN[name] || ["t", "z", "c"].includes(name)));
    history.replaceState(null, "", `#/a/${this.id}?${query(asked)}`);
  }

  step(name, by) {
    const most = Number((name === "t" ? this.time : this.depth).input.max);
    const far = name === "t" ? by * this.about.step : by;
    const to = Math.min(Math.max(this.state[name] + far, 0), most);
    if (to !== this.state[name]) told(this.take({ [name]: to }));
    return to;
  }

  wheel(event) {
    event.preventDefault();
    const name = event.shiftKey || this.state.view !== "slice" ? "t" : "z";
    this.step(name, event.deltaY + event.deltaX > 0 ? 1 : -1);
  }

  key(event) {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "range") return;
    if (this.correcting.key(event) || this.doubting.key(event)) return event.preventDefault();
    const moves = { ArrowLeft: ["t", -1], ArrowRight: ["t", 1], ArrowUp: ["z", 1], ArrowDown: ["z", -1] };
    if (moves[event.key]) this.step(...moves[event.key]);
    else if (event.key === " ") this.toggle();
    else if (event.key === "Escape") this.pick(0);
    else return;
    event.preventDefault();
  }

  toggle() {
    if (this.playing) {
      clearInterval(this.playing);
      this.playing = null;
    } else {
      this.playing = setInterval(() => {
        if (this.state.t >= Number(this.time.input.max)) told(this.take({ t: 0 }));
        else this.step("t", 1);
      }, 200);
    }
    this.play.textContent = this.playing ? "pause" : "play";
  }
}

function read(name, text, usual) {
  if (text === null || text === "") return usual;
  if (WORDS.includes(name)) return text;
  return Number.isFinite(Number(text)) ? Number(text) : usual;
}

function facts(pairs) {
  return element("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null && value !== undefined).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, number(value))]));
}
