// SPDX-License-Identifier: Apache-2.0
// A headless Chromium of the machine with a profile of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export class Browser {
  /** modules: where playwright-core is. */
  static async open(modules, executable, base) {
    const { chromium } = createRequire(path.join(modules, 'x.js'))('playwright-core');
    const browser = new Browser();
    Object.assign(browser, { base, folder: mkdtempSync(path.join(tmpdir(), 'hilbench-pages-')), errors: [], foreign: [] });
    browser.context = await chromium.launchPersistentContext(browser.folder, { executablePath: executable, args: ARGUMENTS, headless: true, timeout: 120000, viewport: { width: 1280, height: 900 }, colorScheme: 'light', timezoneId: 'UTC', locale: 'en-GB',
      acceptDownloads: true, baseURL: base });
    browser.context.setDefaultTimeout(90000);
    browser.page = browser.context.pages()[0] || await browser.context.newPage();
    browser.page.on('pageerror', (error) => browser.errors.push(error.message));
    browser.page.on('console', (message) => message.type() === 'error' && browser.errors.push(message.text()));
    browser.page.on('request', (request) => !request.url().startsWith(base) && !/^(data|blob):/.test(request.url()) && browser.foreign.push(request.url()));
    return browser;
  }

  async close() {
    await this.context.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A page of the application, loaded and quiet. */
  async show(hash) {
    await this.page.goto(`${this.base}/${hash}`);
    await this.settled();
  }

  async settled() {
    await this.page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('main .busy'));
  }

  async size(width, height, scheme = 'light') {
    await this.page.setViewportSize({ width, height });
    await this.page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  }
}
