// SPDX-License-Identifier: Apache-2.0
// Chooses the page that the address names.
import { h, swap } from './element.js';
import { match, parse } from './route.js';
import { View } from './view.js';
import * as session from './session.js';
import * as live from './live.js';
import * as held from './held.js';
import { ROUTES } from './routes.js';

const NAVIGATION = [['rigs', 'Rigs'], ['jobs', 'Jobs'], ['nights', 'Nights'], ['measurements', 'Measurements'], ['status', 'Status']];
const OF_ADMINS = [['tokens', 'Tokens']];
let view = null;
let loaded = false;

// Pages that stand in no menu belong to one that does.
const SECTION = { runs: 'jobs', submit: 'jobs', cases: 'nights', leases: 'rigs' };

function navigation(page) {
  const first = SECTION[page] || page;
  const shown = [...NAVIGATION, ...(session.may('admin') ? OF_ADMINS : [])];
  swap(document.getElementById('nav'), shown.map(([path, text]) => h('a', { href: `#/${path}`, 'aria-current': path === first && 'page' }, text)));
  // On a phone they may be wider than it.
  const nav = document.getElementById('nav'), current = nav.querySelector('[aria-current]');
  if (current) nav.scrollLeft = current.offsetLeft + current.offsetWidth - nav.offsetLeft - nav.clientWidth;
}

function who() {
  const user = session.current();
  swap(document.getElementById('who'), user.role === 'nobody' ? h('a', { href: '#/sign-in' }, 'Sign in')
    : h('a', { href: '#/sign-in', title: 'Who am I' }, `${user.name} (${user.role})`));
}

async function show() {
  view?.leave();
  const shown = view = new View(document.getElementById('content'));
  const { path, query } = parse(location.hash);
  const found = match(ROUTES, path.length ? path : ['rigs']);
  navigation(path[0] || 'rigs');
  shown.show(h('p', { class: 'busy' }, 'Loading…'));
  window.scrollTo(0, 0);
  try {
    if (session.current().role === 'nobody') await session.load();
    if (!found) throw Object.assign(new Error(`There is no page ${location.hash}.`), { status: 404 });
    await found.page(shown, found.parameters, query);
  } catch (error) {
    shown.fail(error, show);
  }
  if (loaded && !shown.left && document.activeElement === document.body) shown.root.focus({ preventScroll: true });
  loaded = true;
}

document.addEventListener('session', () => {
  who();
  navigation(parse(location.hash).path[0] || 'rigs');
});
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  document.getElementById('content').focus();
});
window.addEventListener('hashchange', show);
document.addEventListener('session-changed', () => live.start());
document.getElementById('zone').textContent = `Times are of this browser's zone (${new Intl.DateTimeFormat().resolvedOptions().timeZone}); what one is in UTC stands in its tooltip.`;
who();
held.resume();
live.start();
show();
