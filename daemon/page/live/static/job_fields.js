// Fields of forms: a label, what is set, and a hint below; only what was changed is sent.

import { element } from "/static/build.js";

export function field(label, input, hint, unit = "") {
  input.setAttribute("aria-label", label);
  const shown = unit && unit !== "-" ? element("span", { class: "unit" }, unit) : null;
  return element("div", { class: "field" }, element("label", {}, label), element("div", { class: "row" }, input, shown), hint ? element("small", {}, hint) : null);
}

export function numberInput(name, usual, attributes = {}) {
  return element("input", { type: "number", step: "any", name, placeholder: usual, ...attributes });
}

export function choice(name, options, chosen) {
  return element("select", { name }, ...options.map(([value, words]) => element("option", { value, selected: value === chosen }, words)));
}

// The numbers and words of inputs by name; empty ones are left out.
export function values(inputs) {
  const found = {};
  for (const input of inputs) {
    if (input.type === "checkbox") found[input.name] = input.checked;
    else if (input.value.trim() === "") continue;
    else found[input.name] = input.type === "number" ? Number(input.value) : input.value.trim();
  }
  return found;
}

export function weightsChoice(name, models, label, hint, extra = []) {
  const about = element("small");
  const options = [...models.map((one) => [one.name, one.own ? `${one.name} (own)` : one.name]), ...extra.map(([value, words]) => [value, words])];
  const select = choice(name, options, models[0] && models[0].name);
  const say = () => {
    const model = models.find((one) => one.name === select.value);
    about.textContent = model ? model.about : (extra.find(([value]) => value === select.value) || ["", "", ""])[2];
  };
  select.addEventListener("change", say);
  say();
  const root = field(label, select, hint);
  root.append(about);
  return { root, select };
}
