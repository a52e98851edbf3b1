// The server's time, carried on by this machine's monotonic clock. What time the browser thinks
// it is does not matter.

const KEPT = 8;
const ASLEEP_MS = 2_000;

let offsets = [];
let last = here();

/** A message is heard late and never early: the greatest of the last offsets is the truest. */
export function heard(serverTimeMs) {
  offsets = [serverTimeMs - performance.now(), ...offsets].slice(0, KEPT);
}

/** The same from a new connection, which knows better than all before it. */
export function heardAnew(serverTimeMs) {
  offsets = [];
  heard(serverTimeMs);
}

/** Milliseconds since 1970 by the server's clock; null before anything was heard. */
export function now() {
  return offsets.length ? at(performance.now()) : null;
}

/** The same of another moment by `performance.now()`. */
export function at(moment) {
  return moment + Math.max(...offsets);
}

/** Whether this machine slept since it was last asked: its monotonic clock stood still then. */
export function slept() {
  const seen = here();
  const gap = seen.wall - last.wall - (seen.steady - last.steady);
  last = seen;
  if (gap < ASLEEP_MS) return false;
  offsets = offsets.map((offset) => offset + gap);
  return true;
}

function here() {
  return { steady: performance.now(), wall: Date.now() };
}
