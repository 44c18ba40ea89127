// Putting settings to use: for what comes next in a watched folder, back to the configuration, and an acquisition again.

import { ask, order, told } from "/static/api.js";
import { element } from "/static/build.js";
import { keepName, myName, nameField } from "/static/person.js";
import { spoken } from "/static/setting_rows.js";

const LOOK_MS = 500;
const LOOKS = 240;

export class Steering {
  constructor(trying) {
    this.trying = trying;
    this.root = element("div", { class: "steering" });
    this.asking = null; // what is to be confirmed
    this.said = "";
  }

  get facts() {
    return this.trying.facts;
  }

  // Settings that would be others than those in use now: [setting, value].
  news() {
    return this.facts.settings
      .map((one) => [one, this.trying.values.get(one.name)])
      .filter(([one, value]) => value !== one.stored && one.in_use && value !== one.in_use.value);
  }

  update() {
    const { watch } = this.facts;
    const parts = [element("h2", {}, "Put to use")];
    if (watch === null) {
      parts.unshift(this.comparisons());
      parts.push(element("p", { class: "quiet" }, "This acquisition comes from no watched folder: give the settings to `nusetd process --set`, or to the configuration."));
      this.root.replaceChildren(...parts);
      return;
    }
    for (const fault of this.facts.faults) parts.push(element("p", { class: "error" }, fault));
    if (!this.facts.read_only) parts.push(...(this.asking ? this.asking() : this.offers()));
    if (this.said) parts.push(element("p", { class: "answer", role: "status" }, this.said));
    parts.push(...this.inUse(), ...this.history());
    this.root.replaceChildren(...parts);
  }

  offers() {
    const use = element("button", { "data-use": true, onclick: () => this.confirm(() => this.useDialog()) }, "use for this folder from now on …");
    use.disabled = !this.news().length;
    const differs = this.facts.settings.filter((one) => one.in_use && one.in_use.value !== one.stored);
    const again = element("button", { "data-again": true, onclick: () => this.confirm(() => this.againDialog(differs)) }, "do this acquisition again …");
    again.disabled = !differs.length;
    const why = again.disabled ? "It was done with the settings in use now; doing it again makes sense after they have changed." : "";
    return [element("div", { class: "row" }, use, again), element("p", { class: "quiet small" }, why), this.comparisons()];
  }

  // Links to this result beside each other one of the same source.
  comparisons() {
    const { id, about } = this.trying.view;
    return element("div", { class: "row" }, ...about.others.map((one) => element("a", { href: `#/compare/${id}/${one.id}`, "data-compare": one.id }, `compare with ${one.name}`)));
  }

  confirm(asking) {
    this.asking = asking;
    this.said = "";
    this.update();
    const box = this.root.querySelector(".confirm");
    if (box) box.scrollIntoView({ block: "nearest" });
  }

  useDialog() {
    const news = this.news();
    const rows = news.map(([one, value]) => element("li", {}, `${one.name}: ${spoken(one.in_use.value, one)} → `, element("b", {}, spoken(value, one))));
    const values = Object.fromEntries(news.map(([one, value]) => [one.name, value]));
    return this.box(
      ["For ", element("b", {}, this.facts.watch), ", from now on:"],
      element("ul", {}, ...rows),
      "What comes next is made with them. An acquisition that is still under way is begun anew, as a second result; finished ones stay as they are. The configuration file is not touched, and you can go back to it here.",
      "use them",
      () => order("/api/orders/settings", { acquisition: this.trying.view.id, values, by: myName() }),
    );
  }

  againDialog(differs) {
    const rows = differs.map((one) => element("li", {}, `${one.name}: ${spoken(one.stored, one)} → `, element("b", {}, spoken(one.in_use.value, one))));
    return this.box(
      [element("b", {}, this.trying.view.about.name), " is done again with the settings in use now:"],
      element("ul", {}, ...rows),
      "A second result is made beside this one, which stays as it is; when it is there, both can be compared here.",
      "do it again",
      () => order("/api/orders/again", { acquisition: this.trying.view.id, by: myName() }),
    );
  }

  box(title, list, consequences, verb, act) {
    const who = nameField();
    const yes = element("button", { class: "main", "data-confirm": true, onclick: () => told(this.send(who.value, act)) }, verb);
    const no = element("button", { onclick: () => this.confirm(null) }, "leave it");
    return [element("div", { class: "confirm" }, element("p", {}, ...title), list, element("p", { class: "quiet small" }, consequences), element("div", { class: "row" }, who, yes, no))];
  }

  async send(who, act) {
    keepName(who);
    const { request } = await act();
    this.asking = null;
    this.said = this.facts.runs ? "The service has been asked …" : "Noted: the service does it when it runs.";
    this.update();
    for (let i = 0; i < LOOKS && !this.trying.ended; i++) {
      await new Promise((then) => setTimeout(then, LOOK_MS));
      const answer = await ask(`/api/requests/${request}`);
      if (answer.accepted === null) continue;
      this.said = answer.answer;
      await this.trying.reload();
      return;
    }
  }

  inUse() {
    const chosen = this.facts.settings.filter((one) => one.in_use && one.in_use.origin !== "default");
    if (!chosen.length) return [element("p", { class: "quiet small" }, "All settings of this folder are the defaults.")];
    const rows = chosen.map((one) => {
      const { origin, by, at, configured } = one.in_use;
      const override = origin === "override";
      const from = override ? `chosen by ${by || "hand"}${at ? `, ${when(at)}` : ""}; configuration: ${spoken(configured, one)}` : `by the ${origin}`;
      const back = override && !this.facts.read_only ? element("button", { "data-remove": one.name, title: "as the configuration says, from now on", onclick: () => this.confirm(() => this.backDialog(one)) }, "back to the configuration …") : null;
      return element("tr", {}, element("td", { class: "words" }, element("code", {}, one.name)), element("td", {}, spoken(one.in_use.value, one)), element("td", { class: "words quiet" }, from), element("td", {}, back));
    });
    return [element("h2", {}, `In use for ${this.facts.watch}`), element("table", { class: "in-use" }, ...rows)];
  }

  backDialog(one) {
    return this.box(
      ["For ", element("b", {}, this.facts.watch), ", from now on as the configuration says:"],
      element("ul", {}, element("li", {}, `${one.name}: ${spoken(one.in_use.value, one)} → `, element("b", {}, spoken(one.in_use.configured, one)))),
      "An acquisition that is still under way is begun anew; finished ones stay as they are.",
      "go back",
      () => order("/api/orders/settings", { acquisition: this.trying.view.id, removed: [one.name], by: myName() }),
    );
  }

  history() {
    if (!this.facts.changes.length) return [];
    const rows = [...this.facts.changes].reverse().map((one) => {
      const after = one.value === null ? "as the configuration says" : spoken(one.value);
      return element("li", {}, `${when(one.at)}, ${one.by}: ${one.setting} ${after} (before: ${spoken(one.before)})`);
    });
    return [element("details", { class: "history" }, element("summary", {}, "who changed what"), element("ul", {}, ...rows))];
  }
}

function when(at) {
  return new Date(at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
