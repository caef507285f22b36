// SPDX-License-Identifier: Apache-2.0
// Draws the timeline. Where it is narrow, the name of a lane stands above it, so that name and time both have the whole width.
import { since } from './timeline_scale.js';
import { instant } from './timeline_lanes.js';

export const ROW = 20, AXIS = 26, GAP = 4;
const FONT = '12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const NARROW = 600, MARGIN = 10, LEAST_LEFT = 84, MOST_LEFT = 220, HEAD = 18;
const LANES = { case: 'step', step: 'step', power: 'power', boot: 'boot', tls: 'tls', doip: 'doip', can: 'can', console: 'console', probe: 'power', other: 'other' };
const LEVELS = { pass: 'pass', passed: 'pass', good: 'pass', fail: 'fail', failed: 'fail', bad: 'fail', alert: 'fail', error: 'error', inconclusive: 'inconclusive', warning: 'inconclusive', warn: 'inconclusive',
  skipped: 'skipped' };
const NAMES = ['paper', 'panel', 'ink', 'soft', 'line', 'accent', 'on', 'band', 'pass', 'fail', 'error', 'inconclusive', 'skipped', 'lane-step', 'lane-power', 'lane-boot', 'lane-tls', 'lane-doip', 'lane-can',
  'lane-console', 'lane-other'];

export function theme() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export function colour(colours, lane, item) {
  const level = LEVELS[item.level];
  // Only whole cases are green: what failed must stand out.
  return (level !== 'pass' || lane.kind === 'case' ? colours[level] : '') || colours[`lane-${LANES[lane.kind] || 'other'}`];
}

/** {left, right, head}: pixels beside the drawing, and of the name above each lane (0: names are at the left). */
export function frame(layout, width) {
  if (width < NARROW) return { left: MARGIN, right: MARGIN, head: HEAD };
  const ctx = document.createElement('canvas').getContext('2d');
  ctx.font = FONT;
  const longest = Math.max(0, ...layout.lanes.map((lane) => ctx.measureText(lane.name).width));
  return { left: Math.min(Math.max(Math.ceil(longest) + 18, LEAST_LEFT), MOST_LEFT), right: 0, head: 0 };
}

function laneTop({ head }, lane, index) {
  return AXIS + lane.top * ROW + index * (GAP + head) + head;
}

export function heightOf(layout, head) {
  return AXIS + layout.rows * ROW + layout.lanes.length * (GAP + head) + 6;
}

// As many marks as there is room for their texts.
function marksOf(ctx, scale) {
  for (let pixels = Math.max(40, scale.width / 14); ; pixels *= 1.25) {
    const { marks, step } = scale.marks(pixels), texts = marks.map((t) => since(t - scale.begin, step, scale.to - scale.begin));
    const widest = Math.max(0, ...texts.map((text) => ctx.measureText(text).width)), apart = (step / (scale.to - scale.from)) * scale.width;
    if (apart >= widest + 14 || pixels > scale.width) return { marks, texts };
  }
}

function axis(ctx, model) {
  const { scale, colours, height } = model;
  const { marks, texts } = marksOf(ctx, scale);
  model.marks = marks.length;
  ctx.textAlign = 'center';
  for (const [i, t] of marks.entries()) {
    const x = Math.round(scale.x(t)) + 0.5;
    ctx.strokeStyle = colours.line;
    ctx.beginPath();
    ctx.moveTo(x, AXIS - 6);
    ctx.lineTo(x, height);
    ctx.stroke();
    ctx.fillStyle = colours.soft;
    const half = ctx.measureText(texts[i]).width / 2;
    ctx.fillText(texts[i], Math.min(Math.max(x, scale.left + half + 2), scale.left + scale.width - half - 2), 13);
  }
  ctx.textAlign = 'left';
}

function bar(ctx, model, lane, item, y) {
  const { scale, colours, selected } = model;
  const from = Math.max(scale.x(item.t), scale.left - 2), to = Math.min(scale.x(item.end), scale.left + scale.width + 2);
  if (to < scale.left || from > scale.left + scale.width) return;
  const width = Math.max(to - from > 4 ? to - from - 1 : to - from, 1.5);
  ctx.fillStyle = colour(colours, lane, item);
  ctx.fillRect(from, y + 2, width, ROW - 4);
  if (width > 24 && item.label) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(from, y, width - 3, ROW);
    ctx.clip();
    ctx.fillStyle = colours.on;
    ctx.fillText(item.label, from + 4, y + ROW / 2 + 0.5);
    ctx.restore();
  }
  if (item === selected) outline(ctx, colours, from - 1, y, width + 2);
}

function tick(ctx, model, lane, item, y) {
  const { scale, colours, selected } = model;
  const x = scale.x(item.t);
  if (x < scale.left || x > scale.left + scale.width) return;
  ctx.fillStyle = colour(colours, lane, item);
  ctx.fillRect(x - 1, y + 2, 2, ROW - 4);
  if (item === selected) outline(ctx, colours, x - 4, y, 8);
}

function outline(ctx, colours, x, y, width) {
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 2;
  ctx.strokeRect(x, y + 1, width, ROW - 2);
  ctx.lineWidth = 1;
}

// Beside a tick, where there is room up to the next one.
function captions(ctx, model, lane, y) {
  const { scale, colours } = model;
  let free = -Infinity;
  const ticks = lane.placed.filter(({ item }) => instant(item)), bars = lane.placed.filter(({ item, row }) => row === 0 && !instant(item));
  ctx.fillStyle = colours.ink;
  for (const [i, { item }] of ticks.entries()) {
    const x = scale.x(item.t), next = i + 1 < ticks.length ? scale.x(ticks[i + 1].item.t) : scale.left + scale.width;
    if (x < scale.left || x > scale.left + scale.width || x < free || !item.label) continue;
    const width = ctx.measureText(item.label).width + 8;
    const covered = ({ item: bar_item }) => scale.x(bar_item.t) < x + width && scale.x(bar_item.end) > x;
    if (next - x < width || bars.some(covered)) continue;
    ctx.fillText(item.label, x + 4, y + ROW / 2 + 0.5);
    free = x + width;
  }
}

// What does not fit ends with an ellipsis.
function shortened(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let length = text.length - 1;
  while (length > 1 && ctx.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return `${text.slice(0, length)}…`;
}

function label(ctx, { scale, colours, head }, lane, y) {
  ctx.fillStyle = colours.ink;
  ctx.fillText(shortened(ctx, lane.name, head ? scale.width : scale.left - 14), 8, head ? y - head / 2 + 1 : y + ROW / 2 + 0.5);
}

/** model: {scale, layout, colours, selected, range: null or [x, x], height, ratio, left, right, head} */
export function paint(canvas, model) {
  const ctx = canvas.getContext('2d');
  const { scale, colours, layout, height, ratio, range } = model;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const whole = scale.left + scale.width + model.right;
  ctx.fillStyle = colours.paper;
  ctx.fillRect(0, 0, whole, height);
  ctx.font = FONT;
  ctx.textBaseline = 'middle';
  for (const [i, lane] of layout.lanes.entries()) {
    if (i % 2) continue;
    ctx.fillStyle = colours.panel;
    ctx.fillRect(0, laneTop(model, lane, i) - model.head - GAP / 2, whole, lane.rows * ROW + model.head + GAP);
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(scale.left, 0, scale.width, height);
  ctx.clip();
  axis(ctx, model);
  for (const [i, lane] of layout.lanes.entries()) {
    for (const { item, row } of lane.placed) (instant(item) ? tick : bar)(ctx, model, lane, item, laneTop(model, lane, i) + row * ROW);
    captions(ctx, model, lane, laneTop(model, lane, i));
  }
  if (range) {
    ctx.fillStyle = colours.band;
    ctx.fillRect(Math.min(...range), 0, Math.abs(range[1] - range[0]), height);
  }
  ctx.restore();
  for (const [i, lane] of layout.lanes.entries()) label(ctx, model, lane, laneTop(model, lane, i));
}

/** {lane, item} at a point of the canvas, or null. */
export function hit(model, x, y) {
  let best = null, distance = 6;
  for (const [i, lane] of model.layout.lanes.entries()) {
    const row = Math.floor((y - laneTop(model, lane, i)) / ROW);
    if (row < 0 || row >= lane.rows) continue;
    for (const entry of lane.placed) {
      if (entry.row !== row) continue;
      const from = model.scale.x(entry.item.t), to = instant(entry.item) ? from : model.scale.x(entry.item.end);
      const away = x < from ? from - x : x > to ? x - to : 0;
      // A tick wins over the bar that it stands on.
      if (away < distance || (away === 0 && best && instant(entry.item))) {
        best = { lane, item: entry.item };
        distance = Math.max(away, 0.01);
      }
    }
  }
  return best;
}
