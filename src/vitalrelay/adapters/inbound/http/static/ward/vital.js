// One vital sign: value, unit, when it was measured, how long ago, and what is wrong with it.

import { h, setMark, setText } from './dom.js';
import { clockTime, doubts, isOld, nameOf, shortNameOf, span, spoken } from './words.js';

export class VitalTile {
  constructor(code) {
    this.code = code;
    this.value = h('strong', 'value');
    this.unit = h('span', 'unit');
    this.plus = h('span', '');
    this.points = h('span', 'points', this.plus, h('span', 'unseen', ' points'));
    this.wrong = h('p', 'wrong');
    this.age = h('span', 'age');
    this.at = h('time', 'at');
    this.lastGood = h('p', 'last-good');
    this.element = h(
      'li',
      'vital',
      h('p', 'name', named(code), ' ', this.points),
      h('p', 'reading', this.value, ' ', this.unit),
      this.wrong,
      h('p', 'when', this.age, ' ', this.at),
      this.lastGood,
    );
  }

  /** `vital` undefined: it is missing. */
  show(vital, assessment) {
    this.vital = vital;
    const [value, unit] = vital ? spoken(this.code, vital) : ['missing', ''];
    setText(this.value, value);
    setText(this.unit, unit);
    const points = pointsOf(this.code, assessment);
    setText(this.plus, points ? `+${points}` : '');
    this.points.hidden = !points;
    setText(this.wrong, vital ? this.faults(vital, assessment) : '');
    setMark(this.element, 'word', typeof vital?.value !== 'number');
    setMark(this.element, 'quality', vital?.quality ?? 'missing');
    setMark(this.element, 'conflict', Boolean(vital?.conflict));
    if (vital) this.at.dateTime = new Date(vital.measuredAtMs).toISOString();
  }

  faults(vital, assessment) {
    const unscored = vital.quality === 'good' && assessment?.missing.includes(this.code);
    const conflict = vital.conflict ? 'conflict: two values for this time' : '';
    return [doubts(vital), conflict, unscored ? 'not in the score' : ''].filter(Boolean).join('; ');
  }

  tick(nowMs) {
    if (!this.vital) return;
    const { measuredAtMs, lastGood } = this.vital;
    const old = isOld(this.code, nowMs - measuredAtMs);
    const age = span(nowMs - measuredAtMs);
    setMark(this.element, 'old', old);
    setText(this.age, old ? `no data for ${age}` : `${age} ago`);
    setText(this.at, clockTime(measuredAtMs, nowMs));
    setText(this.lastGood, lastGood ? lastGoodOf(this.code, lastGood, nowMs) : '');
  }
}

/** Short for the eye, whole for the ear and the pointer. */
function named(code) {
  const [short, whole] = [shortNameOf(code), nameOf(code)];
  if (short === whole) return whole;
  const seen = h('span', '', short);
  seen.title = whole;
  seen.ariaHidden = 'true';
  return h('span', '', seen, h('span', 'unseen', whole));
}

function lastGoodOf(code, vital, nowMs) {
  const { measuredAtMs } = vital;
  const value = spoken(code, vital).filter(Boolean).join(' ');
  return `last good ${value}, ${span(nowMs - measuredAtMs)} ago, ${clockTime(measuredAtMs, nowMs)}`;
}

/** What this reading adds to the score; the component may be fed by another code than its own. */
function pointsOf(code, assessment) {
  const { components = {}, sources = {} } = assessment ?? {};
  const fed = (name) => (sources[name]?.code ?? name) === code;
  return components[Object.keys(components).find(fed)] ?? 0;
}
