// SPDX-License-Identifier: Apache-2.0
// The form that submits a job.
import { change, get, url } from './api.js';
import { sortFiles } from './chosen_files.js';
import { h, swap } from './element.js';
import { failAt, failsItself, fieldOf, namedBy, wellAgain } from './field.js';
import { several, size } from './format.js';
import { to } from './route.js';
import { newKey, pathsOf, submission } from './submission.js';
import { pathOf, upload, yaml } from './upload.js';

function field(label, name, properties = {}) {
  return fieldOf(label, h('input', { name, autocomplete: 'off', ...properties }));
}

function destinations(rigs) {
  const pools = [...new Set(rigs.map((rig) => rig.pool).filter(Boolean))];
  return h('label', null, h('span', { class: 'label' }, 'Where'), h('select', { name: 'where' }, h('option', { value: '' }, 'any rig that fits'),
    pools.map((pool) => h('option', { value: `pool:${pool}` }, `pool ${pool}`)), rigs.map((rig) => h('option', { value: `rig:${rig.name}` }, `rig ${rig.name}`))));
}

function optionFields() {
  return [
    h('details', { 'data-key': 'options' }, h('summary', null, 'Which cases and how'), h('div', { class: 'fields' },
      field('Tags (!slow leaves out)', 'tags'), field('Cases (boot.*)', 'cases'), fieldOf('Parameters (zgw:fault=x), one a line', h('textarea', { name: 'params', rows: 2 })),
      field('Repeat', 'repeat', { type: 'number', min: 1 }), field('Further attempts at a case that the bench broke', 'retry', { type: 'number', min: 0 }), field('Seed', 'seed', { type: 'number', min: 0 }),
      h('label', null, h('input', { type: 'checkbox', name: 'stop_at_failure' }), ' Stop at the first failure'))),
    h('details', { 'data-key': 'limits' }, h('summary', null, 'Queue and limits'), h('div', { class: 'fields' },
      field('Needs (can-fd, probe)', 'requires'), field('Priority (−100 to 100)', 'priority', { type: 'number', min: -100, max: 100 }),
      field('Spread over at most so many rigs', 'spread', { type: 'number', min: 1, max: 16 }), field('Time limit (2h)', 'time_limit'),
      field('Further runs when the bench fails', 'retries', { type: 'number', min: 0 }))),
  ];
}

function placed(error) {
  const { place } = error;
  return place?.file ? `${place.file}:${place.line ?? ''}${place.column ? `:${place.column}` : ''}: ${error.message}` : error.message;
}

function listed(names) {
  return `${names.slice(0, 6).join(', ')}${names.length > 6 ? `, … (${names.length})` : ''}`;
}

/** What travels and what does not, before it is submitted. */
function choice({ files, keys }) {
  const sum = size(files.reduce((bytes, file) => bytes + file.size, 0));
  return [h('span', null, files.length ? `${several(files.length, 'file')}, ${sum}: ${listed(files.map(pathOf))}` : 'No file is chosen.'),
    keys.length > 0 && h('b', { class: 'left-out' }, ` Left out, for private keys do not travel: ${listed(keys)}`)];
}

export async function submitPage(view) {
  view.title('Submit a job');
  const { rigs } = await get(url('rigs'), view.signal);
  let files = [], refusal = '', key = newKey();
  const chosen = h('p', { class: 'soft', 'aria-live': 'polite' }, 'No file is chosen.');
  const paths = h('textarea', { name: 'paths', rows: 3 });
  const bar = h('progress', { 'aria-label': 'Upload', hidden: true });
  const problem = h('div', { role: 'alert' });
  const submit = h('button', { class: 'primary' }, 'Submit');
  let looking = null;
  const take = async (input) => {
    const own = looking;
    try {
      const sorted = await sortFiles([...input.files], () => own === looking);
      if (own !== looking || !sorted) return;
      ({ files, refusal } = sorted);
      const names = files.map(pathOf);
      paths.value = pathsOf(names.some((n) => n.includes('/')) ? names : names.filter(yaml)).join('\n');
      swap(chosen, choice(sorted));
      if (refusal) failAt(input, refusal);
    } catch (error) {
      if (own !== looking) return;
      refusal = error.message;
      swap(chosen, 'No file is chosen.');
      failAt(input, refusal);
    }
  };
  const choose = (event) => {
    for (const input of inputs) if (input !== event.target) input.value = '';
    for (const input of [...inputs, paths]) wellAgain(form, input);
    paths.value = '';
    files = [];
    key = newKey();
    refusal = '';
    swap(chosen, 'Looking at the files…');
    looking = {};
    looking.end = take(event.target);
  };
  const inputs = [h('input', { type: 'file', multiple: true, onchange: choose, id: 'files' }), h('input', { type: 'file', webkitdirectory: true, onchange: choose, id: 'folder' })];
  const form = h('form', { novalidate: true, onchange: (event) => { if (event.target.type !== 'file') key = newKey(); },
    // While it is typed, not when it is left: else the button moves away from under the pointer.
    oninput: (event) => wellAgain(form, event.target) });
  // What is missing or wrong here, before anything is sent.
  const lacks = () => {
    if (refusal) failAt(inputs.find((input) => input.files.length) || inputs[0], refusal);
    else if (!files.length) failAt(inputs[0], 'Choose the YAML files here, or a folder beside.');
    else if (!paths.value.trim()) failAt(paths, 'Name at least one file or folder of those that you chose.');
    else return failsItself(form);
    return true;
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    swap(problem);
    wellAgain(form);
    await looking?.end;
    if (submit.disabled || lacks()) return;
    submit.disabled = true;
    bar.hidden = false;
    try {
      const list = await upload(files, (done, of) => { bar.max = of; bar.value = done; });
      const job = await change('POST', url('jobs'), { ...submission(Object.fromEntries(new FormData(form)), key), files: list });
      location.hash = to('jobs', job.id);
    } catch (error) {
      const control = error.status === 400 && !error.place && namedBy(form, error.message);
      if (control) failAt(control, error.message);
      else swap(problem, h('p', { class: 'notice bad' }, placed(error)));
    } finally {
      submit.disabled = false;
      bar.hidden = true;
    }
  });
  form.append(
    h('fieldset', null, h('legend', null, 'Test files'), h('div', { class: 'fields' },
      fieldOf('YAML files (with what they name)', inputs[0]), fieldOf('or a whole folder', inputs[1])), chosen,
    h('div', { class: 'fields' }, fieldOf('Run these, one a line', paths))),
    h('fieldset', null, h('legend', null, 'The job'), h('div', { class: 'fields' }, field('Title', 'title', { maxlength: 200 }),
      field('Series (nights of one name are compared)', 'series', { maxlength: 64 }), destinations(rigs)), optionFields()),
    problem, bar, h('div', { class: 'bar' }, submit));
  view.show(h('h1', null, 'Submit a job'), h('p', { class: 'soft' }, 'The files travel with the job: a later edit does not change it. Everybody who may look at the lab can fetch them; private keys are left out.'), form);
}
