// SPDX-License-Identifier: Apache-2.0
// The daemon itself.
import { get, url } from './api.js';
import { facts, h, swap } from './element.js';
import { size, when } from './format.js';

export async function statusPage(view) {
  view.title('Status');
  const list = h('div');
  const load = async () => {
    const s = await get(url('status'), view.signal);
    swap(list, s.accepts_jobs ? h('p', { class: 'notice' }, 'New jobs are taken.') : h('p', { class: 'notice bad' }, `No new jobs are taken: ${s.reason}`),
      s.retention?.over_bytes > 0 && h('p', { class: 'notice bad' }, `${size(s.retention.over_bytes)} more is stored than retention.size (${size(s.retention.limit_bytes)}) allows, and nothing of it may be removed: it is of pinned jobs, and of such that are not done.`),
      h('div', { class: 'card' }, facts([['Version', s.version], ['Started', when(s.started)], ['State directory', h('code', null, s.state_directory)], ['Jobs', `${s.jobs.queued} wait, ${s.jobs.running} run`],
        ['Free on the disk', size(s.disk?.free_bytes)], ['Stored', size(s.disk?.used_bytes)], ['Memory', size(s.memory_bytes)], ['Viewers', String(s.viewers)]], '')));
  };
  await load();
  view.show(h('h1', null, 'Status'), list, h('p', { class: 'small soft' }, h('a', { href: '/api/v1/openapi.json' }, 'OpenAPI description'), ' · ', h('a', { href: '/metrics' }, 'metrics'), ' · ',
    h('a', { href: 'lib/uPlot-LICENSE.txt' }, 'licence of uPlot, which draws the trends')));
  view.every(5000, () => load().catch(() => {}));
}
