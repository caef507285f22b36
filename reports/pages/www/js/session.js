// SPDX-License-Identifier: Apache-2.0
// Who uses the page.
import { change, get, url } from './api.js';

const ORDER = ['nobody', 'viewer', 'operator', 'admin'];
let who = { name: '', role: 'nobody' };

export function current() {
  return who;
}

/** May the user do what needs this role? The daemon decides; the page only leaves out what would be refused. */
export function may(role) {
  return ORDER.indexOf(who.role) >= ORDER.indexOf(role);
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
  return load();
}

export async function signOut() {
  await change('DELETE', url('session'));
  return load();
}
