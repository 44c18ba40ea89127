// Trying settings on the time point that is shown, result over result, and putting them to use.

import { ask, order, told } from "/static/api.js";
import { element } from "/static/build.js";
import { trialLabels } from "/static/pair.js";
import { settingRow } from "/static/setting_rows.js";
import { Steering } from "/static/steering.js";
import { isOpen, storedCard, trialCard } from "/static/trial_cards.js";

const LOOK_MS = 400;
const USUAL = ["segmentation.min_score", "segmentation.foreground_threshold", "segmentation.nucleus_diameter_px", "segmentation.seed_score", "segmentation.min_area_fraction"];
const ALL = "all";

export class Trying {
  // `view`: the acquisition that is shown; `repaint` is called when its picture is to be drawn anew.
  constructor(view, repaint) {
    this.view = view;
    this.repaint = repaint;
    this.values = new Map();
    this.trials = [];
    this.chosen = { before: "stored", after: null };
    this.seen = "";
    this.planes = { before: null, after: null };
    this.root = element("div", { class: "trying" });
    this.list = element("div", { class: "settings" });
    this.buttons = element("div", { class: "row" });
    this.cards = element("div", { class: "trials" });
    this.steering = new Steering(this);
    this.root.append(element("p", { class: "quiet" }, "loading"));
  }

  end() {
    clearTimeout(this.timer);
    this.ended = true;
  }

  get path() {
    return `/api/acquisitions/${this.view.id}`;
  }

  // What is in the pane; it is the same element always, so that a slider keeps the hand.
  pane() {
    if (!this.facts && !this.loading) this.loading = told(this.load());
    else if (this.facts) this.update();
    return [this.root];
  }

  async load() {
    this.facts = await ask(`${this.path}/settings`);
    this.trials = (await ask(`${this.path}/trials`)).trials;
    if (this.ended) return;
    this.setting = new Map(this.facts.settings.map((one) => [one.name, one]));
    for (const one of this.facts.settings) if (!this.values.has(one.name)) this.values.set(one.name, one.stored);
    const last = this.trials.filter((one) => one.state === "done" && one.other === null).at(-1);
    if (last && this.chosen.after === null) this.chosen.after = last.id;
    this.build();
    this.look();
    await this.show(this.view.state);
    this.repaint();
  }

  build() {
    const choose = element(
      "select",
      { "aria-label": "what looks wrong", onchange: (event) => this.wonder(event.target.value) },
      element("option", { value: "" }, "what looks wrong? (the usual settings)"),
      ...this.facts.advice.map((one, i) => element("option", { value: i }, one.seen)),
      element("option", { value: ALL }, "show all settings"),
    );
    this.advice = element("p", { class: "advice" });
    this.legend = element("p", { class: "legend" });
    this.root.replaceChildren(choose, this.advice, this.list, this.buttons, this.legend, this.cards, this.steering.root);
    this.rows();
    this.update();
  }

  wonder(chosen) {
    this.seen = chosen;
    const found = this.facts.advice[chosen];
    this.advice.textContent = found ? found.change : "";
    this.rows();
  }

  shown() {
    if (this.seen === ALL) return this.facts.settings;
    const stack = (this.view.about.size.z || 1) > 1;
    const usual = USUAL.map((name) => (stack && name.endsWith(".foreground_threshold") ? "segmentation.stack_foreground_threshold" : name));
    const named = this.seen === "" ? usual : this.facts.advice[this.seen].settings;
    const changed = this.facts.settings.filter((one) => this.values.get(one.name) !== one.stored).map((one) => one.name);
    return [...new Set([...named, ...changed])].map((name) => this.setting.get(name)).filter(Boolean);
  }

  rows() {
    const opened = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.parentElement.dataset.setting));
    this.list.replaceChildren(...this.shown().map((one) => settingRow(one, this.values.get(one.name), (name, value) => this.set(name, value))));
    for (const row of this.list.children) if (opened.has(row.dataset.setting)) row.querySelector("details").open = true;
  }

  set(name, value) {
    this.values.set(name, value);
    this.rows();
    this.update();
  }

  // Settings that are not as they were in this result.
  changed(which = () => true) {
    return Object.fromEntries(this.facts.settings.filter((one) => which(one) && this.values.get(one.name) !== one.stored).map((one) => [one.name, this.values.get(one.name)]));
  }

  update() {
    const { t } = this.view.state;
    const tried = this.changed((one) => one.tried);
    const late = Object.keys(this.changed((one) => !one.tried)).length;
    const go = element("button", { class: "main", "data-try": true, onclick: () => told(this.begin()) }, `try on time point ${this.view.said(t)}`);
    go.disabled = !Object.keys(tried).length;
    const reset = element("button", { onclick: () => this.reset() }, "as in this result");
    const note = late ? "settings of tracking decide nothing within one time point: use them, then do it again" : go.disabled ? "change a setting, then try it here; nothing is stored" : "";
    if (this.facts.read_only) {
      this.buttons.replaceChildren(element("span", { class: "quiet" }, "This page is read only: nothing is tried or ordered here."));
    } else this.buttons.replaceChildren(go, reset, element("span", { class: "quiet small" }, note));
    this.paintCards();
    this.steering.update();
  }

  reset() {
    this.takeOver({});
  }

  // Move the sliders to what this result was made with, and some settings over it.
  takeOver(settings) {
    for (const one of this.facts.settings) this.values.set(one.name, one.name in settings ? settings[one.name] : one.stored);
    this.rows();
    this.update();
  }

  async begin() {
    const { t } = this.view.state;
    const trial = await order("/api/trials", { acquisition: this.view.id, t, settings: this.changed((one) => one.tried) });
    this.trials.push(trial);
    this.awaited = trial.id;
    this.update();
    this.reveal(trial.id);
    this.look();
  }

  // A card that comes, or is full, below the pane's edge is not missed.
  reveal(id) {
    const card = this.cards.querySelector(`[data-trial="${id}"]`);
    if (card) card.scrollIntoView({ block: "nearest" });
  }

  // Trials are looked after while one is under way.
  look() {
    clearTimeout(this.timer);
    if (this.ended || !this.trials.some(isOpen)) return;
    this.timer = setTimeout(() => told(this.hear()), LOOK_MS);
  }

  async hear() {
    const found = (await ask(`${this.path}/trials`)).trials;
    if (this.ended) return;
    this.trials = found;
    const awaited = found.find((one) => one.id === this.awaited);
    if (awaited && awaited.state === "done") {
      this.awaited = null;
      await this.pick("after", awaited.id);
      this.reveal(awaited.id);
    } else this.paintCards();
    this.look();
  }

  paintCards() {
    const { t } = this.view.state;
    const here = this.trials.filter((one) => one.t === t && one.other === null).reverse();
    const known = here.find((one) => one.stored);
    const actions = {
      pick: (which, id) => told(this.pick(which, id)),
      take: (trial) => this.takeOver(trial.settings),
      stop: (trial) => told(order(`/api/trials/${trial.id}/stop`, { acquisition: this.view.id }).then(() => this.hear())),
    };
    const elsewhere = [...new Set(this.trials.filter((one) => one.t !== t && one.other === null).map((one) => one.t))];
    const parts = here.map((one) => trialCard(one, this.chosen, this.facts.settings, actions));
    if (here.length) parts.push(storedCard(known ? known.stored : null, this.chosen, actions));
    if (elsewhere.length) {
      const links = elsewhere.map((one) => element("button", { onclick: () => told(this.view.take({ t: one })) }, `time point ${this.view.said(one)}`));
      parts.push(element("div", { class: "row quiet" }, "trials of", ...links));
    }
    this.cards.replaceChildren(...parts);
    const after = this.trialShown("after");
    this.legend.replaceChildren(
      ...(after ? [swatch("before", this.chosen.before === "stored" ? "this result" : "the trial before"), swatch("after", "the trial"), swatch("both", "both agree")] : []),
    );
  }

  trialShown(which) {
    return this.trials.find((one) => one.id === this.chosen[which] && one.state === "done" && one.t === this.view.state.t);
  }

  async pick(which, id) {
    this.chosen[which] = id;
    if (this.chosen.before === this.chosen.after) this.chosen.before = "stored";
    this.paintCards();
    await this.show(this.view.state);
    this.repaint();
  }

  // Load the outlines of the plane that is shown.
  async show(state) {
    const wanted = ["before", "after"].map((which) => this.trialShown(which));
    const [before, after] = await Promise.all(wanted.map((one) => (one ? trialLabels(one.id, state).catch(() => null) : null)));
    if (state === this.view.state) this.planes = { before, after };
  }

  // What is drawn: nothing of its own while no trial is chosen here.
  pair(stored) {
    if (!this.trialShown("after")) return null;
    return { before: this.trialShown("before") ? this.planes.before : stored, after: this.planes.after };
  }

  // Somebody may have changed something: the settings in use, other results, trials.
  async reload() {
    if (!this.facts) return;
    const [facts, found] = await Promise.all([ask(`${this.path}/settings`), ask(`${this.path}/trials`)]);
    if (this.ended) return;
    this.facts = facts;
    this.trials = found.trials;
    this.look();
    this.setting = new Map(this.facts.settings.map((one) => [one.name, one]));
    if (!this.list.contains(document.activeElement)) this.rows(); // else somebody is at a slider
    this.update();
  }
}

function swatch(name, text) {
  return element("span", { class: `swatch ${name}` }, text);
}
