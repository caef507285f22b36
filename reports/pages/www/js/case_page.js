// SPDX-License-Identifier: Apache-2.0
// What is known of a case over time.
import { get, url } from './api.js';
import { facts, h, link, swap, table } from './element.js';
import { day, duration, when } from './format.js';
import { parsePlace, placeLink } from './place.js';
import { to } from './route.js';
import { cell, flaky, legend, tag, virtual } from './verdict.js';

function perRig(entries, virtuals) {
  const rigs = new Map();
  for (const e of entries) {
    const sum = rigs.get(e.rig) || { pass: 0, fail: 0, other: 0, flaky: 0, times: [] };
    sum[e.verdict === 'pass' || e.verdict === 'fail' ? e.verdict : 'other']++;
    if (e.flaky) sum.flaky++;
    if (e.duration_ns > 0) sum.times.push(e.duration_ns);
    rigs.set(e.rig, sum);
  }
  const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  return table('By rig', [{ title: 'Rig' }, { title: 'Passed', number: true, label: 'Passed' }, { title: 'Failed', number: true, label: 'Failed' }, { title: 'Other', number: true, label: 'Other' },
    { title: 'Flaky', number: true, label: 'Flaky' }, { title: 'Median time', number: true, label: 'Median time' }], [...rigs].map(([name, s]) => [link(to('rigs', name), name), String(s.pass), String(s.fail), String(s.other), String(s.flaky),
    [duration(median(s.times)), ' ', virtual(virtuals.has(name))]]));
}

const TOLD = 4; // jobs that are asked for at once

function pointed(entry) {
  return entry.verdict !== 'pass' && entry.place;
}

/** The files of the jobs of which a place is shown, so that it can be a link; told() after some more are known. */
async function findJobs(jobs, entries, signal, told) {
  const missing = [...new Set(entries.filter(pointed).map((e) => e.job))].filter((id) => !jobs.has(id));
  while (missing.length) {
    await Promise.all(missing.splice(0, TOLD).map(async (id) => jobs.set(id, await get(url('jobs', id), signal).catch(() => null))));
    told();
  }
}

function log(entries, virtuals, jobs) {
  return table('Verdicts', [{ title: 'When' }, { title: 'Verdict' }, { title: 'Message' }, { title: 'Rig', label: 'Rig' }, { title: 'Took', number: true, label: 'Took' }, { title: 'Attempts', number: true, label: 'Attempts' }],
    entries.map((e) => [[link(to('runs', e.run), when(e.at) || `run ${e.run}`), h('span', { class: 'sub' }, link(to('jobs', e.job), `job ${e.job}`))], [tag(e.verdict), ' ', flaky(e.flaky), e.cause && h('span', { class: 'sub' }, e.cause)],
      [e.message && h('p', { class: 'message' }, e.message), pointed(e) && h('span', { class: 'sub mono' }, placeLink(jobs.get(e.job), parsePlace(e.place)))], e.rig,
      [duration(e.duration_ns), ' ', virtual(virtuals.has(e.rig))], String(e.attempts ?? 1)]));
}

export async function casePage(view, { id }, query) {
  view.title(id);
  const history = await get(url('cases', id, 'history', { series: query.series, limit: 100 }), view.signal);
  const { rigs } = await get(url('rigs'), view.signal).catch(() => ({ rigs: [] }));
  const jobs = new Map(), virtuals = new Set(rigs.filter((r) => r.virtual).map((r) => r.name));
  let { entries, next } = history;
  const strip = h('ol', { class: 'strip', 'aria-label': 'Verdicts, oldest first' }), rigTable = h('div'), list = h('div');
  const more = h('button', { type: 'button', onclick: async () => {
    const page = await get(url('cases', id, 'history', { series: query.series, limit: 100, before: next }), view.signal);
    entries = entries.concat(page.entries);
    next = page.next;
    render();
    findPlaces();
  } }, 'Older');
  const render = () => {
    swap(strip, entries.slice(0, 60).reverse().map((e) => h('li', null, cell(e, to('runs', e.run), `${day(e.at)} on ${e.rig}: ${e.verdict}${e.flaky ? ', flaky' : ''}`))));
    swap(rigTable, perRig(entries, virtuals));
    swap(list, entries.length ? log(entries, virtuals, jobs) : h('p', { class: 'empty' }, 'This case has not run yet.'));
    more.hidden = !next;
  };
  const soon = view.soon(render), findPlaces = () => findJobs(jobs, entries, view.signal, soon);
  const decided = history.passed + history.failed;
  const rate = (part) => (decided ? `${part} (${((part / decided) * 100).toFixed(1)} %)` : String(part));
  view.show(h('h1', null, history.title || id), h('p', { class: 'mono soft' }, id), facts([['Series', query.series], ['Passed', rate(history.passed)], ['Failed', rate(history.failed)],
    ['Flips between pass and fail', String(history.flips)], ['Flaky', rate(history.flaky)]]), legend(), strip, h('h2', null, 'By rig'), rigTable, h('h2', null, 'Verdicts'), list, more);
  render();
  findPlaces();
}
