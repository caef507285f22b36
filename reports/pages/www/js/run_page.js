// SPDX-License-Identifier: Apache-2.0
// A run: progress, cases, measurements, timeline, files.
import { get, url } from './api.js';
import { facts, h, link, swap, table } from './element.js';
import { between, bound, measured, size, when, words } from './format.js';
import { jobName } from './job.js';
import { progress } from './rig.js';
import { to } from './route.js';
import { LiveCases } from './live_cases.js';
import { RunCases } from './run_cases.js';
import { RunProgress } from './run_progress.js';
import { Timeline } from './timeline.js';
import { counts, tag, virtual } from './verdict.js';

const FILES_MS = 5000; // how often a run that writes is asked for its files
const FIRST = ['report.html', 'junit.xml', 'results.json', 'capture.pcapng', 'can.log', 'events.jsonl'];

function head(job, run) {
  return [h('div', { class: 'bar' }, h('h1', null, `Run ${run.number} of ${jobName(job)}`), tag(run.outcome || run.state, Boolean(run.outcome)), virtual(run.virtual)),
    (run.reason || run.cause) && h('p', { class: 'notice bad' }, run.reason, run.cause && ` (${run.cause})`),
    facts([['Run', `#${run.id}`], ['Job', link(to('jobs', job.id), `#${job.id}`)], ['Rig', link(to('rigs', run.rig), run.rig)], ['Started', when(run.started)],
      ['Took', between(run.started, run.ended)]]), run.state !== 'done' && h('div', { role: 'status', 'aria-live': 'off' }, progress(run)), counts(run.counts)];
}

function limit(l) {
  return h('span', { class: 'sub' }, `${l.statistic} ${words(l.op)} ${bound(l.value_ns)} `, tag(l.verdict));
}

function measurements(run) {
  if (!run.measurements?.length) return null;
  const columns = [{ title: 'Measurement' }, { title: 'n', number: true, label: 'n' }, ...['min', 'p50', 'p95', 'max'].map((t) => ({ title: t, number: true, label: t })), { title: 'Limits' }];
  return [h('h2', null, 'Measurements'), table('Measurements', columns, run.measurements.map((m) => [
    [link(to('measurements', String(m.series)), m.title || m.id), ' ', virtual(m.virtual), h('span', { class: 'sub mono' }, `${m.case} · ${m.id}`), m.complete === false && h('span', { class: 'sub' }, 'incomplete')],
    String(m.n), ...[m.min_ns, m.p50_ns, m.p95_ns, m.max_ns].map((v) => measured(v)), (m.limits || []).map((l) => limit(l))]))];
}

function artefacts(run) {
  const rank = (a) => (FIRST.includes(a.name) ? FIRST.indexOf(a.name) : FIRST.length);
  const list = [...(run.artefacts || [])].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  const writes = run.state !== 'done' && h('p', { class: 'soft' }, 'The run still writes: files appear here as it does, and grow.');
  if (!list.length) return writes || h('p', { class: 'empty' }, 'There is no file: the run wrote none, or retention has removed them.');
  const shown = (a) => a.name === 'report.html';
  const kept = (a) => [' ', h('a', { href: url('runs', run.id, 'artefacts', a.name, { download: 1 }), download: `run-${run.id}-${a.name}`, class: 'small', 'data-key': `keep ${a.name}` }, 'to keep')];
  return [writes, table('Files of the run', [{ title: 'File' }, { title: 'Size', number: true }], list.map((a) => [
    [h('a', { href: url('runs', run.id, 'artefacts', a.name), download: shown(a) ? null : a.name, class: 'mono', 'data-key': `file ${a.name}` }, a.name), shown(a) && kept(a)], size(a.size)]))];
}

async function attemptsOf(view, run) {
  const several = (run.cases || []).some((c) => c.attempts > 1 || c.flaky || c.verdict === 'fail');
  if (!several || !(run.artefacts || []).some((a) => a.name === 'results.json')) return new Map();
  const results = await get(url('runs', run.id, 'artefacts', 'results.json'), view.signal);
  return new Map((results.cases || []).map((c) => [c.id, c.attempts || []]));
}

export async function runPage(view, { id }) {
  let run = await get(url('runs', id), view.signal);
  const job = await get(url('jobs', run.job), view.signal);
  view.title(`Run ${run.number} of ${jobName(job)}`);
  const running = () => run.state !== 'done';
  const top = h('div'), measures = h('div'), files = h('div'), cases = new RunCases(), ended = new LiveCases(), steps = new RunProgress();
  const timeline = new Timeline(view, (query) => get(url('runs', id, 'timeline', query), view.signal));
  const render = () => {
    swap(top, head(job, run));
    steps.node.hidden = !running();
    cases.render(job, { ...run, cases: ended.with(run.cases) });
    swap(measures, measurements(run));
    swap(files, artefacts(run));
  };
  const soon = view.soon(render);
  const load = async () => {
    run = await get(url('runs', id), view.signal).catch(() => run);
    cases.attempts = running() ? ended.attempts : await attemptsOf(view, run).catch(() => ended.attempts);
    soon();
  };
  const loadSoon = view.soon(load, 1000);
  view.show(top, steps.node, h('h2', null, 'Timeline'), timeline.node, h('h2', null, 'Cases'), cases.node, measures, h('h2', null, 'Files'), files);
  render();
  timeline.start();
  load();
  view.live((kind, data) => {
    if (kind === 'again') load();
    else if (kind === 'run' && data.id === run.id) {
      const ended = running() && data.state === 'done';
      run = { ...run, ...data };
      if (ended) load().then(() => timeline.refresh());
      soon();
    }
  });
  if (!running()) return;
  view.every(FILES_MS, () => running() && loadSoon());
  follow(view, id, steps, loadSoon, (event) => {
    if (!ended.take(event)) return;
    cases.attempts = ended.attempts;
    soon();
  }, () => timeline.grow());
}

function follow(view, id, steps, loadSoon, take, grow) {
  const stream = view.stream(url('runs', id, 'events', { level: 'summary' }), ({ event, data }) => {
    if (event === 'end') {
      stream.close();
      return loadSoon();
    }
    for (const line of data.split('\n')) {
      const parsed = read(line);
      if (!parsed) continue;
      steps.take(parsed);
      take(parsed);
      if (parsed.kind === 'case.end') loadSoon();
    }
    return grow();
  }, (state, detail) => steps.state(state, detail));
}

function read(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
