// SPDX-License-Identifier: Apache-2.0
// The cases of a run, the attempts at each.
import { h, link, swap } from './element.js';
import { duration } from './format.js';
import { parsePlace, placeLink, placeOf } from './place.js';
import { to } from './route.js';
import { flaky, kind, tag, virtual } from './verdict.js';

const FILTERS = [['all', 'All'], ['bad', 'Not passed'], ['fail', 'Failed'], ['error', 'Errors'], ['flaky', 'Flaky']];

function shown(result, filter) {
  if (filter === 'bad') return result.verdict !== 'pass' && result.verdict !== 'skipped';
  if (filter === 'flaky') return result.flaky;
  return filter === 'all' || result.verdict === filter;
}

function attemptLine(job, a) {
  return h('li', null, `Attempt ${a.attempt}: `, tag(a.verdict), a.cause && ` (${a.cause})`, ' ', h('span', { class: 'soft' }, duration(a.duration_ns)),
    a.message && h('p', { class: 'message' }, a.message), a.place && h('p', null, placeLink(job, parsePlace(a.place))));
}

/** attempts: of this case by results.json, where it is there; what is told of the expectation too. */
function comparison(a) {
  return (a?.expected || a?.actual) && h('dl', { class: '' }, h('dt', null, 'Expected'), h('dd', null, h('code', null, a.expected || '')), h('dt', null, 'Actual'), h('dd', null, h('code', null, a.actual || '')));
}

function card(job, run, result, attempts) {
  const last = attempts?.at(-1);
  return h('div', { class: `card ${kind(result.verdict)}`, id: `case-${result.id}` }, h('header', null, h('h3', null, result.title || result.id), tag(result.verdict, true), flaky(result.flaky),
    result.cause && h('span', { class: 'soft' }, result.cause)),
  h('p', { class: 'small' }, link(to('cases', result.id), result.id, { class: 'mono', 'data-key': `case ${result.id}` }), ' · ', duration(result.duration_ns), ' ', virtual(run.virtual)),
  result.message && h('p', { class: 'message' }, result.message), comparison(last), h('p', null, placeLink(job, placeOf(result))),
  result.attempts > 1 && h('div', null, h('p', { class: 'soft' }, `${result.attempts} attempts`), attempts && h('ol', { class: 'plain attempts' }, attempts.map((a) => attemptLine(job, a)))));
}

function row(job, run, result, attempts) {
  const several = result.attempts > 1 || result.flaky;
  return h('tr', null, h('td', null, tag(result.verdict), ' ', flaky(result.flaky)),
    h('td', null, link(to('cases', result.id), result.title || result.id, { 'data-key': `case ${result.id}` }), h('span', { class: 'sub mono' }, result.id),
      result.verdict === 'skipped' && result.message && h('span', { class: 'sub' }, result.message),
      several && attempts && h('ol', { class: 'plain attempts' }, attempts.map((a) => attemptLine(job, a)))),
    h('td', { class: 'number' }, duration(result.duration_ns), ' ', virtual(run.virtual)), h('td', { class: 'number', 'data-label': 'Attempts' }, String(result.attempts ?? 1)));
}

export class RunCases {
  constructor() {
    this.filter = 'all';
    this.attempts = new Map();
    this.buttons = h('div', { class: 'bar', role: 'group', 'aria-label': 'Which cases' });
    this.list = h('div');
    this.node = h('div', null, this.buttons, this.list);
  }

  /** attempts by id: of results.json. */
  render(job, run) {
    this.job = job;
    this.run = run;
    const cases = run.cases || [];
    const choose = (name) => {
      this.filter = name;
      this.render(this.job, this.run);
    };
    swap(this.buttons, FILTERS.map(([name, text]) => h('button', { type: 'button', 'data-key': name, 'aria-pressed': String(this.filter === name), onclick: () => choose(name) },
      `${text} (${cases.filter((c) => shown(c, name)).length})`)));
    const fit = cases.filter((c) => shown(c, this.filter));
    const bad = fit.filter((c) => shown(c, 'bad')), good = fit.filter((c) => !shown(c, 'bad'));
    swap(this.list, bad.map((c) => card(job, run, c, this.attempts.get(c.id))), good.length > 0 && h('div', { class: 'scroll' }, h('table', { class: 'stack', 'aria-label': 'Cases' },
      h('thead', null, h('tr', null, ['Verdict', 'Case'].map((t) => h('th', { scope: 'col' }, t)), ['Took', 'Attempts'].map((t) => h('th', { scope: 'col', class: 'number' }, t)))),
      h('tbody', null, good.map((c) => row(job, run, c, this.attempts.get(c.id)))))), !fit.length && h('p', { class: 'empty' }, cases.length ? 'No case fits.' : run.state === 'done' ? 'No case has run.' : 'No case has ended yet.'));
  }
}
