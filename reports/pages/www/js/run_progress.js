// SPDX-License-Identifier: Apache-2.0
// What a run does this moment, from its journal.
import { h, swap } from './element.js';
import { duration } from './format.js';
import { tag } from './verdict.js';

const KEPT = 6;

export class RunProgress {
  constructor(waiting = 'Waiting for the first step…') {
    this.steps = [];
    this.now = h('p', { 'aria-live': 'polite' }, waiting);
    this.list = h('ol', { class: 'plain attempts' });
    this.note = h('p', { class: 'soft', role: 'status' });
    this.node = h('section', { class: 'card running', 'aria-label': 'Now' }, this.now, this.list, this.note);
  }

  state(name, detail) {
    const texts = { lost: 'The live journal was lost. Trying again…', dropped: `The daemon dropped the live journal${detail ? `: ${detail}` : ''}. Trying again…`, refused: detail?.message };
    this.note.textContent = texts[name] || '';
  }

  /** One event of the journal. */
  take({ kind, data = {} }) {
    if (kind === 'case.begin') {
      this.now.textContent = `Case ${data.index ?? '?'} of ${data.of ?? '?'}: ${data.title || data.id}${data.attempt > 1 ? ` (attempt ${data.attempt})` : ''}`;
      this.steps = [];
    } else if (kind === 'step.begin') {
      if (data.phase === 'shell') this.now.textContent = 'Typed in the shell:';
      this.steps.push({ id: data.id, text: data.text || data.name });
    } else if (kind === 'step.end') Object.assign(this.steps.findLast((s) => s.id === data.id) || {}, { verdict: data.verdict, ns: data.duration_ns, message: data.message });
    else if (kind === 'run.end') this.now.textContent = 'The run has ended.';
    else return;
    this.steps = this.steps.slice(-KEPT);
    swap(this.list, this.steps.map((s) => h('li', null, h('code', null, s.text || ''), ' ', s.verdict ? tag(s.verdict) : h('span', { class: 'soft' }, 'runs'),
      s.ns && [' ', h('span', { class: 'soft nowrap' }, duration(s.ns))], s.message && h('span', { class: 'sub' }, s.message))));
  }
}
