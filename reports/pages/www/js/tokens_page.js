// SPDX-License-Identifier: Apache-2.0
// Tokens of people and programs: who has one, a new one, one less.
import { change, get, url } from './api.js';
import { ask } from './dialog.js';
import { h, swap, table } from './element.js';
import { failAt, fieldOf, wellAgain } from './field.js';
import { when } from './format.js';
import { attempt, notice } from './notice.js';
import { current, load as who, may } from './session.js';
import { tag } from './verdict.js';

const ROLES = [['viewer', 'viewer: reads'], ['operator', 'operator: also submits, cancels, locks'], ['admin', 'admin: everything']];
const EXPIRIES = [['168h', '7 days'], ['720h', '30 days'], ['2160h', '90 days'], ['8760h', '1 year'], ['', 'never']];
const USUAL = '2160h';

function needsAdmin(view) {
  const user = current();
  view.show(h('h1', null, 'Tokens'), h('p', { class: 'notice', role: 'alert' }, h('b', null, 'This page needs an admin.'), ` You are ${user.name || 'nobody'} (${user.role}).`),
    h('p', null, 'An admin makes tokens here, or on the host of the lab: ', h('code', null, 'hilbench token add NAME ROLE')),
    h('div', { class: 'bar' }, h('a', { class: 'button primary', href: '#/sign-in' }, 'Sign in as an admin')));
}

async function copy(text, node, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages of a plain http address have no clipboard of this kind.
    node.focus();
    node.select();
    if (!document.execCommand('copy')) return notice('This browser does not let the page copy: the token is selected, copy it yourself.', true);
  }
  button.textContent = 'Copied';
  return null;
}

function made(name, token, close) {
  const value = h('input', { value: token, readonly: true, class: 'mono', 'aria-label': `Token of ${name}`, spellcheck: 'false', onfocus: (event) => event.target.select() });
  const button = h('button', { type: 'button', class: 'primary', 'data-key': 'copy', onclick: () => copy(token, value, button) }, 'Copy');
  return h('section', { class: 'card passed', 'aria-label': 'New token' }, h('h2', null, `Token of ${name}`), h('p', null, 'It is shown this once: the daemon keeps only its digest.'), h('div', { class: 'token' }, value, button),
    h('div', { class: 'bar' }, h('button', { type: 'button', 'data-key': 'close token', onclick: close }, 'I have it')), h('p', { class: 'soft small' }, h('code', null, 'HILBENCH_TOKEN'), ' for programs; people sign in with it under ', h('a', { href: '#/sign-in' }, 'Who am I'), '.'));
}

function list(tokens, remove) {
  if (!tokens.length) return h('p', { class: 'empty' }, 'There is no token: only who is on the host of the lab gets in.');
  const expired = (t) => t.expires && new Date(t.expires) <= Date.now();
  return table('Tokens', [{ title: 'Name' }, { title: 'Role', label: 'Role' }, { title: 'Made', label: 'Made' }, { title: 'Expires', label: 'Expires' }, { title: 'Last used', label: 'Last used' }, { title: 'Do' }], tokens.map((t) => [
    h('b', { class: 'name' }, t.name), t.role, when(t.made), expired(t) ? [when(t.expires), ' ', tag('expired')] : when(t.expires) || 'never', when(t.used) || 'never',
    h('div', { class: 'links' }, h('button', { type: 'button', 'data-key': `remove ${t.id}`, 'aria-label': `Remove the token of ${t.name}`, onclick: (event) => remove(t, event.currentTarget) }, 'Remove'))]));
}

export async function tokensPage(view) {
  view.title('Tokens');
  await who();
  if (!may('admin')) return needsAdmin(view);
  const place = h('div'), shown = h('div', { 'aria-live': 'polite' });
  const load = async () => {
    const { tokens } = await get(url('tokens'), view.signal);
    swap(place, list(tokens, remove));
  };
  async function remove(token, button) {
    const own = token.name === current().name;
    const answer = await ask(`Remove the token of ${token.name}?`, `Who uses it is signed out at once${token.used ? '' : '; nobody has used it yet'}.${own ? ' You are signed in by a token of this name.' : ''} This cannot be undone.`, [], 'Remove');
    if (!answer || !await attempt(button, () => change('DELETE', url('tokens', token.id)), `The token of ${token.name} is removed.`)) return;
    await who().catch(() => {});
    if (may('admin')) await load().catch((error) => notice(error.message, true));
    else needsAdmin(view);
  }
  const name = h('input', { name: 'name', maxlength: 64, autocomplete: 'off', spellcheck: 'false' });
  const choice = (label, key, options, usual) => h('label', null, h('span', { class: 'label' }, label), h('select', { name: key }, options.map(([value, text]) => h('option', { value, selected: value === usual }, text))));
  const form = h('form', { novalidate: true }, h('div', { class: 'fields' }, fieldOf('Name (whose it is)', name), choice('Role', 'role', ROLES, 'viewer'), choice('Expires after', 'expires', EXPIRIES, USUAL)),
    h('div', { class: 'bar' }, h('button', { class: 'primary' }, 'Make a token')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    wellAgain(form);
    const said = Object.fromEntries(new FormData(form));
    if (!said.name.trim()) return failAt(name, 'Give it a name: whose token it is.');
    const button = form.querySelector('button');
    button.disabled = true;
    try {
      const { token } = await change('POST', url('tokens'), { name: said.name.trim(), role: said.role, expires: said.expires || null });
      swap(shown, made(said.name.trim(), token, () => swap(shown)));
      shown.querySelector('input').focus();
      form.reset();
      await load();
    } catch (error) {
      failAt(name, error.message);
    } finally {
      button.disabled = false;
    }
    return null;
  });
  await load();
  view.show(h('h1', null, 'Tokens'), h('p', { class: 'soft' }, 'What people and programs sign in with from elsewhere. The time of the last use is told to about ten minutes.'), shown, place, h('h2', null, 'A new token'), form);
  return null;
}
