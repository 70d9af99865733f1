/**
 * Drives one network function over real sockets and the monotonic clock: every input and every deadline is handed to the machine
 * with the current instant, and its outputs are drained before the next one (base/machine.ts).
 *
 * Events and effects go to the owner's callbacks; a confirmed effect comes back through `handleInput`.
 */
import assert from 'node:assert/strict';
import type { DurationMs, Instant } from '../base/instant.ts';
import type { NetworkInput } from '../base/network.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import type { ObservedOctets } from '../observation/observed-octets.ts';
import { Host, type HostOptions, type SocketEvent } from './host.ts';
import { monotonicNow } from './monotonic-clock.ts';

export interface EventLoopOptions<Input, Event, Effect> {
  readonly machine: NetworkFunction<Input, Event, Effect>;
  readonly onEvent?: (event: Event) => void;
  readonly onEffect?: (effect: Effect) => void;
  readonly onSocketEvent?: (event: SocketEvent) => void;
  readonly observe?: (octets: ObservedOctets) => void;
  readonly openPort?: NonNullable<HostOptions['openPort']>;
  readonly tls?: HostOptions['tls'];
}

/** The longest delay that setTimeout takes. */
const maximumTimerMs: DurationMs = 2 ** 31 - 1;

/** A machine that asks for a deadline in the past this often in a row does not move on. */
const maximumLateDeadlines = 10_000;

export class EventLoop<Input, Event, Effect> {
  readonly #machine: NetworkFunction<Input, Event, Effect>;
  readonly #options: EventLoopOptions<Input, Event, Effect>;
  readonly #host: Host;
  /** Requests that came in while another was being handled, such as a completion from within `onEffect`. */
  readonly #waiting: ((now: Instant) => void)[] = [];
  #isHandling = false;
  #isClosed = false;
  #isScheduling = false;
  #timer: NodeJS.Timeout | undefined;
  /** Not later than the machine's deadline. */
  #timerAt: Instant = 0;

  constructor(options: EventLoopOptions<Input, Event, Effect>) {
    this.#machine = options.machine;
    this.#options = options;
    this.#host = new Host({
      deliver: (input) => this.handleInput(input),
      ...(options.onSocketEvent && { onSocketEvent: options.onSocketEvent }),
      ...(options.observe && { observe: options.observe }),
      ...(options.openPort && { openPort: options.openPort }),
      tls: options.tls,
    });
  }

  handleInput(input: NetworkInput | Input): void {
    this.perform((now) => this.#machine.handleInput(input, now));
  }

  /** Makes a request of the machine (its start, its goodbye, a command) at the current instant, then drains it. */
  perform(request: (now: Instant) => void): void {
    if (this.#isClosed) return;
    if (this.#isHandling) {
      this.#waiting.push(request);
      return;
    }
    this.#isHandling = true;
    try {
      for (let next: typeof request | undefined = request; next !== undefined; next = this.#waiting.shift()) {
        next(monotonicNow());
        this.#drain();
      }
    } finally {
      this.#isHandling = false;
    }
    this.#scheduleOnce();
  }

  /** Closes all sockets and the timer. What was written to streams is flushed, nothing is handed to the machine any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    clearTimeout(this.#timer);
    this.#host.close();
  }

  #drain(): void {
    for (let output = this.#machine.pollOutput(); output !== undefined; output = this.#machine.pollOutput()) {
      if (output.kind === 'event') this.#options.onEvent?.(output.event);
      else if (output.kind === 'effect') this.#options.onEffect?.(output.effect);
      else this.#host.perform(output);
      if (this.#isClosed) return;
    }
  }

  /** Once for all inputs of a turn of Node's event loop, at its end: no timer fires before. */
  #scheduleOnce(): void {
    if (this.#isScheduling) return;
    this.#isScheduling = true;
    setImmediate(() => {
      this.#isScheduling = false;
      this.#schedule();
    });
  }

  #schedule(): void {
    const at = this.#isClosed ? undefined : this.#machine.pollTimeout()?.at;
    // A timer that comes too early finds nothing due and is set anew: that costs less than setting it anew with every message.
    if (at !== undefined && this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (at === undefined) return;
    this.#timerAt = at;
    const delayMs = Math.min(Math.max(0, Math.ceil(at - monotonicNow())), maximumTimerMs);
    this.#timer = setTimeout(() => this.#wake(), delayMs);
  }

  /** Node's timers count from the start of a loop turn and may fire a fraction of a millisecond early. */
  #wake(): void {
    this.#timer = undefined;
    this.perform((now) => this.#handleDeadlines(now));
  }

  #handleDeadlines(now: Instant): void {
    for (let count = 0; ; count++) {
      const timeout = this.#machine.pollTimeout();
      if (timeout === undefined || timeout.at > now) return;
      assert(count < maximumLateDeadlines, `the machine does not handle its deadline "${timeout.reason}"`);
      this.#machine.handleTimeout(now);
      this.#drain();
    }
  }
}
