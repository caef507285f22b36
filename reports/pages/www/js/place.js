// SPDX-License-Identifier: Apache-2.0
// Places in test files, as links to the file that was submitted.
import { link } from './element.js';
import { to } from './route.js';

/** {file, line, column} of "file:line:column" or of such an object; null when it is none. */
export function parsePlace(place) {
  if (!place) return null;
  if (typeof place === 'object') return place.file ? place : null;
  const found = /^(.*?):(\d+)(?::(\d+))?$/.exec(place);
  return found ? { file: found[1], line: Number(found[2]), column: Number(found[3] || 0) } : { file: place, line: 0 };
}

/** Where a case points to: the place of its verdict, else its own. */
export function placeOf(result) {
  return parsePlace(result.place) || (result.file ? { file: result.file, line: result.line } : null);
}

/** The submitted path that a file named by the runner is: it may have been told with directories before it. */
export function submitted(files, file) {
  const paths = (files || []).map((f) => f.path);
  return paths.find((p) => p === file) || paths.find((p) => file.endsWith(`/${p}`)) || null;
}

export function placeLink(job, place) {
  if (!place) return null;
  const text = `${place.file}${place.line ? `:${place.line}` : ''}`;
  const path = submitted(job?.files, place.file);
  if (!path) return text;
  return link(`${to('jobs', job.id, 'files')}/${path.split('/').map(encodeURIComponent).join('/')}${place.line ? `?line=${place.line}` : ''}`, text, { class: 'mono' });
}
