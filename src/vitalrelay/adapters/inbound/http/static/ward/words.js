// What things are called, and when a value counts as old.

/** NEWS2 in the order of its chart, then everything else a gateway may send. */
export const SCORED = [
  'respiratory_rate', 'spo2', 'supplemental_oxygen', 'systolic_bp', 'heart_rate', 'consciousness',
  'temperature',
];

const NAMES = {
  respiratory_rate: 'Respiratory rate',
  spo2: 'SpO₂',
  supplemental_oxygen: 'Air or oxygen',
  systolic_bp: 'Systolic BP',
  heart_rate: 'Heart rate',
  consciousness: 'Consciousness',
  temperature: 'Temperature',
  pulse_rate: 'Pulse rate',
  nibp_pulse_rate: 'Pulse at cuff',
  diastolic_bp: 'Diastolic BP',
  mean_bp: 'Mean BP',
  arterial_systolic_bp: 'Arterial systolic',
  arterial_diastolic_bp: 'Arterial diastolic',
  arterial_mean_bp: 'Arterial mean',
  oxygen_flow: 'Oxygen flow',
  fio2: 'FiO₂',
  spo2_scale: 'SpO₂ scale',
  perfusion_index: 'Perfusion index',
  gcs_total: 'GCS',
};
const SHORT = {
  respiratory_rate: 'RR',
  supplemental_oxygen: 'O₂',
  systolic_bp: 'Sys BP',
  heart_rate: 'HR',
  consciousness: 'ACVPU',
  temperature: 'Temp',
};
const ORDER = [...SCORED, ...Object.keys(NAMES).filter((code) => !SCORED.includes(code))];

const UNITS = { 'mm[Hg]': 'mmHg', Cel: '°C', '{score}': '' };
const ALERTNESS = {
  A: 'alert', C: 'new confusion', V: 'to voice', P: 'to pain', U: 'unresponsive',
};

// Measured all the time, or now and then: silence means something else for each. Our rule.
const ALL_THE_TIME = new Set([
  'respiratory_rate', 'spo2', 'heart_rate', 'pulse_rate', 'perfusion_index',
  'arterial_systolic_bp', 'arterial_diastolic_bp', 'arterial_mean_bp',
]);
const OLD_MS = 2 * 60_000;
const OLD_NOW_AND_THEN_MS = 60 * 60_000;
const NEVER_OLD = new Set(['spo2_scale']); // a prescription

export function isOld(code, ageMs) {
  if (NEVER_OLD.has(code)) return false;
  return ageMs > (ALL_THE_TIME.has(code) ? OLD_MS : OLD_NOW_AND_THEN_MS);
}

export function isSilent(ageMs) {
  return ageMs > OLD_MS;
}

export function nameOf(code) {
  return NAMES[code] ?? code;
}

/** As charts abbreviate it. */
export function shortNameOf(code) {
  return SHORT[code] ?? nameOf(code);
}

export function inOrder(codes) {
  const place = (code) => (ORDER.includes(code) ? ORDER.indexOf(code) : ORDER.length);
  return [...codes].sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
}

/** A vital as value and unit: `['96.1', '%']`, `['A', 'alert']`, `['oxygen', '']`. */
export function spoken(code, vital) {
  const { value } = vital;
  if (vital.qualityReason === 'not-measured') return ['no reading', ''];
  if (code === 'supplemental_oxygen') return [value ? 'oxygen' : 'air', ''];
  if (code === 'consciousness') return [String(value), ALERTNESS[value] ?? ''];
  return [String(value), UNITS[vital.unit] ?? vital.unit ?? ''];
}

const REASONS = {
  'not-measured': 'no reading', 'out-of-range': 'out of range', device: 'says the device',
};

/** What is wrong with a vital; empty when its quality is good. */
export function doubts({ quality, qualityReason }) {
  if (quality === 'good') return '';
  const word = quality.replace('questionable', 'question\u00adable'); // breaks here if it must
  const reason = REASONS[qualityReason] ?? qualityReason;
  return reason ? `${word}: ${reason}` : word;
}

const RISKS = {
  high: 'High', medium: 'Medium', 'low-medium': 'Low-medium', low: 'Low', unknown: 'Unknown',
};

export function riskOf(level) {
  return RISKS[level] ?? level;
}

const CONDITIONS = {
  'news2-high': 'NEWS2 high',
  'news2-medium': 'NEWS2 medium',
  'no-data': 'No data arriving',
  'clock-suspect': 'Device clock is wrong',
};
const RED = 'vital-red:';

export function conditionOf(name) {
  if (name.startsWith(RED)) return `${nameOf(name.slice(RED.length))} scores 3`;
  return CONDITIONS[name] ?? name;
}

export const STATES = {
  active: 'active',
  acknowledged: 'acknowledged',
  cleared_unacknowledged: 'over, not acknowledged',
};

const NBSP = '\u00a0';

/** `12 s`, `9 min`, `3 h 5 min`, `4 d`. */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  if (seconds < 60) return `${seconds}${NBSP}s`;
  if (minutes < 60) return `${minutes}${NBSP}min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)}${NBSP}h ${minutes % 60}${NBSP}min`;
  return `${Math.floor(minutes / 1440)}${NBSP}d`;
}

/** `9:05` */
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const HALF_A_DAY_MS = 12 * 3_600_000;
const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** The time of day, with the date where it might be another day's. */
export function clockTime(ms, nowMs) {
  const time = TIME.format(ms);
  return nowMs - ms < HALF_A_DAY_MS ? time : `${DATE.format(ms)} ${time}`;
}

export const ZONE = TIME.resolvedOptions().timeZone;
