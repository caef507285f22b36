// SPDX-License-Identifier: Apache-2.0
// Times, durations, sizes as text.
import { h } from './element.js';

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const YEAR = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
const MINUTES = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hour12: false });
const SCALES = [['s', 1e9], ['ms', 1e6], ['µs', 1e3], ['ns', 1]];

function figures(value) {
  return value >= 100 ? value.toFixed(1) : value >= 10 ? value.toFixed(2) : value.toFixed(3);
}

/** Nanoseconds, in the unit that reads best. */
export function duration(ns) {
  if (ns === null || ns === undefined || !Number.isFinite(ns)) return '';
  const sign = ns < 0 ? '−' : '';
  const size = Math.abs(ns);
  if (size >= 3600e9) return `${sign}${Math.floor(size / 3600e9)} h ${Math.floor((size % 3600e9) / 60e9)} min`;
  if (size >= 60e9) return `${sign}${Math.floor(size / 60e9)} min ${Math.floor((size % 60e9) / 1e9)} s`;
  const [unit, scale] = SCALES.find(([, s]) => size >= s) || ['ns', 1];
  return `${sign}${scale === 1 ? Math.round(size) : figures(size / scale)} ${unit}`;
}

/** [unit, ns of it] in which a size of so many ns reads best. */
export function scaleOf(ns) {
  return SCALES.find(([, s]) => Math.abs(ns) >= s) || SCALES.at(-1);
}

/** A value of a measurement: ns, whatever unit the daemon keeps it in. Never in minutes, which would hide its figures. */
export function measured(ns) {
  if (ns === null || ns === undefined || !Number.isFinite(ns)) return '';
  const [unit, scale] = scaleOf(ns);
  return `${ns < 0 ? '−' : ''}${scale === 1 ? Math.round(Math.abs(ns)) : figures(Math.abs(ns) / scale)} ${unit}`;
}

/** A bound as somebody wrote it: "400 ms", not "400.0 ms". */
export function bound(ns) {
  if (!Number.isFinite(ns)) return '';
  const [unit, scale] = scaleOf(ns);
  return `${Number((ns / scale).toPrecision(9))} ${unit}`;
}

/** "1 file", "2 files". */
export function several(n, noun) {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** A time element: the browser's time, UTC as its title; with its year where it is another than now. */
export function when(text) {
  const time = text ? new Date(text) : null;
  if (!time || Number.isNaN(time.getTime())) return null;
  return h('time', { datetime: text, title: `${time.toISOString().replace('T', ' ').replace('Z', '')} UTC` }, `${(time.getFullYear() === new Date().getFullYear() ? DATE : YEAR).format(time)}, ${CLOCK.format(time)}`);
}

export function day(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? '–' : DATE.format(time);
}

/** Hours and minutes. */
export function clock(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? '' : MINUTES.format(time);
}

export function between(from, to) {
  return from && to ? duration((new Date(to) - new Date(from)) * 1e6) : '';
}

export function size(bytes) {
  if (!Number.isFinite(bytes)) return '';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) {
    bytes /= 1024;
    step++;
  }
  return `${step && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

/** "at_most" is "at most". */
export function words(name) {
  return String(name ?? '').replaceAll('_', ' ');
}

/** Marks of a time axis; seconds since 1970, the distance of two of them. */
export function timeMarks(seconds, step) {
  return seconds.map((s) => (step >= 86400 ? DATE : CLOCK).format(new Date(s * 1000)));
}
