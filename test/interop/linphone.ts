/**
 * Linphone's console program (linphonec of Debian's linphone-cli), without sound hardware: it plays a file, records what it hears into
 * another, and is driven by the commands that a person types.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labDomain, passwordOf, privateIdentityOf, userOf } from '../../src/testbed/lab-users.ts';
import { writeCountingAudio } from './counting-audio.ts';
import { pause } from './interop-lab.ts';
import type { SoftphoneOptions } from './softphone.ts';

/** Longer than any call of the tests. */
const playedSeconds = 30;

export class Linphone {
  /** All that it wrote for people. */
  output = '';
  static all: Linphone[] = [];
  /** What it has heard in all its calls, once it has ended. */
  readonly recording: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Set<() => void>();

  /** Resolves when it is registered; it takes every call. */
  static async start(options: SoftphoneOptions): Promise<Linphone> {
    const phone = new Linphone(options);

    // It says so only when asked.
    while (!phone.output.includes('registered, identity=')) {
      phone.command('status register');
      await pause(50);
    }
    return phone;
  }

  private constructor(options: SoftphoneOptions) {
    const { topology, node, folder, countingStep } = options;
    const [configuration, played] = [join(folder, 'linphonerc'), join(folder, 'played.wav')];
    this.recording = join(folder, 'recorded.wav');
    writeCountingAudio(played, { step: countingStep, seconds: playedSeconds });
    writeFileSync(configuration, configurationOf(options), { mode: 0o600 });
    // Of its databases, which it does not make for itself.
    mkdirSync(join(folder, '.local/share/linphone'), { recursive: true });
    // Without stdbuf its words wait for a full buffer.
    this.#child = topology.spawn(node, 'stdbuf', ['-oL', 'linphonec', '-a', '-c', configuration], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (octets) => {
        this.output += String(octets);
        for (const wake of this.#waiting) wake();
        this.#waiting.clear();
      });
    this.#ended = once(this.#child, 'exit');
    for (const command of ['soundcard use files', `play ${played}`, `record ${this.recording}`])
      this.command(command);
  }

  /** Until it has written that at or behind position `from` of `output`. */
  async until(pattern: RegExp, from = 0): Promise<void> {
    while (!pattern.test(this.output.slice(from)))
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** What a person would type: call, terminate … */
  command(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Takes its registration back and ends. */
  async quit(): Promise<void> {
    this.command('quit');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
  }
}

/**
 * The lab has no IPv6. Where the socket for it cannot be bound, Linphone has "no listening point" at all; and it forgets `use_ipv6` in a file
 * that does not say that its settings were migrated.
 */
function configurationOf({ sip, identity, outboundProxy, transport }: SoftphoneOptions): string {
  return `[sip]
sip_port=${transport === 'udp' ? sip.port : 0}
sip_tcp_port=${transport === 'tcp' ? sip.port : 0}
sip_tls_port=0
use_ipv6=0
ipv6_migration_done=1
default_proxy=0
[rtp]
audio_rtp_port=40000
[sound]
echocancellation=0
[auth_info_0]
username=${userOf(identity)}
userid=${privateIdentityOf(identity)}
passwd=${passwordOf(identity)}
realm=${labDomain}
[proxy_0]
reg_proxy=<sip:${outboundProxy};transport=${transport}>
reg_route=<sip:${outboundProxy};transport=${transport};lr>
reg_identity=${identity}
reg_expires=600
reg_sendregister=1
publish=0
[misc]
add_missing_audio_codecs=0
[audio_codec_0]
mime=PCMA
rate=8000
channels=1
enabled=1
`;
}
