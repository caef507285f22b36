// SPDX-License-Identifier: Apache-2.0
// Tries the pages in a headless Chromium.
//   node pages.mjs --modules NODE_MODULES --chromium FILE --out DIR [--base URL --token TOKEN --admin TOKEN --rig NAME] [--pictures DIR]
// Without --base against the mock. Prints lines of the test protocol; status 1 when something failed.
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Browser } from './browser.mjs';
import { checkContrast } from './contrast.mjs';
import { accessibleFaults, focus, overflow } from './accessible.mjs';
import { FAILING, digests, download, failure, inert, rerun, signIn, submit, suite, timeline, watch } from './scenario.mjs';
import { locks, signOut, stranger, tokens, watching } from './people.mjs';
import { check, failures, part } from './tell.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url)), WWW = path.join(HERE, '../www');
const { values: options } = parseArgs({ options: Object.fromEntries(['modules', 'chromium', 'out', 'base', 'token', 'admin', 'rig', 'pictures'].map((name) => [name, { type: 'string' }])) });
const LIMIT_MS = 120000;
// The lab of the first three is invented, because nights take time; the run of the others is a real one of a virtual rack.
const PICTURES = options.base ? ['run', 'phone-dark'] : ['rigs', 'nights', 'trend'];
const job = {};

function mock() {
  const child = spawn(process.execPath, [path.join(HERE, 'mock.mjs'), WWW, options.modules], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve({ child, base: `http://127.0.0.1:${String(data).trim()}` }));
    child.once('exit', (status) => reject(new Error(`the mock ended with ${status}`)));
  });
}

async function picture(browser, name) {
  if (!options.pictures || !PICTURES.includes(name)) return;
  const file = path.join(options.pictures, `${name}.png`);
  await browser.page.mouse.move(0, 0);
  await browser.page.evaluate(() => {
    document.activeElement?.blur();
    document.getElementById('notices').replaceChildren();
  });
  await browser.page.screenshot({ path: file, scale: 'css', animations: 'disabled' });
  check(`picture ${name} is at most 200 KB`, statSync(file).size <= 200 * 1024, statSync(file).size);
}

async function jobs(browser) {
  const files = suite(options.out);
  job.id = await submit(browser, files, options.rig);
  await watch(browser, LIMIT_MS);
  job.run = Number(/runs\/(\d+)/.exec(browser.page.url())[1]);
  await failure(browser, files);
  await inert(browser, 'the title of a case');
  await download(browser);
  check('figures of a virtual rack say so', (await browser.page.locator('h1 ~ .tag.virtual').count()) === 1, '');
}

async function states(browser) {
  const words = await browser.page.evaluate(async () => {
    const { stateWord } = await import('./js/job.js');
    return [{ state: 'queued', waiting_for: 'a free rig' }, { state: 'running', waiting_for: null }, { state: 'running', waiting_for: 'disk space' },
      { state: 'done', outcome: 'passed' }].map(stateWord).join(' ');
  });
  check('a job between two tries is said to wait', words === 'queued running waiting passed', words);
}

async function nights(browser) {
  const { page } = browser;
  await browser.show(options.base ? '#/nights?series=pages' : '#/nights');
  await page.locator('.matrix').waitFor();
  const sticky = await page.locator('.matrix tbody th').first().evaluate((n) => getComputedStyle(n).position);
  check('the matrix keeps its heads in sight', sticky === 'sticky', sticky);
  const rows = page.locator('.matrix tbody tr'), all = await rows.count();
  check('the matrix has letters, not only colours', /^[PFEIS]/.test(await page.locator('.matrix td .cell').first().innerText()), '');
  await page.getByLabel('Cases with').fill(options.base ? FAILING : 'doip');
  await page.waitForFunction((n) => document.querySelectorAll('.matrix tbody tr').length < n, all);
  check('the matrix is filtered by text', (await rows.count()) > 0, await rows.count());
  await page.getByLabel('Cases with').fill('');
  if (!options.base) {
    await page.getByLabel('Only what changed').check();
    await page.waitForFunction((n) => document.querySelectorAll('.matrix tbody tr').length < n, all);
    check('only what changed is shown', (await rows.count()) > 0 && (await rows.count()) < all, await rows.count());
    check('the filter stands in the address', page.url().includes('changed=1'), page.url());
    await page.getByLabel('Only what changed').uncheck();
  }
  await page.waitForFunction((n) => document.querySelectorAll('.matrix tbody tr').length === n, all);
  await picture(browser, 'nights');
  await page.locator('.matrix td a.fail').first().click();
  await page.waitForURL(/#\/runs\/\d+$/);
  check('a cell leads to its run', true);
}

async function history(browser) {
  const { page } = browser, id = options.base ? FAILING : 'isotp.gap';
  await browser.show(`#/cases/${encodeURIComponent(id)}`);
  const text = await page.locator('main').innerText();
  check('the history tells flips and flakiness', text.includes('Flips') && text.includes('Flaky') && text.includes('%'), text);
  check('the history shows verdicts over time', (await page.locator('.strip li').count()) > 0 && (await page.getByRole('table', { name: 'By rig' }).count()) === 1, '');
  const place = page.getByRole('table', { name: 'Verdicts' }).getByRole('link', { name: /\.yaml:\d+/ }).first();
  await place.waitFor();
  const line = /:(\d+)/.exec(await place.innerText())[1];
  await place.click();
  await page.locator('.code li.marked').waitFor();
  check('a verdict of the past leads to its line of the YAML file', (await page.locator('.code li.marked a').innerText()) === line, line);
  await page.goBack();
  await browser.settled();
  await page.locator('.strip a').first().click();
  await page.waitForURL(/#\/runs\/\d+$/);
  check('a verdict leads to its run', true);
}

async function trends(browser) {
  const { page } = browser;
  await browser.show('#/measurements');
  const listed = await page.getByRole('table', { name: 'Measurements' }).innerText();
  check('measurements are told in units that read well', /\d (ms|s)\b/.test(listed) && !/\d ns/.test(listed), listed);
  await page.getByRole('table', { name: 'Measurements' }).getByRole('link').first().click();
  await page.locator('.chart canvas').waitFor();
  const drawn = await page.locator('.chart canvas').evaluate((n) => new Set(n.getContext('2d').getImageData(0, 0, n.width, n.height).data).size);
  check('the trend is drawn', drawn > 20, drawn);
  const text = await page.locator('main').innerText();
  check('the trend says limits, resolution and that it is virtual', /Limits: .*p50 at most/.test(text) && /A point is/.test(text) && text.includes('virtual'), text);
  await page.getByText(/as a table$/).click();
  const figures = await page.getByRole('table', { name: 'Points' }).innerText();
  check('the figures of a trend are in units that read well', /\d (ms|s)\b/.test(figures) && !/\d ns/.test(`${text} ${figures}`), figures.slice(0, 200));
  if (!options.base) check('a limit is told as it was written', text.includes('p50 at most 400 ms'), text);
  await page.getByText(/as a table$/).click();
  await picture(browser, 'trend');
  await page.locator('.chart .u-over').click({ position: { x: 300, y: 120 } });
  await page.waitForURL(/#\/runs\/\d+$/);
  check('a point leads to its run', true);
}

async function rigs(browser) {
  const { page } = browser, name = options.rig || 'v2';
  await browser.show('#/rigs');
  const card = page.locator('.cards > li').filter({ has: page.getByRole('link', { name, exact: true }) });
  check('a rig has a name, a word for its health, and says that it is virtual', /healthy|suspect/.test(await card.innerText()) && (await card.innerText()).includes('virtual'), await card.innerText());
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).click({ timeout: LIMIT_MS });
  await page.getByRole('dialog').getByLabel(/Why/).fill('by hand');
  await page.getByRole('dialog').getByRole('button', { name: 'Lock' }).click();
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).waitFor();
  check('a rig is locked, and the card says it by itself', (await card.innerText()).includes('until'), await card.innerText());
  check('and why', /Why\s+by hand/.test(await card.innerText()), await card.innerText());
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('heading', { name: 'Health log' }).waitFor();
  check('the page of the rig says why it is locked', /Why\s+by hand/.test(await page.locator('main .card').first().innerText()), await page.locator('main').innerText());
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).click();
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).waitFor({ timeout: LIMIT_MS });
  check('a rig is unlocked', true);
  check('a rig has its boards and its log', (await page.getByRole('table', { name: 'Boards' }).count()) === 1, '');
}

/** Through the pages with keys only. */
async function keyboard(browser) {
  const { page } = browser;
  // A new document, so that the first stop is the first.
  const fresh = async () => {
    await page.goto('about:blank');
    await browser.show('#/rigs');
  };
  await fresh();
  const walk = [];
  const until = async (fits, what) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const now = await focus(page);
      walk.push(now);
      if (fits(now)) return;
    }
    throw new Error(`Tab does not get to ${what}: ${walk.slice(-10).map((w) => w.name).join(' | ')}`);
  };
  await page.keyboard.press('Tab');
  check('the first stop skips to the content', (await focus(page)).href === '#content', await focus(page));
  await page.keyboard.press('Enter');
  check('and does', (await focus(page)).tag === 'MAIN', await focus(page));
  await fresh();
  await until((f) => f.href === '#/jobs', 'the jobs');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
  await until((f) => f.href === `#/jobs/${job.id}`, 'the job');
  await page.keyboard.press('Enter');
  await page.waitForURL(new RegExp(`#/jobs/${job.id}$`));
  await browser.settled();
  await until((f) => f.href === `#/runs/${job.run}`, 'the run');
  await page.keyboard.press('Enter');
  await page.waitForURL(/#\/runs/);
  await browser.settled();
  await until((f) => f.tag === 'CANVAS', 'the timeline');
  await until((f) => /yaml:\d+/.test(f.name), 'the place of the failure');
  await page.keyboard.press('Enter');
  await page.locator('.code li.marked').waitFor();
  check('from the rigs to the line of the YAML file with keys only', true);
  const hidden = walk.filter((w) => !w.visible && w.tag !== 'BODY');
  check('the focus is always seen', !hidden.length, hidden.slice(0, 3));
}

function all() {
  return ['#/rigs', '#/jobs', '#/submit', `#/jobs/${job.id}`, `#/runs/${job.run}`, options.base ? '#/nights?series=pages' : '#/nights', `#/cases/${FAILING}`, '#/measurements', ...(options.base ? [] : ['#/measurements/1', '#/runs/213']), `#/rigs/${options.rig || 'rack2'}`,
    '#/sign-in', '#/tokens', '#/status', '#/nothing-here'];
}

/** Each page is loaded once. */
async function everyPage(browser, looks) {
  const wrong = looks.map(() => []);
  for (const hash of all()) {
    await browser.show(hash);
    for (const [i, { width, height, scheme, find }] of looks.entries()) {
      await browser.size(width, height, scheme);
      const found = await find(browser.page);
      if (found.length) wrong[i].push(`${hash}: ${Array.isArray(found) ? found.slice(0, 3).join('; ') : found}`);
    }
  }
  for (const [i, { what }] of looks.entries()) check(what, !wrong[i].length, wrong[i].join(' | '));
}

async function widths(browser) {
  await everyPage(browser, [
    { what: 'controls have names, headings their order, text its contrast', width: 1280, height: 900, scheme: 'light', find: accessibleFaults },
    { what: 'nothing scrolls sideways at 360 px', width: 360, height: 740, scheme: 'light', find: overflow },
    { what: 'the same in the dark: names, order, contrast', width: 360, height: 740, scheme: 'dark', find: accessibleFaults },
  ]);
  await browser.show(`#/runs/${options.base ? job.run : 213}`);
  const dark = await browser.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check('the dark is dark', dark === 'rgb(15, 19, 24)', dark);
  await browser.page.waitForFunction(() => Number(document.querySelector('.timeline')?.dataset.loads) > 0);
  const drawn = await browser.page.locator('.timeline').evaluate((n) => ({ marks: Number(n.dataset.marks), above: Number(n.dataset.head) > 0 }));
  check('on a phone the lanes have their names above them, and the axis its marks', drawn.above && drawn.marks >= 4, drawn);
  await picture(browser, 'phone-dark');
  await browser.size(1280, 900);
}

async function pictures(browser) {
  if (!options.pictures) return;
  await browser.show('#/rigs');
  if (!options.base) {
    await submit(browser, suite(options.out), 'v1');
    await browser.page.getByRole('link', { name: 'Run 1' }).waitFor();
    await browser.show('#/rigs');
    await browser.page.locator('progress[value="1"]').waitFor();
  }
  await picture(browser, 'rigs');
  await browser.show(`#/runs/${options.base ? job.run : 213}`);
  await browser.page.waitForFunction(() => Number(document.querySelector('.timeline')?.dataset.loads) > 0);
  await picture(browser, 'run');
}

/** 16 rigs, 1000 cases, long names. */
async function largeLab(browser) {
  const { page } = browser, wrong = [];
  await asked(browser.base, 'large');
  for (const hash of ['#/rigs', '#/jobs', '#/runs/215', '#/nights?series=large', '#/rigs/rack-of-the-second-laboratory-15', '#/leases/290', '#/tokens']) {
    await browser.show(hash);
    for (const [width, scheme] of [[360, 'dark'], [360, 'light'], [1024, 'light'], [1024, 'dark']]) {
      await browser.size(width, 800, scheme);
      const found = [await overflow(page), ...(hash === '#/runs/215' && scheme === 'dark' ? [] : await accessibleFaults(page))].filter(Boolean);
      if (found.length) wrong.push(`${hash} at ${width}: ${found.slice(0, 2).join('; ')}`);
    }
  }
  check('a large lab has room on every page', !wrong.length, wrong.join(' | '));
  await browser.size(1280, 900);
  await browser.show('#/rigs');
  check('16 rigs are shown', (await page.locator('.cards > li').count()) === 16, await page.locator('.cards > li').count());
  await browser.show('#/runs/215');
  check('1000 cases are shown', (await page.locator('main .card.fail').count()) + (await page.getByRole('table', { name: 'Cases' }).locator('tbody tr').count()) === 1000, '');
}

async function asked(base, name) {
  return (await fetch(`${base}/mock/${name}`)).json();
}

/** Remembers what the line at the top says, however short; told(text) waits until it has said that, and after that nothing: all is well again. */
async function connectionTold(page) {
  await page.evaluate(() => {
    const bar = document.getElementById('connection'), said = window.said = [];
    new MutationObserver(() => said.push(bar.hidden ? '' : bar.textContent)).observe(bar, { attributes: true, childList: true, characterData: true, subtree: true });
  });
  return async (text) => {
    await page.waitForFunction((words) => window.said.some((s) => s.includes(words)) && window.said.at(-1) === '', text);
    await page.evaluate(() => { window.said.length = 0; });
  };
}

/** What only the mock can play: hostile names everywhere, connections that end, a daemon that is away. */
async function mishaps(browser, server) {
  const { page } = browser, { base } = server;
  for (const hash of ['#/jobs', '#/jobs/114', '#/runs/214', `#/nights?series=${encodeURIComponent('<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>')}`]) {
    await browser.show(hash);
    await inert(browser, hash.slice(0, 14));
  }
  await browser.show('#/nothing-here');
  check('a page that is not there says so', (await page.locator('h1').innerText()) === 'Not found', '');
  await browser.show('#/runs/99999');
  check('a run that is not there says so', (await page.locator('main').innerText()).includes('There is no such run'), '');
  await browser.show('#/rigs');
  const told = await connectionTold(page);
  await asked(base, 'drop');
  await told("The daemon dropped this page's live connection: too slow");
  check('a page that was dropped says why', true);
  await asked(base, 'cut');
  await told('No live connection to the daemon');
  const again = (await asked(base, 'asked')).filter((r) => r.url === '/api/v1/events' && r.last !== undefined);
  check('the stream comes back with its position', again.length >= 1, again);
  await asked(base, 'restart');
  await told('the daemon was started anew');
  check('after a restart of the daemon the page begins anew', await page.locator('#connection').isHidden() && !(await asked(base, 'asked')).filter((r) => r.url === '/api/v1/events').at(-1).last, '');
  await fetch(`${base}/mock/down?s=3600`);
  await browser.show('#/measurements');
  check('a daemon that ends says so', (await page.locator('h1').innerText()) === 'The daemon is shutting down', await page.locator('h1').innerText());
  await fetch(`${base}/mock/down?s=0`);
  await page.getByRole('heading', { level: 1, name: 'Measurements' }).waitFor();
  check('and the page comes back by itself', true);
  server.child.kill();
  await page.evaluate(() => { location.hash = '#/jobs'; });
  await page.getByRole('heading', { name: 'The daemon does not answer' }).waitFor();
  check('a daemon that is away is told of', (await page.getByText('No live connection').count()) === 1, '');
}

async function main() {
  checkContrast(path.join(WWW, 'style.css'));
  const server = options.base ? { base: options.base } : await mock();
  let browser = null;
  try {
    browser = await Browser.open(options.modules, options.chromium, server.base);
    const token = options.token || 'operator-token', admin = options.admin || 'admin-token';
    await part('viewer', () => stranger(browser));
    await part('sign in', () => signIn(browser, browser, token));
    await part('sign out', () => signOut(browser, token));
    await part('tokens', () => tokens(browser, token, admin));
    await part('digests', () => digests(browser));
    await part('rigs', () => rigs(browser));
    await part('locks', () => locks(browser, options.rig || 'v2', async (seconds) => { if (!options.base) await asked(server.base, `patience?s=${seconds}`); }));
    await part('watching', () => watching(browser, token, options.rig || 'v2'));
    await part('jobs', () => jobs(browser));
    await part('states', () => states(browser));
    await part('timeline', async () => {
      await browser.show(`#/runs/${options.base ? job.run : 213}`);
      const seen = await timeline(browser);
      check('the timeline says that it is virtual', seen.virtual > 0, seen);
      if (!options.base) check('a range is asked of the daemon', seen.asked.some((u) => u.includes('from_ns=')), seen.asked);
    });
    for (const [name, action] of [['nights', nights], ['history', history], ['trends', trends], ['keyboard', keyboard], ['widths', widths], ['pictures', pictures]])
      await part(name, () => action(browser));
    if (!options.base) await part('large lab', () => largeLab(browser));
    await part('rerun', () => rerun(browser, job.id, LIMIT_MS));
    check('no error of a script and no breach of the content policy', !browser.errors.filter((e) => !/status of 4\d\d/.test(e)).length, browser.errors);
    check('nothing was asked of anybody else', !browser.foreign.length, browser.foreign);
    if (server.child) await part('mishaps', () => mishaps(browser, server));
  } finally {
    await browser?.close();
    server.child?.kill();
  }
  process.exitCode = failures() ? 1 : 0;
}

await main();
