// SPDX-License-Identifier: Apache-2.0
// One rig: what it is, its boards' errors, its health log.
import { get, url } from './api.js';
import { facts, h, link, swap, table } from './element.js';
import { when, words } from './format.js';
import { healthOf, rigActions, rigFacts } from './rig.js';
import { to } from './route.js';
import { tag, virtual } from './verdict.js';

function about(rig, run) {
  return [h('div', { class: 'bar' }, h('h1', null, rig.name), tag(healthOf(rig), true), virtual(rig.virtual)), rig.reason && h('p', { class: 'notice' }, rig.reason),
    h('div', { class: 'card' }, rigFacts(rig, run), rigActions(rig)),
    facts([['Rig file', h('code', null, rig.file)], ['Roles', (rig.roles || []).join(', ')], ['Capabilities', (rig.capabilities || []).join(', ')],
      ['Bench errors in a row', String(rig.bench_errors ?? 0)]])];
}

/** Every board of the rig file, and those that it had once. */
function roles(rig) {
  return [...new Set([...(rig.roles || []), ...(rig.boards || []).map((b) => b.role)])];
}

function boards(rig) {
  return table('Boards', [{ title: 'Board' }, { title: 'Bench errors', number: true, label: 'Bench errors' }, { title: 'Last error', label: 'Last error' }],
    roles(rig).map((role) => [role, (rig.boards || []).find((b) => b.role === role)]).map(([role, b]) => [h('b', null, role), String(b?.bench_errors ?? 0), b?.last_error || 'none']));
}

function log(entries) {
  if (!entries.length) return h('p', { class: 'empty' }, 'Nothing happened yet.');
  return table('Health log', [{ title: 'When' }, { title: 'What' }, { title: 'Text' }, { title: 'Of' }], entries.map((e) => [when(e.at), words(e.kind), e.text,
    [e.job && link(to('jobs', e.job), `job ${e.job}`), e.run && [' ', link(to('runs', e.run), `run ${e.run}`)]]]));
}

export async function rigPage(view, { name }) {
  view.title(name);
  let rig, run = null, entries = [], next = null;
  const head = h('div'), list = h('div'), board = h('div');
  const more = h('button', { type: 'button', onclick: () => older().catch(() => {}) }, 'Older');
  const render = () => {
    swap(head, about(rig, run));
    swap(board, boards(rig));
    swap(list, log(entries));
    more.hidden = !next;
  };
  const soon = view.soon(render);
  view.hears('held', soon);
  const load = async () => {
    rig = await get(url('rigs', name), view.signal);
    ({ entries, next } = await get(url('rigs', name, 'health', { limit: 50 }), view.signal));
    if (rig.lease?.run && rig.lease.run !== run?.id) run = await get(url('runs', rig.lease.run), view.signal).catch(() => null);
  };
  async function older() {
    const page = await get(url('rigs', name, 'health', { limit: 50, before: next }), view.signal);
    entries = entries.concat(page.entries);
    next = page.next;
    render();
  }
  await load();
  view.show(head, h('h2', null, 'Boards'), board, h('h2', null, 'Health log'), list, more);
  render();
  view.live((kind, data) => {
    if (kind === 'run' && data.id === rig.lease?.run) run = data;
    else if ((kind === 'rig' && data.name === name) || kind === 'again') load().then(soon, () => {});
    soon();
  });
}
