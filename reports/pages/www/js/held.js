// SPDX-License-Identifier: Apache-2.0
// Rigs that this page has locked for as long as it is open: their heartbeats, and the line at the top that says so.
import { change, url } from './api.js';
import { h, swap } from './element.js';
import { when } from './format.js';
import { attempt, notice } from './notice.js';

// The storage of one tab: it outlives a reload, and nothing else.
const STORE = 'hilbench-held', USUAL_MS = 5000, LEAST_MS = 200;
const OVER = new Set([404, 410]);
// The secret of a lock frees it before its deadline, also from another tab.
const SECRET = 'hilbench-lease-';
const held = new Map();
let worker = null, told = '';

export const secretOf = (id) => localStorage.getItem(SECRET + id);

export function keepSecret(id, secret) {
  localStorage.setItem(SECRET + id, secret);
}

/** Secrets of leases that ended otherwise. leases: all that there are. */
export function forgetOthers(leases) {
  const ids = leases.map((lease) => lease.id), last = Math.max(0, ...ids);
  for (const key of Object.keys(localStorage)) {
    const id = key.startsWith(SECRET) ? Number(key.slice(SECRET.length)) : NaN;
    if (id < last && !ids.includes(id)) localStorage.removeItem(key);
  }
}

/** Whether the lock lasts as long as this page. */
export function isHeld(id) {
  return held.has(id);
}

function store() {
  sessionStorage.setItem(STORE, JSON.stringify([...held.values()].map(({ problem, release, ...lock }) => lock)));
}

function line(lock) {
  return h('p', { class: lock.problem && 'bad' }, h('span', null, h('b', null, lock.rig), ' is yours while this page is open', lock.deadline && [', until ', when(lock.deadline), ' at the latest'], '.',
    lock.problem && ` Its last heartbeat was not taken: ${lock.problem} Trying again…`), ' ',
  h('button', { type: 'button', 'data-key': `give back ${lock.id}`, 'aria-label': `Give back ${lock.rig}`, onclick: (event) => attempt(event.currentTarget, () => giveBack(lock.id), `${lock.rig} is being cleaned.`) }, 'Give back'));
}

// Only what changed is shown anew, else every heartbeat would be read out.
function show() {
  const node = document.getElementById('held'), text = JSON.stringify([...held.values()].map(({ id, problem }) => [id, problem]));
  if (text === told) return;
  told = text;
  node.hidden = !held.size;
  swap(node, [...held.values()].map(line));
  document.dispatchEvent(new Event('held'));
}

function beaten({ data: { id, status, message } }) {
  const lock = held.get(id);
  if (!lock) return;
  if (OVER.has(status)) {
    forget(id);
    notice(`The lock of ${lock.rig} is over: ${message}`, true);
    return;
  }
  lock.problem = status === 200 ? '' : message;
  show();
}

function begin(lock) {
  held.set(lock.id, lock);
  if (!worker) {
    worker = new Worker(new URL('heart_worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = beaten;
  }
  worker.postMessage({ keep: { id: lock.id, address: url('leases', lock.id, 'heartbeat'), secret: lock.secret, every_ms: lock.every_ms } });
  // A page that has such a lock is not put to sleep.
  navigator.locks?.request(SECRET + lock.id, { mode: 'shared' }, () => new Promise((resolve) => { lock.release = resolve; })).catch(() => {});
  show();
}

/** Keeps a lease alive that was granted with a heartbeat. */
export function keep(lease, rig, secret) {
  const three = new Date(lease.expires) - new Date(lease.granted);
  begin({ id: lease.id, rig, secret, deadline: lease.deadline, problem: '', every_ms: lease.expires && three > 0 ? Math.max(Math.floor(three / 3), LEAST_MS) : USUAL_MS });
  store();
}

/** No heartbeats any more; the lease is over. */
export function forget(id) {
  localStorage.removeItem(SECRET + id);
  if (!held.has(id)) return;
  held.get(id).release?.();
  held.delete(id);
  worker.postMessage({ leave: id });
  store();
  show();
}

export async function giveBack(id) {
  const secret = held.get(id)?.secret || secretOf(id);
  try {
    await change('DELETE', url('leases', id), secret ? { secret } : {});
  } catch (error) {
    if (!OVER.has(error.status)) throw error;
  }
  forget(id);
}

export async function giveAllBack() {
  for (const id of [...held.keys()]) await giveBack(id);
}

/** What this tab had before it was loaded anew. */
export function resume() {
  let locks = [];
  try {
    locks = JSON.parse(sessionStorage.getItem(STORE)) || [];
  } catch {
    // Not ours: nothing is kept.
  }
  for (const lock of locks) begin({ ...lock, problem: '' });
}
