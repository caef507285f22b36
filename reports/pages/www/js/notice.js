// SPDX-License-Identifier: Apache-2.0
// Short notices at the corner.
import { h } from './element.js';

const SHOWN_MS = 8000;

/** bad: stays until it is closed. */
export function notice(text, bad = false) {
  const node = h('div', { class: `notice${bad ? ' bad' : ''}` }, h('p', null, text),
    h('button', { type: 'button', class: 'plain', 'aria-label': 'Close the notice', onclick: () => node.remove() }, '✕'));
  document.getElementById('notices').append(node);
  if (!bad) setTimeout(() => node.remove(), SHOWN_MS);
}

/** Runs what a button asks for; the button rests meanwhile, an error is shown. True when it went well. */
export async function attempt(button, action, done) {
  button.disabled = true;
  try {
    const result = await action();
    if (done) notice(typeof done === 'function' ? done(result) : done);
    return true;
  } catch (error) {
    notice(error.message, true);
    return false;
  } finally {
    button.disabled = false;
  }
}
