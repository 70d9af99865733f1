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
  #call: number | undefined;

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
    const { call } = (await this.#ask('call', { to: peer.#identity })) as { readonly call: number };
    this.#call = call;
  }

  /** The latest call that it made. */
  async hangUp(): Promise<void> {
    await this.#ask('hang-up', { call: this.#call });
    await this.ended();
  }

  /** Where its media go, once its latest call is established and acknowledged. */
  async established(): Promise<RemoteMedium> {
    const acks = () => this.dialogue().filter((line) => line.endsWith(' ACK')).length;
    await this.program.until(
      () => acks() >= this.#calls && this.#count('session-established') >= this.#calls,
      'ACK',
    );
    const [medium] = (await this.#latest('session-established'))['media'] as RemoteMedium[];
    if (medium === undefined) throw new Error('a call without media');
    return medium;
  }

  /** When all its calls are over. */
  async ended(): Promise<void> {
    await this.program.until(() => this.#count('session-ended') >= this.#calls, 'the end of the call');
  }

  /** What was said in its calls. */
  dialogue(): string[] {
    return this.trace
      .filter(({ protocol, summary }) => protocol === 'sip' && !/REGISTER/.test(summary))
      .map(({ direction, summary }) => `${direction} ${summary.replace(/ sip:\S*$/, '')}`);
  }

  async #ask(command: string, parameters: Readonly<Record<string, unknown>>): Promise<unknown> {
    const control = await ControlClient.connect(this.#control);
    const result = await control.request(command, parameters);
    control.close();
    return result;
  }

  #count(event: string): number {
    return this.program.lines.filter((line) => line['event'] === event).length;
  }

  async #latest(event: string): Promise<Readonly<Record<string, unknown>>> {
    await this.program.untilEvent(event);
    return this.program.lines.findLast((line) => line['event'] === event)!;
  }
}
