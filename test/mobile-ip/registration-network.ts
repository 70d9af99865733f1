/**
 * A network in virtual time for home agents and Mobile IP clients: access links that delay, lose, double and reorder datagrams, address
 * translators, the journal of each agent on a disk, and the data path of the tunnels as the wanted states say: packets
 * enter by the rules of one end, and leave the tunnel only at an endpoint of the other.
 */
import assert from 'node:assert/strict';
import type { DurationMs, Instant } from '../../src/base/instant.ts';
import type { Timeout } from '../../src/base/machine.ts';
import {
  formatTransportAddress,
  sameTransportAddress,
  type TransportAddress,
} from '../../src/base/network.ts';
import { type RandomSource, randomFraction, SeededRandomSource } from '../../src/base/random-source.ts';
import { HomeAgent } from '../../src/home-network/home-agent/home-agent.ts';
import type {
  HomeAgentEvent,
  HomeAgentOptions,
} from '../../src/home-network/home-agent/home-agent-options.ts';
import { MobileIpClient } from '../../src/mobile-node/mobile-ip-client/mobile-ip-client.ts';
import type {
  MobileIpClientEvent,
  MobileIpClientOptions,
} from '../../src/mobile-node/mobile-ip-client/mobile-ip-client-options.ts';
import {
  decodeTunnelledEcho,
  isTunnelData,
  tunnelDataHeader,
} from '../../src/protocols/mobile-ip/tunnel-data.ts';
import {
  selectTunnelRule,
  type TunnelBinding,
  type TunnelChange,
  type TunnelFlow,
} from '../../src/protocols/mobile-ip/tunnel-state.ts';

/** What the way between an access address and the rest of the network does. */
export interface AccessPath {
  readonly delayMs: DurationMs;
  readonly jitterMs?: DurationMs;
  readonly loss?: number;
  readonly duplication?: number;
  /** Everything from there comes from this address, and a port of its own per flow. */
  readonly natAddress?: string;
}

/** A datagram under way. */
export interface Datagram {
  readonly from: TransportAddress;
  readonly to: TransportAddress;
  readonly payload: Uint8Array;
}

/** 2026-09-21 in milliseconds since 1970. */
export const timeOfDayOffsetMs = 1_790_000_000_000;

interface Delivery {
  readonly at: Instant;
  readonly order: number;
  readonly run: () => void;
}

export class MobileNodeEnd {
  readonly client: MobileIpClient;
  readonly events: MobileIpClientEvent[] = [];
  tunnel: TunnelBinding | undefined;
  /** Numbers of the packets that left the tunnel here. */
  readonly received: number[] = [];

  constructor(options: MobileIpClientOptions) {
    this.client = new MobileIpClient(options);
  }

  eventsOf<Type extends MobileIpClientEvent['type']>(
    type: Type,
  ): Extract<MobileIpClientEvent, { type: Type }>[] {
    return this.events.filter((event) => event.type === type) as never;
  }
}

export class AgentEnd {
  agent: HomeAgent;
  readonly options: HomeAgentOptions;
  readonly events: HomeAgentEvent[] = [];
  readonly tunnels: Map<string, TunnelBinding> = new Map();
  /** On the disk. */
  journal: string[] = [];
  /** How long the disk takes. */
  journalMs: DurationMs = 0;
  isUp = true;
  readonly received: number[] = [];

  constructor(options: HomeAgentOptions) {
    this.options = options;
    this.agent = new HomeAgent(options);
  }
}

export class RegistrationNetwork {
  now: Instant = 0;
  readonly random: RandomSource;
  readonly mobileNodes: MobileNodeEnd[] = [];
  readonly agents: AgentEnd[] = [];
  /** Every datagram that was sent, in order. */
  readonly log: Datagram[] = [];
  readonly #paths = new Map<string, AccessPath>();
  readonly #translations = new Map<string, { inside: TransportAddress; outside: TransportAddress }>();
  #deliveries: Delivery[] = [];
  #order = 0;
  #natPort = 61_000;

  constructor(seed: number) {
    this.random = new SeededRandomSource(seed);
  }

  addAgent(options: HomeAgentOptions): AgentEnd {
    const end = new AgentEnd(options);
    this.agents.push(end);
    end.agent.start(this.now);
    this.settle();
    return end;
  }

  addMobileNode(options: MobileIpClientOptions): MobileNodeEnd {
    const end = new MobileNodeEnd(options);
    this.mobileNodes.push(end);
    return end;
  }

  setPath(address: string, path: AccessPath | undefined): void {
    if (path === undefined) this.#paths.delete(address);
    else this.#paths.set(address, path);
  }

  /** The address translators forget all flows. */
  forgetTranslations(): void {
    this.#translations.clear();
  }

  /** The agent's process dies: what it had not said or written is gone, and it starts again from the disk. */
  restart(end: AgentEnd): void {
    end.tunnels.clear();
    end.agent = new HomeAgent({ ...end.options, journal: end.journal });
    end.agent.start(this.now);
    end.isUp = true;
    this.settle();
  }

  run(until: Instant): void {
    this.settle();
    for (let next = this.#next(); next !== undefined && next <= until; next = this.#next()) {
      this.now = Math.max(this.now, next);
      const due = this.#deliveries.filter(({ at }) => at <= this.now);
      this.#deliveries = this.#deliveries.filter(({ at }) => at > this.now);
      for (const { run } of due.sort((a, b) => a.at - b.at || a.order - b.order)) {
        run();
        this.settle();
      }
      for (const machine of this.#machines()) {
        const timeout = machine.pollTimeout();
        if (timeout !== undefined && timeout.at <= this.now) machine.handleTimeout(this.now);
        this.settle();
      }
    }
    this.now = until;
  }

  settle(): void {
    for (const end of this.mobileNodes) {
      for (let output = end.client.pollOutput(); output !== undefined; output = end.client.pollOutput()) {
        if (output.kind === 'event') end.events.push(output.event);
        else if (output.kind === 'effect') end.tunnel = bindingOf(output.effect.change);
        else if (output.kind === 'transmit' && output.transport === 'udp')
          this.send(output.local, output.remote, output.payload);
      }
    }
    for (const end of this.agents) this.#settleAgent(end);
  }

  send(from: TransportAddress, to: TransportAddress, payload: Uint8Array): void {
    const path = this.#paths.get(from.address) ?? this.#pathTowards(to);
    this.log.push({ from, to, payload });
    if (path === undefined || randomFraction(this.random) < (path.loss ?? 0)) return;
    const copies = randomFraction(this.random) < (path.duplication ?? 0) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const delay = path.delayMs + randomFraction(this.random) * (path.jitterMs ?? 0);
      const source =
        path.natAddress !== undefined && this.#paths.has(from.address)
          ? this.#outside(from, path.natAddress)
          : from;
      this.after(delay, () => this.#deliver(source, to, payload));
    }
  }

  after(delayMs: DurationMs, run: () => void): void {
    this.#deliveries.push({ at: this.now + delayMs, order: this.#order++, run });
  }

  /** A packet with a number from anywhere to the home address, as the home agent gets it. */
  sendToHomeAddress(end: AgentEnd, homeAddress: string, number: number, flow: TunnelFlow = anyFlow): void {
    const binding = end.tunnels.get(homeAddress);
    for (const endpoint of binding === undefined
      ? []
      : (selectTunnelRule(binding.rules, flow)?.endpoints ?? []))
      this.send(endpoint.local, endpoint.remote, packetOf(number, 'anybody', homeAddress));
  }

  /** A packet with a number from the home address to anywhere. */
  sendFromHomeAddress(end: MobileNodeEnd, number: number, flow: TunnelFlow = anyFlow): void {
    const { tunnel } = end;
    for (const endpoint of tunnel === undefined
      ? []
      : (selectTunnelRule(tunnel.rules, flow)?.endpoints ?? []))
      this.send(endpoint.local, endpoint.remote, packetOf(number, tunnel!.homeAddress, 'anybody'));
  }

  #settleAgent(end: AgentEnd): void {
    const { agent } = end;
    for (let output = agent.pollOutput(); output !== undefined; output = agent.pollOutput()) {
      if (output.kind === 'event') end.events.push(output.event);
      else if (output.kind === 'transmit' && output.transport === 'udp')
        this.send(output.local, output.remote, output.payload);
      else if (output.kind === 'effect' && output.effect.type === 'tunnel') {
        const { change } = output.effect;
        if (change.kind === 'bind') end.tunnels.set(change.binding.homeAddress, change.binding);
        else end.tunnels.delete(change.homeAddress);
      } else if (output.kind === 'effect' && output.effect.type === 'journal') {
        const { id, line } = output.effect;
        this.after(end.journalMs, () => {
          // Of a process that died in between nothing is written.
          if (end.agent !== agent || !end.isUp) return;
          end.journal.push(line);
          agent.handleInput({ kind: 'effect-completed', id }, this.now);
        });
      }
    }
  }

  #deliver(from: TransportAddress, to: TransportAddress, payload: Uint8Array): void {
    const inside = this.#inside(from, to);
    if (inside === undefined) return;
    const input = { kind: 'datagram-received', local: inside, remote: from, payload } as const;
    for (const end of this.agents) {
      if (end.options.address !== inside.address || !end.isUp) continue;
      if (isData(payload)) this.#leaveAtAgent(end, from, payload);
      else end.agent.handleInput(input, this.now);
    }
    for (const end of this.mobileNodes) {
      if (!isData(payload)) end.client.handleInput(input, this.now);
      else if (
        end.tunnel?.endpoints.some(
          (one) => sameTransportAddress(one.local, inside) && sameTransportAddress(one.remote, from),
        )
      )
        end.received.push(contentOf(payload).number);
    }
  }

  /** Reverse tunnel check (RFC 3024 §5.3): the endpoint and the inner source belong to each other. */
  #leaveAtAgent(end: AgentEnd, from: TransportAddress, payload: Uint8Array): void {
    const { source, number } = contentOf(payload);
    const binding = end.tunnels.get(source);
    if (binding?.endpoints.some(({ remote }) => sameTransportAddress(remote, from)))
      end.received.push(number);
  }

  #pathTowards(to: TransportAddress): AccessPath | undefined {
    const translation = this.#translations.get(formatTransportAddress(to));
    return this.#paths.get(translation?.inside.address ?? to.address);
  }

  #outside(inside: TransportAddress, address: string): TransportAddress {
    const known = [...this.#translations.values()].find((one) => sameTransportAddress(one.inside, inside));
    if (known !== undefined) return known.outside;
    const outside = { address, port: this.#natPort++ };
    this.#translations.set(formatTransportAddress(outside), { inside, outside });
    return outside;
  }

  /** Where a datagram really goes: through an address translator if it knows the flow; none behind one is reached directly. */
  #inside(_from: TransportAddress, to: TransportAddress): TransportAddress | undefined {
    const translation = this.#translations.get(formatTransportAddress(to));
    if (translation !== undefined) return translation.inside;
    return this.#paths.get(to.address)?.natAddress === undefined ? to : undefined;
  }

  #machines(): { handleTimeout(now: Instant): void; pollTimeout(): Timeout | undefined }[] {
    return [
      ...this.mobileNodes.map(({ client }) => client),
      ...this.agents.filter(({ isUp }) => isUp).map(({ agent }) => agent),
    ];
  }

  #next(): Instant | undefined {
    const instants = this.#deliveries.map(({ at }) => at);
    for (const machine of this.#machines()) {
      const timeout = machine.pollTimeout();
      if (timeout !== undefined) instants.push(timeout.at);
    }
    if (instants.length === 0) return undefined;
    const next = Math.min(...instants);
    assert.ok(!Number.isNaN(next));
    return Number.isFinite(next) ? next : undefined;
  }
}

const anyFlow = { correspondentAddress: 'anybody', protocol: 6, homePort: 1, correspondentPort: 2 };

function bindingOf(change: TunnelChange): TunnelBinding | undefined {
  return change.kind === 'bind' ? change.binding : undefined;
}

/** Not a real IP packet: its first octet, and what the test wants to know. */
function packetOf(number: number, source: string, destination: string): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify({ number, source, destination }));
  return Uint8Array.from([...tunnelDataHeader, 0x45, ...text]);
}

function contentOf(payload: Uint8Array): { number: number; source: string } {
  return JSON.parse(new TextDecoder().decode(payload.subarray(5))) as { number: number; source: string };
}

function isData(payload: Uint8Array): boolean {
  return isTunnelData(payload) && decodeTunnelledEcho(payload.subarray(4)) === undefined;
}
