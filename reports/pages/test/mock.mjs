// SPDX-License-Identifier: Apache-2.0
// The daemon, played: the documented requests over an invented lab, so that the pages can be tried without a bench.
//   node mock.mjs WWW NODE_MODULES        prints the port
// /mock/drop drops every viewer; /mock/cut ends their connections; /mock/restart does, and knows no earlier position; /mock/down?s=2 answers 503 for so long; /mock/patience?s=0 ends locks whose heartbeats are missing at once; /mock/large makes it a large lab; /mock/asked tells the requests so far.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { CASES, artefacts, counts, iso, lab, large, outcomeOf, shellLines, timeline, trend } from './mock_data.mjs';

const [www, modules] = process.argv.slice(2);
const LIBRARIES = { 'lib/uPlot.js': 'uplot/dist/uPlot.iife.min.js', 'lib/uPlot.css': 'uplot/dist/uPlot.min.css', 'lib/uPlot-LICENSE.txt': 'uplot/LICENSE' };
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8' };
const HEADERS = { 'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'", 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache' };
const now = Date.now(), world = lab(now), asked = [];
let nextId = 300, position = 0, downUntil = 0, era = 1;
const viewers = new Set(), past = [];

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}
const missing = (what) => new Refusal(404, 'not_found', `There is no ${what}.`);

// ---- events ----
function event(kind, data) {
  past.push({ id: ++position, text: `id: ${era}-${position}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n` });
  for (const viewer of viewers) viewer.write(past.at(-1).text);
}
const listed = ({ runs, files, ...job }) => job;
const runListed = ({ cases, measurements, artefacts: _, source, lines, ended_by, followers, ...run }) => run;

function openEvents(request, response) {
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
  const last = request.headers['last-event-id'];
  if (last !== undefined && !last.startsWith(`${era}-`)) return response.end('event: dropped\ndata: {"reason":"the daemon was started anew"}\n\n');
  response.write(`id: ${era}-${position}\n: hello\n\n`);
  if (last !== undefined) for (const old of past) if (old.id > Number(last.split('-')[1])) response.write(old.text);
  viewers.add(response);
  return response.on('close', () => viewers.delete(response));
}

function openJournal(run, response) {
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
  for (const [i, line] of (run.lines || []).entries()) response.write(`id: ${i}\nevent: line\ndata: ${JSON.stringify(line)}\n\n`);
  if (run.state === 'done') return response.end(`event: end\ndata: ${JSON.stringify({ state: 'done', outcome: run.outcome })}\n\n`);
  run.followers.add(response);
  return response.on('close', () => run.followers.delete(response));
}

function journal(run, kind, data) {
  run.lines.push({ kind, data });
  for (const f of run.followers) f.write(`id: ${run.lines.length}\nevent: line\ndata: ${JSON.stringify({ kind, data })}\n\n`);
}

// ---- what a person does ----
const BEAT_MS = 1000, BEATS = 3;
let patienceMs = 120000; // beyond that: nobody loses a lock because this machine is slow
const shows = new Map(); // by lease: {text, followers}

function showOf(id) {
  if (!shows.has(id)) shows.set(id, { text: '', followers: new Set() });
  return shows.get(id);
}

function told(lines, upto) {
  return `id: ${upto}\nevent: line\n${lines.trimEnd().split('\n').map((l) => `data: ${l}\n`).join('')}\n`;
}

function openShow(id, response, request) {
  const rig = leased(id), show = showOf(rig.lease.id), from = Number(request.headers['last-event-id'] || 0);
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
  response.write(': hello\n\n');
  if (show.text.length > from) response.write(told(show.text.slice(from), show.text.length));
  show.followers.add(response);
  return response.on('close', () => show.followers.delete(response));
}

function addLines(rig, lines) {
  const show = showOf(rig.lease.id);
  show.text += lines;
  for (const f of show.followers) f.write(told(lines, show.text.length));
  if (rig.lease.watchable) return;
  rig.lease.watchable = true;
  event('rig', rig);
}

function leased(id) {
  const rig = world.rigs.find((r) => r.lease?.id === Number(id));
  if (!rig) throw new Refusal(410, 'gone', `lease ${id} is over`);
  return rig;
}

function endLease(rig, reason) {
  for (const f of showOf(rig.lease.id).followers) f.end(`event: end\ndata: ${JSON.stringify({ state: 'over', reason })}\n\n`);
  rig.lease = null;
  event('rig', rig);
}

function secretOf(rig, secret) {
  if (secret !== `s3cret${rig.lease.id}`) throw new Refusal(403, 'forbidden', 'The secret is another one.');
}

// Who does not tell that they live has lost the rig.
setInterval(() => {
  for (const rig of world.rigs) if (rig.lease?.expires && Date.parse(rig.lease.expires) + patienceMs < Date.now()) endLease(rig, 'its holder is gone: no heartbeat came');
}, 100).unref();
addLines(leased(290), shellLines().join(''));

// ---- tokens ----
function adminOnly(user) {
  if (user.role !== 'admin') throw new Refusal(403, 'forbidden', 'this needs an admin, and you are operator');
}
const tokenListed = ({ token, ...rest }) => rest;

function newToken(body) {
  if (world.tokens.some((t) => t.name === body.name && !(t.expires && Date.parse(t.expires) < Date.now()))) throw new Refusal(409, 'conflict', `there is a token of the name ${body.name}`);
  const made = { id: nextId++, name: body.name, role: body.role, made: iso(Date.now()), expires: body.expires ? iso(Date.now() + parseInt(body.expires, 10) * 3600000) : null, used: null, token: `token${nextId}` };
  world.tokens.unshift(made);
  return { id: made.id, token: made.token };
}

// ---- a job that runs ----
function casesOf(job) {
  const found = [];
  for (const file of job.files) {
    const text = world.blobs.get(file.sha256)?.toString('utf8') || '';
    const lines = text.split('\n');
    for (const [i, line] of lines.entries()) {
      const id = /^ {2}- id: (\S+)/.exec(line)?.[1];
      if (!id || !lines[i + 1]?.includes('title:')) continue;
      const title = lines[i + 1].replace(/^\s*title:\s*/, '').replace(/^['"]|['"]$/g, '');
      const wrong = lines.findIndex((l, n) => n > i && l.includes('E99'));
      const fails = /fail/.test(id);
      found.push({ id, title, file: file.path, line: i + 1, verdict: fails ? 'fail' : 'pass', cause: fails ? 'dut' : null, message: fails ? 'the VIN of the answer is another one than expected' : '',
        expected: fails ? 'WHB7VMG0000000E99' : '', actual: fails ? 'WHB7VMG0000000001' : '', place: fails ? { file: file.path, line: wrong + 1, column: 9 } : null, duration_ns: 7e8, attempts: 1, flaky: false, started: iso(Date.now()) });
    }
  }
  return found;
}

function work(job) {
  const rig = world.rigs.find((r) => r.name === (job.rig || 'v1'));
  const cases = casesOf(job).filter((c) => !job.only || job.only.includes(c.id));
  const run = { id: nextId++, job: job.id, number: 1, shard: 0, rig: rig.name, state: 'running', outcome: null, reason: '', cause: null, started: iso(Date.now()), ended: null, exit_status: null, signal: null, virtual: rig.virtual,
    progress: { case: null, step: null, done: 0, of: cases.length }, counts: counts([]), cases: [], measurements: [], artefacts: [], lines: [], followers: new Set() };
  world.runs.set(run.id, run);
  Object.assign(job, { state: 'running', started: run.started, waiting_for: null, runs: [run] });
  rig.lease = { id: nextId++, kind: 'job', holder: job.title, job: job.id, run: run.id, granted: run.started, expires: null, deadline: iso(Date.now() + 7200000), state: 'active' };
  event('rig', rig);
  event('job', listed(job));
  const steps = ['rack.ready', 'board.power_on: {role: zgw}', 'uds.request: {role: zgw}'];
  let at = 0;
  const timer = setInterval(() => {
    const result = cases[Math.floor(at / steps.length)], step = at % steps.length;
    if (!result) {
      clearInterval(timer);
      return finish(job, run, rig);
    }
    if (step === 0) journal(run, 'case.begin', { id: result.id, title: result.title, index: run.cases.length + 1, of: cases.length, attempt: 1 });
    journal(run, 'step.begin', { id: `${at}`, text: steps[step] });
    journal(run, 'step.end', { id: `${at}`, verdict: step === steps.length - 1 ? result.verdict : 'pass', duration_ns: 2e8 });
    run.progress = { case: result.id, step: steps[step], done: run.cases.length, of: cases.length };
    if (step === steps.length - 1) {
      run.cases.push(result);
      journal(run, 'case.end', { id: result.id, attempt: 1, verdict: result.verdict, cause: result.cause, message: result.message, ...result.place, duration_ns: result.duration_ns, expected: result.expected, actual: result.actual });
    }
    run.counts = job.counts = { ...counts(run.cases), planned: cases.length };
    run.artefacts = artefacts().filter((a) => /^(console|events)/.test(a.name));
    event('run', runListed(run));
    at++;
    return null;
  }, 500);
}

function finish(job, run, rig) {
  const c = counts(run.cases);
  Object.assign(run, { state: 'done', outcome: outcomeOf(c), ended: iso(Date.now()), exit_status: c.fail ? 1 : 0, counts: c, artefacts: artefacts(), progress: null });
  Object.assign(job, { state: 'done', outcome: run.outcome, ended: run.ended, counts: c });
  rig.lease = null;
  for (const f of run.followers) f.end(`event: end\ndata: ${JSON.stringify({ state: 'done', outcome: run.outcome })}\n\n`);
  event('run', runListed(run));
  event('job', listed(job));
  event('rig', rig);
}

function newJob(body, user) {
  if (body.time_limit && !/^\d+(h|min|s)$/.test(body.time_limit)) throw new Refusal(400, 'bad_request', '"time_limit" must be a duration with its unit');
  if (!body.files?.length || !body.paths?.length) throw new Refusal(400, 'bad_request', 'files and paths are needed');
  for (const f of body.files) if (!world.blobs.has(f.sha256)) throw new Refusal(400, 'bad_request', `the bytes of ${f.path} are not here`);
  const same = world.jobs.find((job) => body.key && job.key === body.key);
  if (same) return same;
  const rig = world.rigs.find((r) => r.name === body.rig);
  if (rig?.health === 'quarantined') throw new Refusal(422, 'rig_refused', `${rig.name} is quarantined: ${rig.reason}`);
  const job = { id: nextId++, key: body.key, title: body.title || 'a job', series: body.series || '', submitter: user, state: 'queued', outcome: null, reason: '', rig: body.rig || null, pool: body.pool || null, requires: body.requires || [], priority: body.priority || 0,
    spread: 1, pinned: false, rerun_of: body.rerun_of || null, submitted: iso(Date.now()), started: null, ended: null, waiting_for: 'a free rig', counts: counts([]), options: body.options || {}, time_limit_ns: 7200e9, silence_limit_ns: 600e9, retries: 1, runs: [],
    files: body.files.map((f) => ({ ...f, size: world.blobs.get(f.sha256).length })), only: body.only };
  world.jobs.push(job);
  event('job', listed(job));
  setTimeout(() => job.state === 'queued' && work(job), 300);
  return job;
}

function job(id) {
  const found = world.jobs.find((j) => j.id === Number(id));
  if (!found) throw missing('such job');
  return found;
}
function run(id) {
  const found = world.runs.get(Number(id));
  if (!found) throw missing('such run');
  return { ...found, cases: found.cases };
}
function rigNamed(name) {
  const found = world.rigs.find((r) => r.name === name);
  if (!found) throw missing(`rig ${name}`);
  return found;
}

function history(id) {
  const entries = [...world.runs.values()].reverse().flatMap((r) => r.cases.filter((c) => c.id === id).map((c) => ({ job: r.job, run: r.id, rig: r.rig, at: r.started, verdict: c.verdict, cause: c.cause, message: c.message, place: c.place, duration_ns: c.duration_ns,
    attempts: c.attempts, flaky: c.flaky })));
  if (!entries.length) throw missing(`case ${id}`);
  const decided = entries.filter((e) => ['pass', 'fail'].includes(e.verdict));
  return { id, title: CASES.find((c) => c[0] === id)?.[1] || id, entries, passed: decided.filter((e) => e.verdict === 'pass').length, failed: decided.filter((e) => e.verdict === 'fail').length,
    flips: decided.filter((e, i) => i && e.verdict !== decided[i - 1].verdict).length, flaky: entries.filter((e) => e.flaky).length, next: null };
}

function matrix(series, nights) {
  const name = series || 'nightly', jobs = world.jobs.filter((j) => j.state === 'done' && j.series === name).slice(-nights);
  const results = jobs.map((j) => new Map((j.runs[0]?.cases || []).map((c) => [c.id, { job: j.id, verdict: c.verdict, flaky: c.flaky, run: j.runs[0].id }])));
  const ids = new Map(jobs.flatMap((j) => (j.runs[0]?.cases || []).map((c) => [c.id, c.title])));
  return { series: name, series_names: [...new Set(world.jobs.map((j) => j.series))], jobs: jobs.map((j) => ({ id: j.id, started: j.started, outcome: j.outcome })),
    cases: [...ids].map(([id, title]) => ({ id, title, results: results.map((r) => r.get(id) || null) })) };
}

const CAPTURE = Buffer.from('0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000', 'hex');
function artefact(r, name) {
  if (name === 'results.json') return ['application/json', JSON.stringify({ cases: r.cases.map((c) => ({ id: c.id, attempts: Array.from({ length: c.attempts }, (_, i) => ({ attempt: i + 1, verdict: i + 1 < c.attempts ? 'fail' : c.verdict,
    cause: i + 1 < c.attempts ? 'dut' : c.cause, message: i + 1 < c.attempts ? 'separation time 3.1 ms, expected at least 5 ms' : c.message, duration_ns: c.duration_ns, expected: c.expected, actual: c.actual })) })) })];
  if (!r.artefacts.some((a) => a.name === name)) throw missing(`file ${name}`);
  return name === 'capture.pcapng' ? ['application/octet-stream', CAPTURE] : ['text/plain', `${name}\n`];
}

const ROUTES = [
  ['GET', /^session$/, (_, q, user) => ({ ...user, csrf_free: true })], ['GET', /^status$/, () => ({ version: '0.1.0', started: iso(now), state_directory: '/var/lib/hilbench', jobs: queue(), accepts_jobs: true, reason: '', disk: { free_bytes: 5e11, used_bytes: 31e9 }, memory_bytes: 24e6, viewers: viewers.size })],
  ['GET', /^rigs$/, () => ({ rigs: world.rigs })], ['GET', /^rigs\/([^/]+)$/, ([name]) => rigNamed(name)],
  ['GET', /^rigs\/([^/]+)\/health$/, ([name]) => ({ entries: rigNamed(name).name === 'rack2' ? world.health : [], next: null })],
  ['GET', /^jobs$/, (_, q) => {
    const fit = world.jobs.filter((j) => (!q.state || j.state === q.state || (q.state === 'active' && j.state !== 'done')) && (!q.series || j.series === q.series) && (!q.rig || j.rig === q.rig) && (!q.before || j.id < Number(q.before))).sort((a, b) => b.id - a.id);
    const limit = Number(q.limit || 100);
    return { jobs: fit.slice(0, limit).map(listed), next: fit.length > limit ? fit[limit - 1].id : null };
  }],
  ['GET', /^jobs\/(\d+)$/, ([id]) => ({ ...job(id), runs: job(id).runs.map(runListed) })], ['GET', /^runs\/(\d+)$/, ([id]) => ({ ...runListed(run(id)), cases: run(id).state === 'done' ? run(id).cases : [], measurements: run(id).measurements, artefacts: run(id).artefacts })],
  ['GET', /^runs\/(\d+)\/timeline$/, ([id], q) => timeline(run(id), q.from_ns, q.to_ns, Number(q.limit || 4000) / 10)], ['GET', /^matrix$/, (_, q) => matrix(q.series, Number(q.nights || 14))],
  ['GET', /^cases\/(.+)\/history$/, ([id]) => history(id)],
  ['GET', /^leases\/(\d+)$/, ([id]) => ({ ...leased(id).lease, rig: leased(id).name, watchable: Boolean(leased(id).lease.watchable) })],
  ['GET', /^tokens$/, (_, q, user) => adminOnly(user) ?? { tokens: world.tokens.map(tokenListed) }],
  ['GET', /^measurements$/, () => ({ measurements: world.runs.get(213).measurements.map((m) => ({ ...m, runs: 140, n: 4200, last: iso(now - 3600000), last_p50_ns: m.p50_ns })) })],
  ['GET', /^measurements\/([^/]+)\/trend$/, ([series], q) => trend(Number(series), now, q.rig)],
];
const queue = () => ({ queued: world.jobs.filter((j) => j.state === 'queued').length, running: world.jobs.filter((j) => j.state === 'running').length });

const CHANGES = [
  ['POST', /^jobs$/, (_, body, user) => [201, newJob(body, user.name)]],
  ['POST', /^jobs\/(\d+)\/cancel$/, ([id]) => {
    if (job(id).state === 'done') throw new Refusal(409, 'conflict', 'The job is done.');
    Object.assign(job(id), { state: 'done', outcome: 'cancelled', ended: iso(Date.now()) });
    event('job', listed(job(id)));
    return [202, {}];
  }],
  ['POST', /^jobs\/(\d+)\/rerun$/, ([id], body, user) => {
    const old = job(id), failed = old.runs[0]?.cases.filter((c) => c.verdict !== 'pass').map((c) => c.id);
    if (body.failed && !failed?.length) throw new Refusal(409, 'conflict', 'Nothing failed.');
    return [201, newJob({ title: old.title, series: old.series, files: old.files, paths: ['x'], rerun_of: old.id, only: body.failed ? failed : null }, user.name)];
  }],
  ['PUT', /^jobs\/(\d+)\/pin$/, ([id]) => [204, Object.assign(job(id), { pinned: true }) && null]], ['DELETE', /^jobs\/(\d+)\/pin$/, ([id]) => [204, Object.assign(job(id), { pinned: false }) && null]],
  ['POST', /^rigs\/([^/]+)\/lease$/, ([name], body, user) => {
    const rig = rigNamed(name);
    if (rig.lease) throw new Refusal(409, 'conflict', `${rig.lease.holder} holds ${name}.`);
    rig.lease = { id: nextId++, kind: 'person', holder: user.name, job: null, run: null, granted: iso(Date.now()), expires: body.heartbeat ? iso(Date.now() + BEATS * BEAT_MS) : null, deadline: iso(Date.now() + 1800000), state: 'active', note: body.note };
    event('rig', rig);
    return [201, { lease: rig.lease, secret: `s3cret${rig.lease.id}`, file: rig.file, mark: `lease-${rig.lease.id}` }];
  }],
  ['DELETE', /^leases\/(\d+)$/, ([id], body) => {
    secretOf(leased(id), body.secret);
    endLease(leased(id), `given back by ${leased(id).lease.holder}`);
    return [202, {}];
  }],
  ['POST', /^leases\/(\d+)\/heartbeat$/, ([id], body) => {
    const rig = leased(id);
    secretOf(rig, body.secret);
    rig.lease.expires = iso(Date.now() + BEATS * BEAT_MS);
    return [200, { ...rig.lease, mark: `lease-${id}` }];
  }],
  ['POST', /^tokens$/, (_, body, user) => adminOnly(user) ?? [201, newToken(body)]],
  ['DELETE', /^tokens\/(\d+)$/, ([id], _, user) => {
    adminOnly(user);
    world.tokens = world.tokens.filter((t) => t.id !== Number(id));
    return [204, null];
  }],
  ['POST', /^rigs\/([^/]+)\/quarantine$/, ([name], body) => [200, event('rig', Object.assign(rigNamed(name), { health: 'quarantined', reason: body.reason })) ?? {}]],
  ['POST', /^rigs\/([^/]+)\/recover$/, ([name]) => [202, event('rig', Object.assign(rigNamed(name), { health: 'healthy', reason: '', online: true })) ?? {}]],
];

// ---- HTTP ----
async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

const ROLES = { 'operator-token': 'operator', 'admin-token': 'admin' };

function userOf(request) {
  const bearer = ROLES[/^Bearer (\S+)$/.exec(request.headers.authorization || '')?.[1]], token = /hilbench_session=(\w+)/.exec(request.headers.cookie || '')?.[1];
  if (bearer) return { name: bearer === 'admin' ? 'grace' : 'ada', role: bearer };
  return world.sessions.get(token) || { name: 'loopback', role: 'viewer' };
}

function session(request, response, data) {
  if (request.method === 'POST') {
    const role = ROLES[JSON.parse(data).token];
    if (!role) throw new Refusal(401, 'unauthorized', 'The token is not known.');
    world.sessions.set(role, { name: role === 'admin' ? 'grace' : 'ada', role });
    response.setHeader('Set-Cookie', `hilbench_session=${role}; HttpOnly; SameSite=Strict; Path=/`);
  } else response.setHeader('Set-Cookie', 'hilbench_session=; Max-Age=0; Path=/');
  answer(response, 200, {});
}

function answer(response, status, data, type = 'application/json') {
  response.writeHead(status, { ...HEADERS, 'Content-Type': type });
  response.end(data === null ? '' : typeof data === 'string' || Buffer.isBuffer(data) ? data : JSON.stringify(data));
}

async function blob(request, response, digest) {
  if (request.method === 'HEAD') return answer(response, world.blobs.has(digest) ? 200 : 404, null);
  const data = await body(request);
  if (createHash('sha256').update(data).digest('hex') !== digest) throw new Refusal(400, 'bad_request', 'The digest does not fit.');
  world.blobs.set(digest, data);
  return answer(response, 201, {});
}

function jobFile(response, id, name) {
  const j = job(id), file = j.files.find((f) => f.path === name);
  if (!file) throw missing(`file ${name}`);
  answer(response, 200, world.blobs.get(file.sha256) || Array.from({ length: 120 }, (_, i) => `# line ${i + 1} of ${name}`).join('\n'), 'text/plain; charset=utf-8');
}

async function api(request, response, where, query) {
  const user = userOf(request), { method } = request, decoded = where.split('/').map(decodeURIComponent);
  if (where === 'events') return openEvents(request, response);
  if (where === 'session' && method !== 'GET') return session(request, response, await body(request));
  if (decoded[0] === 'blobs') return blob(request, response, decoded[1]);
  if (decoded[0] === 'jobs' && decoded[2] === 'files') return jobFile(response, decoded[1], decoded.slice(3).join('/'));
  if (decoded[0] === 'jobs' && decoded[2] === 'log') return answer(response, 200, `run of job ${job(decoded[1]).id}\nok\n`, 'text/plain');
  if (decoded[0] === 'jobs' && ['junit.xml', 'report.html', 'results.json'].includes(decoded[2])) return answer(response, 200, `${decoded[2]}\n`, 'text/plain');
  if (decoded[0] === 'leases' && decoded[2] === 'events') return openShow(decoded[1], response, request);
  if (decoded[0] === 'leases' && decoded[2] === 'journal') {
    secretOf(leased(decoded[1]), request.headers['hilbench-lease-secret']);
    addLines(leased(decoded[1]), (await body(request)).toString());
    return answer(response, 200, { next: showOf(Number(decoded[1])).text.length });
  }
  if (decoded[0] === 'runs' && decoded[2] === 'events') return openJournal(world.runs.get(Number(decoded[1])), response);
  if (decoded[0] === 'runs' && decoded[2] === 'artefacts') {
    const [type, data] = artefact(run(decoded[1]), decoded[3]);
    return answer(response, 200, data, type);
  }
  for (const [verb, form, act] of method === 'GET' ? ROUTES : CHANGES) {
    const found = verb === method && form.exec(where);
    if (!found) continue;
    const parameters = found.slice(1).map(decodeURIComponent);
    if (method === 'GET') return answer(response, 200, act(parameters, query, user));
    if (user.role === 'viewer') throw new Refusal(403, 'forbidden', 'Viewers only read.');
    const text = (await body(request)).toString();
    const [status, data] = act(parameters, text ? JSON.parse(text) : {}, user);
    return answer(response, status, data);
  }
  throw missing(`request ${method} ${where}`);
}

async function page(response, name) {
  const file = LIBRARIES[name] ? path.join(modules, LIBRARIES[name]) : path.join(www, path.normalize(`/${name || 'index.html'}`));
  try {
    answer(response, 200, await readFile(file), TYPES[path.extname(file)] || 'application/octet-stream');
  } catch {
    answer(response, 404, { error: { code: 'not_found', message: 'There is no such page.' } });
  }
}

function control(response, name, query) {
  if (name === 'drop') for (const v of viewers) v.end('event: dropped\ndata: {"reason":"too slow"}\n\n');
  if (name === 'restart') era++;
  if (name === 'large') large(world, Date.now());
  if (name === 'cut' || name === 'restart') for (const v of viewers) v.destroy();
  if (name === 'patience') patienceMs = Number(query.s) * 1000;
  if (name === 'down') downUntil = Date.now() + Number(query.s) * 1000;
  answer(response, 200, asked);
}

const server = createServer(async (request, response) => {
  const address = new URL(request.url, 'http://mock'), where = address.pathname.slice(1), query = Object.fromEntries(address.searchParams);
  if (where.startsWith('mock/')) return control(response, where.slice(5), query);
  asked.push({ method: request.method, url: request.url, last: request.headers['last-event-id'] });
  try {
    if (where.startsWith('api/') && Date.now() < downUntil) throw new Refusal(503, 'shutting_down', 'The daemon ends.');
    if (where.startsWith('api/v1/')) await api(request, response, where.slice(7), query);
    else await page(response, where);
  } catch (error) {
    if (!response.headersSent) answer(response, error.status || 500, { error: { code: error.code || 'internal', message: error.message } });
  }
  return null;
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
