/** The kernel lab (TRIM fig. 7) for programs that nobody here wrote: the roles run on their nodes, programs are the tests' business. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TraceEntry } from '../../src/base/trace.ts';
import type { TerminalMedium } from '../../src/correspondent-node/terminal-description.ts';
import { KernelNetwork } from '../../src/testbed/kernel-network.ts';
import { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import type { OutputLine } from '../../src/testbed/lab-program.ts';
import { type LabNode, labTopology } from '../../src/testbed/lab-topology.ts';
import { loadScenario } from '../../src/testbed/load-scenario.ts';
import { MediaProgram } from '../../src/testbed/media/media-program.ts';
import type { ImsSettings } from '../../src/testbed/role-configurations.ts';
import { type CapturedFrame, readFrames } from './captured-frames.ts';

export class InteropLab {
  readonly topology: KernelTopology = new KernelTopology(labTopology(), { seed: 1 });
  readonly network: KernelNetwork;
  readonly mobileEvents: OutputLine[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'trimaran-interop-'));
  readonly #waiting = new Set<() => void>();
  readonly #removeFolder = (): void => rmSync(this.#folder, { recursive: true, force: true });

  /** The mobile node is registered when it resolves, over the WLAN. */
  static async start(
    options: { readonly correspondentMedia?: readonly TerminalMedium[] } & Partial<ImsSettings> = {},
  ): Promise<InteropLab> {
    const lab = new InteropLab(options);
    await lab.network.start();
    await lab.untilMobileEvent((event) => event['event'] === 'handover-completed' && event['to'] === 'wlan');
    return lab;
  }

  private constructor({ correspondentMedia, ...ims }: Parameters<typeof InteropLab.start>[0] & object) {
    // A test that fails does not close its lab.
    process.on('exit', this.#removeFolder);
    this.network = new KernelNetwork({
      topology: this.topology,
      ims: { ...loadScenario('trim'), ...ims },
      ...(correspondentMedia && { correspondentMedia }),
      folder: this.#folder,
      onMessage: () => {},
      onMobileEvent: (event) => {
        this.mobileEvents.push(event);
        for (const wake of this.#waiting) wake();
        this.#waiting.clear();
      },
    });
  }

  /** Of the application server, for `trimaran doctor ims` and others that ask it. */
  get applicationServerControl(): string {
    return join(this.#folder, 'trim-as.sock');
  }

  /** A new folder for files of a program. */
  folder(name: string): string {
    const path = join(this.#folder, name);
    mkdirSync(path);
    return path;
  }

  /** Moves the mobile node to and fro, beginning with 3G, and throws when a session did not move. */
  async handOver(times: number, pauseMs: number): Promise<void> {
    for (let count = 0; count < times; count++) {
      const to = this.#elsewhere();
      const from = this.mobileEvents.length;
      await this.network.requestHandover(to);
      const completed = await this.untilMobileEvent(
        (event) => event['to'] === to && /^handover-(completed|failed)$/.test(String(event['event'])),
        from,
      );
      const { event, sessions, failed, kind } = completed;
      if (event !== 'handover-completed' || kind !== 'soft' || (failed as string[]).length > 0)
        throw new Error(`the handover to ${to} went wrong: ${JSON.stringify(completed)}`);
      if ((sessions as unknown[]).length === 0) throw new Error('there was no session to hand over');
      await pause(pauseMs);
    }
  }

  /** SIP messages from or to an address since the trace had that many entries. */
  sipMessages(address: string, since = 0): TraceEntry[] {
    return this.network.trace
      .slice(since)
      .filter(
        ({ protocol, from, to }) =>
          protocol === 'sip' && [from, to].some((end) => end.startsWith(`${address}:`)),
      );
  }

  /** Records every frame of interfaces of a node; the result ends the recording. */
  async capture(node: LabNode, interfaces: readonly string[]): Promise<() => Promise<CapturedFrame[]>> {
    const file = join(this.#folder, `${node}-${interfaces.join('-')}.pcapng`);
    const spawn = (...rest: Parameters<Parameters<typeof MediaProgram.start>[0]>) =>
      this.topology.spawn(node, ...rest);
    const program = await MediaProgram.start(spawn, 'capture', { interfaces, file });
    return async () => {
      await program.finish();
      return readFrames(file);
    };
  }

  async untilMobileEvent(matches: (event: OutputLine) => boolean, from = 0): Promise<OutputLine> {
    for (;;) {
      const found = this.mobileEvents.slice(from).find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async close(): Promise<void> {
    await this.network.stop();
    await this.topology.close();
    process.off('exit', this.#removeFolder);
    this.#removeFolder();
  }

  #elsewhere(): string {
    const last = this.mobileEvents.findLast(({ event }) => event === 'handover-completed');
    return last?.['to'] === '3g' ? 'wlan' : '3g';
  }
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
