// The patients as they were last told, and in which order they are looked at.

import { isNewer } from './reader.js';

const known = new Map(); // subject id: { snapshot, source }

/** Returns whether the page has to change; an older document than the one shown never does. */
export function take({ source, snapshot }) {
  const before = known.get(snapshot.subjectId);
  const newer = isNewer(snapshot, before?.snapshot);
  if (!newer && (isNewer(before.snapshot, snapshot) || before.source === source)) return false;
  known.set(snapshot.subjectId, { source, snapshot: newer ? snapshot : before.snapshot });
  return true;
}

export function lose(subjectId) {
  known.delete(subjectId);
}

export function patient(subjectId) {
  return known.get(subjectId);
}

export function patients() {
  return [...known.values()];
}

/** Read past Redis, because that is away or behind. */
export function fromDatabase() {
  return patients().filter(({ source }) => source === 'postgres').map(subjectOf);
}

function subjectOf({ snapshot }) {
  return snapshot.subjectId;
}

export const GROUPS = [
  'high', 'medium', 'low-medium', 'low', 'low-partial', 'unknown', 'not-monitored',
];

export function groupOf({ assessment, monitored }) {
  if (monitored === false) return 'not-monitored';
  const level = assessment?.riskLevel ?? 'unknown';
  if (level === 'low' && assessment.completeness !== 'complete') return 'low-partial';
  return GROUPS.includes(level) ? level : 'unknown';
}

/** Most urgent first; of those alike, whoever turned last. A packet as such moves nobody. */
export function byUrgency(one, other) {
  return (
    GROUPS.indexOf(groupOf(one.snapshot)) - GROUPS.indexOf(groupOf(other.snapshot)) ||
    turnedMs(other.snapshot) - turnedMs(one.snapshot) ||
    (one.snapshot.subjectId < other.snapshot.subjectId ? -1 : 1)
  );
}

function turnedMs({ alarms, review }) {
  return Math.max(0, review?.updatedMs ?? 0, ...alarms.map(({ sinceMs }) => sinceMs));
}

/** Not quiet: it is true or was, nobody took it, and nobody muted it. */
export function calls(alarm, nowMs) {
  return alarm.state !== 'acknowledged' && !isMuted(alarm, nowMs);
}

export function isMuted({ mutedUntilMs }, nowMs) {
  return mutedUntilMs !== null && mutedUntilMs > nowMs;
}
