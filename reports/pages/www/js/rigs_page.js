// SPDX-License-Identifier: Apache-2.0
// All rigs and what they do now.
import { get, url } from './api.js';
import { h, swap } from './element.js';
import { forgetOthers } from './held.js';
import { rigCard } from './rig.js';
import { may } from './session.js';

export async function rigsPage(view) {
  view.title('Rigs');
  let rigs = [];
  const runs = new Map();
  let queue = null;
  const list = h('ul', { class: 'cards', 'aria-label': 'Rigs' });
  const line = h('p', { class: 'soft', 'aria-live': 'polite' });
  const render = () => {
    swap(list, rigs.map((rig) => rigCard(rig, runs.get(rig.lease?.run))));
    line.textContent = queue ? `${queue.queued} ${queue.queued === 1 ? 'job waits' : 'jobs wait'}, ${queue.running} ${queue.running === 1 ? 'runs' : 'run'}.` : '';
  };
  const soon = view.soon(render);
  view.hears('held', soon);
  const load = async () => {
    ({ rigs } = await get(url('rigs'), view.signal));
    forgetOthers(rigs.map((rig) => rig.lease).filter(Boolean));
    ({ jobs: queue } = await get(url('status'), view.signal));
    await Promise.all(rigs.filter((rig) => rig.lease?.run && !runs.has(rig.lease.run)).map(async (rig) => {
      runs.set(rig.lease.run, await get(url('runs', rig.lease.run), view.signal).catch(() => null));
    }));
    soon();
  };
  await load();
  view.show(h('div', { class: 'bar' }, h('h1', null, 'Rigs'), may('operator') && h('a', { class: 'button push', href: '#/submit' }, 'Submit a job')), line,
    rigs.length ? list : h('p', { class: 'empty' }, 'The configuration names no rig.'));
  render();
  view.live((kind, data) => {
    if (kind === 'rig') rigs = rigs.map((rig) => (rig.name === data.name ? data : rig));
    else if (kind === 'run') runs.set(data.id, data);
    else if (kind === 'queue') queue = data;
    else if (kind === 'again') load().catch(() => {});
    else return;
    soon();
  });
}
