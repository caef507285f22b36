// SPDX-License-Identifier: Apache-2.0
// How a measurement goes over time.
import { get, url } from './api.js';
import { h, link, swap, table } from './element.js';
import { bound, measured, several, when, words } from './format.js';
import { remember, to } from './route.js';
import { drawTrend } from './trend_chart.js';
import { virtual } from './verdict.js';

const RANGES = [['', 'all time'], ['1', 'a day'], ['7', 'a week'], ['30', '30 days'], ['90', '90 days'], ['365', 'a year']];
const DAY_MS = 86400000;

function resolution(trend) {
  const joined = trend.points.some((p) => !p.run);
  if (!joined) return 'A point is one run. Click it to open the run.';
  return `A point is all runs of a time together. p50 and p95 of those are by histogram: exact within ${(trend.resolution * 100).toFixed(1)} %.`;
}

function points(trend) {
  const columns = [{ title: 'When' }, { title: 'n', number: true, label: 'n' }, ...['min', 'p50', 'p95', 'max'].map((t) => ({ title: t, number: true, label: t })), { title: 'Run', label: 'Run' }];
  return h('details', { 'data-key': 'points' }, h('summary', null, `${several(trend.points.length, 'point')} as a table`), table('Points', columns, [...trend.points].reverse().map((p) => [[when(p.at), p.runs > 1 && h('span', { class: 'sub' }, several(p.runs, 'run'))],
    String(p.n), ...[p.min_ns, p.p50_ns, p.p95_ns, p.max_ns].map((v) => measured(v)), p.run ? link(to('runs', p.run), `run ${p.run}`) : ''])));
}

function limits(trend) {
  return trend.limits?.length > 0 && h('p', { class: 'soft' }, 'Limits: ', trend.limits.map((l) => `${l.statistic} ${words(l.op)} ${bound(l.value_ns)}`).join(', '));
}

export async function trendPage(view, { series }, query) {
  let remove = () => {};
  view.ending(() => remove());
  const head = h('div'), chart = h('div', { class: 'chart', role: 'group' }), below = h('div'), empty = h('p', { class: 'empty', hidden: true }, 'No run of this time has measured it.');
  const { rigs } = await get(url('rigs'), view.signal).catch(() => ({ rigs: [] }));
  const load = async () => {
    const from = query.days ? new Date(Date.now() - Number(query.days) * DAY_MS).toISOString() : '';
    return get(url('measurements', series, 'trend', { from, points: 400, rig: query.rig }), view.signal);
  };
  const render = (trend) => {
    view.title(trend.title || series);
    swap(head, h('div', { class: 'bar' }, h('h1', null, trend.title || `Measurement ${series}`), virtual(trend.virtual)), trend.virtual && h('p', { class: 'soft' }, 'The figures are of virtual racks: their delays are modelled.'));
    chart.setAttribute('aria-label', `Trend of ${trend.title}: ${several(trend.points.length, 'point')}. The table below has the same figures.`);
    chart.hidden = !trend.points.length;
    empty.hidden = !chart.hidden;
    remove();
    remove = chart.hidden ? () => {} : drawTrend(chart, trend, (p) => { if (p?.run) location.hash = to('runs', p.run); });
    swap(below, h('p', { class: 'soft', id: 'resolution' }, resolution(trend), ' Drag to zoom, double click shows all.'), limits(trend), points(trend));
  };
  const again = (name) => (event) => {
    query = { ...query, [name]: event.target.value };
    remember(query);
    load().then(render).catch((error) => view.fail(error, () => trendPage(view, { series }, query)));
  };
  const select = (name, options) => h('select', { onchange: again(name) }, options.map(([value, text]) => h('option', { value, selected: value === (query[name] || '') }, text)));
  const trend = await load();
  view.show(head, h('div', { class: 'bar', role: 'search' }, h('label', null, h('span', { class: 'label' }, 'Of the last'), select('days', RANGES)),
    h('label', null, h('span', { class: 'label' }, 'Rig'), select('rig', [['', 'all rigs'], ...rigs.map((r) => [r.name, r.name])]))), chart, empty, below);
  render(trend);
}
