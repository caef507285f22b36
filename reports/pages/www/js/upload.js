// SPDX-License-Identifier: Apache-2.0
// Files that travel with a job: by digest, and only those that the daemon has not got.
import { ApiError, send, url } from './api.js';
import { sha256 } from './sha256.js';

/** Where the job sees a file. */
export function pathOf(file) {
  return file.webkitRelativePath || file.name;
}

export function yaml(path) {
  return /\.ya?ml$/i.test(path);
}

/** Files of a folder that are somebody's own (.git, editors' swap files) stay at home. */
export function travels(file) {
  return !pathOf(file).split('/').some((part) => part.startsWith('.'));
}

export function unreadable(file) {
  return new ApiError(undefined, 'unreadable', `${pathOf(file)} cannot be read any more. Choose it again.`);
}

/** What the daemon has against the bytes, with the file's name, which it does not know. */
async function put(file, digest, body) {
  try {
    await send(url('blobs', digest), { method: 'PUT', body, headers: { 'Content-Type': 'application/octet-stream' } });
  } catch (error) {
    if (error.status === 400 || error.status === 413) error.message = `${pathOf(file)}: ${error.message}`;
    throw error;
  }
}

async function known(digest) {
  try {
    await send(url('blobs', digest), { method: 'HEAD' });
    return true;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

/** The `files` of a submission; told(done, of) after each. */
export async function upload(files, told) {
  const list = [], sent = new Set();
  for (const [i, file] of files.entries()) {
    let bytes;
    try {
      bytes = await file.arrayBuffer();
    } catch {
      throw unreadable(file);
    }
    const digest = await sha256(bytes);
    if (!sent.has(digest) && !await known(digest))
      await put(file, digest, bytes);
    sent.add(digest);
    list.push({ path: pathOf(file), sha256: digest });
    told(i + 1, files.length);
  }
  return list;
}
