// A movie of the acquisition to take away: ordered here, made beside everything else, one at a time.

import { ask, order, told } from "/static/api.js";
import { element } from "/static/build.js";
import { choice, field, numberInput, values } from "/static/job_fields.js";

const LOOK_MS = 500;
const WORDS = { gif: "GIF (plays everywhere)", mp4: "MP4 (smaller)" };
const MORE = { done: "is there", failed: "was not made", stopped: "was stopped", queued: "begins", running: "is being made" };

export class Movie {
  constructor(id, about) {
    this.id = id;
    this.about = about;
    this.shown = element("div");
    this.root = element("section", { class: "movie" });
    told(this.look());
  }

  end() {
    clearTimeout(this.timer);
    this.ended = true;
  }

  build(kinds) {
    const { t } = this.about.timepoints;
    const said = (one) => one + this.about.first_source_t;
    const kind = choice("kind", kinds.map((one) => [one, WORDS[one]]), "gif");
    const by = choice("by", [["lineage", "lineage: daughters as their mother"], ["track", "track"]], "lineage");
    const first = numberInput("first", said(t[0] ?? 0), { min: 0, step: 1 });
    const last = numberInput("last", said(t.at(-1) ?? 0), { min: 0, step: 1 });
    const fps = numberInput("fps", 7, { min: 1, max: 60 });
    const tail = numberInput("tail", 10, { min: 0, step: 1 });
    const inputs = [kind, by, first, last, fps, tail];
    const make = async () => {
      await order("/api/movies", { acquisition: this.id, ...values(inputs) });
      await this.look();
    };
    this.go = element("button", { class: "main", "data-movie": true, onclick: () => told(make()) }, "make the movie");
    const form = element(
      "details",
      {},
      element("summary", {}, "how"),
      field("from time point", first),
      field("to time point", last),
      field("time points per second", fps),
      field("tails, in time points", tail, "where each nucleus was before; 0 for none"),
      field("colours", by),
    );
    this.root.replaceChildren(
      element("h2", {}, "Movie to take away"),
      element("p", { class: "quiet" }, "All time points from above, with outlines, tracks, time and scale bar. It is made beside everything else and delays nothing."),
      element("div", { class: "row" }, kind, this.go),
      form,
      this.shown,
    );
  }

  async look() {
    clearTimeout(this.timer);
    const { movies, kinds } = await ask("/api/movies");
    if (this.ended) return;
    if (!this.go) this.build(kinds);
    const open = movies.find((one) => ["queued", "running"].includes(one.state));
    this.go.disabled = Boolean(open);
    this.go.title = open && open.acquisition !== this.id ? `${open.file_name} is being made: one at a time` : "";
    const mine = movies.filter((one) => one.acquisition === this.id || one === open);
    this.shown.replaceChildren(...mine.map((one) => this.line(one)));
    if (open) this.timer = setTimeout(() => told(this.look()), LOOK_MS);
  }

  line(one) {
    if (one.state === "done") {
      const size = `${Number((one.size / 1e6).toPrecision(2))} MB`;
      const link = element("a", { href: `/api/movies/${one.id}/file/${encodeURIComponent(one.file_name)}`, download: one.file_name, "data-done": one.id }, one.file_name);
      return element("p", {}, link, `, ${size}`);
    }
    const parts = [`${one.file_name} ${MORE[one.state]}${one.text ? `: ${one.text}` : ""}`];
    if (one.state === "running" && one.of) parts.push(`, ${one.done} of ${one.of} frames `, element("progress", { max: one.of, value: one.done }));
    if (["queued", "running"].includes(one.state)) parts.push(" ", element("button", { onclick: () => told(order(`/api/movies/${one.id}/stop`, {}).then(() => this.look())) }, "stop"));
    return element("p", { role: "status" }, ...parts);
  }
}
