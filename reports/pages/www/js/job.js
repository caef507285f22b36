// SPDX-License-Identifier: Apache-2.0
// A job in lists, and what may be done with it.
import { change, url } from './api.js';
import { h, link } from './element.js';
import { between, when } from './format.js';
import { attempt, notice } from './notice.js';
import { to } from './route.js';
import { may } from './session.js';
import { tag } from './verdict.js';

export function active(job) {
  return job.state !== 'done';
}

export function jobName(job) {
  return job.title || `Job ${job.id}`;
}

export function shortCounts(c) {
  if (!c || !(c.total || c.planned)) return '';
  return [['pass', 'passed'], ['fail', 'failed'], ['error', 'errors'], ['inconclusive', 'inconclusive'], ['flaky', 'flaky']]
    .filter(([name]) => c[name]).map(([name, text]) => `${c[name]} ${c[name] === 1 && name === 'error' ? name : text}`).join(', ') + ` of ${c.planned ?? c.total}`;
}

/** done: called after the daemon agreed. */
export function jobActions(job, done) {
  if (!may('operator')) return [];
  const go = (address) => {
    location.hash = address;
  };
  const button = (text, action, shown) => shown && h('button', { type: 'button', 'data-key': `${text} ${job.id}`, 'aria-label': `${text}: ${jobName(job)}`,
    onclick: (event) => action(event.currentTarget) }, text);
  const again = (failed) => (node) => attempt(node, async () => {
    const { id } = await change('POST', url('jobs', job.id, 'rerun'), { failed });
    go(to('jobs', id));
  });
  return [
    button('Cancel', (node) => attempt(node, () => change('POST', url('jobs', job.id, 'cancel')), 'The job is being cancelled.').then(done), active(job)),
    button('Rerun', again(false), !active(job)), button('Rerun failed', again(true), !active(job) && job.outcome !== 'passed'),
    button(job.pinned ? 'Unpin' : 'Pin', (node) => attempt(node, async () => {
      const answer = await change(job.pinned ? 'DELETE' : 'PUT', url('jobs', job.id, 'pin'));
      if (answer?.warning) notice(answer.warning, true);
    }).then(done), true),
  ];
}

/** Between two tries nothing of it runs: it waits. */
export function stateWord(job) {
  return job.outcome || (job.state === 'running' && job.waiting_for ? 'waiting' : job.state);
}

export const JOB_COLUMNS = [{ title: 'Job' }, { title: 'State' }, { title: 'Cases' }, { title: 'Rig', label: 'Rig' }, { title: 'Submitted', label: 'Submitted' },
  { title: 'Took', number: true, label: 'Took' }, { title: 'Do' }];

export function jobRow(job, done) {
  const place = job.rig || (job.pool ? `pool ${job.pool}` : (job.requires || []).join(', ')) || 'any';
  return [[link(to('jobs', job.id), jobName(job), { 'data-key': `job ${job.id}` }), h('span', { class: 'sub' }, `#${job.id}`, job.series && ` · ${job.series}`, job.pinned && ' · pinned')],
    [tag(stateWord(job), Boolean(job.outcome)), (job.reason || job.waiting_for) && h('span', { class: 'sub' }, job.reason || `waits for ${job.waiting_for}`)],
    shortCounts(job.counts), place, [when(job.submitted), h('span', { class: 'sub' }, job.submitter && `by ${job.submitter}`)], between(job.started, job.ended),
    h('div', { class: 'links' }, jobActions(job, done))];
}
