// SPDX-License-Identifier: Apache-2.0
// Lanes as rows: items that overlap are put below each other.

const ROWS = 4;

/** True of what has no length. */
export function instant(item) {
  return !(item.end > item.t);
}

function packed(items) {
  const ends = [];
  let rows = 1;
  const placed = items.map((item) => {
    if (instant(item)) return { item, row: 0 };
    let row = ends.findIndex((end) => end <= item.t);
    if (row < 0) row = ends.length < ROWS ? ends.length : ROWS - 1;
    ends[row] = Math.max(ends[row] ?? 0, item.end);
    rows = Math.max(rows, row + 1);
    return { item, row };
  });
  return { placed, rows };
}

/** [{name, kind, placed: [{item, row}], rows, top}] and the number of all rows; `top` counts rows. */
export function layout(lanes) {
  let top = 0;
  const shown = lanes.filter((lane) => lane.items?.length).map((lane) => {
    const { placed, rows } = packed([...lane.items].sort((a, b) => a.t - b.t));
    const at = { name: lane.name, kind: lane.kind, placed, rows, top };
    top += rows;
    return at;
  });
  return { lanes: shown, rows: top };
}
