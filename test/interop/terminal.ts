/**
 * An ordinary terminal (`trimaran correspondent-node`) on either side of the lab, which a test drives: beside the mobile node it is one of
 * its applications and knows nothing but its outbound proxy.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TraceEntry } from '../../src/base/trace.ts';
import type { RemoteMedium } from '../../src/correspondent-node/terminal-description.ts';
import { ControlClient } from '../../src/runtime/control-client.ts';
import { applicationPort, internalAddress, labAddresses } from '../../src/testbed/lab-addresses.ts';
import { LabProgram } from '../../src/testbed/lab-program.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { type ImsSettings, identityOf } from '../../src/testbed/role-configurations.ts';
import type { InteropLab } from './interop-lab.ts';

export type Side = 'mobile' | 'correspondent';

const places = {
  mobile: {
    node: 'mn',
    identity: mobileIdentity,
    sip: `${internalAddress}:5062`,
    proxy: `${internalAddress}:${applicationPort}`,
  },
  correspondent: {
    node: 'cn',
    identity: correspondentIdentity,
    sip: `${labAddresses.correspondentNode}:5060`,
    proxy: `${labAddresses.proxyCscf}:5060`,
  },
} as const;

export interface TerminalOptions {
  readonly authentication: ImsSettings['authentication'];
  readonly withReservation: boolean;
  readonly rtpPort: number;
  readonly ring?: string;
}

export class Terminal {
  /** What it sent and received. */
  readonly trace: TraceEntry[] = [];
  readonly program: LabProgram;
  readonly #identity: string;
  readonly #control: string;
  #calls = 0;

  /** Registered when it resolves. */
  static async start(lab: InteropLab, side: Side, options: TerminalOptions): Promise<Terminal> {
    const terminal = new Terminal(lab, side, options);
    await terminal.program.untilEvent('registered');
    return terminal;
  }

  private constructor(lab: InteropLab, side: Side, options: TerminalOptions) {
    const { node, identity, sip, proxy } = places[side];
    const folder = lab.folder(`terminal-${side}`);
    this.#identity = identity;
    this.#control = join(folder, 'control');
    const file = join(folder, 'terminal.yaml');
    const configuration = {
      sip,
      identity: identityOf(identity, options),
      'outbound-proxy': proxy,
      media: [{ media: 'audio', transport: 'udp', port: options.rtpPort, formats: ['0', '8'] }],
      reservation: options.withReservation,
      ...(options.ring !== undefined && { ring: options.ring }),
      control: this.#control,
    };
    writeFileSync(file, stringify(configuration), { mode: 0o600 });
    this.program = new LabProgram({
      name: `terminal ${side}`,
      args: ['correspondent-node', '-c', file],
      spawn: (...rest) => lab.topology.spawn(node, ...rest),
      onMessage: (entry) => this.trace.push(entry),
    });
  }

  async call(peer: Terminal): Promise<void> {
    this.#calls++;
    peer.#calls++;
    const control = await ControlClient.connect(this.#control);
    await control.request('call', { to: peer.#identity });
    control.close();
  }

  /** Where its media go, once its latest call is established and acknowledged. */
  async established(): Promise<RemoteMedium> {
    const count = (event: string) => this.program.lines.filter((line) => line['event'] === event).length;
    const acks = () => this.dialogue().filter((line) => line.endsWith(' ACK')).length;
    await this.program.until(
      () => acks() >= this.#calls && count('session-established') >= this.#calls,
      'ACK',
    );
    const [medium] = (await this.#latest('session-established'))['media'] as RemoteMedium[];
    if (medium === undefined) throw new Error('a call without media');
    return medium;
  }

  /** When its call is over. */
  async ended(): Promise<void> {
    await this.#latest('session-ended');
  }

  /** What was said in its calls. */
  dialogue(): string[] {
    return this.trace
      .filter(({ protocol, summary }) => protocol === 'sip' && !/REGISTER/.test(summary))
      .map(({ direction, summary }) => `${direction} ${summary.replace(/ sip:\S*$/, '')}`);
  }

  async #latest(event: string): Promise<Readonly<Record<string, unknown>>> {
    await this.program.untilEvent(event);
    return this.program.lines.findLast((line) => line['event'] === event)!;
  }
}
