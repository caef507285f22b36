// SPDX-License-Identifier: Apache-2.0
// Cases of a run that is not over yet, from its journal: the daemon tells its own list when the run is done.

export class LiveCases {
  constructor() {
    this.begun = new Map();
    this.ended = new Map();
  }

  /** One event of the journal; true when a case has ended. */
  take({ kind, data = {} }) {
    if (kind === 'case.begin') this.begun.set(data.id, data);
    if (kind !== 'case.end' || data.id === undefined) return false;
    const known = this.ended.get(data.id);
    // The journal may come again from its beginning.
    const attempts = (known?.attempts || []).filter((a) => a.attempt !== data.attempt);
    const place = data.file ? { file: data.file, line: data.line || 0, column: data.column || 0 } : null;
    attempts.push({ attempt: data.attempt ?? 1, verdict: data.verdict, cause: data.cause, message: data.message, place, duration_ns: data.duration_ns, expected: data.expected, actual: data.actual });
    this.ended.set(data.id, { attempts });
    return true;
  }

  get attempts() {
    return new Map([...this.ended].map(([id, { attempts }]) => [id, attempts]));
  }

  /** What the daemon lists, and what has ended since, as it lists them. */
  with(cases = []) {
    const told = new Set(cases.map((c) => c.id));
    return [...cases, ...[...this.ended].filter(([id]) => !told.has(id)).map(([id, { attempts }]) => this.result(id, attempts))];
  }

  result(id, attempts) {
    const begun = this.begun.get(id) || {}, last = attempts.at(-1);
    return { ...last, id, title: begun.title, file: begun.file, line: begun.line, attempts: attempts.length, flaky: new Set(attempts.map((a) => a.verdict)).size > 1 };
  }
}
