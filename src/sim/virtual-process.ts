/**
 * One network function running on a virtual host: the virtual twin of runtime/event-loop.ts. Inputs wait in a queue and are handed
 * over one by one at the current virtual instant; outputs are drained after each.
 */
import { Fifo } from '../base/fifo.ts';
import type { Instant } from '../base/instant.ts';
import type { NetworkInput, NetworkOutput } from '../base/network.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import type { TraceEntry } from '../base/trace.ts';
import { MessageObserver } from '../observation/message-observer.ts';
import type { ObservedOctets } from '../observation/observed-octets.ts';
import type { Actor, Simulation } from './simulation.ts';

export interface ProcessOptions<Input, Event, Effect> {
  readonly machine: NetworkFunction<Input, Event, Effect>;
  /** The name in traces; the host's by default. */
  readonly name?: string;
  readonly onEvent?: (event: Event, now: Instant) => void;
  /** A confirmed effect comes back through `handleInput`. */
  readonly onEffect?: (effect: Effect, now: Instant) => void;
}

/** A process of whatever network function, as its host sees it. */
export interface NetworkUser {
  handleInput(input: NetworkInput): void;
  observe(octets: ObservedOctets): void;
  stop(): void;
}

/** What the host does for the process. */
export interface ProcessHost {
  readonly simulation: Simulation;
  readonly trace: TraceEntry[];
  perform(output: NetworkOutput): void;
}

/** Deadlines in the past in a row, after which a machine is taken not to move on. */
const maximumLateDeadlines = 10_000;

export class VirtualProcess<Input, Event, Effect> implements Actor {
  readonly #options: ProcessOptions<Input, Event, Effect>;
  readonly #host: ProcessHost;
  readonly #observer: MessageObserver;
  readonly #waiting = new Fifo<(now: Instant) => void>();
  #isStopped = false;

  constructor(options: ProcessOptions<Input, Event, Effect>, name: string, host: ProcessHost) {
    this.#options = options;
    this.#host = host;
    this.#observer = new MessageObserver(options.name ?? name);
  }

  handleInput(input: NetworkInput | Input): void {
    this.perform((now) => this.#options.machine.handleInput(input, now));
  }

  /** Makes a request of the machine (its start, a command) at the current instant, after the inputs that came before. */
  perform(request: (now: Instant) => void): void {
    if (this.#isStopped) return;
    this.#waiting.push(request);
    this.#host.simulation.wakeAt(this, this.#host.simulation.now, 'input');
  }

  /** As a process that was killed: nothing more is heard of it. */
  stop(): void {
    this.#isStopped = true;
    this.#host.simulation.wakeAt(this, undefined, '');
  }

  observe(octets: ObservedOctets): void {
    this.#host.trace.push(...this.#observer.observe(octets, this.#host.simulation.now));
  }

  wake(now: Instant): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next(now);
      this.#drain(now);
    }
    this.#handleDeadlines(now);
  }

  #handleDeadlines(now: Instant): void {
    for (let count = 0; !this.#isStopped; count++) {
      const timeout = this.#options.machine.pollTimeout();
      if (timeout === undefined || timeout.at > now) {
        if (this.#waiting.length === 0)
          this.#host.simulation.wakeAt(this, timeout?.at, timeout?.reason ?? '');
        return;
      }
      if (count >= maximumLateDeadlines) throw new Error(`deadline "${timeout.reason}" is not handled`);
      this.#options.machine.handleTimeout(now);
      this.#drain(now);
    }
  }

  #drain(now: Instant): void {
    const { machine, onEvent, onEffect } = this.#options;
    for (let output = machine.pollOutput(); output !== undefined; output = machine.pollOutput()) {
      if (this.#isStopped) return;
      if (output.kind === 'event') onEvent?.(output.event, now);
      else if (output.kind === 'effect') onEffect?.(output.effect, now);
      else this.#host.perform(output);
    }
  }
}
