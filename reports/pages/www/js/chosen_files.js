// SPDX-License-Identifier: Apache-2.0
// Of the files that were chosen, those that travel, and what must be said of the others.
import { ApiError } from './api.js';
import { holdsKey } from './private_key.js';
import { pathOf, travels, unreadable, yaml } from './upload.js';

const CASES_MAX = 4 << 20; // of a test case file: the language takes no more

/** Words of a YAML text that may be names of files; comments are none. */
function words(text) {
  return text.split('\n').flatMap((line) => line.replace(/(^|\s)#.*$/, '').split(/[\s,{}[\]"']+/)).filter(Boolean).map((word) => word.replace(/^(\.\/)+/, ''));
}

/** Which test case file names one of these paths, from wherever it was meant. */
async function whoNames(cases, paths) {
  for (const file of cases) {
    if (file.size > CASES_MAX) continue;
    for (const word of new Set(words(await file.text()))) {
      const path = paths.find((p) => p === word || p.endsWith(`/${word}`) || word.endsWith(`/${p}`));
      if (path) return { by: pathOf(file), path };
    }
  }
  return null;
}

async function look(files, still) {
  const kept = [], keys = [];
  for (const file of files.filter(travels)) {
    if (!still()) return null;
    try {
      (await holdsKey(file) ? keys : kept).push(file);
    } catch {
      throw unreadable(file);
    }
  }
  return { kept, keys };
}

/** { files, keys: paths of the private keys that stay at home, refusal: why the rest must not be submitted }; null when still() is false before the end. */
export async function sortFiles(chosen, still) {
  const found = await look(chosen, still);
  if (!found) return null;
  const keys = found.keys.map(pathOf), itself = keys.find(yaml);
  const named = keys.length && !itself ? await whoNames(found.kept.filter((file) => yaml(pathOf(file))), keys) : null;
  const advice = 'Everybody who may look at the lab can fetch the files of a job. Sign the package beforehand and name the package, or have the key installed among the fixtures of the lab and name it there.';
  const refusal = itself ? `${itself} holds a private key. ${advice}` : named && `${named.by} names ${named.path}, and that is a private key, which does not travel. ${advice}`;
  return { files: found.kept, keys, refusal: refusal || '' };
}
