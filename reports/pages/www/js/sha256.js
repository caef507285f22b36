// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for pages that are not a secure context and so have no WebCrypto.

const FIRST = [2, 3, 5, 7, 11, 13, 17, 19];
const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) >>> 0;

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p)) found.push(n);
  return found;
}

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes; and of the square roots of the first 8 (4.2.2, 5.3.3).
const K = Uint32Array.from(primes(64), (p) => fraction(Math.cbrt(p)));
const H = Uint32Array.from(FIRST, (p) => fraction(Math.sqrt(p)));
const rotate = (x, n) => (x >>> n) | (x << (32 - n));

function block(state, view, offset, w) {
  for (let t = 0; t < 16; t++) w[t] = view.getUint32(offset + t * 4);
  for (let t = 16; t < 64; t++) {
    const a = w[t - 15], b = w[t - 2];
    w[t] = w[t - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)) + w[t - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const first = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
    const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
}

function hex(bytes) {
  return [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/** Of an ArrayBuffer, in this thread. */
export function sha256InPage(buffer) {
  const whole = buffer.byteLength - (buffer.byteLength % 64);
  const tail = new Uint8Array(buffer.byteLength % 64 < 56 ? 64 : 128);
  tail.set(new Uint8Array(buffer, whole));
  tail[buffer.byteLength - whole] = 0x80;
  const last = new DataView(tail.buffer);
  last.setUint32(tail.length - 8, Math.floor(buffer.byteLength / 2 ** 29));
  last.setUint32(tail.length - 4, (buffer.byteLength << 3) >>> 0);
  const state = H.slice(), w = new Uint32Array(64), view = new DataView(buffer);
  for (let offset = 0; offset < whole; offset += 64) block(state, view, offset, w);
  for (let offset = 0; offset < tail.length; offset += 64) block(state, last, offset, w);
  const result = new DataView(new ArrayBuffer(32));
  state.forEach((value, i) => result.setUint32(i * 4, value));
  return hex(new Uint8Array(result.buffer));
}

/** Of an ArrayBuffer, lower-case hex. */
export async function sha256(buffer) {
  if (globalThis.crypto?.subtle) return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', buffer)));
  return sha256InPage(buffer);
}
