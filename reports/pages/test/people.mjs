// SPDX-License-Identifier: Apache-2.0
// People: who signs in and out, tokens, locks that last as long as a page, sessions that are watched. The same against the mock and the real daemon.
import { check } from './tell.mjs';
import { shellLines } from './mock_data.mjs';
import { accessibleFaults } from './accessible.mjs';

const GONE_MS = 120000; // a lock whose page is closed ends within seconds; a loaded machine has its time to clean the rig

export async function stranger(browser) {
  const { page } = browser;
  await browser.show('#/rigs');
  await page.locator('.cards > li').first().waitFor();
  check('a viewer sees no buttons', (await page.locator('main button').count()) === 0, '');
  await browser.show('#/sign-in');
  check('who has no session is not offered to end it', (await page.getByRole('button', { name: 'Sign out' }).count()) === 0, '');
  await browser.show('#/tokens');
  check('tokens are told to need an admin', (await page.getByText('This page needs an admin.').count()) === 1 && (await page.getByRole('link', { name: 'Tokens' }).count()) === 0, '');
}

export async function signOut(browser, token) {
  const { page } = browser;
  await browser.show('#/sign-in');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor({ state: 'detached' });
  check('who signed out has no session to end', (await page.getByRole('button', { name: 'Sign in' }).count()) === 1, '');
  await become(browser, token);
}

async function become(browser, token) {
  const { page } = browser;
  await browser.show('#/sign-in');
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/#\/rigs$/);
}

export async function tokens(browser, operator, admin) {
  const { page } = browser, name = 'a-new-colleague';
  await browser.show('#/tokens');
  check('an operator is told that tokens need an admin', (await page.getByText('This page needs an admin.').count()) === 1 && (await page.getByText('operator').count()) > 0, await page.locator('main').innerText());
  await become(browser, admin);
  await page.getByRole('link', { name: 'Tokens', exact: true }).click();
  await page.getByRole('table', { name: 'Tokens' }).waitFor();
  await page.getByRole('button', { name: 'Make a token' }).click();
  const field = page.getByLabel(/^Name/);
  check('a token without a name is told of at its field', (await field.getAttribute('aria-invalid')) === 'true' && await field.evaluate((n) => document.activeElement === n), '');
  await field.fill(name);
  await page.getByLabel('Role').selectOption('operator');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const shown = page.getByLabel(`Token of ${name}`, { exact: true });
  await shown.waitFor();
  const token = await shown.inputValue();
  check('a new token is shown', token.length > 4, token.length);
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: browser.base });
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('button', { name: 'Copied' }).waitFor();
  check('the token is copied', (await page.evaluate(() => navigator.clipboard.readText())) === token, '');
  const faults = await accessibleFaults(page);
  check('the page of tokens has names, order and contrast', !faults.length, faults.slice(0, 3));
  const row = page.getByRole('row').filter({ hasText: name });
  check('it is listed with role, expiry and use', /operator/.test(await row.innerText()) && /never/.test(await row.innerText()) && (await row.locator('time').count()) === 2, await row.innerText());
  await field.fill(name);
  await page.getByRole('button', { name: 'Make a token' }).click();
  await page.locator('.wrong').getByText(name).waitFor();
  check('a name that is taken is told of at its field', true);
  await browser.show('#/rigs');
  await browser.show('#/tokens');
  await page.getByRole('table', { name: 'Tokens' }).waitFor();
  check('the token is shown once', !(await page.locator('main').innerText()).includes(token) && (await page.getByLabel(`Token of ${name}`, { exact: true }).count()) === 0, '');
  await page.getByRole('button', { name: `Remove the token of ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  check('a removal that is not confirmed removes nothing', (await row.count()) === 1, '');
  await page.getByRole('button', { name: `Remove the token of ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await row.waitFor({ state: 'detached' });
  check('a token is removed', true);
  await become(browser, operator);
}

async function lock(page, name, stays) {
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).click({ timeout: GONE_MS });
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/Why/).fill('by hand');
  if (stays) await dialog.getByLabel(/Keep it until the deadline/).check();
  const asked = page.waitForRequest((r) => r.url().endsWith('/lease') && r.method() === 'POST');
  await dialog.getByRole('button', { name: 'Lock' }).click();
  const body = (await asked).postDataJSON();
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).waitFor();
  return body;
}

/** A second page takes the rig; what the first sees of it. patience(seconds): how long the mock waits for missing heartbeats. */
export async function locks(browser, name, patience) {
  const { page } = browser, mine = await browser.context.newPage();
  await browser.show('#/rigs');
  await mine.goto(`${browser.base}/#/rigs`);
  const body = await lock(mine, name, false);
  check('a lock of a page is asked for with a heartbeat', body.heartbeat === true, body);
  const held = mine.getByRole('region', { name: 'Rigs that this page holds' });
  await held.getByText(`${name} is yours while this page is open`).waitFor();
  check('the page says that it holds the rig', true);
  const faults = await accessibleFaults(mine);
  check('the line of the held rigs has names and contrast', !faults.length, faults.slice(0, 3));
  const beat = () => mine.context().waitForEvent('response', { predicate: (r) => r.url().endsWith('/heartbeat') && r.status() === 200, timeout: GONE_MS });
  await beat();
  await beat();
  check('the page sends heartbeats', true);
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).waitFor();
  const again = beat();
  await mine.reload();
  await held.getByText(`${name} is yours while this page is open`).waitFor();
  await again;
  check('a page that is loaded anew keeps its rig', true);
  await mine.close();
  await patience(0);
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).waitFor({ timeout: GONE_MS });
  check('a lock ends soon after its page was closed', true);
  await patience(120);
  const stays = await lock(page, name, true);
  check('a lock until the deadline is asked for without a heartbeat', stays.heartbeat === false && await page.locator('#held').isHidden(), stays);
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).click();
  await lock(page, name, false);
  await page.getByRole('button', { name: `Give back ${name}`, exact: true }).click();
  await page.locator('#held').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).waitFor({ timeout: GONE_MS });
  check('a lock is given back on request', true);
}

/** A person's session is watched from its first line to its end. */
export async function watching(browser, token, name) {
  const { page } = browser, api = `${browser.base}/api/v1`, authorization = { Authorization: `Bearer ${token}` };
  const ask = async (method, path, body, headers = {}) => {
    const response = await fetch(`${api}/${path}`, { method, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { ...authorization, 'Content-Type': 'application/json', ...headers } });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${(await response.text()).slice(0, 200)}`);
    return response.json();
  };
  await browser.show('#/rigs');
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).waitFor({ timeout: GONE_MS });
  const { lease, secret } = await ask('POST', `rigs/${name}/lease`, { for: '10min', heartbeat: false, note: 'to be watched' });
  await page.getByRole('button', { name: `Unlock ${name}`, exact: true }).or(page.getByText('is locked by a person').first()).first().waitFor();
  const link = page.getByRole('link', { name: `Watch ${lease.holder} on ${name}` });
  check('nothing is to be watched as long as nothing is shown', (await link.count()) === 0, '');
  let next = 0;
  const send = async (lines) => { ({ next } = await ask('POST', `leases/${lease.id}/journal?from=${next}`, lines, { 'Content-Type': 'application/x-ndjson', 'Hilbench-Lease-Secret': secret })); };
  const lines = shellLines();
  await send(lines.slice(0, 4).join(''));
  await link.waitFor({ timeout: GONE_MS });
  check('the rigs offer to watch', true);
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('heading', { name: 'Health log' }).waitFor();
  await link.click();
  await page.getByRole('heading', { level: 1, name: `${lease.holder} on ${name}` }).waitFor();
  await page.getByRole('region', { name: 'Now' }).getByText('board.power_on').waitFor({ timeout: GONE_MS });
  check('what was before is seen', true);
  await send(lines.slice(4).join(''));
  await page.getByRole('region', { name: 'Now' }).getByText('doip.udp').waitFor({ timeout: GONE_MS });
  await page.getByRole('log').getByText('@boot stage=client').waitFor();
  await page.waitForFunction(() => Number(document.querySelector('.timeline')?.dataset.loads) > 1);
  check('what is done is seen as it is done: steps, log, timeline', (await page.getByRole('log').innerText()).includes('identification_request') && (await page.getByRole('log').getByText('can.rx').count()) === 0, '');
  await page.getByLabel('Frames and messages too').check();
  await page.getByRole('log').getByText('can.rx').waitFor();
  check('frames are in the log on request', true);
  const buttons = await page.locator('main button').evaluateAll((all) => all.filter((n) => !n.closest('.timeline')).length);
  check('who watches has no controls', buttons === 0 && (await page.getByText('Log').count()) > 0, buttons);
  const faults = await accessibleFaults(page);
  check('the page of who watches has names, order and contrast', !faults.length, faults.slice(0, 3));
  await ask('DELETE', `leases/${lease.id}`, { secret });
  await page.getByRole('alert').getByText(`The session of ${lease.holder} has ended`).waitFor({ timeout: GONE_MS });
  const text = await page.getByRole('alert').innerText();
  check('who watches is told that it ended and by what', /ended: \S+/.test(text) && await page.getByRole('region', { name: 'Now' }).isHidden(), text);
  await page.reload();
  await page.getByRole('heading', { name: 'This session is over' }).waitFor();
  check('and sees no more', !(await page.locator('main').innerText()).includes('@boot'), '');
  await browser.show('#/rigs');
  await page.getByRole('button', { name: `Lock ${name}`, exact: true }).waitFor({ timeout: GONE_MS });
}
