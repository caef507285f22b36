// SPDX-License-Identifier: Apache-2.0
// The last lines of a journal as text, as they come.
import { h } from './element.js';
import { chatter, textOf } from './journal_text.js';

const KEPT = 1000; // lines

export class JournalLog {
  constructor(view) {
    this.lines = [];
    this.text = h('pre', { class: 'log', tabindex: '0', role: 'log', 'aria-label': 'Log', 'aria-live': 'off' }, 'Nothing yet.');
    this.all = h('input', { type: 'checkbox', onchange: () => this.render() });
    this.node = h('div', null, h('label', { class: 'small' }, this.all, ' Frames and messages too'), this.text);
    this.soon = view.soon(() => this.render());
  }

  clear() {
    this.lines = [];
  }

  /** at_ns: since the first event. */
  take(event, at_ns) {
    this.lines.push({ rare: !chatter(event.kind), text: `${(at_ns / 1e9).toFixed(3).padStart(8)} s  ${event.ch || ''}  ${event.kind}  ${textOf(event)}` });
    // Rare things must not be pushed out by frames.
    if (this.lines.length > KEPT * 4) this.lines = this.lines.filter((l, i) => (l.rare || i > KEPT) && i > KEPT / 2);
    this.soon();
  }

  render() {
    const atEnd = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 20;
    this.text.textContent = this.lines.filter((l) => l.rare || this.all.checked).slice(-KEPT).map((l) => l.text).join('\n') || 'Nothing yet.';
    if (atEnd) this.text.scrollTop = this.text.scrollHeight;
  }
}
