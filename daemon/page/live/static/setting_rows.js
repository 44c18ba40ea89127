// Settings with sliders: what each does, its value in this result, and the value that is to be tried.

import { element, number } from "/static/build.js";

export function spoken(value, setting) {
  if (value === null || value === undefined) return setting && setting.unset ? "not given" : "-";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return value;
  return number(value);
}

// Where the name of a setting says too little to who does not know it.
const WORDS = {
  "segmentation.min_score": "minimum score of a nucleus",
  "segmentation.seed_score": "minimum score of a seed",
  "segmentation.nms_iou": "overlap of proposals (NMS)",
  "segmentation.nucleus_diameter_px": "nucleus diameter in the image",
  "segmentation.min_area_fraction": "specks removed below",
  "segmentation.watershed": "divide touching nuclei (watershed)",
  "volume.min_diameter_um": "smallest nucleus",
  "volume.max_diameter_um": "largest nucleus",
};

export function words(name) {
  if (WORDS[name]) return WORDS[name];
  return name.slice(name.indexOf(".") + 1).replaceAll("_", " ").replace(/ (px|um)$/, "").replace(/^min /, "minimum ").replace(/^max /, "maximum ");
}

// A row; `changed(name, value)` is told of every new value.
export function settingRow(setting, value, changed) {
  const title = `${setting.meaning}\n\nChange it: ${setting.change}`;
  const differs = value !== setting.stored;
  const back = element("button", { class: "back", title: "as it is in this result", "aria-label": `back ${setting.name}`, onclick: () => changed(setting.name, setting.stored) }, "↺");
  back.style.visibility = differs ? "visible" : "hidden";
  const head = element("div", { class: "head" }, element("b", { title }, words(setting.name)), element("code", { class: "quiet" }, setting.name), back);
  const body = (BODIES[setting.kind] || amount)(setting, value, changed);
  const used = setting.in_use && setting.in_use.value !== setting.stored ? ` · in use now: ${spoken(setting.in_use.value, setting)}` : "";
  const facts = `in this result: ${spoken(setting.stored, setting)}${used} · default: ${setting.default === null ? setting.unset : spoken(setting.default, setting)}`;
  return element(
    "div",
    { class: differs ? "setting differs" : "setting", "data-setting": setting.name },
    head,
    body,
    element("details", {}, element("summary", { title: "what it does" }, facts), element("p", {}, setting.meaning), element("p", {}, setting.change)),
  );
}

function onOff(setting, value, changed) {
  const box = element("input", { type: "checkbox", "aria-label": setting.name, onchange: (event) => changed(setting.name, event.target.checked) });
  box.checked = Boolean(value);
  return element("label", { class: "line" }, box, value ? "on" : "off");
}

function oneOf(setting, value, changed) {
  const box = element("select", { "aria-label": setting.name, onchange: (event) => changed(setting.name, event.target.value) });
  for (const choice of setting.choices) box.append(element("option", { value: choice }, choice));
  box.value = value;
  return element("div", { class: "line" }, box);
}

function amount(setting, value, changed) {
  const { slider } = setting;
  const given = value !== null && value !== undefined;
  const start = slider ? begins(setting.name, slider) : 0;
  const take = (text) => {
    const wanted = Number(text);
    if (text !== "" && Number.isFinite(wanted)) changed(setting.name, wanted);
  };
  const exact = element("input", { type: "number", step: "any", "aria-label": `${setting.name}, exactly`, onchange: (event) => take(event.target.value) });
  exact.value = given ? value : "";
  exact.disabled = !given;
  const line = element("div", { class: "line" });
  if (setting.unset) {
    const measured = element("input", { type: "checkbox", "aria-label": `${setting.name}, given`, onchange: (event) => changed(setting.name, event.target.checked ? start : null) });
    measured.checked = given;
    line.append(element("label", { class: "given", title: `else: ${setting.unset}` }, measured, "give it"));
  }
  if (slider) {
    const slide = element("input", { type: "range", min: slider.low, max: slider.high, step: slider.step, "aria-label": setting.name, onchange: (event) => take(event.target.value) });
    slide.value = given ? value : start;
    slide.disabled = !given;
    slide.addEventListener("input", () => (exact.value = slide.value));
    line.append(slide);
  }
  line.append(exact, element("span", { class: "quiet" }, setting.unit));
  return line;
}

const BODIES = { switch: onOff, choice: oneOf };

// A bound that is given begins where it leaves nearly nothing out; what is a measure begins in the middle.
function begins(name, slider) {
  if (name.includes(".min_")) return slider.low;
  if (name.includes(".max_")) return slider.high;
  return rounded((slider.low + slider.high) / 2, slider.step);
}

function rounded(value, step) {
  return Number((Math.round(value / step) * step).toPrecision(8));
}
