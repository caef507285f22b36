// SPDX-License-Identifier: Apache-2.0
// Contrast of the palette (WCAG 2.2, 1.4.3 and 1.4.11), computed from the style sheet.
import { readFileSync } from 'node:fs';
import { check } from './tell.mjs';

const TEXT = ['ink', 'soft', 'accent', 'pass', 'fail', 'error', 'inconclusive', 'skipped', 'virtual'];
const FULL = ['accent', 'fail', 'error', 'inconclusive', 'pass'];
const GRAPHICS = ['edge', 'lane-step', 'lane-power', 'lane-boot', 'lane-tls', 'lane-doip', 'lane-can', 'lane-console', 'lane-other'];

function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function ratio(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function mix(a, b, part) {
  return a.map((c, i) => c * part + b[i] * (1 - part));
}

function palette(css) {
  return Object.fromEntries([...css.matchAll(/--([a-z-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1], channels(m[2])]));
}

export function checkContrast(file) {
  const css = readFileSync(file, 'utf8'), dark = css.indexOf('@media (prefers-color-scheme: dark)'), end = css.indexOf('* { box-sizing');
  for (const [name, part] of [['light', css.slice(0, dark)], ['dark', css.slice(dark, end)]]) {
    const colours = palette(part), weak = [];
    const need = (text, ground, least, what) => ratio(text, ground) < least && weak.push(`${what} ${ratio(text, ground).toFixed(2)}`);
    for (const text of TEXT) for (const ground of ['paper', 'panel']) need(colours[text], colours[ground], 4.5, `${text} on ${ground}`);
    for (const ground of FULL) need(colours.on, colours[ground], 4.5, `on on ${ground}`);
    for (const ground of GRAPHICS.slice(1)) need(colours.on, colours[ground], 4.5, `text of a bar on ${ground}`);
    for (const text of GRAPHICS) need(colours[text], colours.paper, 3, `${text} on paper`);
    need(colours.pass, mix(colours.pass, colours.paper, 0.14), 4.5, 'pass on its cell');
    need(colours.ink, colours.marked, 4.5, 'ink on marked');
    check(`contrast of the ${name} palette is AA`, !weak.length, weak.join(', '));
  }
}
