// SPDX-License-Identifier: Apache-2.0
// Whether a file holds a private key: it stays at home, for everybody who may look at the lab can fetch the files of a job. The rule of
// harness/base/private_key.c; the daemon refuses what gets past it here.

const PORTION = 4 << 20, OVERLAP = 63, FIRST = 40;
const TEXT = /PRIVATE KEY-----[ \t]{0,8}(?:\r\n|\n|\r|\\r\\n|\\n)[ \t]{0,32}[A-Za-z0-9+/]/;
const INTEGER = 0x02, OCTET_STRING = 0x04, OID = 0x06, SEQUENCE = 0x30, SCALAR_MIN = 16;
const ENCRYPTED = [[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05], [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01]]; // PKCS#5, PKCS#12

/** The head of a DER element at `at`: where its contents begin, their length; null: another tag, or no DER. */
function element(bytes, at, tag) {
  if (bytes.length - at < 2 || bytes[at] !== tag) return null;
  const first = bytes[at + 1], more = first & 0x80 ? first & 0x7f : 0;
  if (more > 4 || first === 0x80 || bytes.length - at < 2 + more) return null;
  return { at: at + 2 + more, length: more ? bytes.subarray(at + 2, at + 2 + more).reduce((sum, b) => sum * 256 + b, 0) : first };
}

/** first: the first bytes of a file of this size. */
function isDer(first, size) {
  const whole = element(first, 0, SEQUENCE);
  if (!whole || whole.at + whole.length !== size) return false;
  const algorithm = element(first, whole.at, SEQUENCE), name = algorithm && element(first, algorithm.at, OID);
  if (name && ENCRYPTED.some((oid) => oid.every((byte, i) => first[name.at + i] === byte))) return true;
  const version = element(first, whole.at, INTEGER);
  if (version?.length !== 1) return false;
  const number = first[version.at], next = version.at + 1;
  if (number === 0 && first[next] === INTEGER) return true;
  const scalar = number === 1 && element(first, next, OCTET_STRING);
  if (scalar) return scalar.length >= SCALAR_MIN;
  const inner = element(first, next, SEQUENCE);
  return [0, 1, 3].includes(number) && inner !== null && first[inner.at] === OID;
}

/** file: a Blob. Rejects when it cannot be read. */
export async function holdsKey(file) {
  if (isDer(new Uint8Array(await file.slice(0, FIRST).arrayBuffer()), file.size)) return true;
  for (let at = 0; at < file.size; at += PORTION) {
    const bytes = await file.slice(Math.max(at - OVERLAP, 0), at + PORTION).arrayBuffer();
    if (TEXT.test(new TextDecoder('latin1').decode(bytes))) return true;
  }
  return false;
}
