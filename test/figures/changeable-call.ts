/** A call between two scripted phones, one on each side of the virtual lab, whose descriptions and requests a test decides. */
import assert from 'node:assert/strict';
import type { TransportAddress } from '../../src/base/network.ts';
import { passwordOf } from '../../src/testbed/lab-users.ts';
import { VirtualLab, type VirtualLabOptions } from '../../src/testbed/virtual-lab.ts';
import { ScriptedPhone } from './scripted-phone.ts';
import { ipv6WlanAccesses } from './trim-call.ts';

const places = {
  phone: { address: '10.64.0.1', port: 5062 },
  correspondent: { address: '203.0.113.2', port: 5060 },
} as const;
export type Side = keyof typeof places;
const users = { phone: 'bob', correspondent: 'alice' } as const;
/** What the phone is told, and what the correspondent is told. */
export const told = { phone: '198.51.100.2', correspondent: '198.51.100.1' } as const;

let version = 0;

export function description(side: Side, ...media: readonly (readonly string[])[]): string {
  const { address } = places[side];
  const lines = ['v=0', `o=- 1 ${++version} IN IP4 ${address}`, 's=-', `c=IN IP4 ${address}`, 't=0 0'];
  return [...lines, ...media.flat(), ''].join('\r\n');
}

export function audio(format: number = 8, direction: string = 'sendrecv'): string[] {
  return [`m=audio 40000 RTP/AVP ${format}`, `a=${direction}`];
}

export function video(port: number = 40_010): string[] {
  return [`m=video ${port} RTP/AVP 31`];
}

/** How the access networks reach the core, and whether handovers reserve resources. */
export type Form = Pick<VirtualLabOptions, 'withReservation' | 'proxyCscfs' | 'accesses'>;

export const networks: readonly Omit<Form, 'withReservation'>[] = [
  { proxyCscfs: 'shared' },
  { proxyCscfs: 'per-access' },
  { proxyCscfs: 'per-access', accesses: ipv6WlanAccesses },
];

export function formOf({ withReservation, proxyCscfs, accesses }: Form): string {
  const method = proxyCscfs === 'shared' ? 're-INVITE' : 'Replaces';
  return `${withReservation ? 'preconditions, ' : ''}${method}${accesses === ipv6WlanAccesses ? ', IPv6' : ''}`;
}

interface ChangeableCallOptions extends Form {
  readonly caller?: Side;
  /** The only one that the mobile node's telephone knows. */
  readonly phoneTransport?: 'tcp';
}

export class ChangeableCall {
  readonly lab: VirtualLab;
  readonly phone: ScriptedPhone;
  readonly correspondent: ScriptedPhone;
  readonly #perform = new Map<Side, (request: (now: number) => void) => void>();

  constructor({ caller = 'phone', phoneTransport, ...options }: ChangeableCallOptions) {
    this.lab = new VirtualLab({ seed: 3, ...options });
    this.run(500);
    this.lab.mobile.setAccess('3g', true);
    this.phone = this.#add('phone', { address: '10.64.0.1', port: 5070 }, phoneTransport);
    this.correspondent = this.#add('correspondent', { address: '10.10.0.11', port: 5060 });
    this.run(2000);
    const called = otherOf(caller);
    this[called].answer = description(called, audio());
    const identity = `sip:${users[called]}@ims.test`;
    this.perform(caller, (now) => this[caller].call(identity, description(caller, audio()), now));
    this.run(1000);
    assert.deepEqual(this[caller].statusCodes, [200]);
  }

  run(durationMs: number): void {
    this.lab.network.simulation.runFor(durationMs);
  }

  perform(side: Side, request: (now: number) => void): void {
    this.#perform.get(side)?.(request);
  }

  /** One side offers, the other answers; both then have heard of it at the translator's addresses. */
  change(
    side: Side,
    media: readonly (readonly string[])[],
    answer: readonly (readonly string[])[] = media,
  ): void {
    const other = otherOf(side);
    this[other].answer = description(other, ...answer);
    this.perform(side, (now) => this[side].change(description(side, ...media), now));
  }

  #add(side: Side, proxy: TransportAddress, onlyTransport?: 'tcp'): ScriptedPhone {
    const user = users[side];
    const phone = new ScriptedPhone({
      sip: places[side],
      proxy,
      onlyTransport,
      identity: {
        publicIdentity: `sip:${user}@ims.test`,
        privateIdentity: `${user}@ims.test`,
        password: passwordOf(`sip:${user}@ims.test`),
        homeDomain: 'ims.test',
      },
      random: this.lab.network.newRandomSource(),
    });
    const host = side === 'phone' ? this.lab.mobile.host : this.lab.correspondentHost;
    const process = host.run<never, never, never>({
      machine: phone,
      name: side === 'phone' ? 'phone' : 'cn',
    });
    this.#perform.set(side, (request) => process.perform(request));
    process.perform((now) => phone.start(now));
    return phone;
  }
}

export function otherOf(side: Side): Side {
  return side === 'phone' ? 'correspondent' : 'phone';
}
