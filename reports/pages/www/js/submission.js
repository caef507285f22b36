// SPDX-License-Identifier: Apache-2.0
// What the form says, as the daemon wants it.

export function words(text) {
  return (text || '').split(/[\s,]+/).filter(Boolean);
}

const lines = (text) => (text || '').split('\n').map((line) => line.trim()).filter(Boolean);

function number(text) {
  const value = Number(text);
  return text === '' || text === null || text === undefined || !Number.isFinite(value) ? undefined : value;
}

/** 16 random bytes: the same form sent twice is one job. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/** Folders and files of which the job shall run the cases: the top folder where one was chosen, else every YAML file. */
export function pathsOf(paths) {
  return [...new Set(paths.map((path) => path.split('/')[0]))];
}

/** form: FormData entries. Keys without a value are left out. */
export function submission(form, key) {
  const [where, name] = form.where === '' ? [] : form.where.split(/:(.*)/s);
  const options = { tags: words(form.tags), cases: words(form.cases), params: lines(form.params), repeat: number(form.repeat), retry: number(form.retry),
    seed: number(form.seed), stop_at_failure: form.stop_at_failure === 'on' || undefined };
  const body = { title: form.title.trim(), series: form.series.trim(), key, [where || 'rig']: name, requires: words(form.requires), priority: number(form.priority),
    spread: number(form.spread), paths: lines(form.paths), time_limit: form.time_limit.trim(), retries: number(form.retries), options: clean(options) };
  return clean(body);
}

function clean(object) {
  return Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined && v !== '' && !(Array.isArray(v) && !v.length)));
}
