// Sizes, or another measure, of chosen acquisitions beside each other: histogram, cumulative curve and boxes.

import { ask, told } from "/static/api.js";
import { dialog, element } from "/static/build.js";
import { inWords } from "/static/columns.js";
import { choice } from "/static/job_fields.js";

const MEASURES = ["", "equivalent_diameter_um", "volume_um3", "area_um2", "intensity_mean", "elongation", "score"];
const MOST = 8;

export function compareSizes(acquisitions) {
  return element("button", { "data-distribution": true, title: "distributions of several acquisitions", onclick: () => choosing(acquisitions) }, "compare distributions …");
}

function choosing(acquisitions) {
  const offered = acquisitions.filter((one) => one.nuclei_count);
  const boxes = offered.map((one, i) => [one.id, element("input", { type: "checkbox", "aria-label": one.name, checked: i < 2, onchange: draw })]);
  const measure = choice("measure", MEASURES.map((name) => [name, name ? inWords(name) : "size (volume, of planes area)"]), "");
  measure.addEventListener("change", draw);
  const shown = element("div", { class: "drawn" });
  const list = element("ul", { class: "files" }, ...offered.map((one, i) => element("li", {}, element("label", { class: "line" }, boxes[i][1], one.name))));
  const box = dialog("Compare distributions", list, element("div", { class: "row" }, "of", measure), shown, element("div", { class: "row end" }, element("button", { onclick: () => box.close() }, "close")));
  box.classList.add("wide");
  draw();

  function draw() {
    const ids = boxes.filter(([, input]) => input.checked).map(([id]) => id);
    if (!ids.length || ids.length > MOST) {
      shown.replaceChildren(element("p", { class: "quiet" }, ids.length ? `At most ${MOST} at once.` : "Choose acquisitions."));
      return;
    }
    const asked = new URLSearchParams([...ids.map((id) => ["id", id]), ["column", measure.value]]);
    const address = (form) => `/api/distribution.${form}?${asked}`;
    const image = element("img", { src: address("png"), alt: "distributions", onerror: () => told(ask(address("png"))) });
    image.style.width = "100%";
    const link = (form) => element("a", { href: address(form), target: "_blank", rel: "noopener" }, form.toUpperCase());
    shown.replaceChildren(image, element("p", { class: "quiet" }, "as ", link("png"), " ", link("svg")));
  }
}
