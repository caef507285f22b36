// SPDX-License-Identifier: Apache-2.0
// Lanes of a journal while it comes: what the daemon tells of a run, for what it has no lanes of.
import { textOf } from './journal_text.js';

const KEPT = 4000; // items a lane; the oldest go
const KINDS = ['case', 'step', 'power', 'boot', 'tls', 'doip', 'can', 'console', 'probe', 'other'];
const WARNINGS = new Set(['can.error', 'can.lost', 'can.fault', 'link.fault', 'tcp.refused', 'tcp.reset', 'supply.trip', 'power.cut', 'board.given_up']);
const FAILURES = /^(tls\.alert|tls\.failed|board\.|probe\.lost)/;
const LABELS = { case: 'id', step: 'name', boot: 'stage', doip: 'name' };
// [kinds, lane, what happens in it, before the name of whom]; the first that fits.
const RULES = [[/^case\.begin$/, 'case', 'begin'], [/^case\.end$/, 'case', 'end'], [/^step\.begin$/, 'step', 'begin'], [/^step\.end$/, 'step', 'end'],
  [/^power\.on$/, 'power', 'begin', 'power'], [/^power\.off$/, 'power', 'end', 'power'], [/^power\.cut$/, 'power', 'break', 'power'], [/^supply\.trip$/, 'power', 'point', 'power'], [/^supply\./, 'other', 'point', 'supply'],
  [/^boot\.stage$/, 'boot', 'next', 'boot'], [/^(reset$|board\.)/, 'boot', 'break', 'boot'], [/^console\.line$/, 'console', 'point', 'console'], [/^(doip|uds\.)/, 'doip', 'point', 'doip'], [/^message\./, 'doip', 'point', 'messages'],
  [/^tls\.(client_hello|open)$/, 'tls', 'begin', 'tls'], [/^tls\.(finished|opened)$/, 'tls', 'end', 'tls'], [/^tls\.(failed|alert)$/, 'tls', 'break', 'tls'], [/^(tls\.|tcp\.|link\.fault$)/, 'tls', 'point', 'tls'],
  [/^(can|isotp|secoc)\./, 'can', 'point', ''], [/^probe\./, 'probe', 'point', 'probe'], [/^ota\.begin$/, 'other', 'begin', 'update'], [/^ota\.end$/, 'other', 'end', 'update'], [/^ota\./, 'other', 'point', 'update'],
  [/^flash/, 'other', 'point', 'flash'], [/^measure\./, 'other', 'point', 'measurements'], [/^run\./, 'other', 'none'], [/^note$/, 'other', 'point', 'notes'], [/^/, 'other', 'point', '']];

function nameOf(channel, prefix, depth) {
  if (prefix === undefined) return depth > 0 ? `step ${depth + 1}` : '';
  const [what, who] = channel.split(/:(.*)/s);
  if (who === undefined) return prefix || what;
  return [prefix, what === 'tester' ? 'tester' : '', who].filter(Boolean).join(' ');
}

function labelOf(lane, event, text) {
  const own = event.data?.[LABELS[lane]];
  if (own) return String(own);
  if (lane === 'console' || lane === 'can') return text;
  if (event.kind === 'power.on') return 'on';
  return lane === 'tls' && /^tls\.(client_hello|open)$/.test(event.kind) ? 'handshake' : event.kind;
}

function levelOf({ kind }) {
  if (/^(case|step)\./.test(kind)) return '';
  return FAILURES.test(kind) ? 'error' : WARNINGS.has(kind) ? 'warn' : 'info';
}

export class JournalLanes {
  constructor() {
    this.clear();
  }

  clear() {
    Object.assign(this, { lanes: new Map(), first: null, last: 0, depth: 0, dropped: 0, virtual: false });
  }

  /** ns since the first event. */
  at(event) {
    this.first ??= event.t;
    return Math.max(event.t - this.first, 0);
  }

  take(event) {
    const t = this.at(event), { kind } = event;
    this.last = Math.max(this.last, t);
    if (kind === 'run.begin') this.virtual = Boolean(event.data?.virtual);
    if (kind === 'case.begin') this.depth = 0;
    const [, lane, act, prefix] = RULES.find(([form]) => form.test(kind));
    if (act === 'none') return;
    if (kind === 'step.end') this.depth = Math.max(this.depth - 1, 0);
    if (kind === 'power.off') this.close(this.lane('boot', nameOf(event.ch || '', 'boot')), t);
    this.put(this.lane(lane, nameOf(event.ch || '', prefix, lane === 'step' ? this.depth : 0) || lane), lane, act, event, t);
    if (kind === 'step.begin') this.depth++;
  }

  lane(kind, name) {
    const key = `${kind} ${name}`;
    if (!this.lanes.has(key)) this.lanes.set(key, { name, kind, items: [], open: null });
    return this.lanes.get(key);
  }

  close(lane, t) {
    if (lane.open) lane.open.end = Math.max(t, lane.open.t);
    lane.open = null;
  }

  put(lane, kind, act, event, t) {
    const text = textOf(event), { open } = lane;
    if (act !== 'point') this.close(lane, t);
    if (act === 'end' && open) {
      const verdict = event.data?.verdict;
      if (verdict) open.level = verdict;
      if (text && event.kind !== 'power.off') open.detail = `${open.detail}${open.detail ? ' — ' : ''}${text}`;
      return;
    }
    const item = { t, end: null, label: labelOf(kind, event, text), detail: text, level: event.data?.verdict || levelOf(event) };
    lane.items.push(item);
    if (act === 'begin' || act === 'next') lane.open = item;
    if (lane.items.length <= KEPT * 1.2) return;
    this.dropped += lane.items.length - KEPT;
    lane.items.splice(0, lane.items.length - KEPT);
  }

  /** As GET runs/ID/timeline answers. */
  data({ from_ns = 0, to_ns = this.last, limit = 4000 }) {
    const lanes = [...this.lanes.values()].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.name.localeCompare(b.name));
    const end = (lane, item) => (item === lane.open ? this.last : item.end);
    const seen = lanes.map((lane) => [lane, lane.items.filter((item) => item.t <= to_ns && (end(lane, item) ?? item.t) >= from_ns)]).filter(([, items]) => items.length);
    const most = Math.max(Math.floor(limit / Math.max(seen.length, 1)), 50);
    let left_off = this.dropped;
    const told = seen.map(([lane, items]) => {
      const step = Math.max(items.length / most, 1), kept = items.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
      left_off += items.length - kept.length;
      return { name: lane.name, kind: lane.kind, items: kept.map((item) => ({ ...item, end: end(lane, item) })) };
    });
    return { begin_ns: from_ns, end_ns: to_ns, virtual: this.virtual, lanes: told, left_off };
  }
}
