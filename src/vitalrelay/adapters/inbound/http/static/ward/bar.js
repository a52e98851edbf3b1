// The bar: whether the page can be believed, as of when, how many patients of which risk.

import { h, setMark, setShape, setText, shape } from './dom.js';
import { arrange } from './order.js';
import { GROUPS, calls, groupOf } from './patients.js';
import { clockTime, span } from './words.js';

const GROUP_WORDS = {
  high: 'high',
  medium: 'medium',
  'low-medium': 'low-medium',
  low: 'low, complete',
  'low-partial': 'low, partial',
  unknown: 'unknown',
  'not-monitored': 'not monitored',
};

const CUT = {
  connecting: 'Not connected yet.',
  cut: 'The stream of changes is cut.',
  silent: 'The server has fallen silent.',
  interrupted: 'Redis is away: changes are not announced.',
};

const link = document.getElementById('link');
const trouble = document.getElementById('trouble');
const list = document.getElementById('counts');
const counts = new Map();

/** What is wrong, in words that change only when it does; empty when nothing is. */
export function troubleOf({ fault, state, failing, complete, late, lagging, of }) {
  const wrong = [];
  if (fault) wrong.push('This page has a fault of its own: reload it.');
  if (CUT[state]) wrong.push(CUT[state]);
  if (failing) wrong.push('Patients cannot be read; what is shown may be out of date.');
  else if (late) wrong.push('What is shown may be out of date.');
  else if (CUT[state]) wrong.push('Patients are read again every few seconds.');
  if (!complete) wrong.push('The database does not answer: patients may be left out.');
  if (lagging && lagging === of) wrong.push('All patients are read from the database.');
  else if (lagging) wrong.push('Some patients are read from the database, past Redis.');
  return wrong.join(' ');
}

export function showLink(words, asOfMs, nowMs, live) {
  setMark(link, 'live', live);
  setMark(document.body, 'live', live);
  setText(link.querySelector('.word'), live ? 'Live' : words ? 'Not live' : 'Connecting');
  setText(link.querySelector('.as-of'), asOfMs === null ? '' : asOf(asOfMs, nowMs));
  setText(trouble, words);
}

function asOf(ms, nowMs) {
  return `as of ${span(nowMs - ms)} ago, ${clockTime(ms, nowMs)}`;
}

export function showCounts(patients, nowMs) {
  const sizes = new Map();
  let unheard = 0;
  for (const { snapshot } of patients) {
    const group = groupOf(snapshot);
    sizes.set(group, (sizes.get(group) ?? 0) + 1);
    unheard += snapshot.alarms.filter((one) => one.priority === 'high' && calls(one, nowMs)).length;
  }
  const present = GROUPS.filter((group) => sizes.has(group));
  arrange(list, counts, present, count);
  for (const group of present) setText(counts.get(group).number, String(sizes.get(group)));
  return unheard;
}

function count(group) {
  const drawing = shape();
  setShape(drawing, group);
  const number = h('strong', '');
  const element = h('li', '', drawing, ' ', number, ` ${GROUP_WORDS[group]}`);
  element.dataset.group = group;
  return { element, number };
}

export function showTitle(live, unheard) {
  const alarms = unheard ? `(${unheard} high) ` : '';
  const title = `${live ? '' : 'NOT LIVE '}${alarms}Ward`;
  if (document.title !== title) document.title = title;
}
