// Dragging a link: from a nucleus to what it is at the next time point, which the picture shows as soon as it is dragged.

import { told } from "/static/api.js";

const FAR = 6; // pixels of the screen that make a drag of a click
const CLICK_MS = 50; // within these comes the click of a button that was let go

export class LinkDrag {
  constructor(correcting) {
    this.correcting = correcting;
    this.from = null; // the nucleus, its time point, its place, and where the pointer is by now
    this.over = false; // the click that ends a drag is none
  }

  listen(stage) {
    this.stage = stage;
    const heard = { pointerdown: "begins", pointermove: "moves", pointerup: "ends", pointercancel: "leaves" };
    for (const [kind, does] of Object.entries(heard)) stage.canvas.addEventListener(kind, (event) => this[does](event));
  }

  // Where it began and where the pointer is.
  get line() {
    return this.from && this.from.there ? [this.from.place, this.from.there] : [];
  }

  begins(event) {
    const { correcting, stage } = this;
    const free = correcting.on && !correcting.begun && !correcting.sending && event.button === 0;
    const label = free ? stage.labelAt(event) : 0;
    this.over = false;
    this.from = label ? { label, t: correcting.view.state.t, place: stage.placeAt(event), x: event.clientX, y: event.clientY } : null;
  }

  moves(event) {
    const { from, stage } = this;
    if (!from) return;
    if (!from.there) {
      if (Math.hypot(event.clientX - from.x, event.clientY - from.y) < FAR) return;
      stage.canvas.setPointerCapture(event.pointerId);
      from.went = told(this.correcting.dragged(from));
    }
    from.there = stage.placeAt(event);
    this.correcting.paint();
  }

  async ends(event) {
    const { from } = this;
    const dragged = Boolean(from && from.there);
    this.over = dragged;
    setTimeout(() => (this.over = false), CLICK_MS);
    if (dragged) await from.went; // what it is dropped on is what is shown then
    this.leaves();
    if (dragged) told(this.correcting.dropped(this.stage.labelAt(event)));
  }

  leaves() {
    this.from = null;
    this.correcting.paint();
  }
}
