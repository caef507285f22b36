// SPDX-License-Identifier: Apache-2.0
// What the runs of a job printed; while it runs, as it comes.
import { send } from './api.js';
import { h } from './element.js';

const KEPT = 200000; // characters

export class JobLog {
  constructor(view, address, running) {
    Object.assign(this, { view, address, running });
    this.text = h('pre', { class: 'log', tabindex: '0', role: 'log', 'aria-label': 'Log', 'aria-live': 'off' });
    this.node = h('details', { 'data-key': 'log' }, h('summary', null, 'Log'), this.text);
    this.node.addEventListener('toggle', () => (this.node.open ? this.open() : this.close()));
    view.ending(() => this.close());
  }

  close() {
    this.abort?.abort();
  }

  open() {
    this.abort = new AbortController();
    this.read(this.abort.signal).catch((error) => {
      if (error.name !== 'AbortError') this.append(`\n[the log ends here: ${error.message}]\n`);
    });
  }

  append(text) {
    const atEnd = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 20;
    this.text.textContent = (this.text.textContent + text).slice(-KEPT);
    if (atEnd) this.text.scrollTop = this.text.scrollHeight;
  }

  async read(signal) {
    this.text.textContent = '';
    const response = await send(this.address + (this.running() ? '?follow=1' : ''), { signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      this.append(value);
    }
    if (!this.text.textContent) this.text.textContent = '(nothing was printed)';
  }
}
