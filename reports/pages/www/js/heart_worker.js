// SPDX-License-Identifier: Apache-2.0
// Heartbeats of the locks of one page. A worker, because browsers slow down the timers of a page that is hidden.

const LEAST_ANSWER_MS = 4000;
const beating = new Map();

async function beat({ id, address, secret, every_ms }) {
  let status = 0, message = 'The daemon does not answer.';
  try {
    const response = await fetch(address, { method: 'POST', credentials: 'same-origin', cache: 'no-store', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ secret }),
      signal: AbortSignal.timeout(Math.max(LEAST_ANSWER_MS, 2 * every_ms)) });
    ({ status } = response);
    const answer = await response.json().catch(() => null);
    message = response.ok ? '' : answer?.error?.message || `The daemon answered ${status}.`;
  } catch {
    // Nobody answered: the next one may get through.
  }
  if (beating.has(id)) postMessage({ id, status, message });
}

onmessage = ({ data: { keep, leave } }) => {
  if (leave) {
    clearInterval(beating.get(leave));
    beating.delete(leave);
  }
  if (!keep || beating.has(keep.id)) return;
  beating.set(keep.id, setInterval(() => beat(keep), keep.every_ms));
  beat(keep);
};
