// SPDX-License-Identifier: Apache-2.0
// The timeline as a list: the same for those who do not see or use the drawing.
import { h, swap } from './element.js';
import { instant } from './timeline_lanes.js';
import { since } from './timeline_scale.js';
import { duration } from './format.js';

const SHOWN = 500;

/** Entries of the seen range in the order of time. */
export function renderList(node, layout, scale, select) {
  const entries = layout.lanes.flatMap((lane) => lane.placed.map(({ item }) => ({ lane, item })))
    .filter(({ item }) => item.t <= scale.to && (instant(item) ? item.t : item.end) >= scale.from).sort((a, b) => a.item.t - b.item.t);
  swap(node, entries.length > SHOWN && h('p', { class: 'soft' }, `The first ${SHOWN} of ${entries.length} of this range. Zoom in to see the others.`),
    h('table', { class: 'stack', 'aria-label': 'Timeline as a list' }, h('thead', null, h('tr', null, ['Time', 'Lane', 'What', 'Took'].map((t) => h('th', { scope: 'col' }, t)))),
      h('tbody', null, entries.slice(0, SHOWN).map((entry, i) => h('tr', null, h('td', null, since(entry.item.t - scale.begin, 1000)), h('td', null, entry.lane.name),
        h('td', null, h('button', { type: 'button', 'data-key': `entry ${i}`, onclick: () => select(entry) }, entry.item.label || '(no name)')),
        h('td', null, instant(entry.item) ? '' : duration(entry.item.end - entry.item.t)))))));
}
