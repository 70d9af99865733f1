/** A call between a softphone on the mobile node and the correspondent in the virtual lab of MIP–SIP, for tests of what becomes of it. */
import assert from 'node:assert/strict';
import { ladderArrows } from '../../src/observation/message-ladder.ts';
import { labLadder } from '../../src/testbed/lab-ladder.ts';
import { correspondentIdentity, mobileIdentity, userOf } from '../../src/testbed/lab-users.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import type { MobileIpSettings } from '../../src/testbed/scenario.ts';
import { VirtualMipSipLab } from '../../src/testbed/virtual-mip-sip-lab.ts';
import type { VirtualTerminal } from '../../src/testbed/virtual-test-network.ts';

export const everyAccess: readonly string[] = ['umts', 'wlan', 'wimax', 'cdma'];
const audio = { media: 'audio', transport: 'udp', port: 40_000, formats: ['8'] } as const;

export interface LabOptions {
  /** Accesses whose router translates addresses. */
  readonly behindNat: readonly string[];
  readonly registration: MobileIpSettings['registration'];
  /** The preferred access. */
  readonly first: string;
}

export function newLab({ behindNat, registration, first }: LabOptions): VirtualMipSipLab {
  const scenario = loadScenario('mip-nat');
  return new VirtualMipSipLab({
    scenario: {
      ...scenario,
      accesses: scenario.accesses.map((access) => ({ ...access, nat: behindNat.includes(access.name) })),
      policy: { kind: 'preference', order: [first] },
      mobileIp: { ...scenario.mobileIp, registration },
    },
  });
}

/** A softphone on the mobile node in a call with the correspondent. */
export class MipSipCall {
  readonly lab: VirtualMipSipLab;
  readonly peer: VirtualTerminal;
  readonly phone: VirtualTerminal;

  constructor(options: VirtualMipSipLab | (LabOptions & { readonly present?: readonly string[] })) {
    const isRunning = options instanceof VirtualMipSipLab;
    this.lab = isRunning ? options : newLab(options);
    this.peer = this.lab.addTerminal('cn', 'cn', 5060, { media: [audio], ringMs: 0 });
    if (!isRunning) for (const name of options.present ?? everyAccess) this.lab.mobile.setAccess(name, true);
    this.#run(5000);
    const phone = this.lab.addTerminal('mn', 'session-call', 6000, { media: [audio], ringMs: 0 });
    phone.perform((now) => void phone.terminal.placeCall(correspondentIdentity, now));
    this.#run(5000);
    assert.equal(this.#countOf(phone, 'session-established'), 1, 'the call is there');
    this.phone = phone;
  }

  /** Where the correspondent's packets go. */
  get peerSendsTo(): string | undefined {
    const established = this.peer.events.findLast((event) => event.type === 'session-established');
    return established?.media[0]?.address;
  }

  /** The hosts of the mobile node's contacts at the registrar. */
  get registered(): string[] {
    const { sipServer, network } = this.lab;
    return sipServer
      .contactsOf(userOf(mobileIdentity), network.simulation.now)
      .map((uri) => /@([\d.]+)/.exec(uri)?.[1] ?? uri);
  }

  /** What the peer sends reaches the softphone: within the dialog its end, then another call. */
  assertReachable(): void {
    const established = this.peer.events.findLast((event) => event.type === 'session-established');
    this.peer.perform((now) => this.peer.terminal.hangUp(established?.call ?? assert.fail(), now));
    this.#run(3000);
    assert.equal(this.#countOf(this.phone, 'session-ended'), 1);
    this.peer.perform((now) => void this.peer.terminal.placeCall(mobileIdentity, now));
    this.#run(3000);
    assert.equal(this.#countOf(this.phone, 'session-established'), 2);
  }

  handover(to: string): string[] {
    return this.during(() => this.lab.mobile.requestHandover(to));
  }

  /** Every message of the next seconds, in the order in which they were sent; none is lost. */
  during(change: () => void, durationMs = 3000): string[] {
    const before = this.lab.network.trace.length;
    change();
    this.#run(durationMs);
    const { entries, options } = labLadder(this.lab.network.trace.slice(before));
    return ladderArrows(entries, options)
      .filter(({ isLost }) => !isLost)
      .map(({ from, to, label }) => `${label}: ${from} > ${to}`);
  }

  #countOf({ events }: VirtualTerminal, type: string): number {
    return events.filter((event) => event.type === type).length;
  }

  #run(ms: number): void {
    this.lab.network.simulation.runFor(ms);
  }
}
