// SPDX-License-Identifier: Apache-2.0
// Fields of forms, and what is wrong with them: said beside the field, which gets the focus.
import { h } from './element.js';

let number = 0;

/** A control with its label and a place for its error. */
export function fieldOf(label, control) {
  const id = `error-${++number}`;
  control.dataset.error = id;
  return h('div', { class: 'field' }, h('label', null, h('span', { class: 'label' }, label), control), h('p', { class: 'wrong', id, role: 'alert' }));
}

function place(control) {
  return document.getElementById(control.dataset.error);
}

export function failAt(control, text) {
  const details = control.closest('details');
  if (details) details.open = true;
  place(control).textContent = text;
  control.setAttribute('aria-invalid', 'true');
  control.setAttribute('aria-describedby', control.dataset.error);
  control.focus();
}

/** Nothing is wrong any more: with all of a form, or with one control. */
export function wellAgain(form, one = null) {
  for (const control of one ? [one] : form.querySelectorAll('[data-error]')) {
    if (!control.dataset.error) continue;
    place(control).textContent = '';
    control.removeAttribute('aria-invalid');
    control.removeAttribute('aria-describedby');
  }
}

/** Says what the browser finds wrong with the first field; false when all is well. */
export function failsItself(form) {
  const control = [...form.elements].find((c) => c.dataset.error && c.willValidate && !c.checkValidity());
  if (control) failAt(control, control.validationMessage);
  return Boolean(control);
}

/** The control of the name that a message of the daemon has in quotation marks. */
export function namedBy(form, message) {
  const names = [...message.matchAll(/"(?:options\.)?(\w+)"/g)].map((m) => m[1]);
  return names.map((name) => form.elements[name]).find((control) => control?.dataset?.error) || null;
}
