// Doubts: what a person should look at first, one after the other: right, wrong and mended so, or corrected otherwise.

import { ask, order, tell, told } from "/static/api.js";
import { element } from "/static/build.js";

const WORDS = {
  false: "is it a nucleus?",
  part: "is it whole?",
  several: "is it one?",
  outline: "is its outline right?",
  link: "does it go on from the one before?",
  missed: "was it really not there before?",
  division: "did its mother divide?",
  birth: "does it begin here?",
  end: "does it end here?",
};

export class Doubting {
  constructor(view) {
    this.view = view;
    this.list = null;
    this.at = 0;
    this.sending = false;
  }

  get on() {
    return this.view.state.tab === "doubts";
  }

  async read() {
    const { doubts } = await ask(`${this.view.path}/doubts`);
    this.list = doubts;
    this.at = Math.min(this.at, Math.max(0, doubts.length - 1));
  }

  // True where a key meant something here.
  key(event) {
    if (!this.on || event.altKey || event.ctrlKey || event.metaKey) return false;
    if (event.key === "n") this.next(1);
    else if (event.key === "p") this.next(-1);
    else if (event.key === "r") told(this.answer("right"));
    else if (event.key === "w") told(this.answer("wrong"));
    else return false;
    return true;
  }

  next(by) {
    const count = (this.list || []).length;
    if (count) told(this.go((this.at + by + count) % count));
  }

  async go(index) {
    this.at = index;
    const { t, at, z, label, track } = this.list[index]; // of a missed nucleus, `at` is the time point that lacks it
    await this.view.take({ t: at, z, label: at === t ? label : "", track: track ?? "" });
    this.view.panes();
  }

  async answer(which) {
    const one = this.list && this.list[this.at];
    if (!one || this.sending || this.view.about.read_only) return;
    if (!one[which]) return this.otherwise();
    this.sending = true;
    this.view.panes();
    const answer = await told(order("/api/orders/correct", { acquisition: this.view.id, ...one[which] }));
    this.sending = false;
    if (answer) tell(answer.said, "good");
    await this.view.changed(true);
  }

  // The nucleus is chosen, and what can be said of it lies ready.
  async otherwise() {
    await this.go(this.at);
    await this.view.take({ tab: "correct" });
  }

  pane() {
    if (!this.list) return [element("p", { class: "quiet" }, "reading")];
    if (!this.list.length) return [element("p", { class: "quiet", "data-doubts": 0 }, "Nothing is doubted.")];
    const one = this.list[this.at];
    const button = (name, words, key, does) => element("button", { "data-doubt": name, disabled: this.sending, onclick: does }, words, element("kbd", {}, key));
    const answers = this.view.about.read_only
      ? []
      : [
          button("right", "right", "r", () => told(this.answer("right"))),
          button("wrong", one.wrong ? `wrong: ${one.alternative}` : "wrong: draw it", "w", () => told(this.answer("wrong"))),
          element("button", { "data-doubt": "otherwise", onclick: () => told(this.otherwise()) }, "correct otherwise"),
        ];
    const rows = this.list.map((entry, index) => this.entry(entry, index));
    return [
      element("p", { class: "doing", "data-doubts": this.list.length }, `${this.at + 1} of the first ${this.list.length}: ${this.said(one)}`),
      element("div", { class: "keys" }, button("next", "next", "n", () => this.next(1)), ...answers),
      element("p", { class: "quiet" }, element("code", {}, one.command)),
      element("ul", { class: "said" }, ...rows),
    ];
  }

  entry(one, index) {
    const words = element("span", {}, `${Math.round(100 * one.doubt)} %  ${this.said(one)}`);
    const go = element("button", { class: "plain", "aria-pressed": String(index === this.at), onclick: () => told(this.go(index)) }, words);
    return element("li", {}, go);
  }

  said(one) {
    return `t = ${this.view.said(one.t)}, nucleus ${one.label}: ${WORDS[one.kind]}`;
  }
}
