// SPDX-License-Identifier: Apache-2.0
// Case by night.
import { get, url } from './api.js';
import { h, link, swap } from './element.js';
import { day } from './format.js';
import { remember, to } from './route.js';
import { cell, kind, legend } from './verdict.js';

const NIGHTS = ['7', '14', '30', '60'];

/** Did the verdict change, or differ between attempts, in these nights? */
export function changed(results) {
  const known = results.filter(Boolean);
  return known.some((r) => r.flaky) || new Set(known.map((r) => r.verdict)).size > 1;
}

function row(entry, jobs) {
  return h('tr', null, h('th', { scope: 'row' }, link(to('cases', entry.id), entry.title || entry.id), h('span', { class: 'sub mono' }, entry.id)), entry.results.map((result, i) => h('td', null, result
    ? cell(result, `${to('runs', result.run)}`, `${entry.id}, ${jobs[i] ? day(jobs[i].started) : ''}: ${result.verdict}${result.flaky ? ', flaky' : ''}`)
    : h('span', { class: 'soft', 'aria-label': 'not run' }, '·'))));
}

function matrix(data, cases) {
  const head = data.jobs.map((job) => h('th', { scope: 'col' }, link(to('jobs', job.id), day(job.started), { 'aria-label': `Job ${job.id}, ${day(job.started)}: ${job.outcome || 'not done'}` }),
    h('span', { class: `sub ${kind(job.outcome)}`, 'aria-hidden': 'true' }, `#${job.id}`)));
  return h('div', { class: 'matrix', tabindex: '0', role: 'region', 'aria-label': 'Cases by night' }, h('table', null, h('thead', null, h('tr', null, h('th', { scope: 'col' }, `${cases.length} cases`), head)),
    h('tbody', null, cases.map((entry) => row(entry, data.jobs)))));
}

export async function nightsPage(view, _, query) {
  view.title('Nights');
  let data = null;
  const list = h('div'), text = h('input', { type: 'search', value: query.text || '', oninput: () => filter() });
  const only = h('input', { type: 'checkbox', checked: query.changed === '1', onchange: () => filter() });
  const series = h('select', { onchange: () => reload() }), nights = h('select', { onchange: () => reload() }, NIGHTS.map((n) => h('option', { value: n, selected: n === (query.nights || '14') }, n)));
  const render = () => {
    const wanted = text.value.trim().toLowerCase();
    const cases = data.cases.filter((c) => (!wanted || `${c.id} ${c.title}`.toLowerCase().includes(wanted)) && (!only.checked || changed(c.results)));
    swap(list, cases.length ? matrix(data, cases) : h('p', { class: 'empty' }, data.cases.length ? 'No case fits.' : 'No night of this series has ended yet.'));
  };
  const renderSoon = view.soon(render, 120);
  const keep = () => remember({ series: series.value, nights: nights.value === '14' ? '' : nights.value, text: text.value, changed: only.checked ? '1' : '' });
  const filter = () => {
    keep();
    renderSoon();
  };
  const load = async (name) => {
    data = await get(url('matrix', { series: name, nights: nights.value }), view.signal);
    const names = new Set([data.series, ...data.series_names].filter((n) => n !== null && n !== undefined));
    swap(series, [...names].map((n) => h('option', { value: n, selected: n === data.series }, n || '(no series)')));
    render();
  };
  const reload = () => {
    keep();
    load(series.value).catch((error) => view.fail(error, () => nightsPage(view, _, query)));
  };
  await load(query.series);
  if (query.series === undefined && data.series !== 'nightly' && data.series_names.includes('nightly')) await load('nightly');
  view.show(h('h1', null, 'Nights'), h('div', { class: 'bar', role: 'search' }, h('label', null, h('span', { class: 'label' }, 'Series'), series), h('label', null, h('span', { class: 'label' }, 'Nights'), nights),
    h('label', null, h('span', { class: 'label' }, 'Cases with'), text), h('label', null, only, ' Only what changed')), legend(), list);
  const box = list.querySelector('.matrix');
  if (box) box.scrollLeft = box.scrollWidth;
  view.live((event, job) => {
    if (event === 'job' && job.state === 'done' && job.series === data.series) load(series.value).catch(() => {});
  });
}
