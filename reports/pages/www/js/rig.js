// SPDX-License-Identifier: Apache-2.0
// A rig as it is shown, and what an operator does with it.
import { change, url } from './api.js';
import { ask } from './dialog.js';
import { facts, h, link } from './element.js';
import { when } from './format.js';
import { giveBack, isHeld, keep, keepSecret, secretOf } from './held.js';
import { attempt } from './notice.js';
import { to } from './route.js';
import { may } from './session.js';
import { kind, tag, virtual } from './verdict.js';

export function healthOf(rig) {
  return rig.online === false ? 'offline' : rig.health;
}

async function lock(rig, button) {
  const answer = await ask(`Lock ${rig.name}`, 'The rig is yours while this page is open: until you give it back, close the page or the time is over. Then it is cleaned.', [
    { name: 'for', label: 'At most for how long (10min, 2h)', value: '30min', required: true }, { name: 'note', label: 'Why (others see it)' },
    { name: 'stays', type: 'checkbox', label: 'Keep it until the deadline even if this page closes', hint: 'Others wait for it even when you have forgotten it.' }], 'Lock');
  if (!answer) return;
  await attempt(button, async () => {
    const heartbeat = answer.stays !== 'on';
    const { lease, secret, file } = await change('POST', url('rigs', rig.name, 'lease'), { for: answer.for, heartbeat, wait: false, note: answer.note });
    keepSecret(lease.id, secret);
    if (heartbeat) keep(lease, rig.name, secret);
    return file;
  }, (file) => `${rig.name} is yours. Its rig file: ${file}`);
}

async function unlock(rig, button) {
  await attempt(button, () => giveBack(rig.lease.id), `${rig.name} is being cleaned.`);
}

async function quarantine(rig, button) {
  const answer = await ask(`Quarantine ${rig.name}`, 'It gets no job until a self-test has passed.', [{ name: 'reason', label: 'Reason', required: true }], 'Quarantine');
  if (answer) await attempt(button, () => change('POST', url('rigs', rig.name, 'quarantine'), answer), `${rig.name} is quarantined.`);
}

function recover(rig, button) {
  return attempt(button, () => change('POST', url('rigs', rig.name, 'recover')), `${rig.name} is tested when it is free.`);
}

/** Buttons that this user may press. */
export function rigActions(rig) {
  if (!may('operator')) return null;
  const { lease } = rig;
  const mine = lease?.kind === 'person' && (may('admin') || secretOf(lease.id));
  const button = (text, action, shown) => shown && h('button', { type: 'button', 'data-key': `${text} ${rig.name}`, 'aria-label': `${text} ${rig.name}`,
    onclick: (event) => action(rig, event.currentTarget) }, text);
  const fit = healthOf(rig) === 'healthy' || healthOf(rig) === 'suspect';
  return h('div', { class: 'bar' }, button('Lock', lock, !lease && fit), button('Unlock', unlock, mine && lease.state !== 'cleaning'),
    button('Recover', recover, healthOf(rig) !== 'healthy'), button('Quarantine', quarantine, may('admin') && rig.health !== 'quarantined'));
}

function holder(lease) {
  if (!lease) return null;
  const until = lease.deadline || lease.expires;
  return [lease.kind === 'job' ? link(to('jobs', lease.job), lease.holder || `job ${lease.job}`) : lease.holder,
    lease.state === 'cleaning' ? ' (cleaning up)' : until && [' until ', when(until)]];
}

/** What runs: case, step, progress. */
export function progress(run) {
  const p = run?.progress;
  if (!p) return null;
  return [h('progress', { max: Math.max(p.of, 1), value: p.done, 'aria-label': `${p.done} of ${p.of} cases are done` }),
    h('span', { class: 'small' }, `${p.done} of ${p.of}`, p.case ? ` · ${p.case}` : '', p.step ? ` · ${p.step}` : '')];
}

/** Shown to everybody: what a person does who shows it. */
function watch(rig) {
  const { lease } = rig;
  return lease.watchable && [' · ', link(to('leases', lease.id), 'watch', { 'data-key': `watch ${rig.name}`, 'aria-label': `Watch ${lease.holder} on ${rig.name}` })];
}

function doing(rig, run) {
  if (rig.lease?.kind === 'job' && rig.lease.state !== 'cleaning')
    return [link(to('runs', rig.lease.run), `run ${rig.lease.run}`), ' of ', link(to('jobs', rig.lease.job), `job ${rig.lease.job}`), progress(run)];
  if (rig.lease) return rig.lease.state === 'cleaning' ? 'is being cleaned' : [isHeld(rig.lease.id) ? 'is locked while this page is open' : 'is locked by a person', watch(rig)];
  return healthOf(rig) === 'healthy' || healthOf(rig) === 'suspect' ? 'nothing: it is free' : 'nothing';
}

export function rigFacts(rig, run) {
  return facts([['Pool', rig.pool], ['Now', doing(rig, run)], ['Holder', holder(rig.lease)], ['Why', rig.lease?.note], ['Queue', rig.queue ? `${rig.queue} waiting` : 'empty'],
    ['Since', rig.reason ? when(rig.since) : null]], '');
}

export function rigCard(rig, run) {
  const health = healthOf(rig);
  return h('li', { class: `card ${kind(health)}` }, h('header', null, h('h2', null, link(to('rigs', rig.name), rig.name, { 'data-key': `rig ${rig.name}` })),
    tag(health, true), virtual(rig.virtual)), rig.reason && h('p', { class: 'message' }, rig.reason), rigFacts(rig, run), rigActions(rig));
}
