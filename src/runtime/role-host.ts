/**
 * What a role's process gives to the network functions in it: an event loop each, randomness, and one place where their events,
 * their sockets' troubles and their messages are told.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import type { RandomSource } from '../base/random-source.ts';
import type { TraceEntry } from '../base/trace.ts';
import { MessageObserver } from '../observation/message-observer.ts';
import type { ObservedOctets } from '../observation/observed-octets.ts';
import { EventLoop } from './event-loop.ts';
import type { HostOptions, SocketEvent } from './host.ts';
import { monotonicNow } from './monotonic-clock.ts';
import { SystemRandomSource } from './system-random-source.ts';

/** Something that happened in a role, for people and for programs. */
export interface RoleReport {
  /** CLOCK_MONOTONIC, milliseconds. */
  readonly at: Instant;
  readonly node: string;
  /** The kind of event, in the past tense, such as "session-changed". */
  readonly event: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface RoleSink {
  readonly report: (report: RoleReport) => void;
  /** Absent: messages are not looked at. */
  readonly trace?: (entry: TraceEntry) => void;
}

export interface HostedFunction<Input, Event, Effect> {
  /** The node's name in reports and traces. */
  readonly name: string;
  readonly machine: NetworkFunction<Input, Event, Effect>;
  readonly start: (now: Instant) => void;
  /** Deregisters, disconnects its peers …; the process waits for `isFinished`, but not for long. */
  readonly sayGoodbye?: (now: Instant) => void;
  readonly isFinished?: () => boolean;
  /** Called beside the report that every event becomes. */
  readonly onEvent?: (event: Event) => void;
  readonly onEffect?: (effect: Effect) => void;
  /** Opens the UDP ports that a driver owns, such as a tunnel's. */
  readonly openPort?: NonNullable<HostOptions['openPort']>;
  /** Certificate and trust of its TLS listeners and connections. */
  readonly tls?: HostOptions['tls'];
}

interface Running {
  readonly loop: { perform(request: (now: Instant) => void): void; close(): void };
  readonly sayGoodbye: ((now: Instant) => void) | undefined;
  readonly isFinished: () => boolean;
}

/** How long functions may take to say goodbye: a SIP or Diameter request and its answer over the slowest access, twice. */
const goodbyeMs: DurationMs = 3000;

export class RoleHost {
  readonly random: RandomSource = new SystemRandomSource();
  readonly #sink: RoleSink;
  readonly #running: Running[] = [];
  /** Sockets that were asked for and are not open yet. */
  readonly #failing = new Set<string>();
  readonly #watchers = new Set<(entry: TraceEntry) => void>();

  constructor(sink: RoleSink) {
    this.#sink = sink;
  }

  run<Input, Event extends object, Effect>(
    hosted: HostedFunction<Input, Event, Effect>,
  ): EventLoop<Input, Event, Effect> {
    const {
      name,
      machine,
      start,
      sayGoodbye,
      isFinished = () => true,
      onEvent,
      onEffect,
      openPort,
      tls,
    } = hosted;
    const observer = new MessageObserver(name);
    const loop = new EventLoop<Input, Event, Effect>({
      machine,
      onEvent: (event) => {
        this.report(name, event);
        onEvent?.(event);
      },
      ...(onEffect && { onEffect }),
      ...(openPort && { openPort }),
      tls,
      onSocketEvent: (event) => this.#tellSocket(name, event),
      observe: (octets) => this.#observe(observer, octets),
    });
    this.#running.push({ loop, sayGoodbye, isFinished });
    loop.perform(start);
    return loop;
  }

  /** Tells every message from now on, until the result is called. */
  watchMessages(watcher: (entry: TraceEntry) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Messages are only looked at when somebody wants to know. */
  #observe(observer: MessageObserver, octets: ObservedOctets): void {
    const { trace } = this.#sink;
    if (trace === undefined && this.#watchers.size === 0) return;
    for (const entry of observer.observe(octets, monotonicNow())) {
      trace?.(entry);
      for (const watcher of this.#watchers) watcher(entry);
    }
  }

  /** Tells an event: an object whose `type`, or else `kind`, names it. */
  report(node: string, event: object): void {
    const { type, ...rest } = event as { readonly kind?: unknown; readonly type?: unknown };
    const { kind, ...others } = type === undefined ? rest : { kind: type };
    const details = type === undefined ? others : rest;
    this.#sink.report({ at: monotonicNow(), node, event: String(kind), details });
  }

  /** Lets every function say goodbye, then closes all sockets. */
  async close(): Promise<void> {
    const giveUpAt = monotonicNow() + goodbyeMs;
    for (const { loop, sayGoodbye } of this.#running) if (sayGoodbye) loop.perform(sayGoodbye);
    while (this.#running.some(({ isFinished }) => !isFinished()) && monotonicNow() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, 5));
    for (const { loop } of this.#running) loop.close();
  }

  /** A socket that cannot be opened is tried again and again, but told once. */
  #tellSocket(node: string, event: SocketEvent): void {
    const local = `${event.transport} ${event.local.address}:${event.local.port}`;
    if (event.kind === 'socket-opened') {
      this.#failing.delete(local);
      this.report(node, { kind: 'socket-opened', local });
    } else if (!this.#failing.has(local)) {
      this.#failing.add(local);
      this.report(node, { kind: 'socket-failed', local, reason: event.reason });
    }
  }
}
