// Who it is that orders: a name that the browser keeps, said with each order.

import { element } from "/static/build.js";

export function myName() {
  try {
    return localStorage.getItem("nusetd.name") || "";
  } catch {
    return "";
  }
}

export function keepName(value) {
  try {
    localStorage.setItem("nusetd.name", value.trim());
  } catch {
    // the browser keeps nothing: it is asked for again
  }
}

export function nameField() {
  return element("input", { "aria-label": "your name", placeholder: "your name", maxlength: 60, value: myName(), onchange: (event) => keepName(event.target.value) });
}
