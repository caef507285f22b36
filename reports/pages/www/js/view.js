// SPDX-License-Identifier: Apache-2.0
// One page while it is shown: its place, what it listens to, how it fails.
import { h, swap } from './element.js';
import { listen } from './live.js';
import { Stream } from './stream.js';

const RETRY_MS = 4000;
const RENDER_MS = 250, PRESSED_MS = 50;

// Nothing is made anew under a button that is being pressed: the press would be lost.
let pressed = false;
for (const [name, is] of [['pointerdown', true], ['pointerup', false], ['pointercancel', false], ['blur', false]]) window.addEventListener(name, () => { pressed = is; }, true);

export class View {
  constructor(root) {
    this.root = root;
    this.endings = [];
    this.abort = new AbortController();
    this.signal = this.abort.signal;
  }

  get left() {
    return this.signal.aborted;
  }

  leave() {
    this.abort.abort();
    for (const end of this.endings) end();
  }

  title(text) {
    document.title = `${text} · hilbench`;
  }

  /** What must end with the page. */
  ending(end) {
    if (this.left) end();
    else this.endings.push(end);
  }

  /** An event of the document while the page is shown. */
  hears(name, listener) {
    document.addEventListener(name, listener);
    this.ending(() => document.removeEventListener(name, listener));
  }

  live(listener) {
    this.ending(listen(listener));
  }

  /** A journal. keeps: its positions are offsets of a file that stays. */
  stream(address, onEvent, onState, keeps = true) {
    const stream = new Stream(address, onEvent, onState, keeps);
    this.ending(() => stream.close());
    return stream;
  }

  every(ms, action) {
    const timer = setInterval(() => document.hidden || action(), ms);
    this.ending(() => clearInterval(timer));
  }

  /** A function that calls `render` soon, however often it is asked. */
  soon(render, ms = RENDER_MS) {
    let timer = null;
    const due = () => {
      timer = pressed && !this.left ? setTimeout(due, PRESSED_MS) : null;
      if (!timer && !this.left) render();
    };
    this.ending(() => clearTimeout(timer));
    return () => {
      timer ??= setTimeout(due, ms);
    };
  }

  show(...children) {
    if (!this.left) swap(this.root, ...children);
  }

  /** A page that could not be made. again: makes it once more. */
  fail(error, again) {
    if (this.left || error.name === 'AbortError') return;
    const [title, text, waits] = explain(error);
    this.title(title);
    this.show(h('h1', null, title), h('p', { class: 'message', role: 'alert' }, text),
      h('div', { class: 'bar' }, h('button', { type: 'button', class: 'primary', onclick: again }, 'Try again'),
        error.status === 401 || error.status === 403 ? h('a', { class: 'button', href: '#/sign-in' }, 'Sign in') : h('a', { class: 'button', href: '#/rigs' }, 'To the rigs')));
    if (!waits) return;
    const timer = setTimeout(again, RETRY_MS);
    this.ending(() => clearTimeout(timer));
  }
}

function explain(error) {
  switch (error.status) {
    case 0: return ['The daemon does not answer', 'Is hilbenchd running, and is the network up? This page tries again by itself.', true];
    case 401: return ['Sign in', `${error.message} A token is needed here.`, false];
    case 403: return ['Not allowed', error.message, false];
    case 404: return ['Not found', /^there is no (job|run) /.test(error.message) ? `${error.message}. It may have been removed by retention.` : error.message, false];
    case 429: return ['Too many requests', `${error.message} This page tries again by itself.`, true];
    case 503: return ['The daemon is shutting down', `${error.message} This page tries again by itself.`, true];
    case undefined: return ['This page failed', String(error.message || error), false];
    default: return ['That did not work', error.message, error.status >= 500];
  }
}
