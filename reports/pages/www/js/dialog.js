// SPDX-License-Identifier: Apache-2.0
// Questions.
import { h } from './element.js';

/** fields: [{name, label, value, type, options, required, hint}]; of a checkbox the answer is 'on' or absent. The answers, or null when it was closed. */
export function ask(title, text, fields, verb) {
  const input = (f) => (f.options
    ? h('select', { name: f.name }, f.options.map((o) => h('option', { value: o, selected: o === f.value }, o)))
    : h('input', { name: f.name, type: f.type || 'text', value: f.value || '', required: f.required, autocomplete: 'off' }));
  const field = (f) => (f.type === 'checkbox' ? h('label', { class: 'check' }, h('input', { type: 'checkbox', name: f.name }), h('span', null, f.label, f.hint && h('span', { class: 'sub' }, f.hint)))
    : h('label', null, h('span', { class: 'label' }, f.label), input(f)));
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const form = h('form', { method: 'dialog' }, h('h2', { id }, title), text && h('p', null, text),
    fields.length > 0 && h('div', { class: 'fields' }, fields.map(field)),
    h('div', { class: 'bar' }, h('button', { class: 'primary', value: 'yes' }, verb),
      h('button', { value: 'no', formnovalidate: true }, 'Cancel')));
  const dialog = h('dialog', { 'aria-labelledby': id }, form);
  document.body.append(dialog);
  const before = document.activeElement;
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      const answers = dialog.returnValue === 'yes' ? Object.fromEntries(new FormData(form)) : null;
      dialog.remove();
      before?.focus?.();
      resolve(answers);
    });
    dialog.showModal();
  });
}
