// SPDX-License-Identifier: Apache-2.0
// What happens in the lab, for every page: one stream, many listeners.
import { url } from './api.js';
import { Stream } from './stream.js';
import * as connection from './connection.js';

const listeners = new Set();
let stream = null;

function deliver(kind, data) {
  for (const listener of [...listeners]) listener(kind, data);
}

function take({ event, data }) {
  try {
    deliver(event, JSON.parse(data));
  } catch {
    // One event that cannot be read must not end the others.
  }
}

function state(name, detail) {
  connection.show(name, detail);
  if (name === 'again') deliver('again', null);
}

/** listener(kind, data): `job`, `run`, `rig`, `queue`, and `again` when events may have been missed. Returns what ends it. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Opens the stream; again after the user became somebody else. */
export function start() {
  stream?.close();
  stream = new Stream(url('events'), take, state);
}
