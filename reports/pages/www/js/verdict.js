// SPDX-License-Identifier: Apache-2.0
// Verdicts, outcomes and healths: always a word or a letter with the colour.
import { h } from './element.js';

const LETTERS = { pass: 'P', fail: 'F', inconclusive: 'I', error: 'E', skipped: 'S' };
const KNOWN = new Set(['pass', 'passed', 'fail', 'failed', 'inconclusive', 'error', 'skipped', 'cancelled', 'healthy', 'suspect', 'quarantined', 'offline',
  'queued', 'waiting', 'running', 'finishing', 'starting', 'ended', 'watching', 'expired']);

/** A class of the style sheet; nothing of the server's own becomes one. */
export function kind(word) {
  return KNOWN.has(word) ? word : '';
}

export function letter(verdict) {
  return LETTERS[verdict] || '?';
}

export function tag(word, full = false) {
  return word ? h('span', { class: `tag ${full ? 'full ' : ''}${kind(word)}` }, word) : null;
}

export function virtual(is) {
  return is ? h('span', { class: 'tag virtual', title: 'of a virtual rack: its delays are modelled' }, 'virtual') : null;
}

export function flaky(is) {
  return is ? h('span', { class: 'tag flaky', title: 'its attempts did not agree' }, 'flaky') : null;
}

/** A cell of a matrix or a strip. */
export function cell(result, href, label) {
  const text = letter(result.verdict) + (result.flaky ? '~' : '');
  return h(href ? 'a' : 'span', { href, class: `cell ${kind(result.verdict)}${result.flaky ? ' flaky' : ''}`, 'aria-label': label, title: label }, text);
}

export function legend() {
  return h('ul', { class: 'legend', 'aria-label': 'Letters' }, Object.entries(LETTERS).map(([name, text]) =>
    h('li', null, h('b', { class: `cell ${name}` }, text), ` ${name}`)), h('li', null, h('b', { class: 'cell flaky' }, '~'), ' flaky'));
}

const COUNTED = [['pass', 'passed'], ['fail', 'failed'], ['error', 'errors'], ['inconclusive', 'inconclusive'], ['skipped', 'skipped'], ['flaky', 'flaky']];

export function counts(c) {
  if (!c) return null;
  const shown = COUNTED.filter(([name]) => c[name] > 0 || name === 'pass');
  return h('ul', { class: 'counts', 'aria-label': 'Cases' }, shown.map(([name, text]) => h('li', { class: c[name] > 0 ? name : 'soft' }, h('b', null, String(c[name] || 0)), ` ${c[name] === 1 && name === 'error' ? name : text}`)),
    h('li', { class: 'soft' }, `of ${c.planned ?? c.total ?? 0}`));
}
