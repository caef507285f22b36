// SPDX-License-Identifier: Apache-2.0
// One event of a journal (docs/reference/journal.md) as a line of text.
import { words } from './format.js';

const LONGEST = 400;
const HEXADECIMAL = { id: 3, address: 4, logical_address: 4, source: 4, target: 4, did: 4, nrc: 2, code: 2, service: 2, type: 4, idcode: 8 };
const CHATTER = /^(can\.[rt]x|isotp\.|secoc\.[rt]x|doip|uds\.|message\.|tcp\.|supply\.measure|flash$)/;

/** Frames and messages: many, and on the timeline already. */
export function chatter(kind) {
  return CHATTER.test(kind);
}

function hex(text) {
  return text ? String(text).replace(/(..)(?=.)/g, '$1 ') : '';
}

function value(key, content) {
  if (Number.isInteger(content) && content >= 0 && HEXADECIMAL[key]) return `0x${content.toString(16).padStart(HEXADECIMAL[key], '0')}`;
  return typeof content === 'string' ? content : JSON.stringify(content);
}

function all(data) {
  return Object.entries(data).map(([key, content]) => `${words(key)} ${key === 'hex' ? hex(content) : value(key, content)}`).join(', ');
}

const TEXTS = {
  'run.begin': (d) => `begins on ${d.rig ?? 'the rig'}`, 'run.end': (d) => `ended${d.error?.message ? `: ${d.error.message}` : ''}`,
  'case.begin': (d) => `${d.id}${d.title ? `: ${d.title}` : ''}`, 'step.begin': (d) => d.text || d.name, 'note': (d) => d.text, 'console.line': (d) => d.text, 'board.fault': (d) => d.text,
  'case.end': (d) => `${d.id} — ${d.verdict}${d.message ? `: ${d.message}` : ''}`, 'step.end': (d) => `${d.verdict}${d.message ? `: ${d.message}` : ''}`,
  'power.on': () => 'on', 'power.off': () => 'off', 'boot.stage': ({ stage, ...d }) => `${stage} ${all(d)}`,
  'can.rx': (d) => frame(d), 'can.tx': (d) => frame(d),
};

function frame(d) {
  return `${value('id', d.id)} [${d.length ?? '?'}] ${hex(d.hex)} ${(d.flags || []).join(' ')}`;
}

export function textOf({ kind, data = {} }) {
  const text = String((TEXTS[kind] || all)(data) ?? '');
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
