// One patient: who, how urgent, what is known and how old that is, and the alarms.

import { AlarmLine } from './alarm.js';
import { h, setMark, setShape, setText, shape } from './dom.js';
import { arrange } from './order.js';
import { groupOf } from './patients.js';
import { VitalTile } from './vital.js';
import { SCORED, clockTime, inOrder, isSilent, nameOf, riskOf, span } from './words.js';

export class PatientCard {
  /** `act(action, subjectId, thing, button)` is what the buttons do. */
  constructor(subjectId, act) {
    this.subjectId = subjectId;
    this.act = act;
    this.vitals = new Map();
    this.alarms = new Map();
    this.shape = shape();
    for (const name of ['place', 'score', 'missing', 'seen', 'monitored', 'source', 'reviewed']) {
      this[name] = h('p', name);
    }
    this.risk = h('span', 'level');
    this.name = h('h3', '', subjectId);
    this.name.tabIndex = -1;
    this.resolve = this.resolveButton();
    this.vitalList = h('ul', 'vitals');
    this.vitalList.ariaLabel = `Vital signs of ${subjectId}`;
    this.alarmList = h('ul', 'alarms');
    this.alarmList.ariaLabel = `Alarms of ${subjectId}`;
    this.element = this.laidOut();
    this.element.dataset.subject = subjectId;
  }

  laidOut() {
    const whom = h('div', 'whom', this.name, this.place, this.seen, this.monitored, this.source);
    const risk = h('p', 'risk', this.shape, ' ', this.risk);
    const review = h('div', 'review', this.reviewed, this.resolve);
    const howUrgent = h('div', 'how-urgent', risk, this.score, this.missing, review);
    const who = h('div', 'who', whom, howUrgent);
    const article = h('article', '', who, this.vitalList, this.alarmList);
    article.ariaLabel = this.subjectId;
    return h('li', 'patient', article);
  }

  resolveButton() {
    const about = h('span', 'unseen', ` review of ${this.subjectId}`);
    const button = h('button', '', 'Resolve', about);
    button.type = 'button';
    button.addEventListener('click', () => {
      this.act('resolve', this.subjectId, this.snapshot.review, button);
    });
    return button;
  }

  show({ snapshot, source }) {
    this.snapshot = snapshot;
    const { assessment, review } = snapshot;
    const group = groupOf(snapshot);
    setMark(this.element, 'group', group);
    setMark(this.element, 'version', snapshot.version);
    setShape(this.shape, group);
    setText(this.place, placeOf(snapshot));
    setText(this.risk, riskInWords(assessment));
    setText(this.score, scoreInWords(assessment));
    setText(this.missing, missingInWords(assessment));
    setText(this.monitored, snapshot.monitored === false ? 'not monitored' : '');
    setText(this.source, source === 'postgres' ? 'from the database' : '');
    const open = review?.state === 'open';
    setText(this.reviewed, open ? `Review: ${riskOf(review.priority).toLowerCase()}` : '');
    this.resolve.hidden = !open;
    this.showVitals(snapshot.vitals, assessment);
    this.showAlarms(snapshot.alarms);
  }

  showVitals(vitals, assessment) {
    const fed = assessment?.sources ?? {};
    const empty = SCORED.filter((code) => !(code in vitals) && !(code in fed));
    const codes = inOrder([...Object.keys(vitals), ...empty]);
    arrange(this.vitalList, this.vitals, codes, (code) => new VitalTile(code));
    for (const code of codes) this.vitals.get(code).show(vitals[code], assessment);
  }

  showAlarms(alarms) {
    const byId = new Map(alarms.map((alarm) => [alarm.alarmId, alarm]));
    const make = () => new AlarmLine(this.subjectId, this.act);
    const ids = [...alarms].sort(byPriority).map(({ alarmId }) => alarmId);
    const lost = arrange(this.alarmList, this.alarms, ids, make);
    for (const [id, line] of this.alarms) line.show(byId.get(id));
    this.alarmList.hidden = alarms.length === 0;
    if (lost) this.name.focus();
  }

  tick(nowMs) {
    const { asOfMs } = this.snapshot;
    const age = span(nowMs - asOfMs);
    const silent = isSilent(nowMs - asOfMs);
    const seen = silent ? `no data for ${age}` : `last data ${age} ago`;
    setMark(this.seen, 'old', silent);
    setText(this.seen, `${seen}, ${clockTime(asOfMs, nowMs)}`);
    for (const tile of this.vitals.values()) tile.tick(nowMs);
    for (const line of this.alarms.values()) line.tick(nowMs);
  }
}

const PRIORITIES = ['high', 'medium', 'low'];

function byPriority(one, other) {
  return (
    PRIORITIES.indexOf(one.priority) - PRIORITIES.indexOf(other.priority) ||
    other.sinceMs - one.sinceMs
  );
}

function placeOf({ siteId, encounterId, subjectId }) {
  return encounterId === subjectId ? siteId : `${siteId}, ${encounterId}`;
}

/** Never a level without how much it rests on. */
function riskInWords(assessment) {
  if (!assessment || assessment.completeness === 'unknown') return 'Unknown';
  return `${riskOf(assessment.riskLevel)}, ${assessment.completeness}`;
}

function scoreInWords(assessment) {
  if (!assessment) return 'not assessed';
  const { modelName, score, scoreUpperBound } = assessment;
  const model = modelName.toUpperCase();
  if (score === null) return `${model}: nothing known`;
  const most = score === scoreUpperBound ? '' : ` to ${scoreUpperBound}`;
  return `${model} ${score}${most}`;
}

function missingInWords(assessment) {
  const missing = assessment?.missing ?? [];
  return missing.length ? `missing: ${missing.map(nameOf).join(', ')}` : '';
}
