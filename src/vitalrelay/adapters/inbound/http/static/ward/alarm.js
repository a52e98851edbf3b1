// One alarm: priority as shape, colour and word, what became of it, and what can be done about it.

import { openedBy } from './actions.js';
import { h, setMark, setShape, setText, shape } from './dom.js';
import { calls, isMuted } from './patients.js';
import { STATES, clockTime, conditionOf, countdown, riskOf, span } from './words.js';

export class AlarmLine {
  /** `act(action, subjectId, alarm, button)` is what the buttons do. */
  constructor(subjectId, act) {
    this.shape = shape();
    this.priority = h('strong', 'priority');
    this.condition = h('span', 'condition');
    this.how = h('p', 'how');
    this.muted = h('p', 'muted');
    this.acknowledge = button('Acknowledge');
    this.mute = button('Mute');
    this.subjectId = subjectId;
    for (const [action, { element }] of [['acknowledge', this.acknowledge], ['mute', this.mute]]) {
      element.addEventListener('click', () => {
        if (element.ariaDisabled !== 'true') act(action, subjectId, this.alarm, element);
      });
    }
    this.element = h(
      'li',
      'alarm',
      h('p', 'what', this.shape, ' ', this.priority, ' ', this.condition),
      this.how,
      this.muted,
      h('p', 'do', this.acknowledge.element, ' ', this.mute.element),
    );
  }

  show(alarm) {
    this.alarm = alarm;
    const condition = conditionOf(alarm.condition);
    setShape(this.shape, alarm.priority);
    setText(this.priority, riskOf(alarm.priority));
    setText(this.condition, condition);
    setMark(this.element, 'priority', alarm.priority);
    setMark(this.element, 'state', alarm.state);
    setText(this.acknowledge.about, ` ${condition}, ${this.subjectId}`);
    setText(this.mute.about, ` ${condition}, ${this.subjectId}`);
  }

  tick(nowMs) {
    const { sinceMs, acknowledgedBy, mutedUntilMs, stale, state } = this.alarm;
    const muted = isMuted(this.alarm, nowMs);
    const by = acknowledgedBy ? ` by ${acknowledgedBy}` : '';
    const doubt = stale ? '; cannot be judged now, data are missing' : '';
    const since = `since ${clockTime(sinceMs, nowMs)} (${span(nowMs - sinceMs)})`;
    setText(this.how, `${STATES[state] ?? state}${by}, ${since}${doubt}`);
    setText(this.muted, muted ? mutedInWords(mutedUntilMs, nowMs) : '');
    setMark(this.element, 'muted', muted);
    setMark(this.element, 'calls', calls(this.alarm, nowMs));
    this.offer(state === 'acknowledged');
  }

  /** Done with: the button leaves, but not while somebody is on it. */
  offer(acknowledged) {
    const { element } = this.acknowledge;
    const used = element === document.activeElement || openedBy(element);
    element.ariaDisabled = String(acknowledged);
    element.hidden = acknowledged && !used;
  }
}

function mutedInWords(untilMs, nowMs) {
  return `muted until ${clockTime(untilMs, nowMs)}, ${countdown(untilMs - nowMs)} left`;
}

/** Its name for the eye is short; for the ear it says which alarm of whom. */
function button(name) {
  const about = h('span', 'unseen');
  const element = h('button', '', name, about);
  element.type = 'button';
  return { element, about };
}
