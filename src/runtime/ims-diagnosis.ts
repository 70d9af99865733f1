/**
 * `trimaran doctor ims`: why the application server is not called (TRIM fig. 1 and 2). Two test terminals register and call one another
 * through the core while the application server tells every message it sends and receives; each hop is then judged by what was seen.
 *
 *   terminal ── P-CSCF ── I-CSCF ── S-CSCF ── ISC ── application server ── Diameter ── translator
 *
 * A proxy keeps the Call-ID (RFC 3261 §16), so the caller's tells its INVITE at the application server from those of others.
 */
import { createSocket } from 'node:dgram';
import type { DurationMs } from '../base/instant.ts';
import { formatTransportAddress, type TransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import { serializeSipMessage } from '../protocols/sip/message/serialize-sip-message.ts';
import { SipRequest } from '../protocols/sip/message/sip-message.ts';
import type { ImsDiagnosisConfiguration } from './configuration/ims-diagnosis.ts';
import { ControlClient } from './control-client.ts';
import { monotonicNow } from './monotonic-clock.ts';
import { TestTerminal } from './test-terminal.ts';

export interface HopFinding {
  readonly hop: string;
  readonly outcome: 'ok' | 'failed' | 'not tried';
  readonly detail: string;
  /** What would mend it; empty when nothing is to be done. */
  readonly remedy: string;
}

/** An S-CSCF waits about 5 s for an application server before it goes on without; then the call is set up. */
const patienceMs: DurationMs = 9000;
/** Third-party registration follows the 200 at once; and what ends a call takes a round trip. */
const settleMs: DurationMs = 1500;

export class ImsDiagnosis {
  readonly #configuration: ImsDiagnosisConfiguration;
  readonly #tell: (finding: HopFinding) => void;
  readonly #atServer: TraceEntry[] = [];

  constructor(configuration: ImsDiagnosisConfiguration, tell: (finding: HopFinding) => void) {
    this.#configuration = configuration;
    this.#tell = tell;
  }

  /** Throws NOT_RUNNING when nobody answers at the control socket. */
  async run(): Promise<void> {
    const { control, 'p-cscf': proxyCscf, subscriber, peer } = this.#configuration;
    const client = await ControlClient.connect(control);
    this.#tell({ hop: 'application server runs', outcome: 'ok', detail: control, remedy: '' });
    // It ends when the connection does.
    client.request('watch', {}, (entry) => this.#atServer.push(entry as TraceEntry)).catch(() => {});
    const terminals = [subscriber, peer].map((user) => new TestTerminal(user, proxyCscf));
    const [caller, callee] = terminals as [TestTerminal, TestTerminal];
    try {
      await this.#judgeTranslators(client);
      await this.#judgeReachability();
      const isKnown = await this.#judgeRegistration(caller, subscriber.identity.public);
      if (isKnown) await this.#judgeThirdParty();
      else this.#skip('third-party REGISTER');
      const canCall = (await this.#judgeRegistration(callee, peer.identity.public)) && isKnown;
      for (const [sessionCase, from, to, called] of [
        ['originating', caller, callee, peer],
        ['terminating', callee, caller, subscriber],
      ] as const)
        if (canCall) await this.#judgeCall(sessionCase, from, to, called.identity.public);
        else this.#skip(`${sessionCase} call`);
    } finally {
      await Promise.all(terminals.map((terminal) => terminal.close()));
      client.close();
    }
  }

  async #judgeTranslators(client: ControlClient): Promise<void> {
    const status = (await client.request('status')) as {
      readonly translators: readonly { readonly host: string; readonly isAvailable: boolean }[];
    };
    for (const { host, isAvailable } of status.translators)
      this.#judge(
        `translator ${host}`,
        isAvailable,
        isAvailable ? 'Diameter peer is up' : 'no Diameter connection',
        'Start "trimaran address-translator" there; its identity must be the one in "translators" of trim-as, and this application server one of its "controllers".',
      );
  }

  /** From this machine, which need not be where the S-CSCF is. */
  async #judgeReachability(): Promise<void> {
    const { 'application-server': server, subscriber } = this.#configuration;
    const answer = await askOptions(server, subscriber.sip.address);
    this.#judge(
      'application server on ISC',
      answer !== undefined,
      answer === undefined
        ? `no answer from ${formatTransportAddress(server)} over UDP`
        : `answers OPTIONS at ${formatTransportAddress(server)}`,
      '"sip" of trim-as must be the address in the ServerName of the filter criteria, and no firewall may stand between the S-CSCF and it (UDP and TCP).',
    );
  }

  async #judgeRegistration(terminal: TestTerminal, identity: string): Promise<boolean> {
    const found = await until(() =>
      terminal.events.find(({ type }) => type === 'registered' || type === 'registration-failed'),
    );
    const isRegistered = found?.type === 'registered';
    const statusCode = found?.type === 'registration-failed' ? found.statusCode : undefined;
    const trouble = terminal.socketTrouble;
    this.#judge(
      `registration of ${identity}`,
      isRegistered,
      isRegistered ? '200' : (trouble ?? (statusCode === undefined ? 'no answer' : String(statusCode))),
      trouble !== undefined
        ? 'Choose an address of this machine and a free port for "sip".'
        : registrationRemedy(statusCode),
    );
    return isRegistered;
  }

  async #judgeThirdParty(): Promise<void> {
    const seen = await until(() => this.#find('received', /^REGISTER /), settleMs);
    this.#judge(
      'third-party REGISTER',
      seen !== undefined,
      seen === undefined
        ? 'none has reached the application server'
        : `from ${seen.from}, ${seen.details['content'] === 'message/sip' ? 'with' : 'without'} the one of the terminal`,
      'The profile needs a filter criterion with Method REGISTER. If it has one: the S-CSCF fetches the profile at the next registration after a change, and must reach the ServerName.',
    );
  }

  async #judgeCall(sessionCase: string, from: TestTerminal, to: TestTerminal, called: string): Promise<void> {
    const since = this.#atServer.length;
    const [before, beforeTo] = [from.events.length, to.events.length];
    const call = from.call(called);
    const ended = await until(() =>
      from.events
        .slice(before)
        .find(({ type }) => type === 'session-established' || type === 'session-ended'),
    );
    const callId = from.trace.findLast(
      ({ summary, direction }) => direction === 'sent' && summary.startsWith('INVITE '),
    )?.details['callId'];
    const arrived = to.events.slice(beforeTo).some(({ type }) => type === 'call-arrived');
    const isAnchored = this.#judgeTrigger(sessionCase, callId, arrived, since);
    const outcome =
      ended === undefined
        ? 'no answer'
        : ended.type === 'session-ended'
          ? String(ended.statusCode ?? 'ended')
          : '200';
    this.#judge(
      `${sessionCase}: call is answered`,
      outcome === '200',
      outcome,
      arrived
        ? 'The callee was reached: look at how responses come back, and at Record-Route of the CSCFs.'
        : 'The callee was not reached: look at the hop that failed above, and at the log of the CSCF behind it.',
    );
    if (isAnchored && outcome === '200') this.#judgeMedia(sessionCase, to, beforeTo, from);
    from.hangUp(call);
    await until(() => to.events.slice(beforeTo).find(({ type }) => type === 'session-ended'), settleMs);
  }

  /** Whether the application server was called and its own INVITE is on its way. */
  #judgeTrigger(sessionCase: string, callId: string | undefined, arrived: boolean, since: number): boolean {
    const entries = this.#atServer.slice(since);
    const invite = entries.find(
      ({ direction, summary, details }) =>
        direction === 'received' && summary.startsWith('INVITE ') && details['callId'] === callId,
    );
    const sessionCases = { originating: 0, terminating: 1 }[sessionCase];
    this.#judge(
      `${sessionCase}: trigger`,
      invite !== undefined,
      invite !== undefined
        ? `INVITE from ${invite.from}`
        : arrived
          ? 'the call went past the application server'
          : 'no INVITE has reached the application server',
      `The profile needs a filter criterion with Method INVITE and SessionCase ${sessionCases} in one group. If it has one, the S-CSCF did not reach the ServerName and DefaultHandling let the call go on.`,
    );
    return invite !== undefined && this.#judgeReturn(sessionCase, invite, entries);
  }

  /** The S-CSCF's own entry behind the application server's is how it knows the call again (TS 24.229 §5.4.3.2). */
  #judgeReturn(sessionCase: string, invite: TraceEntry, entries: readonly TraceEntry[]): boolean {
    const routes = (invite.details['route'] ?? '').split(/,\s*(?=<)/);
    const mark = routes[1];
    this.#judge(
      `${sessionCase}: original dialog identifier`,
      mark !== undefined,
      mark ?? 'no Route entry behind that of the application server',
      'The S-CSCF must put itself with the original dialog identifier behind the application server in Route.',
    );
    const sent = entries.find(
      ({ direction, summary, at }) =>
        direction === 'sent' && summary.startsWith('INVITE ') && at >= invite.at,
    );
    const refusal = entries.find(
      ({ direction, summary, details }) =>
        direction === 'sent' && /^[3-6]\d\d /.test(summary) && details['callId'] === invite.details['callId'],
    );
    const answers = entries.filter(
      ({ direction, summary, details }) =>
        direction === 'received' &&
        /\(INVITE\)$/.test(summary) &&
        details['callId'] === sent?.details['callId'],
    );
    const final = answers.find(({ summary }) => /^[2-6]/.test(summary))?.summary;
    const isMarkKept = mark === undefined || sent?.details['route']?.includes(mark) === true;
    const isTaken = answers.length > 0 && !/^[3-6]/.test(final ?? '') && isMarkKept;
    this.#judge(
      `${sessionCase}: way back into the core`,
      isTaken,
      sent === undefined
        ? `the application server refused: ${refusal?.summary ?? 'no answer'}`
        : (final ?? answers.at(-1)?.summary ?? `no answer from ${sent.to}`),
      sent === undefined
        ? 'A 503 means that no translator is available (see above).'
        : 'The S-CSCF must accept requests from the application server over UDP and TCP as those of a trusted node, and recognise its own Route entry.',
    );
    return isTaken;
  }

  /** The callee must see the translator, not the caller. */
  #judgeMedia(sessionCase: string, to: TestTerminal, since: number, from: TestTerminal): void {
    const established = to.events.slice(since).find((event) => event.type === 'session-established');
    const seen = established?.media[0]?.address;
    const own = from.trace.findLast(({ direction }) => direction === 'sent')?.from.replace(/:\d+$/, '');
    this.#judge(
      `${sessionCase}: media are anchored`,
      seen !== undefined && seen !== own,
      `the callee sends to ${seen ?? 'nowhere'}`,
      'Something between the application server and the callee rewrites the session description.',
    );
  }

  #find(direction: TraceEntry['direction'], summary: RegExp): TraceEntry | undefined {
    return this.#atServer.find((entry) => entry.direction === direction && summary.test(entry.summary));
  }

  #judge(hop: string, isOk: boolean, detail: string, remedy: string): void {
    this.#tell({ hop, outcome: isOk ? 'ok' : 'failed', detail, remedy: isOk ? '' : remedy });
  }

  #skip(hop: string): void {
    const remedy = 'First mend what failed above.';
    this.#tell({ hop, outcome: 'not tried', detail: 'it needs a registration', remedy });
  }
}

/** By what a P-CSCF passes on; TS 24.229 §5.3.1 says which Cx result becomes which. */
function registrationRemedy(statusCode: number | undefined): string {
  if (statusCode === 401 || statusCode === 407) return 'The password or USIM key is not that of the HSS.';
  if (statusCode === 403)
    return 'The HSS knows the private identity not, or not with this public identity, or the visited network is not allowed; a wrong password is told so too by some S-CSCFs.';
  if (statusCode === 404) return 'The home domain is none that the P-CSCF or the I-CSCF knows.';
  if (statusCode === undefined || statusCode === 408)
    return 'Nobody answers: look at address and port of the P-CSCF, then at its way to the I-CSCF.';
  return 'The core is reached and fails inside: look at the I-CSCF and the Diameter connection to the HSS.';
}

/** An answer to OPTIONS, whatever it is; undefined when none comes. */
async function askOptions(server: TransportAddress, own: string): Promise<string | undefined> {
  const socket = createSocket(own.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), settleMs);
      const settle = (answer: string | undefined): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      socket.on('error', () => settle(undefined));
      socket.on('message', (octets) => settle(octets.toString('latin1').split('\r\n')[0]));
      socket.bind(0, own, () => {
        const local = formatTransportAddress({ address: own, port: socket.address().port });
        const tag = `doctor${socket.address().port}`;
        const request = new SipRequest('OPTIONS', `sip:${formatTransportAddress(server)}`);
        for (const [name, value] of [
          ['Via', `SIP/2.0/UDP ${local};branch=z9hG4bK${tag}`],
          ['Max-Forwards', '70'],
          ['From', `<sip:doctor@${local}>;tag=${tag}`],
          ['To', `<${request.requestUri}>`],
          ['Call-ID', `${tag}@${own}`],
          ['CSeq', '1 OPTIONS'],
        ] as const)
          request.headers.append(name, value);
        socket.send(serializeSipMessage(request), server.port, server.address);
      });
    });
  } finally {
    socket.close();
  }
}

async function until<Value>(look: () => Value | undefined, forMs = patienceMs): Promise<Value | undefined> {
  const giveUpAt = monotonicNow() + forMs;
  for (;;) {
    const found = look();
    if (found !== undefined || monotonicNow() >= giveUpAt) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
