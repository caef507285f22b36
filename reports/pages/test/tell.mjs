// SPDX-License-Identifier: Apache-2.0
// Lines of the test protocol.
let bad = 0;

export function check(name, condition, reason = '') {
  const text = typeof reason === 'string' ? reason : JSON.stringify(reason);
  if (condition) console.log(`ok pages: ${name}`);
  else {
    bad++;
    console.log(`not ok pages: ${name} - ${text.replace(/\s+/g, ' ').slice(0, 300)}`);
  }
  return Boolean(condition);
}

/** What throws has failed. */
export async function part(name, action) {
  try {
    await action();
  } catch (error) {
    check(name, false, error.message);
  }
}

export function failures() {
  return bad;
}
