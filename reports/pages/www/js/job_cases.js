// SPDX-License-Identifier: Apache-2.0
// The cases of a job that had several runs or did not pass: what each run said of them.
import { get, url } from './api.js';
import { h, link, swap } from './element.js';
import { to } from './route.js';
import { cell } from './verdict.js';

const RUNS = 16;

/** [{id, title, results: one of each run or null}] of those worth a look. */
export function joined(runs) {
  const cases = new Map();
  for (const [i, run] of runs.entries()) for (const result of run.cases || []) {
    const known = cases.get(result.id) || { id: result.id, title: result.title, results: runs.map(() => null) };
    known.results[i] = result;
    cases.set(result.id, known);
  }
  return [...cases.values()].filter((c) => c.results.filter(Boolean).length > 1 || c.results.some((r) => r && r.verdict !== 'pass' && r.verdict !== 'skipped'));
}

function row(entry, runs) {
  const last = entry.results.findLast(Boolean);
  return h('tr', null, h('th', { scope: 'row' }, link(to('cases', entry.id), entry.title || entry.id), h('span', { class: 'sub mono' }, entry.id), last.message && h('span', { class: 'sub' }, last.message)),
    entry.results.map((r, i) => h('td', null, r ? cell(r, to('runs', runs[i].id), `${entry.id}, run ${runs[i].number} on ${runs[i].rig}: ${r.verdict}${r.cause ? ` (${r.cause})` : ''}`) : '')));
}

/** Fills the node; it stays empty when every case passed at once. */
export async function renderJobCases(node, job, signal) {
  const runs = await Promise.all((job.runs || []).slice(-RUNS).map((run) => get(url('runs', run.id), signal)));
  const cases = joined(runs);
  swap(node, cases.length > 0 && [h('h2', null, runs.length > 1 ? 'Attempts' : 'Not passed'), h('div', { class: 'matrix', tabindex: '0', role: 'region', 'aria-label': 'Cases by run' },
    h('table', null, h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Case'), runs.map((run) => h('th', { scope: 'col' }, link(to('runs', run.id), `run ${run.number}`), h('span', { class: 'sub' }, run.rig))))),
      h('tbody', null, cases.map((entry) => row(entry, runs)))))]);
}
