// SPDX-License-Identifier: Apache-2.0
// The queue and all jobs.
import { get, url } from './api.js';
import { h, swap, table } from './element.js';
import { JOB_COLUMNS, active, jobRow } from './job.js';
import { remember } from './route.js';
import { may } from './session.js';

const STATES = ['', 'active', 'queued', 'running', 'finishing', 'done'];

function fits(job, query) {
  return (!query.state || job.state === query.state || (query.state === 'active' && active(job))) && (!query.series || job.series === query.series)
    && (!query.rig || job.rig === query.rig);
}

export async function jobsPage(view, _, query) {
  view.title('Jobs');
  let jobs = [], next = null;
  const list = h('div'), line = h('p', { class: 'soft', 'aria-live': 'polite' });
  const more = h('button', { type: 'button', onclick: () => load(next).catch(() => {}) }, 'Older');
  const render = () => {
    swap(list, jobs.length ? table('Jobs', JOB_COLUMNS, jobs.map((job) => jobRow(job, () => load()))) : h('p', { class: 'empty' }, 'No job fits.'));
    more.hidden = !next;
  };
  const soon = view.soon(render);
  async function load(before) {
    const page = await get(url('jobs', { ...query, limit: 50, before }), view.signal);
    jobs = before ? jobs.concat(page.jobs) : page.jobs;
    next = page.next;
    render();
  }
  const filter = (event) => {
    query = { ...query, [event.target.name]: event.target.value.trim() };
    remember(query);
    load().catch((error) => view.fail(error, () => jobsPage(view, _, query)));
  };
  await load();
  const status = await get(url('status'), view.signal).catch(() => null);
  const say = (q) => { line.textContent = q ? `${q.queued} ${q.queued === 1 ? 'job waits' : 'jobs wait'}, ${q.running} ${q.running === 1 ? 'runs' : 'run'}.` : ''; };
  say(status?.jobs);
  view.show(h('div', { class: 'bar' }, h('h1', null, 'Jobs'), may('operator') && h('a', { class: 'button push', href: '#/submit' }, 'Submit a job')), line,
    status?.accepts_jobs === false && h('p', { class: 'notice bad' }, `No new jobs are taken: ${status.reason}`),
    h('div', { class: 'bar', role: 'search' },
      h('label', null, h('span', { class: 'label' }, 'State'), h('select', { name: 'state', onchange: filter }, STATES.map((s) => h('option', { value: s, selected: s === (query.state || '') }, s || 'all')))),
      h('label', null, h('span', { class: 'label' }, 'Series'), h('input', { name: 'series', value: query.series || '', onchange: filter })),
      h('label', null, h('span', { class: 'label' }, 'Rig'), h('input', { name: 'rig', value: query.rig || '', onchange: filter }))), list, more);
  view.live((kind, data) => {
    if (kind === 'queue') say(data);
    else if (kind === 'again') load().catch(() => {});
    else if (kind === 'run') {
      // The first run of a job that is not spread is the whole of it.
      const job = jobs.find((j) => j.id === data.job);
      if (!job || !active(job) || data.number !== 1 || job.spread > 1 || !data.counts) return;
      job.counts = data.counts;
      soon();
    } else if (kind === 'job') {
      const at = jobs.findIndex((job) => job.id === data.id);
      if (at >= 0) jobs[at] = { ...jobs[at], ...data };
      else if (fits(data, query) && (!jobs.length || data.id > jobs[0].id)) jobs.unshift(data);
      jobs = jobs.filter((job) => fits(job, query));
      soon();
    }
  });
}
