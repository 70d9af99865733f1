/**
 * An unmodified softphone: baresip of Debian (baresip-core), without sound hardware. It plays a file, records what it hears
 * into another, and is driven over its own control connection (module ctrl_tcp: JSON in netstrings).
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TransportAddress } from '../../src/base/network.ts';
import type { KernelTopology } from '../../src/testbed/kernel-topology.ts';
import { passwordOf } from '../../src/testbed/lab-users.ts';
import { writeCountingAudio } from './counting-audio.ts';
import { pause } from './interop-lab.ts';

export interface SoftphoneOptions {
  readonly topology: KernelTopology;
  readonly node: 'mn' | 'cn';
  /** For its files. */
  readonly folder: string;
  /** A SIP URI of the lab. */
  readonly identity: string;
  readonly sip: TransportAddress;
  readonly outboundProxy: string;
  readonly transport: 'udp' | 'tcp';
  /** Of what it plays (counting-audio.ts). */
  readonly countingStep: number;
  /** By SRTP, with keys in the session description (RFC 4568), and not otherwise. */
  readonly isEncrypted?: boolean;
  /** Rings until it is told to `accept`; otherwise it takes every call at once. */
  readonly rings?: boolean;
}

/** What it tells of itself: CALL_ESTABLISHED, REGISTER_OK … */
export interface SoftphoneEvent {
  readonly type: string;
  readonly param?: string;
}

const controlPort = 4444;
/** Longer than any call of the tests. */
const playedSeconds = 100;

export class Softphone {
  readonly events: SoftphoneEvent[] = [];
  readonly #folder: string;
  /** All that it wrote for people. */
  output = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #control: Socket | undefined;
  #received = '';
  readonly #waiting = new Set<() => void>();

  /** Resolves when it is registered. */
  static async start(options: SoftphoneOptions): Promise<Softphone> {
    const phone = new Softphone(options);
    await phone.#connect(options);
    while (!phone.output.includes('200 OK')) await pause(20);
    return phone;
  }

  private constructor(options: SoftphoneOptions) {
    const { topology, node, folder, countingStep } = options;
    this.#folder = folder;
    writeCountingAudio(join(folder, 'played.wav'), { step: countingStep, seconds: playedSeconds });
    writeFileSync(join(folder, 'config'), configurationOf(options));
    writeFileSync(join(folder, 'accounts'), accountOf(options), { mode: 0o600 });
    this.#child = topology.spawn(node, 'baresip', ['-4', '-f', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (octets) => {
        this.output = (this.output + String(octets)).slice(-100_000);
      });
    this.#ended = once(this.#child, 'exit');
  }

  /** What it has heard in its latest call, once that is over. */
  get recording(): string {
    const files = readdirSync(this.#folder).filter((name) => name.endsWith('-dec.wav'));
    return join(this.#folder, files.sort().at(-1) ?? '');
  }

  /** The first event of that type at or after position `from` of `events`. */
  async until(type: string, from = 0): Promise<SoftphoneEvent> {
    for (;;) {
      const found = this.events.slice(from).find((event) => event.type === type);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** A command of its menu: dial, accept, hangup, hold, resume … */
  command(command: string, params?: string): void {
    const json = JSON.stringify({ command, ...(params !== undefined && { params }) });
    this.#control?.write(`${json.length}:${json},`);
  }

  /** Writes the rest of its recording, takes its registration back and ends. */
  async quit(): Promise<void> {
    this.command('quit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
    this.#control?.destroy();
  }

  async #connect({ topology, node }: SoftphoneOptions): Promise<void> {
    for (;;) {
      // The look-up answers within the call, so that Node connects within that node's namespace.
      const socket = topology.namespaceOf(node).run(() =>
        connect({
          host: 'softphone',
          port: controlPort,
          autoSelectFamily: false,
          lookup: (_name, _options, callback) => callback(null, '127.0.0.1', 4),
        }),
      );
      try {
        await once(socket, 'connect');
        this.#control = socket;
        socket.on('data', (octets) => this.#receive(String(octets)));
        socket.on('error', () => {});
        return;
      } catch (error) {
        if (this.#child.exitCode !== null) throw new Error(`baresip ended: ${this.output}`, { cause: error });
        await pause(20);
      }
    }
  }

  #receive(text: string): void {
    this.#received += text;
    for (;;) {
      const [head, digits] = /^(\d+):/.exec(this.#received) ?? [];
      if (head === undefined) return;
      const end = head.length + Number(digits);
      if (this.#received.length < end + 1) return;
      const message = JSON.parse(this.#received.slice(head.length, end));
      this.#received = this.#received.slice(end + 1);
      if (message.event !== true) continue;
      this.events.push(message);
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    }
  }
}

/** A deep jitter buffer: on a busy machine the phone itself, which waits its turn, dropped packets that it had received. */
function configurationOf({ sip, folder }: SoftphoneOptions): string {
  return `sip_listen ${sip.address}:${sip.port}
call_local_timeout 20
call_max_calls 1
snd_path ${folder}
audio_source aufile,${join(folder, 'played.wav')}
audio_alert aufile,${join(folder, 'alert.wav')}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports 40000-40100
rtcp_enable yes
rtp_timeout 0
jitter_buffer_delay 10-50
module_path /usr/lib/baresip/modules
module g711.so
module srtp.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:${controlPort}
`;
}

function accountOf({ identity, outboundProxy, transport, isEncrypted, rings }: SoftphoneOptions): string {
  const parameters = [
    `auth_user=${identity.replace(/^sip:/, '')}`,
    `auth_pass=${passwordOf(identity)}`,
    `outbound="sip:${outboundProxy};transport=${transport}"`,
    'audio_codecs=PCMA',
    `answermode=${rings ? 'manual' : 'auto'}`,
    'regint=600',
    ...(isEncrypted ? ['mediaenc=srtp-mand'] : []),
  ];
  return `<${identity};transport=${transport}>;${parameters.join(';')}\n`;
}
