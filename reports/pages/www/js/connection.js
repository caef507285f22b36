// SPDX-License-Identifier: Apache-2.0
// The line at the top that says when the page is not live.

const TEXTS = {
  lost: () => 'No live connection to the daemon. Trying again…',
  dropped: (reason) => `The daemon dropped this page's live connection${reason ? `: ${reason}` : ''}. Trying again…`,
  refused: (error) => `No live updates: ${error?.message || 'refused'}`,
};
let last = '';

/** name as Stream tells it. */
export function show(name, detail) {
  const bar = document.getElementById('connection');
  // The end of a dropped connection is no news.
  if (name === 'lost' && last === 'dropped') return;
  last = name;
  const text = TEXTS[name]?.(detail) || '';
  bar.textContent = text;
  bar.hidden = !text;
}
