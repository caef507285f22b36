// SPDX-License-Identifier: Apache-2.0
// Hands on the timeline: wheel, pointers, keys.

const KEYS = {
  '+': (t) => t.zoom(0.6), '=': (t) => t.zoom(0.6), '-': (t) => t.zoom(1 / 0.6), ArrowLeft: (t, e) => (e.shiftKey ? t.step(-1) : t.pan(-80)), ArrowRight: (t, e) => (e.shiftKey ? t.step(1) : t.pan(80)),
  ArrowUp: (t) => t.lane(-1), ArrowDown: (t) => t.lane(1), Home: (t) => t.all(), 0: (t) => t.all(), Enter: (t) => t.zoomToSelected(), Escape: (t) => t.select(null), ',': (t) => t.step(-1), '.': (t) => t.step(1),
};

function at(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** t: zoom(factor, x), pan(pixels), range(x, x) while selecting, choose(x, x), hover(x, y), pick(x, y), all(), step(±1), lane(±1), … */
export function listen(canvas, t) {
  const pointers = new Map();
  let moved = 0, selecting = null;
  const pinch = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a[0] + b[0]) / 2, apart: Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 10) };
  };
  canvas.addEventListener('keydown', (event) => {
    const action = event.ctrlKey || event.altKey || event.metaKey ? null : KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action(t, event);
  });
  // Without the focus the wheel scrolls the page, as everywhere else.
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) t.pan(event.deltaX);
    else t.zoom(1.0015 ** event.deltaY, at(canvas, event)[0]);
  }, { passive: false });
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(canvas, event));
    moved = 0;
    selecting = pointers.size === 1 && (event.shiftKey || t.selects()) ? at(canvas, event)[0] : null;
    canvas.classList.toggle('selecting', selecting !== null);
  });
  canvas.addEventListener('pointermove', (event) => {
    const point = at(canvas, event), before = pointers.get(event.pointerId);
    if (!before) return t.hover(...point);
    const old = pointers.size === 2 ? pinch() : null;
    pointers.set(event.pointerId, point);
    moved += Math.abs(point[0] - before[0]) + Math.abs(point[1] - before[1]);
    if (old) {
      const now = pinch();
      t.pan(old.x - now.x);
      return t.zoom(old.apart / now.apart, now.x);
    }
    if (selecting !== null) return t.range(selecting, point[0]);
    canvas.classList.add('dragging');
    return t.pan(before[0] - point[0]);
  });
  const up = (event) => {
    const point = pointers.get(event.pointerId);
    if (!pointers.delete(event.pointerId)) return;
    canvas.classList.remove('dragging', 'selecting');
    if (selecting !== null) t.choose(selecting, point[0]);
    else if (moved < 5 && event.type === 'pointerup') t.pick(...point);
    selecting = null;
  };
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, up);
  canvas.addEventListener('pointerleave', () => t.hover(-1, -1));
}
