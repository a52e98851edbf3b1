// The ward screen: listens, reads what changed, shows it in place, and says whether it is live.

import { ask } from './ward/actions.js';
import { showCounts, showLink, showTitle, troubleOf } from './ward/bar.js';
import { PatientCard } from './ward/card.js';
import * as clock from './ward/clock.js';
import { setMark } from './ward/dom.js';
import { isShown, showFilter, watchFilter } from './ward/filter.js';
import { arrange } from './ward/order.js';
import * as ward from './ward/patients.js';
import { Reader } from './ward/reader.js';
import { say, tellNews } from './ward/said.js';
import { Stream } from './ward/stream.js';
import { ZONE } from './ward/words.js';

const TICK_MS = 1_000;
const POLL_MS = 3_000;
const GRACE_MS = 5_000;
const LATE_MS = 10_000; // beyond the silence that the stream is allowed

const list = document.getElementById('ward');
const heading = document.getElementById('patients');
const cards = new Map();
const begun = performance.now();
let asOfMs = null;
let fault = false;
let started = false;

const reader = new Reader({
  has: (subjectId) => ward.patient(subjectId)?.snapshot,
  subjects: () => ward.patients().map(({ snapshot }) => snapshot.subjectId),
  take: (items, serverTimeMs) => {
    if (serverTimeMs) clock.heard(serverTimeMs);
    for (const item of items) guarded(() => show(item));
    arrangeAll();
  },
  lose: (subjectIds) => {
    subjectIds.forEach(ward.lose);
    if (subjectIds.length) arrangeAll();
  },
});

const stream = new Stream({
  hello: ({ serverTimeMs }) => {
    clock.heardAnew(serverTimeMs);
    readAnew();
  },
  snapshot: (change) => reader.want(change),
  heartbeat: ({ serverTimeMs }) => clock.heard(serverTimeMs),
  resync: readAnew,
  turned: () => tick(),
});

function readAnew() {
  return read(reader.everythingAnew());
}

async function read(everything) {
  const readMs = await everything;
  if (readMs !== null) {
    isAsOf(readMs);
    started = true;
  }
  tick();
}

/** While the stream is silent about them: all patients, or those that came past Redis. */
function poll() {
  if (stream.state !== 'live' || reader.failing || !reader.complete) read(reader.everything());
  else reader.wantAgain(ward.fromDatabase());
}

/** A live stream has told of everything up to its last word; what of it was read, is shown. */
function listen() {
  if (stream.state !== 'live' || !started) return;
  isAsOf(clock.at(Math.min(stream.heardAt, reader.behindSince)));
}

function isAsOf(serverMs) {
  asOfMs = Math.max(asOfMs ?? 0, serverMs);
}

function show(item) {
  const { subjectId } = item.snapshot;
  const before = ward.patient(subjectId)?.snapshot;
  if (!ward.take(item)) return;
  if (!cards.has(subjectId)) cards.set(subjectId, new PatientCard(subjectId, act));
  const card = cards.get(subjectId);
  card.show(ward.patient(subjectId));
  card.tick(clock.now());
  if (started) tellNews(before, item.snapshot);
}

function arrangeAll() {
  const all = ward.patients().sort(ward.byUrgency);
  const ids = all.map(({ snapshot }) => snapshot.subjectId);
  if (arrange(list, cards, ids, (id) => new PatientCard(id, act))) heading.focus();
  let group = null;
  for (const { snapshot } of all) {
    const { element } = cards.get(snapshot.subjectId);
    element.hidden = !isShown(snapshot);
    if (element.hidden) continue;
    setMark(element, 'first', ward.groupOf(snapshot) !== group);
    group = ward.groupOf(snapshot);
  }
  document.getElementById('nobody').hidden = !started || all.length > 0;
  showFilter(all);
}

function act(action, subjectId, thing, opener) {
  ask(action, subjectId, thing, {
    opener,
    whenGone: cards.get(subjectId)?.name ?? heading,
    done: ({ projection }) => {
      say(`Done: ${action}, ${subjectId}`);
      reader.one(subjectId, projection.version);
    },
  });
}

function tick() {
  const nowMs = clock.now();
  const all = ward.patients();
  const starting = stream.state === 'connecting' && performance.now() - begun < GRACE_MS;
  listen();
  if (nowMs !== null) for (const card of cards.values()) guarded(() => card.tick(nowMs));
  const words = troubleOf({
    fault,
    state: starting ? null : stream.state,
    failing: reader.failing,
    complete: reader.complete,
    late: asOfMs !== null && nowMs - asOfMs > stream.silenceMs + LATE_MS,
    lagging: ward.fromDatabase().length,
    of: all.length,
  });
  const live = words === '' && stream.state === 'live' && started;
  showLink(words, asOfMs, nowMs, live);
  showTitle(live, showCounts(all, nowMs));
}

/** One document that cannot be shown must not hide the others. */
function guarded(work) {
  try {
    work();
  } catch (error) {
    fault = true;
    console.error(error);
  }
}

addEventListener('error', () => { fault = true; });
addEventListener('unhandledrejection', () => { fault = true; });
document.addEventListener('visibilitychange', () => { if (!document.hidden) tick(); });
document.getElementById('zone').textContent = ZONE;

watchFilter(arrangeAll);
setInterval(() => {
  if (clock.slept()) stream.distrust();
  stream.doubt();
  guarded(tick);
}, TICK_MS);
setInterval(poll, POLL_MS);
stream.open();
