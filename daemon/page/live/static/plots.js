// The pictures of `nusetd plot`, for a look and to take away.

import { query } from "/static/api.js";
import { element } from "/static/build.js";

const PICTURES = {
  summary: "all in one",
  nuclei: "nuclei",
  slices: "slices",
  tracks: "tracks",
  counts: "counts over time",
  sizes: "sizes",
  lineage: "lineage",
  msd: "mean squared displacement",
};

// What can be drawn, and what was: { picture, t }. `asked` is told which one is wanted.
export function plots(path, drawn, now, asked, say) {
  const buttons = Object.entries(PICTURES).map(([picture, words]) =>
    element("button", { "data-picture": picture, "aria-pressed": String(drawn?.picture === picture), onclick: () => asked(picture) }, words),
  );
  const choice = element("div", { class: "tools" }, ...buttons);
  if (!drawn) return [choice, element("p", { class: "quiet" }, `Choose one: it is drawn with the image of t = ${now}.`)];
  const address = (form) => `${path}/plot.${form}?${query(drawn)}`;
  const failed = element("p", { class: "quiet" });
  const image = element("img", {
    src: address("png"),
    alt: `${PICTURES[drawn.picture]} at t = ${say(drawn.t)}`,
    onerror: () => (failed.textContent = "It cannot be drawn: open it as PNG to see why."),
  });
  image.style.width = "100%";
  const link = (form) => element("a", { href: address(form), target: "_blank", rel: "noopener" }, form.toUpperCase());
  return [choice, element("p", {}, `t = ${say(drawn.t)}, as `, link("png"), " ", link("svg")), failed, image];
}
