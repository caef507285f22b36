// SPDX-License-Identifier: Apache-2.0
// Requests to the daemon.

export class ApiError extends Error {
  /** status 0: the daemon did not answer. */
  constructor(status, code, message, place) {
    super(message);
    Object.assign(this, { status, code, place });
  }
}

export const BASE = '/api/v1';

/** `path`...: segments, percent-encoded; the last may be an object, the query. */
export function url(...path) {
  const query = typeof path.at(-1) === 'object' ? path.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return [BASE, ...path.map((p) => encodeURIComponent(p))].join('/') + (given.length ? `?${new URLSearchParams(given)}` : '');
}

export async function problem(response) {
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch {
    // An answer that is not the daemon's own: the status must do.
  }
  return new ApiError(response.status, error.code || '', error.message || `The daemon answered ${response.status} ${response.statusText}.`, error.place);
}

export async function send(address, options = {}) {
  let response;
  try {
    response = await fetch(address, { credentials: 'same-origin', cache: 'no-cache', ...options });
  } catch (reason) {
    if (reason.name === 'AbortError') throw reason;
    throw new ApiError(0, 'unreachable', 'The daemon does not answer.');
  }
  if (!response.ok) throw await problem(response);
  return response;
}

export async function get(address, signal) {
  return (await send(address, { signal, headers: { Accept: 'application/json' } })).json();
}

/** A request that changes something; null when the answer has no content. */
export async function change(method, address, body) {
  const response = await send(address, { method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' } });
  const text = await response.text();
  return text.startsWith('{') ? JSON.parse(text) : null;
}
