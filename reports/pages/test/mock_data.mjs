// SPDX-License-Identifier: Apache-2.0
// An invented lab: rigs, nights, measurements, in the shapes of docs/reference/api.md. Everything follows from a fixed seed and the time of start.

const DAY_MS = 86400000;
export const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>';

let seed = 20261122;
function random() {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
}

export const iso = (ms) => new Date(ms).toISOString();

export const CASES = [
  ['boot.zgw-to-vmg', 'Zonal gateway, power on to complete handshake with the VMG', 'testcases/boot/boot-to-handshake.yaml', 11], ['boot.ecu-to-zgw', 'End-node ECU, power on to complete handshake with the zonal gateway', 'testcases/boot/boot-to-handshake.yaml', 52],
  ['doip.activation.default[role=zgw]', 'Default activation of a known tester', 'testcases/doip/activation.yaml', 14], ['doip.activation.source-held', 'A source address that is held is refused', 'testcases/doip/activation.yaml', 61],
  ['doip.header.type-unknown', 'A header with an unknown payload type', 'testcases/doip/header.yaml', 33], ['doip.diagnostic.acknowledged', 'The acknowledgement comes before the response', 'testcases/doip/diagnostic.yaml', 20],
  ['secoc.valid[id=0x110]', 'A secured PDU is taken', 'testcases/secoc/acceptance.yaml', 9], ['secoc.replay-immediate', 'A replayed PDU is refused', 'testcases/secoc/replay.yaml', 12],
  ['secoc.truncated-wrap', 'The truncated freshness wraps', 'testcases/secoc/acceptance.yaml', 88], ['isotp.wrong-sequence', 'A wrong sequence number ends the message', 'testcases/isotp/receive.yaml', 41],
  ['isotp.gap', 'The separation time is kept', 'testcases/isotp/send.yaml', 17], ['can.frame-time', 'Frames take the time that the bit rate gives', 'testcases/can/bus.yaml', 8],
  ['tls.client.server-refused[identity=vmg-expired]', 'An expired server is refused', 'testcases/tls/handshake.yaml', 25], ['tls.server.versions', 'Only TLS 1.3 is spoken', 'testcases/tls/handshake.yaml', 70],
  ['ota.story.refused', 'A package with a wrong signature is refused', 'testcases/ota/story.yaml', 30], ['ota.story.rollback', 'An image that does not confirm is rolled back', 'testcases/ota/story.yaml', 84],
  ['ota.transfer.wrap', 'The block counter wraps', 'testcases/ota/transfer.yaml', 22], ['uds.tester-present[role=zgw]', 'TesterPresent keeps the session', 'testcases/uds/basics.yaml', 19],
  ['device.endpoint.kept-and-lost', 'The endpoint outlives a reset, not a power cycle', 'testcases/device/endpoint.yaml', 44], ['probe.flash.bank', 'The debug probe programs the other bank', 'testcases/probe/flash.yaml', 10],
];
const UNSTEADY = { 'isotp.gap': 0.25, 'ota.story.rollback': 0.12, 'secoc.truncated-wrap': 0.1 };
const BROKEN_SINCE = { 'doip.activation.source-held': 11, 'boot.ecu-to-zgw': 13 };

export function counts(cases) {
  const c = { planned: cases.length, total: cases.length, pass: 0, fail: 0, inconclusive: 0, error: 0, skipped: 0, flaky: 0 };
  for (const result of cases) {
    c[result.verdict]++;
    if (result.flaky) c.flaky++;
  }
  return c;
}

export function outcomeOf(c) {
  return c.fail ? 'failed' : c.error ? 'error' : c.inconclusive ? 'inconclusive' : 'passed';
}

function verdictOf(id, night) {
  if (id.startsWith('boot') && BROKEN_SINCE[id] <= night) return ['fail', 'dut', 'ecu-boot-to-handshake: p95 is 742.5 ms, at most 700.0 ms is allowed', false, 'p95 at most 700.0 ms', '742.5 ms ± 0.1 ms (virtual)'];
  if (BROKEN_SINCE[id] <= night) return ['fail', 'dut', 'response code 0x00 (denied: unknown source address)', false, '0x03 (denied: source address is active on another socket)', '0x00 (denied: unknown source address)'];
  if (night === 6 && /^(probe|can)/.test(id)) return ['error', 'bench', 'the debug probe of zgw does not answer: no adapter of serial number 2FD4'];
  if (random() < (UNSTEADY[id] || 0)) return random() < 0.5 ? ['fail', 'dut', 'two consecutive frames are 3.1 ms apart', false, 'at least 5 ms', '3.1 ms'] : ['pass', null, '', true];
  if (id === 'probe.flash.bank' && night % 7 === 3) return ['skipped', null, 'the rig has no capability probe'];
  if (id === 'can.frame-time' && night === 9) return ['inconclusive', 'bench', 'limit ± uncertainty cannot be decided'];
  return ['pass', null, ''];
}

function nightJob(night, now) {
  const started = now - (14 - night) * DAY_MS - 5 * 3600000;
  const cases = CASES.map(([id, title, file, line], i) => {
    const [verdict, cause, message, flaky = false, expected = '', actual = ''] = verdictOf(id, night);
    return { id, title, file, line, verdict, cause, message, place: { file, line: line + 5, column: 9 }, duration_ns: Math.round((0.2 + random() * 6) * 1e9), attempts: flaky ? 2 : 1, flaky, started: iso(started + i * 4000), expected, actual };
  });
  const c = counts(cases), rig = night % 3 === 0 ? 'rack1' : night % 2 ? 'v1' : 'v2';
  const job = { id: 100 + night, title: `nightly ${iso(started).slice(0, 10)}`, series: 'nightly', submitter: 'timer', state: 'done', outcome: outcomeOf(c), reason: '', rig: null, pool: 'virtual', requires: [], priority: 0, spread: 1,
    pinned: night === 9, rerun_of: null, submitted: iso(started - 60000), started: iso(started), ended: iso(started + 92000), waiting_for: null, counts: c, options: { tags: ['!slow'] }, time_limit_ns: 7200e9, silence_limit_ns: 600e9, retries: 1,
    reports: ['junit.xml', 'report.html', 'results.json'], files: [...new Set(CASES.map((x) => x[2]))].map((path) => ({ path, sha256: '0'.repeat(64), size: 2048 })) };
  const run = { id: 200 + night, job: job.id, number: 1, shard: 0, rig, state: 'done', outcome: job.outcome, reason: '', cause: null, started: job.started, ended: job.ended, exit_status: 1, signal: null, virtual: rig !== 'rack1',
    progress: null, counts: c, cases, measurements: measurementsOf(), artefacts: artefacts() };
  return { job: { ...job, runs: [run] }, run };
}

export function artefacts() {
  return [['report.html', 180224, 'text/html'], ['junit.xml', 9216, 'application/xml'], ['results.json', 40960, 'application/json'], ['capture.pcapng', 24, 'application/octet-stream'], ['can.log', 90112, 'text/plain'], ['console-zgw.log', 4096, 'text/plain'],
    ['console-vmg.log', 2048, 'text/plain'], ['events.jsonl', 734003, 'application/x-ndjson']].map(([name, size, type]) => ({ name, size, sha256: '0'.repeat(64), type }));
}

function measurementsOf() {
  const ms = (v) => Math.round(v * 1e6);
  return [{ series: 1, case: 'boot.zgw-to-vmg', id: 'zgw-boot-to-handshake', title: 'ZGW boot to TLS handshake with the VMG', unit: 'ns', virtual: true, complete: true, n: 30, min_ns: ms(341), p50_ns: 352715031, p95_ns: ms(371.9), max_ns: ms(380.2),
    limits: [{ statistic: 'p50', op: 'at_most', value_ns: ms(400), verdict: 'pass' }, { statistic: 'p95', op: 'at_most', value_ns: ms(500), verdict: 'pass' }] },
  { series: 2, case: 'boot.ecu-to-zgw', id: 'ecu-boot-to-handshake', title: 'ECU boot to TLS handshake with the ZGW', unit: 'ns', virtual: true, complete: true, n: 30, min_ns: ms(611), p50_ns: ms(640.1), p95_ns: ms(742.5), max_ns: ms(760),
    limits: [{ statistic: 'p95', op: 'at_most', value_ns: ms(700), verdict: 'fail' }] }];
}

export function trend(series, now, rig) {
  const points = [];
  let level = 340;
  for (let i = 0; i < 140; i++) {
    level += (random() - 0.48) * 3 + (i === 96 ? 34 : 0);
    const p50 = level + random() * 6, at = now - (140 - i) * 12 * 3600000;
    points.push({ at: iso(at), until: iso(at), runs: 1, n: 30, min_ns: Math.round((p50 - 8 - random() * 6) * 1e6), p50_ns: Math.round(p50 * 1e6), p95_ns: Math.round((p50 + 14 + random() * 10) * 1e6), max_ns: Math.round((p50 + 26 + random() * 30) * 1e6), job: 113, run: 213 });
  }
  const shown = rig === 'rack2' ? [] : points;
  return { series, title: 'ZGW boot to TLS handshake with the VMG', unit: 'ns', virtual: true, resolution: 0.0156, points: shown, limits: [{ statistic: 'p50', op: 'at_most', value_ns: 400e6 }, { statistic: 'p95', op: 'at_most', value_ns: 500e6 }] };
}

/** lanes of an invented run: every case with its steps, a boot, a handshake, frames. */
export function timeline(run, from, to, limit) {
  const lanes = Object.fromEntries([['case', 'case'], ['step', 'step'], ['power zgw', 'power'], ['boot zgw', 'boot'], ['tls zgw-vmg', 'tls'], ['doip zgw-vmg', 'doip'], ['can can0', 'can'], ['console zgw', 'console']]
    .map(([name, kind]) => [name, { name, kind, items: [] }]));
  const put = (lane, t, end, label, detail = '', level = 'info') => lanes[lane].items.push({ t: Math.round(t), end: end === null ? null : Math.round(end), label, detail, level });
  let at = 6e6;
  for (const [i, c] of run.cases.entries()) {
    const span = Math.max(c.duration_ns, 4e8);
    put('case', at, at + span, c.id, `${c.title} — ${c.verdict}${c.message ? `: ${c.message}` : ''}`, c.verdict);
    for (const [k, name] of ['rack.ready', 'board.power_off', 'board.power_on', 'wait.event', 'doip.activate'].entries())
      put('step', at + (span * k) / 5, at + (span * (k + 0.95)) / 5, name, `${name} of ${c.id}`, k === 4 ? c.verdict : 'pass');
    put('power zgw', at + span * 0.4, at + span * 0.99, 'on');
    let stage = at + span * 0.4;
    for (const [name, part] of [['ssw', 0.02], ['bootloader', 0.06], ['application', 0.05], ['rtos', 0.04], ['client', 0.05]]) {
      put('boot zgw', stage, stage + span * part, name, `@boot stage=${name}`);
      put('console zgw', stage, null, `@boot stage=${name}`, `@boot stage=${name} t_us=${Math.round(stage / 1e3)}`);
      stage += span * part;
    }
    put('tls zgw-vmg', stage, stage + span * 0.05, 'handshake', 'TLSv1.3 TLS_AES_128_GCM_SHA256', i % 9 === 4 ? 'warn' : 'info');
    put('doip zgw-vmg', stage + span * 0.06, null, 'routing activation request', 'source 0x0e80');
    put('doip zgw-vmg', stage + span * 0.08, null, 'routing activation response', 'code 0x10', c.verdict === 'fail' ? 'error' : 'info');
    for (let f = 0; f < 60; f++) put('can can0', at + (span * f) / 60, null, `${(0x100 + (f % 5)).toString(16)} [8]`, `fd brs ${(0x100 + (f % 5)).toString(16)} 00112233`);
    at += span + 3e7;
  }
  const begin = Number(from || 0), end = Number(to || 0) || Math.round(at);
  let left = 0;
  const seen = Object.values(lanes).map((lane) => ({ ...lane, items: lane.items.filter((i) => i.t <= end && (i.end ?? i.t) >= begin) }));
  const total = seen.reduce((sum, lane) => sum + lane.items.length, 0);
  const share = Math.min(1, limit / Math.max(total, 1));
  for (const lane of seen) {
    const keep = Math.max(Math.ceil(lane.items.length * share), Math.min(lane.items.length, 150)), step = Math.max(lane.items.length / Math.max(keep, 1), 1);
    const kept = lane.items.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
    left += lane.items.length - kept.length;
    lane.items = kept;
  }
  return { begin_ns: begin, end_ns: end, virtual: run.virtual, lanes: seen.filter((l) => l.items.length), left_off: left };
}

function rigs(now) {
  const base = (name, pool, virtual) => ({ name, file: `rigs/${virtual ? 'virtual' : name}.yaml`, pool, virtual, capabilities: virtual ? ['can-fd', 'power', 'ota'] : ['can-fd', 'power', 'probe', 'ota'], roles: ['vmg', 'zgw', 'ecu'], online: true, health: 'healthy', reason: '',
    since: iso(now - 3 * DAY_MS), bench_errors: 0, lease: null, queue: 0, boards: ['vmg', 'zgw', 'ecu'].map((role) => ({ role, bench_errors: 0, last_error: '' })) });
  const quarantined = { ...base('rack2', 'tc375', false), health: 'quarantined', bench_errors: 3, reason: 'three bench errors in a row; the last: zgw did not come up within 5 s after power on', since: iso(now - 7200000) };
  quarantined.boards[1] = { role: 'zgw', bench_errors: 3, last_error: 'did not come up within 5 s after power on' };
  const suspect = { ...base('rack1', 'tc375', false), health: 'suspect', reason: 'one bench error: the debug probe did not answer', bench_errors: 1, since: iso(now - 1500000) };
  suspect.lease = { id: 290, kind: 'person', holder: 'linus', job: null, run: null, granted: iso(now - 600000), expires: null, deadline: iso(now + 1200000), state: 'active', note: 'looking at the boot of the zgw', watchable: true };
  const offline = { ...base('rack3', 'tc375', false), online: false, health: 'healthy', reason: 'the power supply at 192.0.2.17 does not answer', since: iso(now - 86000000) };
  return [base('v1', 'virtual', true), base('v2', 'virtual', true), suspect, quarantined, offline];
}

/** Lines of a journal as a shell of a person writes it; from_s: seconds on the clock of the rig. */
export function shellLines(from_s = 1000) {
  let n = 0, at = from_s * 1e9;
  const line = (ms, ch, kind, data, step) => {
    at += ms * 1e6;
    return `${JSON.stringify({ n: ++n, t: Math.round(at), clock: 'kernel', u: 2000, ch, kind, ...(step && { step }), data })}\n`;
  };
  const typed = (id, name, text, ms, inside = () => []) => [line(400, 'case', 'step.begin', { id, name, phase: 'shell', text }), ...inside(), line(ms, 'case', 'step.end', { id, verdict: 'pass', duration_ns: ms * 1e6 })];
  const stages = () => ['ssw', 'bootloader', 'application', 'rtos', 'client'].flatMap((stage, i) => [line(30 + i * 20, 'board:zgw', 'console.line', { text: `@boot stage=${stage} t_us=${i * 40000}` }), line(1, 'board:zgw', 'boot.stage', { stage, t_us: i * 40000 })]);
  return [line(0, 'run', 'run.begin', { version: '0.1.0', rig: 'rack1', virtual: false }), ...typed('1', 'board.power_on', 'board.power_on: {role: zgw}', 20, () => [line(10, 'board:zgw', 'power.on', {}), ...stages()]),
    ...Array.from({ length: 40 }, (_, i) => line(5, 'can:can0', 'can.rx', { id: 0x110 + (i % 4), flags: ['fd', 'brs'], length: 8, hex: '0011223344556677', begin_ns: 0 })),
    ...typed('2', 'doip.udp', 'doip.udp: {role: zgw, type: identification_request}', 40, () => [line(5, 'tester:bench', 'doip.tx', { type: 1, name: 'vehicle identification request', hex: '02fd000100000000' })])];
}

/** What a large lab looks like: 16 rigs with long names, 1000 cases with long titles. */
export function large(world, now) {
  const pattern = world.rigs[0];
  for (let i = world.rigs.length; i < 16; i++) world.rigs.push({ ...structuredClone(pattern), name: `rack-of-the-second-laboratory-${String(i).padStart(2, '0')}`, pool: 'tc375-with-debug-probes-and-supplies', queue: i, lease: null });
  const job = structuredClone(world.jobs[13]), run = job.runs[0], first = run.cases[0];
  run.cases = Array.from({ length: 1000 }, (_, i) => ({ ...first, id: `doip.activation.of-a-source-address-that-is-held-by-another-socket[role=zgw,source=0x0e${String(i).padStart(4, '0')}]`,
    title: `Number ${i}: a source address that another socket holds is refused and the older connection stays as it was`, verdict: i % 50 === 7 ? 'fail' : 'pass', cause: i % 50 === 7 ? 'dut' : null, message: i % 50 === 7 ? first.message || 'response code 0x00 (denied: unknown source address)' : '', attempts: 1, flaky: false, duration_ns: 3e8 }));
  run.counts = job.counts = counts(run.cases);
  Object.assign(job, { id: 115, title: 'everything-that-is-known-of-the-zonal-gateway-and-its-neighbours-in-one-night-with-all-parameters', series: 'large', runs: [run], submitted: iso(now) });
  Object.assign(run, { id: 215, job: 115 });
  world.jobs.push(job);
  world.runs.set(215, run);
}

export function lab(now) {
  const nights = Array.from({ length: 14 }, (_, night) => nightJob(night, now));
  const jobs = nights.map((n) => n.job);
  const evil = structuredClone(jobs[13]);
  Object.assign(evil, { id: 114, title: HOSTILE, series: HOSTILE, reason: HOSTILE, submitter: HOSTILE, counts: { ...evil.counts, planned: 1, total: 1 }, pinned: false });
  const evilRun = { ...nights[13].run, id: 214, job: 114, reason: HOSTILE, outcome: 'failed', cases: [{ ...nights[13].run.cases[0], id: HOSTILE, title: HOSTILE, message: HOSTILE, verdict: 'fail', cause: 'dut', place: { file: HOSTILE, line: 1, column: 1 } }],
    measurements: [{ ...measurementsOf()[0], title: HOSTILE, unit: HOSTILE, case: HOSTILE, id: HOSTILE }], artefacts: [{ name: HOSTILE, size: 3, sha256: '0'.repeat(64), type: 'text/html' }] };
  evil.runs = [evilRun];
  evil.files = [{ path: HOSTILE, sha256: '0'.repeat(64), size: 3 }];
  const runs = new Map([...nights.map((n) => n.run), evilRun].map((run) => [run.id, run]));
  const health = Array.from({ length: 8 }, (_, i) => ({ id: 50 - i, at: iso(now - 7200000 - i * 900000), kind: ['quarantined', 'bench_error', 'bench_error', 'recovered', 'recovery', 'suspect', 'bench_error', 'lease'][i],
    text: i === 0 ? 'three bench errors in a row' : 'zgw did not come up within 5 s after power on', job: 110 - i, run: 210 - i }));
  return { rigs: rigs(now), jobs: [...jobs, evil], runs, health, blobs: new Map(), sessions: new Map(), tokens: [{ id: 2, name: 'jenkins', role: 'operator', made: iso(now - 40 * DAY_MS), expires: iso(now + 50 * DAY_MS), used: iso(now - 600000), token: '' },
    { id: 1, name: 'first-token-of-the-night-builds', role: 'viewer', made: iso(now - 400 * DAY_MS), expires: iso(now - 35 * DAY_MS), used: null, token: '' }] };
}
