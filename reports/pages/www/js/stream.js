// SPDX-License-Identifier: Apache-2.0
// Server-sent events by fetch(), because only so the position can be told again by a new connection, and an error's reason be read.
import { problem } from './api.js';

const SILENCE_MS = 40000; // the daemon sends a comment every 15 s
const LEAST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10000;

/** Splits what comes into events {event, data} and positions, which also come alone; returns a function that takes text. */
export function eventParser(take, place) {
  let rest = '', event = '', data = [], id = null;
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (id !== null) place(id);
        if (data.length) take({ event: event || 'message', data: data.join('\n') });
        id = null;
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') data.push(value);
      else if (name === 'event') event = value;
      else if (name === 'id') id = value;
    }
  };
}

export class Stream {
  /**
   * onEvent({event, data}); onState('open' | 'again' | 'lost' | 'dropped' | 'refused', detail). 'again': open after it had been lost.
   * keeps: a position stays good after 'dropped' (an offset of a file); else it may be of an earlier daemon, and would be dropped for ever.
   */
  constructor(address, onEvent, onState = () => {}, keeps = false) {
    Object.assign(this, { address, onEvent, onState, keeps, position: null, over: false, wait: LEAST_WAIT_MS, opened: false });
    this.visibility = () => (document.hidden ? this.pause() : this.resume());
    document.addEventListener('visibilitychange', this.visibility);
    this.resume();
  }

  close() {
    this.over = true;
    document.removeEventListener('visibilitychange', this.visibility);
    this.pause();
  }

  // A hidden page gives its connection back: browsers have only six to one host.
  pause() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  resume() {
    if (this.over || this.abort || document.hidden) return;
    clearTimeout(this.timer);
    this.abort = new AbortController();
    this.read(this.abort).catch((reason) => this.failed(reason));
  }

  failed(reason) {
    if (reason.name === 'AbortError' && !this.silent) return;
    this.silent = false;
    this.abort = null;
    if (this.over) return;
    if (reason.status >= 400 && reason.status < 500 && reason.status !== 429) {
      this.close();
      this.onState('refused', reason);
      return;
    }
    this.onState('lost', reason);
    this.timer = setTimeout(() => this.resume(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  async read(abort) {
    const headers = { Accept: 'text/event-stream' };
    if (this.position !== null) headers['Last-Event-ID'] = this.position;
    const response = await fetch(this.address, { headers, signal: abort.signal, credentials: 'same-origin', cache: 'no-store' });
    if (!response.ok) throw await problem(response);
    this.onState(this.opened ? 'again' : 'open');
    this.opened = true;
    const parse = eventParser((event) => this.take(event), (position) => {
      this.position = position;
      this.wait = LEAST_WAIT_MS; // it works: a connection that ends later is soon there again
    });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const guard = setTimeout(() => {
        this.silent = true;
        abort.abort();
      }, SILENCE_MS);
      const { value, done } = await reader.read().finally(() => clearTimeout(guard));
      if (done) break;
      parse(decoder.decode(value, { stream: true }));
      if (abort.signal.aborted) return;
    }
    throw new Error('the connection ended');
  }

  take(event) {
    this.wait = LEAST_WAIT_MS;
    if (event.event === 'dropped') {
      this.wait = 3000;
      if (!this.keeps) this.position = null;
      this.onState('dropped', reasonOf(event.data));
      return;
    }
    this.onEvent(event);
  }
}

function reasonOf(data) {
  try {
    return JSON.parse(data).reason || '';
  } catch {
    return data;
  }
}
