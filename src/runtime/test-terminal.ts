/**
 * A terminal for `trimaran doctor ims`: registers, calls and answers through the core as any telephone does, and remembers what it said
 * and heard. No media are sent; what counts is where they were to go.
 */
import type { DurationMs } from '../base/instant.ts';
import type { TransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import { CorrespondentNode, type CorrespondentNodeEvent } from '../correspondent-node/correspondent-node.ts';
import { MessageObserver } from '../observation/message-observer.ts';
import type { DiagnosedUser } from './configuration/ims-diagnosis.ts';
import { digestSecretOf } from './configuration/user-credentials.ts';
import { EventLoop } from './event-loop.ts';
import { monotonicNow } from './monotonic-clock.ts';
import { SystemRandomSource } from './system-random-source.ts';

/** A deregistration asks the S-CSCF and the HSS. */
const goodbyeMs: DurationMs = 3000;

export class TestTerminal {
  readonly events: CorrespondentNodeEvent[] = [];
  readonly trace: TraceEntry[] = [];
  readonly #machine: CorrespondentNode;
  readonly #loop: EventLoop<never, CorrespondentNodeEvent, never>;
  /** Of a socket that cannot be opened. */
  socketTrouble: string | undefined;

  constructor({ sip, identity }: DiagnosedUser, proxyCscf: TransportAddress) {
    const observer = new MessageObserver(identity.public);
    this.#machine = new CorrespondentNode({
      sip,
      identity: {
        publicIdentity: identity.public,
        privateIdentity: identity.private,
        password: digestSecretOf(identity),
        homeDomain: identity['home-domain'],
      },
      expiresSeconds: identity.expires / 1000,
      registers: true,
      outboundProxy: proxyCscf,
      media: [{ media: 'audio', transport: 'udp', port: 40_000, formats: ['0', '8'] }],
      withReservation: false,
      ringMs: 0,
      random: new SystemRandomSource(),
    });
    this.#loop = new EventLoop({
      machine: this.#machine,
      onEvent: (event) => this.events.push(event),
      onSocketEvent: (event) => {
        if (event.kind === 'socket-failed') this.socketTrouble = event.reason;
      },
      observe: (octets) => this.trace.push(...observer.observe(octets, monotonicNow())),
    });
    this.#loop.perform((now) => this.#machine.start(now));
  }

  call(to: string): number {
    let call = 0;
    this.#loop.perform((now) => {
      call = this.#machine.placeCall(to, now);
    });
    return call;
  }

  hangUp(call: number): void {
    this.#loop.perform((now) => this.#machine.hangUp(call, now));
  }

  /** Ends calls and takes the registration back. */
  async close(): Promise<void> {
    this.#loop.perform((now) => this.#machine.stop(now));
    const giveUpAt = monotonicNow() + goodbyeMs;
    while (!this.#machine.isStopped && monotonicNow() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.#loop.close();
  }
}
