// SPDX-License-Identifier: Apache-2.0
// Elements. Whatever comes from the server gets into the page as text by these, never as HTML.

const PROPERTIES = new Set(['value', 'checked', 'disabled', 'multiple', 'selected', 'webkitdirectory']);

/** An element; properties that are null, undefined or false are left out, `onclick` and the like are listeners. */
export function h(name, properties, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'class') node.className = value;
    else if (PROPERTIES.has(key)) node[key] = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

// What a control is, to find the one that takes its place.
function identity(node) {
  return node.dataset.key || `${node.tagName} ${node.getAttribute('href') || ''} ${node.textContent}`;
}

/** Replaces the children. The control that takes the place of the focused one has the focus, a details element keeps its state. */
export function swap(node, ...children) {
  const active = document.activeElement;
  const key = node !== active && node.contains(active) ? identity(active) : null;
  const opened = new Map([...node.querySelectorAll('details[data-key]')].map((d) => [d.dataset.key, d.open]));
  node.replaceChildren();
  add(node, children);
  for (const details of node.querySelectorAll('details[data-key]'))
    if (opened.has(details.dataset.key)) details.open = opened.get(details.dataset.key);
  if (key) [...node.querySelectorAll('a, button, input, select, textarea, summary, [tabindex]')].find((n) => identity(n) === key)?.focus({ preventScroll: true });
  return node;
}

/** A definition list of pairs; those whose value is empty are left out. */
export function facts(pairs, name = 'meta') {
  const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false);
  return h('dl', { class: name }, rows.map(([term, value]) => (name === 'meta'
    ? h('div', null, h('dt', null, term), h('dd', null, value)) : [h('dt', null, term), h('dd', null, value)])));
}

export function link(hash, text, properties) {
  return h('a', { href: hash, ...properties }, text);
}

/** A table; columns: [{title, number, label}]; rows: arrays of what the cells hold. Stacks on a phone. */
export function table(caption, columns, rows, properties) {
  const cell = (content, i) => h('td', { class: columns[i].number && 'number', 'data-label': columns[i].label }, content);
  return h('div', { class: 'scroll' }, h('table', { class: 'stack', 'aria-label': caption, ...properties },
    h('thead', null, h('tr', null, columns.map((c) => h('th', { scope: 'col', class: c.number && 'number' }, c.title)))),
    h('tbody', null, rows.map((row) => h('tr', null, row.map(cell))))));
}
