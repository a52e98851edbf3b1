// The stream of changes: opened, listened to, doubted, opened again.

const PATH = 'v1/snapshots/stream';
const BACK_OFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const HEARTBEAT_S = 15;
const GRACE_MS = 5_000;

export class Stream {
  // connecting | live | interrupted | silent | cut
  state = 'connecting';
  heardAt = 0; // both by performance.now()
  openedAt = 0;

  /** `told` has hello, snapshot, heartbeat, resync and turned: what to do when that happens. */
  constructor(told) {
    this.told = told;
    this.silenceMs = silenceAfter(HEARTBEAT_S);
    this.tries = 0;
  }

  open() {
    this.source?.close();
    clearTimeout(this.again);
    this.openedAt = performance.now();
    const source = new EventSource(PATH);
    this.source = source;
    const on = (name, then) => source.addEventListener(name, (event) => this.heard(event, then));
    on('hello', (hello) => this.hello(hello));
    on('snapshot', (change) => this.told.snapshot(change));
    on('heartbeat', (beat) => this.told.heartbeat(beat));
    on('interrupted', () => this.turn('interrupted'));
    on('resumed', () => this.resumed());
    on('resync', () => this.told.resync());
    source.onerror = () => this.failed(source);
  }

  heard(event, then) {
    this.heardAt = performance.now();
    then(event.data ? JSON.parse(event.data) : {});
  }

  hello(hello) {
    this.tries = 0;
    this.silenceMs = silenceAfter(hello.heartbeatSeconds);
    this.turn('live');
    this.told.hello(hello);
  }

  resumed() {
    this.turn('live');
    this.told.resync();
  }

  /** The browser tries again by itself, until it gives up; then we do. */
  failed(source) {
    if (source !== this.source) return;
    this.turn('cut');
    if (source.readyState !== EventSource.CLOSED) return;
    const pause = BACK_OFF_MS[Math.min(this.tries, BACK_OFF_MS.length - 1)];
    this.tries += 1;
    this.again = setTimeout(() => this.open(), pause * (0.75 + Math.random() / 2));
  }

  /** Called every second: a connection that says nothing is no connection. */
  doubt() {
    if (performance.now() - Math.max(this.heardAt, this.openedAt) > this.silenceMs) this.distrust();
  }

  distrust() {
    if (this.state !== 'cut') this.turn('silent');
    this.open();
  }

  turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.told.turned();
  }
}

function silenceAfter(heartbeatS) {
  return 2_000 * heartbeatS + GRACE_MS;
}
