/**
 * Kamailio's verdict on octets, one datagram at a time: its parser and the module `sanity` (all checks but Proxy-Require and credentials),
 * on the loopback of the namespace that the caller is in. A probe behind each message shows where what is said of it ends.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KamailioVerdict {
  readonly accepts: boolean;
  /** What it logged and answered, one line each. */
  readonly reasons: readonly string[];
}

const port = 5060;
/** Loading its modules takes half a second on an idle machine. */
const patienceMs = 20_000;
const accepted = 'trimaran-accepted';
const probe = 'trimaran-probe';

/** sanity_check: all but 512 (Proxy-Require), 2048 and 8192 (credentials); the URIs of the start line, From, To and Contact. */
const configuration = (address: string): string => `
listen=udp:${address}
auto_aliases=no
children=1
debug=0
log_stderror=yes
disable_tcp=yes
dns=no
rev_dns=no
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "sanity.so"
request_route {
	if (method == "PROBE") {
		xlog("L_ALERT", "${probe} $rU\\n");
		exit;
	}
	force_rport();
	if (sanity_check("5631", "15")) xlog("L_ALERT", "${accepted}\\n");
	exit;
}
reply_route {
	xlog("L_ALERT", "${accepted}\\n");
	drop;
}
`;

export class KamailioParser {
  readonly #folder = mkdtempSync(join(tmpdir(), 'trimaran-kamailio-'));
  readonly #child: ChildProcess;
  readonly #socket: Socket = createSocket('udp4');
  readonly #answers: string[] = [];
  #log = '';
  #probes = 0;
  #wake: () => void = () => {};

  static async start(): Promise<KamailioParser> {
    const parser = new KamailioParser();
    parser.#socket.bind(0, '127.0.0.1');
    await once(parser.#socket, 'listening');
    const giveUpAt = Date.now() + patienceMs;
    // What is sent before it listens is lost.
    while (!(await parser.#isProbed(100))) assert.ok(Date.now() < giveUpAt, `no Kamailio: ${parser.#log}`);
    return parser;
  }

  private constructor() {
    const file = join(this.#folder, 'kamailio.cfg');
    writeFileSync(file, configuration(`127.0.0.1:${port}`));
    const folder = ['-Y', this.#folder, '-w', this.#folder];
    this.#child = spawn('/usr/sbin/kamailio', ['-DD', '-E', '-m', '64', '-M', '8', '-f', file, ...folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr!.setEncoding('latin1').on('data', (text: string) => {
      this.#log += text;
      this.#wake();
    });
    this.#socket.on('message', (octets) => {
      this.#answers.push(octets.toString('latin1').split('\r\n', 1)[0]!);
    });
  }

  async judge(octets: Uint8Array): Promise<KamailioVerdict> {
    this.#log = '';
    this.#answers.length = 0;
    this.#socket.send(octets, port, '127.0.0.1');
    assert.ok(await this.#isProbed(patienceMs), `Kamailio fell silent: ${this.#log}`);
    // The answer left before the probe was logged, but another descriptor may be read first.
    await new Promise((resolve) => setTimeout(resolve, 1));
    const said = this.#log.split('\n').map((line) => line.replace(/^ *\d+\(\d+\) /, ''));
    const reasons = said.filter((line) => /^(?:ERROR|WARNING|ALERT|CRITICAL|NOTICE):/.test(line));
    const accepts = reasons.some((line) => line.includes(accepted));
    return { accepts, reasons: [...reasons.filter((line) => !/trimaran-/.test(line)), ...this.#answers] };
  }

  async close(): Promise<void> {
    this.#socket.close();
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
    rmSync(this.#folder, { recursive: true });
  }

  /** Whether the next probe is seen in time. */
  async #isProbed(withinMs: number): Promise<boolean> {
    const number = ++this.#probes;
    const lines = [
      `PROBE sip:${number}@127.0.0.1 SIP/2.0`,
      ...[
        'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1',
        'From: <sip:a@b>;tag=1',
        'To: <sip:a@b>',
        'Call-ID: 1',
      ],
      ...['CSeq: 1 PROBE', 'Content-Length: 0', '', ''],
    ];
    this.#socket.send(lines.join('\r\n'), port, '127.0.0.1');
    const until = Date.now() + withinMs;
    while (!this.#log.includes(`${probe} ${number}\n`)) {
      const left = until - Date.now();
      if (left <= 0 || this.#child.exitCode !== null || this.#child.signalCode !== null) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  }
}
