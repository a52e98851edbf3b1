// Reading snapshots: all of them, or those that changed, at most four times a second.

const PATH = 'v1/snapshots';
const A_PAGE = 200;
const NAMED = 80; // of the longest ids these still are an address that every proxy passes on
const PAUSE_MS = 250;
const AFTER_FAILURE_MS = 1_000;
const PATIENCE_MS = 10_000;
const NOTHING = { incarnation: 0, version: 0, since: Infinity };

export class Reader {
  failing = false;
  complete = true; // whether the last reading of all of them could leave nobody out
  wanted = new Map(); // subject id: the change announced, and since when it waits to be read
  timer = null;
  begun = 0;
  all = null;
  allSince = Infinity;

  /** `page` is what is shown: it takes documents, loses patients, and says what it has. */
  constructor(page) {
    this.page = page;
  }

  /** Since when there is something to be read, by `performance.now()`; Infinity if there is not. */
  get behindSince() {
    return Math.min(this.allSince, ...[...this.wanted.values()].map(({ since }) => since));
  }

  /** A change was announced; nothing is asked if it is on the page already. */
  want(change) {
    if (!isNewer(change, this.page.has(change.subjectId))) return;
    const known = this.wanted.get(change.subjectId);
    const toldAt = performance.now();
    if (isNewer(change, known)) {
      const since = Math.min(known?.since ?? toldAt, toldAt);
      this.wanted.set(change.subjectId, { ...change, toldAt, since });
    }
    this.soon(PAUSE_MS);
  }

  /** Ask for these once more, whatever version they are of. */
  wantAgain(subjectIds) {
    for (const subjectId of subjectIds) {
      if (!this.wanted.has(subjectId)) this.wanted.set(subjectId, { subjectId, ...NOTHING });
    }
    if (this.wanted.size) this.soon(PAUSE_MS);
  }

  soon(pauseMs) {
    const waited = performance.now() - this.begun;
    this.timer ??= setTimeout(() => this.some(), Math.max(0, pauseMs - waited));
  }

  async some() {
    this.begun = performance.now();
    const batch = [...this.wanted.values()].slice(0, NAMED);
    const query = new URLSearchParams(batch.map(({ subjectId }) => ['subjectId', subjectId]));
    try {
      const answer = await get(`${PATH}?${query}`);
      this.failing = false;
      this.page.take(answer.items, answer.serverTimeMs);
      batch.forEach((change) => this.settle(change, answer.items));
    } catch {
      this.failing = true;
    }
    this.timer = null;
    if (this.wanted.size) this.soon(this.failing ? AFTER_FAILURE_MS : PAUSE_MS);
  }

  /** Done with a change unless a newer one came meanwhile, or the answer was older than it. */
  settle({ subjectId }, items) {
    const wanted = this.wanted.get(subjectId);
    const known = items.some(({ snapshot }) => snapshot.subjectId === subjectId);
    if (known && isNewer(wanted, this.page.has(subjectId))) wanted.since = wanted.toldAt;
    else this.wanted.delete(subjectId);
  }

  /** Everything there is; resolves to the server's time when that was begun, null if it failed. */
  everything() {
    this.all ??= this.pages().finally(() => { this.all = null; });
    return this.all;
  }

  /** The same, begun after this moment: what is under way may have passed by a change already. */
  everythingAnew() {
    this.allSince = Math.min(this.allSince, performance.now());
    return this.all ? this.all.then(() => this.everything()) : this.everything();
  }

  async pages() {
    const begun = performance.now();
    const before = this.page.subjects();
    const found = new Set();
    let asOfMs = null;
    let complete = true;
    let cursor = null;
    try {
      do {
        const from = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const answer = await get(`${PATH}?limit=${A_PAGE}${from}`);
        asOfMs ??= answer.serverTimeMs;
        complete &&= answer.complete !== false;
        this.page.take(answer.items, answer.serverTimeMs);
        answer.items.forEach(({ snapshot }) => found.add(snapshot.subjectId));
        cursor = answer.next ?? null;
      } while (cursor !== null);
    } catch {
      this.failing = true;
      return null;
    }
    this.failing = false;
    this.complete = complete;
    if (begun >= this.allSince) this.allSince = Infinity;
    if (complete) this.page.lose(before.filter((subjectId) => !found.has(subjectId)));
    return asOfMs;
  }

  /** One patient, not older than this version; whoever cannot answer leaves it to the stream. */
  async one(subjectId, version) {
    const path = `v1/subjects/${encodeURIComponent(subjectId)}/snapshot?atLeastVersion=${version}`;
    try {
      const answer = await fetch(path, limits());
      if (!answer.ok) return;
      const source = answer.headers.get('vitalrelay-source');
      this.page.take([{ source, snapshot: await answer.json() }]);
    } catch {
      // The stream tells of this version as of any other.
    }
  }
}

/** Whether one (incarnation, version) is later than another; anything is later than nothing. */
export function isNewer(one, other) {
  return !other || (one.incarnation - other.incarnation || one.version - other.version) > 0;
}

async function get(path) {
  const answer = await fetch(path, limits());
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

function limits() {
  return { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) };
}
