/**
 * The roles of TRIM fig. 7 or MIP–SIP fig. 3 as processes on the nodes of the kernel lab, started in the order in which they need one another,
 * each when the last is ready.
 */
import { join } from 'node:path';
import type { TraceEntry } from '../base/trace.ts';
import type { RemoteMedium, TerminalMedium } from '../correspondent-node/terminal-description.ts';
import type { DecisionHistory } from '../mobile-node/access-selection/access-selection.ts';
import { ControlClient } from '../runtime/control-client.ts';
import { KamailioCscf, kamailioCscfs } from './kamailio/kamailio-cscf.ts';
import type { FlowAddresses } from './kernel-media.ts';
import type { KernelTopology } from './kernel-topology.ts';
import type { PlannedFlow } from './lab-flows.ts';
import { LabProgram, type OutputLine } from './lab-program.ts';
import type { LabNode } from './lab-topology.ts';
import { correspondentIdentity } from './lab-users.ts';
import type { Spawn } from './media/media-program.ts';
import { type ImsSettings, type LabRole, writeRoleConfiguration } from './role-configurations.ts';

export interface KernelNetworkOptions {
  readonly topology: KernelTopology;
  readonly ims: ImsSettings;
  /** What the correspondent answers calls with; absent: the correspondent is somebody else's program. */
  readonly correspondentMedia?: readonly TerminalMedium[];
  /** For configuration files and the control socket; nobody else may look into it. */
  readonly folder: string;
  readonly onMessage: (entry: TraceEntry) => void;
  /** What the mobile node reports. */
  readonly onMobileEvent: (event: OutputLine) => void;
  /** The correspondent's session begins, or its peer has moved: where each of its streams goes. */
  readonly onSession?: (media: readonly RemoteMedium[]) => void;
}

const nodeOf: Readonly<Record<LabRole, LabNode>> = {
  'ims-core': 'home',
  'address-translator': 'translator',
  'trim-as': 'home',
  'home-agent': 'home-agent',
  'correspondent-agent': 'cn',
  'sip-server': 'sip-server',
  'correspondent-node': 'cn',
  'mobile-node': 'mn',
};

export class KernelNetwork {
  readonly #options: KernelNetworkOptions;
  readonly #control: string;
  readonly #trace: TraceEntry[] = [];
  /** In order of starting. */
  readonly #programs: Pick<LabProgram, 'failure' | 'stop'>[] = [];
  readonly #roles = new Map<LabRole, LabProgram>();
  #correspondent: LabProgram | undefined;
  #mobileNode: LabProgram | undefined;
  #client: ControlClient | undefined;

  constructor(options: KernelNetworkOptions) {
    this.#options = options;
    this.#control = join(options.folder, 'mobile-node.sock');
  }

  get trace(): readonly TraceEntry[] {
    return this.#trace;
  }

  /** Programs that ended though nobody told them to. */
  get failures(): readonly string[] {
    return this.#programs.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  }

  /** Registered and ready for calls when it resolves. */
  async start(): Promise<void> {
    if (this.#options.ims.architecture === 'trim') await this.#startTrim();
    else await this.#startMipSip();
    const mobileNode = this.#startRole('mobile-node');
    this.#mobileNode = mobileNode;
    await mobileNode.untilEvent('handover-completed');
    this.#client = await ControlClient.connect(this.#control);
  }

  /** The home agent has a binding over so many accesses. */
  async untilBound(accesses: number): Promise<void> {
    const program = this.#mobileNode;
    const bound = (): Set<unknown> =>
      new Set(program?.lines.flatMap(({ event, access }) => (event === 'binding-accepted' ? [access] : [])));
    await program?.until(() => bound().size >= accesses, `bindings over ${accesses} accesses`);
  }

  /** Of the mobile node's policy; undefined while there is no mobile node. */
  async decisions(): Promise<DecisionHistory | undefined> {
    return (await this.#client?.request('why', {})) as DecisionHistory | undefined;
  }

  async #startMipSip(): Promise<void> {
    const agent = this.#startRole('home-agent');
    // Without calls nobody needs SIP.
    const server = this.#options.correspondentMedia === undefined ? undefined : this.#startRole('sip-server');
    const { routeOptimisation } = this.#options.ims.mobileIp;
    const direct = routeOptimisation ? this.#startRole('correspondent-agent') : undefined;
    await Promise.all([agent, server, direct].map((program) => program?.untilEvent('started')));
    if (server === undefined) return;
    this.#correspondent = this.#startRole('correspondent-node');
    await this.#correspondent.untilEvent('registered');
  }

  async #startTrim(): Promise<void> {
    const core = this.#startRole('ims-core');
    const translator = this.#startRole('address-translator');
    await this.#startKamailio();
    // The CSCFs take no registration before their HSS answers.
    const cxPeers = (): number =>
      this.#trace.filter(
        ({ node, direction, summary }) =>
          node === 'hss' && direction === 'sent' && summary.startsWith('CEA 2001'),
      ).length;
    await Promise.all([core.until(() => cxPeers() >= 2, 'the Cx peers'), translator.untilEvent('started')]);
    const server = this.#startRole('trim-as');
    if (this.#options.correspondentMedia !== undefined)
      this.#correspondent = this.#startRole('correspondent-node');
    await Promise.all([
      server.untilEvent('translator-available'),
      this.#correspondent?.untilEvent('registered'),
    ]);
  }

  /** One session with all its flows, opened by the command that users have. */
  async openSession(name: string, flows: readonly PlannedFlow[]): Promise<FlowAddresses[]> {
    const session = new LabProgram({
      name: `session ${name}`,
      args: ['session', '--to', correspondentIdentity, ...flows.map(({ medium }) => medium)],
      spawn: (...rest) => this.#options.topology.spawn('mn', ...rest),
    });
    const callsBefore = this.correspondentCalls().length;
    this.#programs.push(session);
    await session.until(() => session.lines.some(({ established }) => established === true), 'its start');
    await this.#correspondent?.until(
      () => this.correspondentCalls().length > callsBefore,
      'session-established',
    );
    const far = session.lines as unknown as RemoteMedium[];
    const near = this.correspondentCalls().at(-1) ?? [];
    return flows.map((_, index) => ({
      ofCorrespondent: far[index] as RemoteMedium,
      ofMobileNode: near[index] as RemoteMedium,
    }));
  }

  async requestHandover(to: string): Promise<string> {
    const answer = await this.#client?.request('handover', { to });
    return String((answer as { readonly outcome?: unknown } | undefined)?.outcome);
  }

  /** The media of each call, as the correspondent told when the call was established. */
  correspondentCalls(): RemoteMedium[][] {
    const lines = this.#correspondent?.lines ?? [];
    return lines
      .filter(({ event }) => event === 'session-established')
      .map(({ media }) => media as RemoteMedium[]);
  }

  /** Sessions first, then the roles, the last started first: each says goodbye to peers that are still there. */
  async stop(): Promise<void> {
    this.#client?.close();
    for (const program of this.#programs.toReversed()) await program.stop();
  }

  /** The CSCFs that are Kamailio's. */
  async #startKamailio(): Promise<void> {
    const { topology, ims, folder } = this.#options;
    const spawn: Spawn = (...rest) => topology.spawn('home', ...rest);
    const namespace = topology.namespaceOf('home');
    for (const place of kamailioCscfs(ims))
      this.#programs.push(await KamailioCscf.start({ ...place, spawn, namespace, folder }));
  }

  #correspondentSaid({ event, media }: OutputLine): void {
    if (event === 'session-established') this.#options.onSession?.(media as readonly RemoteMedium[]);
  }

  /** To the process of a role that runs: SIGSTOP makes it silent. */
  signal(role: LabRole, signal: NodeJS.Signals): void {
    this.#roles.get(role)?.signal(signal);
  }

  #startRole(role: LabRole): LabProgram {
    const { topology, ims, correspondentMedia = [], folder, onMessage, onMobileEvent } = this.#options;
    const file = writeRoleConfiguration(role, { ...ims, correspondentMedia }, folder, this.#control);
    const program = new LabProgram({
      name: role,
      args: [role === 'correspondent-agent' ? 'home-agent' : role, '-c', file],
      spawn: (...rest) => topology.spawn(nodeOf[role], ...rest),
      ...(role === 'mobile-node' && { onLine: onMobileEvent }),
      ...(role === 'correspondent-node' && { onLine: (line) => this.#correspondentSaid(line) }),
      onMessage: (entry) => {
        this.#trace.push(entry);
        onMessage(entry);
      },
    });
    this.#programs.push(program);
    this.#roles.set(role, program);
    return program;
  }
}
