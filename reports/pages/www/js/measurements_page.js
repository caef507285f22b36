// SPDX-License-Identifier: Apache-2.0
// Everything that is measured.
import { get, url } from './api.js';
import { h, link, swap, table } from './element.js';
import { measured, when } from './format.js';
import { remember, to } from './route.js';
import { virtual } from './verdict.js';

const COLUMNS = [{ title: 'Measurement' }, { title: 'Case', label: 'Case' }, { title: 'Last p50', number: true, label: 'Last p50' }, { title: 'Runs', number: true, label: 'Runs' }, { title: 'Samples', number: true, label: 'Samples' },
  { title: 'Last', label: 'Last' }];

export async function measurementsPage(view, _, query) {
  view.title('Measurements');
  const { measurements } = await get(url('measurements'), view.signal);
  const list = h('div'), text = h('input', { type: 'search', value: query.text || '', oninput: () => {
    remember({ text: text.value });
    render();
  } });
  const render = () => {
    const wanted = text.value.trim().toLowerCase();
    const fit = measurements.filter((m) => !wanted || `${m.title} ${m.id} ${m.case}`.toLowerCase().includes(wanted));
    swap(list, fit.length ? table('Measurements', COLUMNS, fit.map((m) => [[link(to('measurements', String(m.series)), m.title || m.id), ' ', virtual(m.virtual), h('span', { class: 'sub mono' }, m.id)],
      link(to('cases', m.case), m.case, { class: 'mono' }), measured(m.last_p50_ns), String(m.runs), String(m.n), when(m.last)])) : h('p', { class: 'empty' }, measurements.length ? 'Nothing fits.' : 'Nothing was measured yet.'));
  };
  view.show(h('h1', null, 'Measurements'), h('div', { class: 'bar', role: 'search' }, h('label', null, h('span', { class: 'label' }, 'With'), text)), list);
  render();
}
