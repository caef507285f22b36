// SPDX-License-Identifier: Apache-2.0
// Which part of a run is seen, and where on the canvas a time is. Times are ns of the journal's clock.

const LEAST_NS = 1000;
const STEPS = [1, 2, 5];

export class Scale {
  constructor() {
    Object.assign(this, { begin: 0, end: 1, from: 0, to: 1, left: 0, width: 1 });
  }

  /** Bounds of the run. The view stays, or grows with the run where it showed its end. */
  bound(begin, end) {
    const whole = this.whole, atEnd = this.to >= this.end, before = this.begin;
    this.begin = begin;
    this.end = Math.max(end, begin + LEAST_NS);
    if (whole) this.show(begin, this.end);
    else if (atEnd && before === begin) this.show(this.end - (this.to - this.from), this.end);
  }

  get whole() {
    return this.from <= this.begin && this.to >= this.end;
  }

  show(from, to) {
    const span = Math.min(Math.max(to - from, LEAST_NS), this.end - this.begin);
    this.from = Math.min(Math.max(from, this.begin), this.end - span);
    this.to = this.from + span;
  }

  x(t) {
    return this.left + ((t - this.from) / (this.to - this.from)) * this.width;
  }

  t(x) {
    return this.from + ((x - this.left) / this.width) * (this.to - this.from);
  }

  /** factor below 1 shows less; what stands at x stays there. */
  zoom(factor, x = this.left + this.width / 2) {
    const at = this.t(x), span = (this.to - this.from) * factor;
    const from = at - ((x - this.left) / this.width) * span;
    this.show(from, from + span);
  }

  pan(pixels) {
    const by = (pixels / this.width) * (this.to - this.from);
    this.show(this.from + by, this.to + by);
  }

  /** Times of the marks of the axis, at least so many pixels apart. */
  marks(pixels) {
    const least = ((this.to - this.from) / this.width) * pixels;
    const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
    const step = (STEPS.find((s) => s * power >= least) || 10) * power;
    const marks = [];
    for (let t = this.begin + Math.ceil((this.from - this.begin) / step) * step; t <= this.to; t += step) marks.push(t);
    return { marks, step };
  }
}

/** A time since the begin of the run, as fine as the step of the axis; in the unit of `like`. */
export function since(ns, step = 1e6, like = ns) {
  const [unit, scale] = step >= 1e9 || like >= 1e9 ? ['s', 1e9] : step >= 1e6 || like >= 1e6 ? ['ms', 1e6] : ['µs', 1e3];
  const digits = Math.min(Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9)), 9);
  return `${(ns / scale).toFixed(digits)} ${unit}`;
}
