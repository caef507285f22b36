// SPDX-License-Identifier: Apache-2.0
// What a user of the pages does: the same against the mock and the real daemon.
import { readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { check } from './tell.mjs';

export const FAILING = 'pages.fails', PASSING = 'pages.passes';
const HOSTILE_TITLE = '<img src=x onerror=\'window.hacked=1\'>';
const WRONG = 'WHB7VMG0000000E99';
const YAML = `# SPDX-License-Identifier: Apache-2.0
# One case that passes, one that measures, one that must fail: nobody has this VIN.
defaults: {timeout: 60s}
cases:
  - id: ${PASSING}
    title: "${HOSTILE_TITLE}"
    steps:
      - board.boot: {role: vmg}
      - wait: 1500ms
      - doip.udp: {role: vmg, type: identification_request, expect: {type: announcement}}
  - id: pages.measures
    title: Power on to application
    measure:
      - id: vmg-power-to-application
        title: VMG power on to application
        samples: 3
        from: {event: power.on, role: vmg}
        to: {event: boot.stage, role: vmg, where: {stage: server}}
        limits: {p50: {at_most: 5s}}
    steps:
      - repeat:
          times: 3
          steps:
            - board.power_off: {role: vmg}
            - measure.begin: vmg-power-to-application
            - board.boot: {role: vmg}
            - measure.end: vmg-power-to-application
  - id: ${FAILING}
    title: The VIN is another vehicle's
    steps:
      - board.boot: {role: vmg}
      - wait: 6s
      - doip.udp: {role: vmg, type: identification_request, expect: {vin: "${WRONG}"}}
`;

const PEM = (kind, end = '\n') => `-----BEGIN ${kind}PRIVATE KEY-----${end}MC4CAQAwBQYDK2VwBCIEIA==${end}-----END ${kind}PRIVATE KEY-----${end}`;
const DER = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
const PORTION = 4 << 20; // in which the page looks at a file

/** Private keys of every form, one of them behind the end of a portion. */
function writeKeys(place) {
  mkdirSync(path.join(place, 'keys'), { recursive: true });
  writeFileSync(path.join(place, 'keys/lab.key'), PEM(''));
  writeFileSync(path.join(place, 'keys/ssh'), PEM('OPENSSH '));
  writeFileSync(path.join(place, 'keys/lab.der'), DER);
  writeFileSync(path.join(place, 'other.pem'), PEM('ENCRYPTED ', '\r\n'));
  writeFileSync(path.join(place, 'late.bin'), 'x'.repeat(PORTION - 20) + PEM('EC '));
}

/** A folder to submit; which line must be marked. With keys, and with a folder whose cases name one. */
export function suite(folder) {
  const place = path.join(folder, 'suite'), asks = path.join(folder, 'asks');
  writeKeys(place);
  writeKeys(asks);
  writeFileSync(path.join(asks, 'sign.yaml'), `${YAML}      - ota.install: {role: zgw, package: zgw-1.1.0, mutate: +sign, key: ./keys/lab.key}\n`);
  writeFileSync(path.join(place, 'vin.yaml'), YAML);
  writeFileSync(path.join(place, '.hidden'), 'stays at home');
  return { folder: place, asks, line: YAML.split('\n').findIndex((l) => l.includes(WRONG)) + 1 };
}

export async function signIn({ page, show }, browser, token) {
  await browser.show('#/sign-in');
  await page.getByLabel('Token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('does not know this token').waitFor();
  check('a wrong token is refused in words', true);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/#\/rigs$/);
  const who = await page.locator('#who').innerText();
  check('signed in by token, the page says who', /operator|admin/.test(who), who);
}

/** What is said of keys that stay at home, and of those that a case needs. */
async function keysStay({ page }, files) {
  await page.locator('#folder').setInputFiles(files.asks);
  await page.locator('#folder[aria-invalid]').waitFor();
  const said = () => page.locator('#folder').evaluate((n) => document.getElementById(n.getAttribute('aria-describedby'))?.textContent);
  const words = 'asks/sign.yaml names asks/keys/lab.key, and that is a private key';
  check('a case that names a private key is refused as soon as it is chosen', (await said()).includes(words), await said());
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.locator('#folder[aria-invalid]').waitFor();
  check('and is not submitted', (await said()).includes(words) && page.url().endsWith('#/submit'), page.url());
  await page.locator('#folder').setInputFiles(files.folder);
  const left = page.locator('.left-out', { hasText: 'suite/' });
  await left.waitFor();
  const text = await left.innerText();
  check('the page names the private keys that stay at home', ['keys/lab.key', 'keys/ssh', 'keys/lab.der', 'other.pem', 'late.bin'].every((name) => text.includes(`suite/${name}`)), text);
}

async function keysAreNotThere({ page }, id) {
  const statuses = await page.evaluate(async (job) => Promise.all(['keys/lab.key', 'keys/lab.der', 'other.pem', 'vin.yaml'].map(async (name) => (await fetch(`/api/v1/jobs/${job}/files/suite/${name}`)).status)), id);
  check('no private key can be fetched from the job', statuses.join() === '404,404,404,200', statuses);
}

/** Submits the folder; the job's number. */
export async function submit(browser, files, rig) {
  const { page } = browser;
  await browser.show('#/submit');
  await page.getByRole('button', { name: 'Submit' }).click();
  const missing = await page.locator('#files').evaluate((n) => ({ invalid: n.getAttribute('aria-invalid'), focus: document.activeElement === n, text: document.getElementById(n.getAttribute('aria-describedby'))?.textContent }));
  check('an empty submission is told of at the files', missing.invalid === 'true' && missing.focus && /Choose/.test(missing.text), missing);
  await keysStay(browser, files);
  check('a hidden file stays at home', (await page.getByText('1 file,').count()) === 1 && (await page.locator('[aria-invalid]').count()) === 0, await page.locator('form').innerText());
  await page.getByLabel('Title').fill('Identity of the gateway');
  await page.getByLabel(/^Series/).fill('pages');
  if (rig) await page.getByLabel('Where').selectOption(`rig:${rig}`);
  await page.getByText('Queue and limits').click();
  await page.getByLabel(/^Time limit/).fill('soon');
  await page.getByText('Queue and limits').click();
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.locator('[name=time_limit][aria-invalid]').waitFor();
  check('what the daemon refuses of a field is told there', await page.evaluate(() => document.activeElement.name === 'time_limit'), '');
  await page.getByLabel(/^Time limit/).fill('10min');
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.waitForURL(/#\/jobs\/\d+$/);
  await browser.settled();
  const id = Number(/jobs\/(\d+)/.exec(page.url())[1]);
  check('a folder is submitted', id > 0, page.url());
  await keysAreNotThere(browser, id);
  return id;
}

/** Follows the job's run live until its end. */
export async function watch(browser, limit_ms) {
  const { page } = browser;
  await page.locator('h1').locator('xpath=../following-sibling::ul[@class="counts"]').getByText(/^of [1-9]/).waitFor({ timeout: limit_ms });
  check('a job that runs counts its cases', true);
  await page.getByRole('link', { name: 'Run 1' }).click({ timeout: limit_ms });
  await page.getByRole('heading', { level: 1, name: /Run 1 of/ }).waitFor();
  const now = page.getByRole('region', { name: 'Now' });
  await now.getByText(/^Case \d+ of \d+/).waitFor({ timeout: limit_ms });
  check('the run is watched live: the case', true);
  await now.locator('li').first().waitFor({ timeout: limit_ms });
  check('the run is watched live: steps', true);
  await page.getByRole('table', { name: 'Cases' }).getByText(PASSING).waitFor({ timeout: limit_ms });
  check('what has ended is listed while the run runs', (await page.locator('h1 + .tag').innerText()) === 'running', await page.locator('h1 + .tag').innerText());
  await page.getByText('files appear here').waitFor({ timeout: limit_ms });
  check('a run that writes lists its files', (await page.getByRole('table', { name: 'Files of the run' }).getByRole('link').count()) > 0, '');
  await page.locator('main .card.fail').first().waitFor({ timeout: limit_ms });
  await page.locator('h1 + .tag.full').waitFor({ timeout: limit_ms });
  const loads = await page.locator('.timeline').evaluate((n) => Number(n.dataset.loads));
  check('the timeline grows while the run runs', loads >= 2, loads);
  check('the outcome comes by itself', (await page.locator('h1 + .tag.full').innerText()) === 'failed', await page.locator('h1 + .tag').innerText());
}

export async function failure(browser, files) {
  const { page } = browser;
  const card = page.locator('.card.fail').first();
  await card.waitFor();
  const text = await card.innerText();
  check('a failure shows its message', text.includes('expected') || text.includes('Expected'), text);
  const place = card.getByRole('link', { name: new RegExp(`vin\\.yaml:${files.line}`) });
  check('a failure names file and line', (await place.count()) === 1, text);
  await place.click();
  await page.locator('.code li.marked').waitFor();
  const marked = await page.locator('.code li.marked').innerText();
  check('the link leads to the line of the YAML file', marked.includes(WRONG) && marked.includes(String(files.line)), marked);
  const sees = await page.locator('.code li.marked').evaluate((n) => n.getBoundingClientRect().top >= 0 && n.getBoundingClientRect().bottom <= innerHeight);
  check('the marked line is in sight and has the focus', sees && await page.evaluate(() => document.activeElement.closest('li')?.className === 'marked'), '');
  await page.goBack();
  await browser.settled();
}

export async function download(browser) {
  const { page } = browser;
  const waiting = page.waitForEvent('download');
  await page.getByRole('link', { name: 'capture.pcapng' }).click();
  const file = await (await waiting).path();
  const magic = readFileSync(file).subarray(0, 4).toString('hex');
  check('the capture is downloaded and is a pcapng', magic === '0a0d0d0a', magic);
}

export async function inert(browser, what) {
  const { page } = browser;
  const found = await page.evaluate(() => ({ hacked: window.hacked, nodes: document.querySelectorAll('main img, main script, main iframe').length, text: document.body.textContent.includes('onerror') }));
  check(`hostile names are inert: ${what}`, found.hacked === undefined && found.nodes === 0 && found.text, found);
}

export async function timeline(browser) {
  const { page } = browser;
  const node = page.locator('.timeline'), canvas = page.locator('.timeline canvas');
  await page.waitForFunction(() => Number(document.querySelector('.timeline')?.dataset.loads) > 0);
  const range = async () => node.evaluate((n) => [Number(n.dataset.from), Number(n.dataset.to)]);
  const whole = await range(), asked = [];
  page.on('request', (r) => r.url().includes('/timeline') && asked.push(r.url()));
  await canvas.focus();
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  const near = await range();
  check('plus zooms the timeline', near[1] - near[0] < (whole[1] - whole[0]) * 0.5, { whole, near });
  await page.keyboard.press('ArrowRight');
  check('an arrow moves it', (await range())[0] > near[0], await range());
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60);
  const before = await range();
  await page.mouse.wheel(0, -400);
  await page.waitForFunction((old) => { const n = document.querySelector('.timeline').dataset; return n.to - n.from < old; }, before[1] - before[0]);
  check('the wheel zooms it', true);
  await page.keyboard.press('0');
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width * 0.3, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  const selected = await range();
  check('a range is selected by shift and drag', selected[1] - selected[0] < (whole[1] - whole[0]) * 0.25, { whole, selected });
  await page.keyboard.press('0');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('.');
  const details = await page.locator('.timeline .details').innerText();
  check('an entry is explained by keys alone', / at .*s/.test(details), details);
  await page.keyboard.press('Enter');
  check('Enter zooms to the entry', (await range())[1] - (await range())[0] < whole[1] - whole[0], await range());
  await page.getByRole('button', { name: 'As a list' }).click();
  const rows = await page.locator('.timeline .list tbody tr').count();
  check('the list shows the same', rows > 0, rows);
  await page.locator('.timeline .list tbody button').first().click();
  check('an entry of the list is explained', (await page.locator('.timeline .details b').count()) === 1, '');
  await page.getByRole('button', { name: 'As a list' }).click();
  await page.getByRole('button', { name: 'Show the whole run' }).click();
  return { asked, virtual: await node.getByText('virtual').count() };
}

/** The page's own SHA-256 is the one of WebCrypto. */
export async function digests({ page }) {
  const wrong = await page.evaluate(async () => {
    const { sha256, sha256InPage } = await import('/js/sha256.js');
    const lengths = [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 128, 100003], bad = [];
    for (const length of lengths) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 131 + length) & 255);
      if (sha256InPage(bytes.buffer) !== await sha256(bytes.buffer)) bad.push(length);
    }
    return [...bad, ...(sha256InPage(new TextEncoder().encode('abc').buffer).startsWith('ba7816bf8f01cfea') ? [] : ['abc'])];
  });
  check("the page's own SHA-256 is right at every length around a block", !wrong.length, wrong);
}

export async function rerun(browser, job, limit_ms) {
  const { page } = browser;
  await browser.show(`#/jobs/${job}`);
  await page.getByRole('region', { name: 'Cases by run' }).waitFor();
  check('a job shows what did not pass, by run', (await page.locator('.matrix td a.fail').count()) === 1, '');
  await page.getByRole('button', { name: /^Pin/ }).click();
  await page.getByRole('button', { name: /^Unpin/ }).waitFor();
  check('a job is pinned', true);
  await page.getByRole('button', { name: /^Unpin/ }).click();
  await page.getByRole('button', { name: /^Rerun failed/ }).click();
  await page.waitForFunction((old) => !location.hash.endsWith(`/${old}`), job);
  await browser.settled();
  check('what failed is run again', (await page.locator('main').innerText()).includes(`#${job}`), page.url());
  await page.getByRole('button', { name: /^Cancel/ }).click({ timeout: limit_ms });
  await page.locator('h1 + .tag.full').waitFor({ timeout: limit_ms });
  check('a job is cancelled', /cancelled/.test(await page.locator('h1 + .tag').innerText()), await page.locator('h1 + .tag').innerText());
}
