// SPDX-License-Identifier: Apache-2.0
// A job: its runs, its log, its files.
import { BASE, get, url } from './api.js';
import { facts, h, link, swap, table } from './element.js';
import { between, duration, several, size, when } from './format.js';
import { active, jobActions, jobName, stateWord } from './job.js';
import { renderJobCases } from './job_cases.js';
import { JobLog } from './job_log.js';
import { progress } from './rig.js';
import { to } from './route.js';
import { counts, kind, tag, virtual } from './verdict.js';

function runCard(run, spread) {
  const cause = run.cause ? ` (${run.cause})` : '';
  return h('div', { class: `card ${kind(run.outcome || 'running')}` }, h('header', null, h('h3', null, link(to('runs', run.id), `Run ${run.number}`, { 'data-key': `run ${run.id}` })),
    tag(run.outcome || run.state, Boolean(run.outcome)), virtual(run.virtual), h('span', { class: 'soft' }, 'on ', link(to('rigs', run.rig), run.rig))),
  (run.reason || cause) && h('p', { class: 'message' }, run.reason, cause), run.state !== 'done' && progress(run), counts(run.counts),
  facts([['Started', when(run.started)], ['Took', between(run.started, run.ended)], ['Share', spread > 1 ? String(run.shard + 1) : null],
    ['Ended by signal', run.signal > 0 ? String(run.signal) : null], ['Exit status', run.exit_status > 0 ? String(run.exit_status) : null]]));
}

function head(job, again) {
  const options = Object.entries(job.options || {}).map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(' ') : value}`).join(' · ');
  return [h('div', { class: 'bar' }, h('h1', null, jobName(job)), tag(stateWord(job), Boolean(job.outcome)), job.pinned && h('span', { class: 'tag' }, 'pinned')),
    (job.reason || job.waiting_for) && h('p', { class: 'notice' }, job.reason || `Waits for ${job.waiting_for}`),
    facts([['Job', `#${job.id}`], ['Series', job.series && link(to('nights', { series: job.series }), job.series)], ['By', job.submitter], ['Submitted', when(job.submitted)],
      ['Started', when(job.started)], ['Took', between(job.started, job.ended)], ['Where', job.rig ? link(to('rigs', job.rig), job.rig) : job.pool && `pool ${job.pool}`],
      ['Needs', (job.requires || []).join(', ')], ['Priority', job.priority ? String(job.priority) : null], ['Spread', job.spread > 1 ? `up to ${job.spread} rigs` : null],
      ['Rerun of', job.rerun_of && link(to('jobs', job.rerun_of), `#${job.rerun_of}`)], ['Time limit', duration(job.time_limit_ns)], ['Options', options]]),
    counts(job.counts), h('div', { class: 'bar' }, jobActions(job, again))];
}

function reports(job) {
  if (active(job)) return h('p', { class: 'soft' }, 'Reports of all runs together come when the job is done.');
  const item = (name, text) => h('li', null, h('a', { href: url('jobs', job.id, name), download: name === 'report.html' ? null : name }, text));
  const there = (name) => !job.reports || job.reports.includes(name);
  const kept = there('report.html') && h('li', null, h('a', { href: url('jobs', job.id, 'report.html', { download: 1 }), download: `job-${job.id}-report.html` }, 'report.html to keep'));
  return h('ul', { class: 'plain links', 'aria-label': 'Reports' }, there('report.html') && item('report.html', 'report.html'), kept, there('junit.xml') && item('junit.xml', 'junit.xml'),
    there('results.json') && item('results.json', 'results.json'), item('log', 'log'));
}

function files(job) {
  return h('details', { 'data-key': 'files' }, h('summary', null, several((job.files || []).length, 'submitted file')),
    table('Submitted files', [{ title: 'Path' }, { title: 'Size', number: true }], (job.files || []).map((f) => [
      link(`${to('jobs', job.id, 'files')}/${f.path.split('/').map(encodeURIComponent).join('/')}`, f.path, { class: 'mono' }), size(f.size)])));
}

export async function jobPage(view, { id }) {
  let job = await get(url('jobs', id), view.signal);
  view.title(jobName(job));
  const top = h('div'), runs = h('div'), cases = h('div'), below = h('div');
  const render = () => {
    swap(top, head(job, load));
    swap(runs, job.runs?.length ? job.runs.map((run) => runCard(run, job.spread)) : h('p', { class: 'empty' }, active(job) ? 'It has not begun.' : 'There was no run.'));
    swap(below, reports(job), files(job));
  };
  const soon = view.soon(render), sumSoon = view.soon(() => active(job) && load(), 1000);
  async function load() {
    job = await get(url('jobs', id), view.signal).catch(() => job);
    render();
    showCases();
  }
  function showCases() {
    renderJobCases(cases, job, view.signal).catch(() => {}); // the runs' own pages tell it too
  }
  const log = new JobLog(view, `${BASE}/jobs/${encodeURIComponent(id)}/log`, () => active(job));
  view.show(top, h('h2', null, 'Runs'), runs, cases, h('h2', null, 'Reports and files'), below, log.node);
  render();
  showCases();
  view.live((event, data) => {
    if (event === 'again') load();
    else if (event === 'job' && data.id === job.id) {
      const ended = active(job) && !active(data);
      job = { ...job, ...data, runs: data.runs || job.runs, files: data.files || job.files };
      if (ended) load();
    } else if (event === 'run' && data.job === job.id) {
      const at = job.runs.findIndex((run) => run.id === data.id);
      if (at >= 0) job.runs[at] = { ...job.runs[at], ...data };
      else job.runs.push(data);
      // What the daemon makes of several runs together only it knows.
      if (job.runs.length === 1 && data.counts) job.counts = data.counts;
      else if (job.runs.length > 1) sumSoon();
    } else return;
    soon();
  });
}
