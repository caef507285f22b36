// SPDX-License-Identifier: Apache-2.0
// A submitted file with its lines; one of them may be marked.
import { BASE, send } from './api.js';
import { h, link } from './element.js';
import { to } from './route.js';

const LONGEST = 2 * 1024 * 1024;

function line(text, number, marked, base) {
  return h('li', { class: marked && 'marked', id: `L${number}`, 'aria-current': marked && 'true' },
    h('a', { href: `${base}?line=${number}`, 'aria-label': `Line ${number}`, tabindex: marked ? '0' : '-1' }, String(number)), h('code', null, text || ' '));
}

export async function filePage(view, { id, path }, query) {
  view.title(path);
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const address = `${BASE}/jobs/${encodeURIComponent(id)}/files/${encoded}`;
  const response = await send(address, { signal: view.signal });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const wanted = Number(query.line) || 0;
  const head = [h('h1', null, path), h('p', null, link(to('jobs', id), `Job ${id}`), ' · ', h('a', { href: address, download: path.split('/').at(-1) }, 'Download'))];
  if (bytes.length > LONGEST || bytes.subarray(0, 4096).includes(0)) return view.show(head, h('p', null, 'This file is not shown here: it is too long or no text.'));
  const lines = new TextDecoder().decode(bytes).replace(/\n$/, '').split('\n');
  const base = `${to('jobs', id, 'files')}/${encoded}`;
  view.show(head, wanted > 0 && h('p', { class: 'soft' }, `Line ${wanted} is marked.`),
    h('div', { class: 'code', role: 'region', 'aria-label': `Lines of ${path}`, tabindex: '0' }, h('ol', null, lines.map((text, i) => line(text, i + 1, i + 1 === wanted, base)))));
  const marked = document.getElementById(`L${wanted}`);
  marked?.scrollIntoView({ block: 'center' });
  marked?.querySelector('a').focus({ preventScroll: true });
  return null;
}
