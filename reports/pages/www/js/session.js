// SPDX-License-Identifier: Apache-2.0
// Who uses the page.
import { change, get, url } from './api.js';

const ORDER = ['nobody', 'viewer', 'operator', 'admin'];
// The cookie itself is not seen here; who comes without one by loopback has this name.
const WITHOUT = 'loopback', SIGNED_IN = 'hilbench-signed-in';
let who = { name: '', role: 'nobody' };

export function current() {
  return who;
}

/** May the user do what needs this role? The daemon decides; the page only leaves out what would be refused. */
export function may(role) {
  return ORDER.indexOf(who.role) >= ORDER.indexOf(role);
}

/** Whether there is a session that could be ended. */
export function signedIn() {
  return who.role !== 'nobody' && (who.name !== WITHOUT || localStorage.getItem(SIGNED_IN) === who.name);
}

export async function load() {
  try {
    who = await get(url('session'));
  } catch (error) {
    who = { name: '', role: 'nobody' };
    if (error.status !== 401) throw error;
  }
  document.dispatchEvent(new Event('session'));
  return who;
}

export async function signIn(token) {
  await change('POST', url('session'), { token });
  await load();
  localStorage.setItem(SIGNED_IN, who.name);
  return who;
}

export async function signOut() {
  await change('DELETE', url('session'));
  localStorage.removeItem(SIGNED_IN);
  return load();
}
