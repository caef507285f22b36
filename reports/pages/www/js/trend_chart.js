// SPDX-License-Identifier: Apache-2.0
// The chart of a trend.
import { clock, day, scaleOf, timeMarks, words } from './format.js';

/** One unit for the whole axis: the one in which the largest value reads best. */
export function unitOf(trend) {
  const values = [...trend.points.map((p) => p.p95_ns ?? p.p50_ns), ...(trend.limits || []).map((l) => l.value_ns)].filter(Number.isFinite);
  const [unit, scale] = scaleOf(values.reduce((most, v) => Math.max(most, v), 0));
  return { unit, scale };
}

// As wide as the longest label.
function axisSize(u, values, index, cycle) {
  const axis = u.axes[index];
  if (cycle > 1) return axis._size; // its own answer again, so that uPlot's layout comes to rest
  u.ctx.font = axis.font[0];
  const widest = (values || []).reduce((most, text) => Math.max(most, u.ctx.measureText(text).width), 0);
  return Math.ceil(axis.ticks.size + axis.gap + widest / devicePixelRatio + 4);
}

/** Limits as the chart draws them: one line each value. */
function lines(trend, scale) {
  return (trend.limits || []).filter((l) => Number.isFinite(l.value_ns)).map((l) => ({ value: l.value_ns / scale, text: `limit ${l.statistic} ${words(l.op)}` }));
}

function columns(points, scale) {
  const value = (name) => points.map((p) => (Number.isFinite(p[name]) ? p[name] / scale : null));
  return [points.map((p) => new Date(p.at) / 1000), value('max_ns'), value('min_ns'), value('p95_ns'), value('p50_ns')];
}

function options(trend, node, pick) {
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const { unit, scale } = unitOf(trend);
  const limits = lines(trend, scale);
  const text = (u, v) => (v === null || v === undefined ? '–' : `${Number(v.toPrecision(5))} ${unit}`);
  const few = trend.points.length < 80;
  const axis = { stroke: colour('soft'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line') }, font: '12px system-ui, Arial, sans-serif' };
  return {
    width: Math.max(node.clientWidth - 8, 200), height: node.clientWidth < 560 ? 280 : 380, cursor: { drag: { x: true, y: false }, focus: { prox: 30 } }, scales: { y: { range: (u, low, high) => spread(low, high, limits) } },
    bands: [{ series: [1, 2], fill: colour('band') }], axes: [{ ...axis, space: 70, values: (u, splits, index, space, step) => timeMarks(splits, step) }, { ...axis, size: axisSize, values: (u, values) => values.map((v) => (v === null ? '' : `${Number(v.toPrecision(6))} ${unit}`)) }],
    series: [{ label: 'time', value: (u, v) => (v ? `${day(v * 1000)}, ${clock(v * 1000)}` : '–') }, { label: 'max', stroke: colour('lane-other'), width: 1, points: { show: false }, value: text }, { label: 'min', stroke: colour('lane-other'), width: 1, points: { show: false }, value: text },
      { label: 'p95', stroke: colour('lane-tls'), width: 1.5, dash: [6, 3], points: { show: few }, value: text }, { label: 'p50', stroke: colour('accent'), width: 2.5, points: { show: few, size: 6 }, value: text },
      ...limits.map((l) => ({ label: l.text, stroke: colour('fail'), width: 1.5, dash: [3, 4], points: { show: false }, value: text }))],
    hooks: { ready: [(u) => u.over.addEventListener('click', () => u.cursor.idx !== null && u.cursor.idx !== undefined && pick(trend.points[u.cursor.idx]))] },
  };
}

// The limits are in sight.
function spread(low, high, limits) {
  if (low === null || high === null) return [0, 1];
  const all = [low, high, ...limits.map((l) => l.value)];
  const least = Math.min(...all), most = Math.max(...all), room = (most - least || Math.abs(most) || 1) * 0.08;
  return [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
}

/** Draws into the node; pick(point) when one is clicked. Returns what removes it. */
export function drawTrend(node, trend, pick) {
  const { scale } = unitOf(trend);
  const data = columns(trend.points, scale);
  for (const l of lines(trend, scale)) data.push(data[0].map(() => l.value));
  let chart = null;
  const make = () => {
    chart?.destroy();
    chart = new globalThis.uPlot(options(trend, node, pick), data, node);
  };
  make();
  let width = node.clientWidth;
  const observer = new ResizeObserver(() => {
    if (node.clientWidth !== width) {
      width = node.clientWidth;
      make();
    }
  });
  observer.observe(node);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', make);
  return () => {
    observer.disconnect();
    dark.removeEventListener('change', make);
    chart.destroy();
  };
}
