// SPDX-License-Identifier: Apache-2.0
// Who am I, and how to be somebody else.
import { facts, h, swap } from './element.js';
import * as held from './held.js';
import * as session from './session.js';

const MAY = { nobody: 'nothing', viewer: 'read', operator: 'read, submit, cancel, rerun, lock, recover, pin', admin: 'everything' };

function changed() {
  document.dispatchEvent(new Event('session-changed'));
}

export async function signInPage(view) {
  view.title('Who am I');
  const user = await session.load();
  const problem = h('div', { role: 'alert' });
  const token = h('input', { type: 'password', name: 'token', required: true, autocomplete: 'off', spellcheck: 'false' });
  // Without the session nobody could give the rigs back.
  const leave = async () => {
    await held.giveAllBack().catch(() => {});
    await session.signOut();
    changed();
    await signInPage(view);
  };
  const form = h('form', null, h('div', { class: 'fields' }, h('label', null, h('span', { class: 'label' }, 'Token'), token)), problem, h('div', { class: 'bar' }, h('button', { class: 'primary' }, 'Sign in'),
    session.signedIn() && h('button', { type: 'button', onclick: () => leave().catch((e) => swap(problem, h('p', { class: 'notice bad' }, e.message))) }, 'Sign out')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await session.signIn(token.value.trim());
      changed();
      location.hash = '#/rigs';
    } catch (error) {
      token.value = '';
      token.focus();
      swap(problem, h('p', { class: 'notice bad' }, error.status === 401 ? 'The daemon does not know this token, or it has expired.' : error.message));
    }
  });
  view.show(h('h1', null, 'Who am I'), facts([['Name', user.name || 'nobody'], ['Role', user.role], ['May', MAY[user.role]]]), h('h2', null, 'Sign in with a token'),
    h('p', { class: 'soft' }, h('a', { href: '#/tokens' }, 'An admin makes tokens.'), ' The browser keeps you signed in for 12 hours.'), form);
}
