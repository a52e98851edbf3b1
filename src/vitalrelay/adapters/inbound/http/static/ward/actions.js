// What a person does: one alarm or review item at a time, in their name, for a reason.

import { conditionOf } from './words.js';

const PATIENCE_MS = 10_000;
const NAME = 'vitalrelay.actor';
const dialog = document.getElementById('act');
const form = dialog.querySelector('form');
const part = (name) => document.getElementById(`act-${name}`);
const { actor, words, minutes } = form.elements;

const ACTIONS = {
  acknowledge: {
    title: 'Acknowledge alarm',
    words: 'Reason',
    about: (subject, alarm) =>
      `${conditionOf(alarm.condition)} of ${subject}: seen, and acting on it.`,
    path: (alarm) => `v1/alarms/${encodeURIComponent(alarm.alarmId)}/acknowledge`,
    body: (filled) => ({ actorRef: filled.actor, reason: filled.words }),
  },
  mute: {
    title: 'Mute alarm',
    words: 'Reason',
    about: (subject, alarm) =>
      `${conditionOf(alarm.condition)} of ${subject}: quiet for a while. ` +
      'It stays in sight, and is not acknowledged by this.',
    path: (alarm) => `v1/alarms/${encodeURIComponent(alarm.alarmId)}/mute`,
    body: (filled) => ({
      actorRef: filled.actor, reason: filled.words, durationSeconds: filled.minutes * 60,
    }),
  },
  resolve: {
    title: 'Resolve review',
    words: 'What was done',
    about: (subject) => `Review of ${subject}: looked at, and dealt with.`,
    path: (review) => `v1/review-queue/${encodeURIComponent(review.reviewItemId)}/resolve`,
    body: (filled) => ({ actorRef: filled.actor, note: filled.words }),
  },
};

let now = null; // what is being asked: { action, path, opener, whenGone, done, … }

/** `whenGone` gets the focus should the button be gone; `done` gets the answer. */
export function ask(action, subjectId, thing, { opener, whenGone, done }) {
  const kind = ACTIONS[action];
  now = { action, path: kind.path(thing), opener, whenGone, done, clientTimeMs: Date.now() };
  part('title').textContent = kind.title;
  part('do').textContent = kind.title.split(' ')[0];
  part('words').textContent = kind.words;
  part('about').textContent = kind.about(subjectId, thing);
  part('problem').textContent = '';
  part('time').hidden = minutes.disabled = action !== 'mute';
  actor.value = sessionStorage.getItem(NAME) ?? '';
  words.value = '';
  waiting(false);
  dialog.showModal();
  (actor.value ? words : actor).focus();
}

export function openedBy(button) {
  return dialog.open && now.opener === button;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  if (part('do').ariaDisabled === 'true') return;
  const asked = now;
  sessionStorage.setItem(NAME, actor.value);
  waiting(true);
  const problem = await send(asked);
  if (asked !== now || !dialog.open) return;
  waiting(false);
  part('problem').textContent = problem;
  if (!problem) dialog.close();
});
part('not').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => {
  const { opener, whenGone } = now;
  const there = opener.isConnected && !opener.hidden && opener.checkVisibility();
  (there ? opener : whenGone).focus();
});

/** Resolves to what went wrong, empty if nothing did. */
async function send(asked) {
  const filled = { actor: actor.value, words: words.value, minutes: Number(minutes.value) };
  const said = ACTIONS[asked.action].body(filled);
  const body = JSON.stringify({ ...said, clientTimeMs: asked.clientTimeMs });
  if (asked.said !== body) Object.assign(asked, { said: body, key: freshKey() });
  try {
    const answer = await fetch(asked.path, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': asked.key },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) return inWords(await answer.json());
    asked.done(await answer.json());
    return '';
  } catch {
    return 'No answer: it may have been done or not. Try again; it will not be done twice.';
  }
}

function inWords({ title, detail, state, errors = [] }) {
  const more = state ? `it is ${state.replaceAll('_', ' ')}` : detail;
  const faults = errors.map(({ pointer, reason }) => `${pointer} ${reason}`);
  return [title, more, ...faults].filter(Boolean).join(': ');
}

function waiting(yes) {
  part('do').ariaDisabled = String(yes);
}

/** The same for a repetition; without a secure context browsers have no randomUUID. */
function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
