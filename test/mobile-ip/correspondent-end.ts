/**
 * A correspondent that keeps bindings (role 'correspondent' of the home agent's machine) on a host in virtual time, which goes on living when
 * that program ends; and a stream of numbered datagrams between two hosts, whose losses, repetitions and delays are counted.
 */
import type { DurationMs, Instant } from '../../src/base/instant.ts';
import type { Timeout } from '../../src/base/machine.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';
import { HomeAgent } from '../../src/home-network/home-agent/home-agent.ts';
import type {
  HomeAgentEffect,
  HomeAgentEvent,
  HomeAgentInput,
  HomeAgentOptions,
} from '../../src/home-network/home-agent/home-agent-options.ts';
import type { SecurityAssociation } from '../../src/protocols/mobile-ip/authentication.ts';
import { decodeMessage, encodeMessage } from '../../src/protocols/mobile-ip/message.ts';
import { replyCode } from '../../src/protocols/mobile-ip/reply-code.ts';
import type { VirtualHost } from '../../src/sim/virtual-host.ts';
import type { VirtualProcess } from '../../src/sim/virtual-process.ts';
import type { VirtualTunnel } from '../../src/sim/virtual-tunnel.ts';

export class CorrespondentEnd {
  readonly events: HomeAgentEvent[] = [];
  readonly #host: VirtualHost;
  readonly #options: HomeAgentOptions;
  readonly #journal: string[] = [];
  agent!: HomeAgent;
  tunnel!: VirtualTunnel;
  process!: VirtualProcess<HomeAgentInput, HomeAgentEvent, HomeAgentEffect>;

  constructor(host: VirtualHost, options: Omit<HomeAgentOptions, 'role'>) {
    this.#host = host;
    this.#options = { ...options, role: 'correspondent' };
    this.start();
  }

  start(): void {
    this.tunnel = this.#host.openTunnel('correspondent');
    this.agent = new HomeAgent({ ...this.#options, journal: this.#journal });
    this.process = this.#host.run({
      machine: this.agent,
      name: 'correspondent',
      onEvent: (event: HomeAgentEvent) => this.events.push(event),
      onEffect: (effect: HomeAgentEffect) => {
        if (effect.type === 'tunnel') this.tunnel.apply(effect.change);
        else if (effect.type === 'journal') {
          this.#journal.push(effect.line);
          this.process.handleInput({ kind: 'effect-completed', id: effect.id });
        }
      },
    });
    this.process.perform((now) => this.agent.start(now));
  }

  /** The program says goodbye; its kernel state goes with it. */
  stop(): void {
    this.process.perform((now) => this.agent.stop(now));
    this.#host.openTunnel('correspondent');
  }

  /** It dies without a word; the kernel takes the tunnel away. */
  kill(): void {
    this.process.stop();
    this.#host.openTunnel('correspondent');
  }
}

/** Answers every registration with the code of an administrator's prohibition. */
export class RefusingAgent implements NetworkFunction<never, never, never> {
  readonly #association: SecurityAssociation;
  readonly #outputs: NetworkOutput[];

  constructor(local: TransportAddress, association: SecurityAssociation) {
    this.#association = association;
    this.#outputs = [{ kind: 'listen', transport: 'udp', local }];
  }

  handleInput(input: NetworkInput): void {
    if (input.kind !== 'datagram-received') return;
    const received = decodeMessage(input.payload);
    if (isMalformed(received) || received.message.kind !== 'registration-request') return;
    const { homeAddress, homeAgent, identification } = received.message;
    const reply = { kind: 'registration-reply', code: replyCode.administrativelyProhibited } as const;
    const payload = encodeMessage(
      { ...reply, lifetimeSeconds: 0, homeAddress, homeAgent, identification, extensions: [] },
      this.#association,
    );
    const { local, remote } = input;
    this.#outputs.push({ kind: 'transmit', transport: 'udp', local, remote, payload });
  }

  handleTimeout(): void {}

  pollTimeout(): undefined {
    return undefined;
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}

export class NumberedStream implements NetworkFunction<never, never, never> {
  readonly #local: TransportAddress;
  readonly #remote: TransportAddress;
  readonly #outputs: NetworkOutput[] = [];
  readonly #received: number[] = [];
  readonly #delays: DurationMs[] = [];
  readonly #intervalMs: DurationMs;
  #sent = 0;
  #nextAt: Instant | undefined;

  constructor(local: TransportAddress, remote: TransportAddress, intervalMs: DurationMs = 20) {
    this.#local = local;
    this.#remote = remote;
    this.#intervalMs = intervalMs;
  }

  start(now: Instant): void {
    this.#outputs.push({ kind: 'listen', transport: 'udp', local: this.#local });
    this.#nextAt = now;
  }

  stop(): void {
    this.#nextAt = undefined;
  }

  get sent(): number {
    return this.#sent;
  }

  /** In the order of their arrival. */
  get received(): readonly number[] {
    return this.#received;
  }

  /** Of each received, in that order. */
  get delays(): readonly DurationMs[] {
    return this.#delays;
  }

  handleInput(input: NetworkInput, now: Instant): void {
    if (input.kind !== 'datagram-received') return;
    const view = new DataView(input.payload.buffer, input.payload.byteOffset);
    this.#received.push(view.getUint32(0));
    this.#delays.push(now - view.getFloat64(4));
  }

  handleTimeout(now: Instant): void {
    if (this.#nextAt === undefined || this.#nextAt > now) return;
    const payload = new Uint8Array(160);
    const view = new DataView(payload.buffer);
    view.setUint32(0, this.#sent++);
    view.setFloat64(4, now);
    this.#outputs.push({
      kind: 'transmit',
      transport: 'udp',
      local: this.#local,
      remote: this.#remote,
      payload,
    });
    this.#nextAt += this.#intervalMs;
  }

  pollTimeout(): Timeout | undefined {
    return this.#nextAt === undefined ? undefined : { at: this.#nextAt, reason: 'next datagram' };
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#outputs.shift();
  }
}
