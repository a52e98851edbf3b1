// What is said aloud: new high alarms, once each, a few at a time.

import { conditionOf } from './words.js';

const PAUSE_MS = 5_000;
const NOT_AGAIN_MS = 60_000;
const NAMED = 3;

const region = document.getElementById('said');
const saidAt = new Map(); // alarm id: when
let waiting = [];
let timer = null;

/** Of one patient, before and after; nothing is news on a page that was just opened. */
export function tellNews(before, after) {
  const active = new Set((before?.alarms ?? []).filter(isHigh).map(({ alarmId }) => alarmId));
  for (const alarm of after.alarms.filter(isHigh)) {
    const last = saidAt.get(alarm.alarmId) ?? -Infinity;
    if (active.has(alarm.alarmId) || performance.now() - last < NOT_AGAIN_MS) continue;
    saidAt.set(alarm.alarmId, performance.now());
    waiting.push(`${after.subjectId}, ${conditionOf(alarm.condition)}`);
  }
  if (waiting.length) timer ??= setTimeout(speak, 0);
}

export function say(text) {
  region.textContent = text;
}

function speak() {
  const named = waiting.slice(0, NAMED).join('; ');
  const more = waiting.length > NAMED ? `; and ${waiting.length - NAMED} more` : '';
  if (waiting.length) say(`New high alarm: ${named}${more}`);
  timer = waiting.length ? setTimeout(speak, PAUSE_MS) : null;
  waiting = [];
}

function isHigh({ priority, state }) {
  return priority === 'high' && state === 'active';
}
