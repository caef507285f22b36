// SPDX-License-Identifier: Apache-2.0
// What a page must keep for those who do not see it or have no mouse.

/** Runs in the page; a list of what is wrong. */
function faults() {
  const wrong = [], seen = (n) => n.getClientRects().length > 0 && getComputedStyle(n).visibility !== 'hidden';
  const named = (n) => (n.getAttribute('aria-label') || n.getAttribute('title') || n.textContent || '').trim()
    || (n.labels && [...n.labels].some((l) => l.textContent.trim())) || (n.getAttribute('aria-labelledby') && document.getElementById(n.getAttribute('aria-labelledby')));
  const tell = (n, what) => wrong.push(`${what}: ${n.outerHTML.slice(0, 90)}`);
  for (const n of document.querySelectorAll('a, button, input, select, textarea, canvas, summary, progress, [role=region], [role=img], [tabindex]:not(main)')) if (seen(n) && !n.closest('.uplot') && !named(n)) tell(n, 'no name');
  for (const n of document.querySelectorAll('input:not([type=hidden]), select, textarea')) if (seen(n) && !n.labels?.length && !n.getAttribute('aria-label')) tell(n, 'no label');
  for (const n of document.querySelectorAll('img:not([alt])')) tell(n, 'no alt');
  for (const n of document.querySelectorAll('[tabindex]')) if (n.tabIndex > 0) tell(n, 'tabindex above 0');
  for (const n of document.querySelectorAll('[style]')) if (!n.closest('.uplot') && !['CANVAS', 'DIV'].includes(n.tagName)) tell(n, 'style attribute');
  for (const n of document.querySelectorAll('a a, a button, button a, button button')) tell(n, 'a control in a control');
  const ids = [...document.querySelectorAll('[id]')].map((n) => n.id);
  for (const id of ids.filter((x, i) => ids.indexOf(x) !== i)) wrong.push(`two elements with the id ${id}`);
  for (const n of document.querySelectorAll('[aria-describedby], [aria-labelledby]')) for (const a of ['aria-describedby', 'aria-labelledby'])
    if (n.getAttribute(a) && !document.getElementById(n.getAttribute(a))) tell(n, `${a} names nothing`);
  for (const n of document.querySelectorAll('table')) if (!n.closest('.uplot') && (!n.querySelector('thead th[scope]') || !(n.getAttribute('aria-label') || n.closest('[aria-label]')))) tell(n, 'a table without heads or name');
  if (document.querySelectorAll('h1').length !== 1) wrong.push(`${document.querySelectorAll('h1').length} first headings`);
  for (const [role, find] of [['main', 'main'], ['navigation', 'nav[aria-label]'], ['banner', 'header']]) if (!document.querySelector(find)) wrong.push(`no ${role}`);
  if (!document.documentElement.lang) wrong.push('no language');
  let last = 1;
  for (const n of document.querySelectorAll('main h1, main h2, main h3')) {
    const level = Number(n.tagName[1]);
    if (level > last + 1) tell(n, 'a heading level is skipped');
    last = level;
  }
  return wrong;
}

/** Contrast of what is really drawn: text against the first opaque ground behind it. */
function weak() {
  const parse = (text) => {
    const n = (text.match(/[\d.]+/g) || []).map(Number);
    return text.startsWith('color(srgb') ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
  };
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (n) => {
    for (; n; n = n.parentElement) {
      const c = parse(getComputedStyle(n).backgroundColor);
      if (c[3] > 0.99) return c;
    }
    return [255, 255, 255, 1];
  };
  const found = new Set();
  for (const n of document.querySelectorAll('body *')) {
    if (n.closest('.uplot, [disabled], .skip') || !n.getClientRects().length || ![...n.childNodes].some((c) => c.nodeType === 3 && c.data.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(n).color)), light(ground(n))].sort((x, y) => x - y);
    if ((b + 0.05) / (a + 0.05) < 4.5) found.add(`${n.tagName}.${n.className} "${n.textContent.trim().slice(0, 20)}" ${((b + 0.05) / (a + 0.05)).toFixed(2)}`);
  }
  return [...found].slice(0, 5);
}

export async function accessibleFaults(page) {
  return [...await page.evaluate(faults), ...(await page.evaluate(weak)).map((w) => `weak contrast: ${w}`)];
}

/** What is wider than the window without a scroller of its own. */
export async function overflow(page) {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return '';
    const wide = [...document.querySelectorAll('body *')].filter((n) => n.getBoundingClientRect().right > window.innerWidth + 1 && !n.closest('.scroll, .matrix, .code, .top nav'));
    return `${document.documentElement.scrollWidth} > ${window.innerWidth}: ${wide.slice(0, 3).map((n) => `${n.tagName}.${n.className}`).join(', ')}`;
  });
}

/** The element with the focus, and whether one sees that it has it. */
export async function focus(page) {
  return page.evaluate(() => {
    const n = document.activeElement, s = getComputedStyle(n);
    return { tag: n.tagName, name: (n.getAttribute('aria-label') || n.textContent || n.name || '').trim().slice(0, 60), href: n.getAttribute('href'), visible: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 };
  });
}
