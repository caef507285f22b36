// SPDX-License-Identifier: Apache-2.0
// What a person does with a rig, as it happens: the live view of a run, to look at only.
import { ApiError, get, url } from './api.js';
import { facts, h, link, swap } from './element.js';
import { when } from './format.js';
import { JournalLanes } from './journal_lanes.js';
import { JournalLog } from './journal_log.js';
import { to } from './route.js';
import { RunProgress } from './run_progress.js';
import { Timeline } from './timeline.js';
import { tag, virtual } from './verdict.js';

function read(line) {
  try {
    const event = JSON.parse(line);
    return Number.isFinite(event.t) && typeof event.kind === 'string' ? event : null;
  } catch {
    return null;
  }
}

function head(lease, over, is_virtual) {
  return [h('div', { class: 'bar' }, h('h1', null, `${lease.holder} on ${lease.rig}`), tag(over === null ? 'watching' : 'ended'), virtual(is_virtual)),
    over !== null && h('p', { class: 'notice', role: 'alert' }, h('b', null, `The session of ${lease.holder} has ended`), over ? `: ${over}.` : '.', ' What came until then stands below until you leave this page; nothing is kept.'),
    over === null && !lease.watchable && h('p', { class: 'notice' }, `${lease.holder} has shown nothing yet. It begins here by itself.`),
    facts([['Rig', link(to('rigs', lease.rig), lease.rig)], ['Holder', lease.holder], ['Since', when(lease.granted)], ['Until', over === null && when(lease.deadline || lease.expires)], ['Why', lease.note]])];
}

function gone(view, id) {
  view.title('Over');
  view.show(h('h1', null, 'This session is over'), h('p', { class: 'message' }, `Lease ${id} has ended. What was done in it is not kept here; the health log of its rig says by what it ended.`),
    h('div', { class: 'bar' }, h('a', { class: 'button', href: '#/rigs' }, 'To the rigs')));
}

async function leaseOf(view, id) {
  const lease = await get(url('leases', id), view.signal);
  if (lease.kind && lease.kind !== 'person') throw new ApiError(404, 'not_found', `Lease ${id} is not a person's: its run has a page of its own.`);
  return lease;
}

export async function watchPage(view, { id }) {
  let lease, over = null;
  try {
    lease = await leaseOf(view, id);
  } catch (error) {
    if (error.status !== 410) throw error;
    return gone(view, id);
  }
  view.title(`${lease.holder} on ${lease.rig}`);
  const top = h('div'), lanes = new JournalLanes(), steps = new RunProgress(`Waiting for what ${lease.holder} does…`), log = new JournalLog(view);
  const timeline = new Timeline(view, (query) => lanes.data(query), 400);
  const render = () => {
    steps.node.hidden = over !== null;
    swap(top, head(lease, over, lanes.virtual));
  };
  const soon = view.soon(render);
  view.show(top, steps.node, h('h2', null, 'Timeline'), timeline.node, h('h2', null, 'Log'), log.node);
  render();
  timeline.start();
  const end = (reason) => {
    stream.close();
    over = reason;
    render();
    timeline.refresh();
  };
  const anew = () => {
    lanes.clear();
    log.clear();
  };
  const take = (event) => {
    steps.take(event);
    log.take(event, lanes.at(event));
    lanes.take(event);
    lease.watchable = true;
  };
  const stream = view.stream(url('leases', id, 'events', { level: 'all' }), ({ event, data }) => {
    if (event === 'end') return end(reasonOf(data));
    for (const line of data.split('\n').map(read)) if (line) take(line);
    soon();
    return timeline.grow();
  }, (state, detail) => {
    // Without its position it begins with what the daemon still has.
    if (state === 'dropped') anew();
    if (state === 'refused' && (detail.status === 410 || detail.status === 404)) end('');
    else steps.state(state, detail);
  }, false);
  return null;
}

function reasonOf(data) {
  try {
    return JSON.parse(data).reason || '';
  } catch {
    return '';
  }
}
