// SPDX-License-Identifier: Apache-2.0
// A run on one time axis: what the daemon tells of a range, drawn, moved and explained.
import { h, swap } from './element.js';
import { duration } from './format.js';
import { listen } from './timeline_input.js';
import { instant, layout } from './timeline_lanes.js';
import { renderList } from './timeline_list.js';
import { frame, heightOf, hit, paint, theme } from './timeline_paint.js';
import { Scale, since } from './timeline_scale.js';
import { tag, virtual } from './verdict.js';

const LIMIT = 4000;
const HELP = 'Keys: plus and minus zoom, left and right move, up and down choose a lane, comma and full stop an entry, Enter zooms to it, Home shows all. Shift and drag selects a range.';

export class Timeline {
  /** source(query): the lanes of a range as the daemon tells them, or a promise of them. */
  constructor(view, source, grow_ms = 1500) {
    Object.assign(this, { view, source, data: null, loaded: null, layout: { lanes: [], rows: 0 }, scale: new Scale(), selected: null, marked: null, selecting: false, number: 0 });
    this.build();
    this.fetchSoon = view.soon(() => this.fetch(), 250);
    this.growSoon = view.soon(() => this.fetch(true), grow_ms);
    listen(this.canvas, this);
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.hold);
    view.ending(() => observer.disconnect());
    const dark = matchMedia('(prefers-color-scheme: dark)'), recolour = () => this.draw();
    dark.addEventListener('change', recolour);
    view.ending(() => dark.removeEventListener('change', recolour));
  }

  build() {
    const button = (text, label, action) => h('button', { type: 'button', 'aria-label': label, title: label, onclick: () => action() }, text);
    this.state = h('span', { class: 'soft small', role: 'status' });
    this.range_button = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.toggleSelecting() }, 'Select a range');
    this.list_button = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.toggleList() }, 'As a list');
    this.canvas = h('canvas', { tabindex: '0', role: 'application', 'aria-label': 'Timeline of the run. As a list shows the same.', 'aria-describedby': 'timeline-help', 'aria-keyshortcuts': '+ - ArrowLeft ArrowRight Home' });
    this.tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
    this.hold = h('div', { class: 'hold' }, this.canvas, this.tip);
    this.details = h('div', { class: 'details', role: 'region', 'aria-label': 'Details of the entry', 'aria-live': 'polite', tabindex: '0' });
    this.list = h('div', { class: 'list', hidden: true, tabindex: '0', role: 'region', 'aria-label': 'Entries' });
    this.node = h('div', { class: 'timeline' }, h('div', { class: 'bar', role: 'toolbar', 'aria-label': 'Timeline' }, button('+', 'Zoom in', () => this.zoom(0.5)), button('−', 'Zoom out', () => this.zoom(2)),
      button('◀', 'Earlier', () => this.pan(-200)), button('▶', 'Later', () => this.pan(200)), button('All', 'Show the whole run', () => this.all()), this.range_button, this.list_button, this.state),
    this.hold, this.details, this.list, h('p', { id: 'timeline-help', hidden: true }, HELP));
    this.explain();
  }

  start() {
    return this.fetch(true);
  }

  refresh() {
    this.loaded = null;
    return this.fetch(true);
  }

  /** More of the journal is there. */
  grow() {
    this.growSoon();
  }

  // Enough is known when nothing was left out, or when exactly this range was asked for.
  knows() {
    const { scale, loaded } = this;
    return loaded && loaded.from <= scale.from && loaded.to >= scale.to && (!loaded.left_off || loaded.span <= (scale.to - scale.from) * 2.5);
  }

  async fetch(force = false) {
    if (this.view.left) return;
    if (!force && this.knows()) return;
    const number = ++this.number, { scale } = this;
    const whole = !this.data || scale.whole, span = scale.to - scale.from;
    const query = whole ? { limit: LIMIT } : { from_ns: Math.floor(Math.max(scale.from - span / 2, scale.begin)), to_ns: Math.ceil(Math.min(scale.to + span / 2, scale.end)), limit: LIMIT };
    try {
      const data = await this.source(query);
      if (number === this.number) this.take(data, whole ? null : query);
    } catch (error) {
      if (error.name !== 'AbortError') this.state.textContent = error.status === 404 ? 'There is no journal (any more).' : error.message;
    }
  }

  take(data, query) {
    const { scale } = this;
    const first = !this.data;
    if (!query) scale.bound(data.begin_ns ?? 0, data.end_ns ?? 1);
    if (first) scale.show(scale.begin, scale.end);
    this.loaded = { from: query?.from_ns ?? scale.begin, to: query?.to_ns ?? scale.end, left_off: data.left_off };
    this.loaded.span = this.loaded.to - this.loaded.from;
    this.data = data;
    this.layout = layout(data.lanes || []);
    this.reselect();
    swap(this.state, virtual(data.virtual), data.left_off > 0 && ` ${data.left_off} entries of this range are left out: zoom in.`, !this.layout.lanes.length && ' Nothing yet.');
    this.hold.hidden = this.details.hidden = !this.layout.lanes.length;
    this.node.dataset.loads = String(Number(this.node.dataset.loads || 0) + 1);
    this.draw();
  }

  // Another answer has other objects for the same entries.
  reselect() {
    if (!this.selected) return;
    const { lane, item } = this.selected;
    const same = this.layout.lanes.find((l) => l.name === lane.name);
    const entry = same?.placed.find((p) => p.item.t === item.t && p.item.label === item.label);
    if (entry) this.selected = { lane: same, item: entry.item };
  }

  draw() {
    const width = this.hold.clientWidth;
    if (!width || !this.data) return;
    const beside = frame(this.layout, width), ratio = window.devicePixelRatio || 1, height = heightOf(this.layout, beside.head);
    this.scale.left = beside.left;
    this.scale.width = width - beside.left - beside.right;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.height = `${height}px`;
    }
    this.model = { ...beside, scale: this.scale, layout: this.layout, colours: theme(), selected: this.selected?.item, range: this.marked, height, ratio };
    paint(this.canvas, this.model);
    this.node.dataset.head = String(beside.head);
    this.node.dataset.marks = String(this.model.marks);
    this.node.dataset.from = String(this.scale.from);
    this.node.dataset.to = String(this.scale.to);
    if (!this.list.hidden) renderList(this.list, this.layout, this.scale, (entry) => this.select(entry, true));
  }

  explain() {
    if (!this.selected) return swap(this.details, h('span', { class: 'soft' }, 'Click an entry, or press comma and full stop on the timeline, to see what it is.'));
    const { lane, item } = this.selected;
    return swap(this.details, h('b', null, item.label || '(no name)'), ' ', tag(LEVEL_WORDS.has(item.level) ? item.level : null), ' ',
      h('span', { class: 'soft' }, `${lane.name} · at ${since(item.t - this.scale.begin, 1000)}${instant(item) ? '' : ` · took ${duration(item.end - item.t)}`} `), virtual(this.data?.virtual),
      item.detail && h('code', null, typeof item.detail === 'string' ? item.detail : JSON.stringify(item.detail)));
  }

  // ---- what hands do (timeline_input.js) ----
  changed() {
    this.draw();
    this.fetchSoon();
  }

  zoom(factor, x) {
    this.scale.zoom(factor, x);
    this.changed();
  }

  pan(pixels) {
    this.scale.pan(pixels);
    this.changed();
  }

  all() {
    this.scale.show(this.scale.begin, this.scale.end);
    this.changed();
  }

  selects() {
    return this.selecting;
  }

  range(a, b) {
    this.marked = [a, b];
    this.draw();
  }

  choose(a, b) {
    this.marked = null;
    if (Math.abs(a - b) > 4) this.scale.show(this.scale.t(Math.min(a, b)), this.scale.t(Math.max(a, b)));
    this.changed();
  }

  hover(x, y) {
    const found = this.model && x >= this.scale.left ? hit(this.model, x, y) : null;
    this.tip.hidden = !found;
    if (!found) return;
    this.tip.textContent = `${found.item.label || ''} · ${since(found.item.t - this.scale.begin, 1000)}${instant(found.item) ? '' : ` · ${duration(found.item.end - found.item.t)}`}`;
    this.tip.style.top = `${y + 16}px`;
    this.tip.style.left = `${Math.max(0, Math.min(x + 8, this.hold.clientWidth - this.tip.offsetWidth - 4))}px`;
  }

  pick(x, y) {
    this.canvas.focus();
    this.select(this.model && hit(this.model, x, y));
  }

  select(entry, reveal = false) {
    this.selected = entry;
    const { scale } = this;
    if (entry && reveal && (entry.item.t > scale.to || entry.item.t < scale.from)) {
      const half = (scale.to - scale.from) / 2;
      scale.show(entry.item.t - half, entry.item.t + half);
      this.fetchSoon();
    }
    this.explain();
    this.draw();
  }

  /** The next or previous entry of the lane. */
  step(by) {
    const { lanes } = this.layout;
    if (!lanes.length) return;
    if (!this.selected) return this.select(firstSeen(lanes[0], this.scale), true);
    const { lane, item } = this.selected;
    const at = lane.placed.findIndex((p) => p.item === item) + by;
    if (at >= 0 && at < lane.placed.length) this.select({ lane, item: lane.placed[at].item }, true);
  }

  lane(by) {
    const { lanes } = this.layout;
    if (!lanes.length) return;
    const at = this.selected ? lanes.indexOf(this.selected.lane) + by : 0;
    if (lanes[at]) this.select(firstSeen(lanes[at], this.scale), true);
  }

  zoomToSelected() {
    const item = this.selected?.item;
    if (!item) return;
    const span = instant(item) ? (this.scale.to - this.scale.from) / 4 : (item.end - item.t) * 1.2;
    const middle = instant(item) ? item.t : (item.t + item.end) / 2;
    this.scale.show(middle - span / 2, middle + span / 2);
    this.changed();
  }

  toggleSelecting() {
    this.selecting = !this.selecting;
    this.range_button.setAttribute('aria-pressed', String(this.selecting));
  }

  toggleList() {
    this.list.hidden = !this.list.hidden;
    this.list_button.setAttribute('aria-pressed', String(!this.list.hidden));
    this.draw();
  }
}

const LEVEL_WORDS = new Set(['pass', 'fail', 'error', 'inconclusive', 'skipped', 'warning']);

function firstSeen(lane, scale) {
  const entry = lane.placed.find(({ item }) => item.t >= scale.from) || lane.placed.at(-1);
  return { lane, item: entry.item };
}
