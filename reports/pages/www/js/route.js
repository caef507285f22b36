// SPDX-License-Identifier: Apache-2.0
// Addresses: what stands behind the # of the page's address.

/** {path: decoded segments, query} of an address. */
export function parse(hash) {
  const [path, query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return { path: path.split('/').filter(Boolean).map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

/** Segments, the last may be an object: the query. */
export function to(...path) {
  const query = typeof path.at(-1) === 'object' ? path.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return `#/${path.map((p) => encodeURIComponent(p)).join('/')}${given.length ? `?${new URLSearchParams(given)}` : ''}`;
}

/** Remembers filters in the address without leaving the page. */
export function remember(query) {
  const { path } = parse(location.hash);
  history.replaceState(null, '', to(...path, query));
}

/** The entry of [[pattern, page]] that fits: {page, parameters}; {name} is one segment, {name*} the rest. */
export function match(routes, path) {
  for (const [pattern, page] of routes) {
    const parameters = fit(pattern.split('/').filter(Boolean), path);
    if (parameters) return { page, parameters };
  }
  return null;
}

function fit(parts, path) {
  const parameters = {};
  for (const [i, part] of parts.entries()) {
    const name = /^\{(\w+)(\*?)\}$/.exec(part);
    if (path[i] === undefined) return null;
    if (name && name[2]) return { ...parameters, [name[1]]: path.slice(i).join('/') };
    if (name) parameters[name[1]] = path[i];
    else if (part !== path[i]) return null;
  }
  return parts.length === path.length ? parameters : null;
}
