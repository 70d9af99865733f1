/**
 * A call between the mobile node's phone and the correspondent through the whole virtual lab, with RTP both ways: what the tests of TRIM fig. 4,
 * 5 and 6 set up, move about and look at.
 */

import assert from 'node:assert/strict';
import type { Instant } from '../../src/base/instant.ts';
import { formatTransportAddress, type TransportAddress } from '../../src/base/network.ts';
import type { TraceEntry } from '../../src/base/trace.ts';
import type {
  CorrespondentNodeEvent,
  CorrespondentNodeOptions,
} from '../../src/correspondent-node/correspondent-node.ts';
import type { MobileNodeEvent } from '../../src/mobile-node/mobile-node-output.ts';
import { ladderArrows } from '../../src/observation/message-ladder.ts';
import { isSignalling } from '../../src/sim/fault-injector.ts';
import { type LabAccess, trimAccesses } from '../../src/testbed/lab-topology.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { VirtualLab, type VirtualLabOptions } from '../../src/testbed/virtual-lab.ts';
import { RtpParty } from './rtp-party.ts';

const nodes: readonly string[] = [
  'phone',
  'mn',
  'p-cscf',
  'p-cscf-2',
  'i-cscf',
  's-cscf',
  'trim-as',
  'translator',
  'cn',
];
/** The mobile node's WLAN has IPv6 and nothing else. */
export const ipv6WlanAccesses: readonly LabAccess[] = trimAccesses.map((access) =>
  access.name === 'wlan' ? { ...access, family: 6 } : access,
);
export const audio = { media: 'audio', transport: 'udp', port: 40_000, formats: ['8'] } as const;

const internalAddress = '10.64.0.1';
const correspondentAddress = '203.0.113.2';

export interface TrimCallOptions extends Partial<VirtualLabOptions> {
  readonly originator?: 'mobile node' | 'correspondent';
  readonly media?: CorrespondentNodeOptions['media'];
  readonly packetIntervalMs?: number;
  /** Where the mobile node is when the call is set up; 3G by default. */
  readonly startsOver?: string;
  /** How long either side rings before it answers. */
  readonly ringMs?: number;
}

export type Terminal = ReturnType<VirtualLab['addTerminal']>;

export class TrimCall {
  readonly lab: VirtualLab;
  readonly phone: Terminal;
  readonly correspondent: Terminal;
  readonly phoneAudio: RtpParty;
  readonly correspondentAudio: RtpParty;
  readonly #options: TrimCallOptions;
  readonly #wakes: (() => void)[] = [];

  /** Both are registered. */
  constructor(options: TrimCallOptions = {}) {
    this.#options = options;
    const { media = [audio], ringMs = 100, startsOver = '3g' } = options;
    this.lab = new VirtualLab({ seed: 1, withReservation: false, proxyCscfs: 'shared', ...options });
    this.run(500);
    this.correspondent = this.lab.addTerminal('cn', 'cn', 5060, { media, ringMs });
    this.lab.mobile.setAccess(startsOver, true);
    this.phone = this.lab.addTerminal('mn', 'phone', 5062, { media, ringMs });
    this.run(2000);
    this.phoneAudio = this.addAudio('mn', audio.port);
    this.correspondentAudio = this.addAudio('cn', audio.port);
  }

  get mobileNodeEvents(): readonly MobileNodeEvent[] {
    return this.lab.mobileNodeEvents;
  }

  run(durationMs: number): void {
    this.lab.network.simulation.runFor(durationMs);
  }

  /** Runs until it holds; false when it does not within the time. */
  runUntil(holds: () => boolean, limitMs: number): boolean {
    return this.lab.network.simulation.runWhile(() => !holds(), limitMs);
  }

  /** Calls without waiting for anything. */
  dial(): void {
    const { originator = 'mobile node' } = this.#options;
    const [caller, callee] =
      originator === 'mobile node'
        ? [this.phone, correspondentIdentity]
        : [this.correspondent, mobileIdentity];
    caller.perform((now) => void caller.terminal.placeCall(callee, now));
  }

  /** Calls, and lets media flow both ways. */
  establish(limitMs = 5000): void {
    this.dial();
    const isUp = () => isEstablished(this.phone.events) && isEstablished(this.correspondent.events);
    assert.ok(this.runUntil(isUp, limitMs), 'the call is established');
    this.sendMedia();
  }

  sendMedia(): void {
    this.sendAudio(this.phoneAudio, remoteOf(this.phone.events));
    this.sendAudio(this.correspondentAudio, remoteOf(this.correspondent.events));
  }

  sendAudio(party: RtpParty, remote: TransportAddress): void {
    party.sendTo(remote, this.lab.network.simulation.now);
    for (const wake of this.#wakes) wake();
  }

  /** Runs an RTP end as a program on that host; it starts to send when the call's media do. */
  addAudio(where: 'mn' | 'cn', localPort: number): RtpParty {
    const [host, address] =
      where === 'mn'
        ? [this.lab.mobile.host, internalAddress]
        : [this.lab.correspondentHost, correspondentAddress];
    const party = new RtpParty({ address, port: localPort }, this.#options.packetIntervalMs);
    const process = host.run<never, never, never>({ machine: party, name: `${where} audio` });
    process.perform(() => party.listen());
    this.#wakes.push(() => process.perform(() => {}));
    return party;
  }

  get isRegistered(): boolean {
    const isOver = (events: readonly { readonly type: string }[]) =>
      events.some(({ type }) => type === 'registered');
    return isOver(this.correspondent.events) && isOver(this.phone.events) && isOver(this.mobileNodeEvents);
  }

  startHandover(access: string): void {
    this.lab.mobile.setAccess(access, true);
    this.lab.mobile.requestHandover(access);
  }

  /** Moves to the access and waits until that is over. */
  handOver(access: string, limitMs = 10_000): void {
    const before = this.mobileNodeEvents.length;
    this.startHandover(access);
    const isOver = () =>
      this.mobileNodeEvents
        .slice(before)
        .some(({ type }) => type === 'handover-completed' || type === 'handover-failed');
    assert.ok(this.runUntil(isOver, limitMs), `handover to ${access} ends`);
  }

  /**
   * Every message since the trace had that many entries, with each hop, in the order of first hops: "INVITE: phone (i) > mn (m1) > p-cscf > s-cscf".
   * In brackets is what the session description says from there on. 100 and, unless wanted, registrations are left out.
   */
  journeys(from: number, isWanted: (summary: string) => boolean = isOfCall): string[] {
    const entries = this.lab.trace.slice(from).filter(({ summary }) => isWanted(summary));
    const label = ({ summary, details }: TraceEntry) =>
      JSON.stringify([shortened(summary), details['media'] ?? '', details['callId'] ?? '']);
    const journeys: { label: string; media: string; callId: string; text: string; at: string }[] = [];
    for (const arrow of ladderArrows(entries, { nodes, label })) {
      const [label, places, callId] = JSON.parse(arrow.label) as [string, string, string];
      const media = places === '' ? '' : ` (${symbolic(places)})`;
      const { from: sender, to: at } = arrow;
      // The handover manager passes on what the phone says, in a dialog of its own.
      const known = journeys.findLast(
        (one) => one.label === label && one.at === sender && (one.callId === callId || sender === 'mn'),
      );
      if (known === undefined || protocolOf(label) === 'diameter') {
        journeys.push({ label, media, callId, text: `${label}: ${sender}${media} > ${at}`, at });
        continue;
      }
      known.text += `${known.media === media ? '' : media} > ${at}`;
      Object.assign(known, { media, callId, at });
    }
    return journeys.map(({ text }) => text);
  }

  /** Every RTP packet between hosts from now on, as "m1 > y:b" in the names of TRIM fig. 5, with the instant. */
  captureMedia(): { readonly at: Instant; readonly path: string }[] {
    const packets: { at: Instant; path: string }[] = [];
    this.lab.network.onPacket = (packet) => {
      if (isSignalling(packet)) return;
      const [from, to] = [
        { address: packet.source, port: packet.sourcePort },
        { address: packet.destination, port: packet.destinationPort },
      ].map((place) => symbolic(formatTransportAddress(place)));
      packets.push({ at: this.lab.network.simulation.now, path: `${from} > ${to}` });
    };
    return packets;
  }

  /** Stops the media, waits for what is under way, and tells how many packets each side missed. */
  drainMedia(): { readonly toPhone: number; readonly toCorrespondent: number } {
    this.phoneAudio.stop();
    this.correspondentAudio.stop();
    this.run(1000);
    return {
      toPhone: this.correspondentAudio.sent - this.phoneAudio.received,
      toCorrespondent: this.phoneAudio.sent - this.correspondentAudio.received,
    };
  }

  hangUp(who: 'phone' | 'correspondent'): void {
    const { terminal, events, perform } = this[who];
    const call = events.find((event) => event.type === 'session-established');
    if (call?.type === 'session-established') perform((now) => terminal.hangUp(call.call, now));
  }

  /** Nothing once everybody has let go: no session at the mobile node or the AS, no binding at the translator. */
  whatIsLeft(): string | undefined {
    const left = {
      'sessions of the mobile node': this.lab.mobile.machine.status().sessions.length,
      'sessions of the AS': this.lab.trimApplicationServer.sessionCount,
      'sessions of the translator': this.lab.addressTranslator()?.sessions ?? 0,
      'calls of the phone': openCalls(this.phone.events),
      'calls of the correspondent': openCalls(this.correspondent.events),
    };
    const text = Object.entries(left).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]));
    return text.length === 0 ? undefined : text.join(', ');
  }

  assertNothingLeft(): void {
    assert.equal(this.whatIsLeft(), undefined);
  }
}

export function isEstablished(events: readonly CorrespondentNodeEvent[]): boolean {
  return events.some(({ type }) => type === 'session-established');
}

export function remoteOf(events: readonly CorrespondentNodeEvent[]): TransportAddress {
  const established = events.findLast((event) => event.type === 'session-established');
  assert.ok(established?.type === 'session-established');
  const { address, port } = established.media[0]!;
  return { address, port: port! };
}

function protocolOf(label: string): 'sip' | 'diameter' {
  return /^(?:NC|ST)[RA]\b/.test(label) ? 'diameter' : 'sip';
}

function isOfCall(summary: string): boolean {
  return !/^100 |REGISTER|^(?:UA|LI|MA|SA|DW|CE)[RA]\b/.test(summary);
}

function shortened(summary: string): string {
  return /^[A-Z]+(?= sip:)/.exec(summary)?.[0] ?? summary.replace(' (INVITE)', '');
}

/** The names of TRIM fig. 4 and 5: i internal address, m1 and m2 access addresses, x:a and y:b the translator's, c the correspondent; m6, y6 in IPv6. */
const symbols: readonly (readonly [string, string])[] = [
  ['10.64.0.1:40000', 'i'],
  ['10.1.0.2:40000', 'm1'],
  ['10.2.0.2:40000', 'm2'],
  ['198.51.100.1:20000', 'x:a'],
  ['198.51.100.2:20000', 'y:b'],
  ['203.0.113.2:40000', 'c'],
  ['[2001:db8:2::2]:40000', 'm6'],
  ['[2001:db8:f::1]:20000', 'y6'],
];

function symbolic(places: string): string {
  return symbols.reduce((text, [place, symbol]) => text.replaceAll(place, symbol), places);
}

function openCalls(events: readonly CorrespondentNodeEvent[]): number {
  const called = new Set(
    events.flatMap((event) =>
      event.type === 'call-arrived' || event.type === 'session-established' ? [event.call] : [],
    ),
  );
  for (const event of events) if (event.type === 'session-ended') called.delete(event.call);
  return called.size;
}
