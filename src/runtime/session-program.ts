/**
 * Opens a multimedia session for a program that does not speak SIP (`trimaran session`, `trimaran run`; TRIM §3.1: applications "request the
 * HM to establish a session"). To the handover manager it is an application as any softphone: a terminal that calls through its outbound proxy.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TransportAddress } from '../base/network.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import { CorrespondentNode, type CorrespondentNodeEvent } from '../correspondent-node/correspondent-node.ts';
import type { RemoteMedium, TerminalMedium } from '../correspondent-node/terminal-description.ts';
import { EventLoop } from './event-loop.ts';
import { SystemRandomSource } from './system-random-source.ts';

export interface SessionProgramOptions {
  /** The SIP URI to call. */
  readonly to: string;
  readonly media: readonly TerminalMedium[];
  /** The handover manager of this host; its address is the internal address, where media are too. */
  readonly proxy: TransportAddress;
}

/** How long hanging up may take before the process ends anyway. */
const goodbyeMs = 2000;

export class SessionProgram {
  readonly #machine: CorrespondentNode;
  readonly #loop: EventLoop<never, CorrespondentNodeEvent, never>;
  readonly #call: number;
  #media: readonly RemoteMedium[] | undefined;
  #statusCode: number | undefined;
  #isOver = false;
  #onChange: () => void = () => {};

  /** Calls; settles when the session is established. Throws SESSION_REFUSED. */
  static async open(options: SessionProgramOptions): Promise<SessionProgram> {
    const port = await freePort(options.proxy.address);
    const session = new SessionProgram(options, port);
    await session.#until(() => session.#media !== undefined || session.#isOver);
    if (session.#media === undefined) {
      session.#loop.close();
      throw refused(options, session.#statusCode);
    }
    return session;
  }

  private constructor({ to, media, proxy }: SessionProgramOptions, port: number) {
    const sip = { address: proxy.address, port };
    this.#machine = new CorrespondentNode({
      sip,
      identity: {
        publicIdentity: `sip:program@${proxy.address}`,
        privateIdentity: 'program',
        password: '',
        homeDomain: proxy.address,
      },
      expiresSeconds: 600,
      registers: false,
      outboundProxy: proxy,
      media,
      withReservation: false,
      ringMs: 0,
      random: new SystemRandomSource(),
    });
    this.#loop = new EventLoop({ machine: this.#machine, onEvent: (event) => this.#handleEvent(event) });
    this.#loop.perform((now) => this.#machine.start(now));
    let call = 0;
    this.#loop.perform((now) => {
      call = this.#machine.placeCall(to, now);
    });
    this.#call = call;
  }

  /** Where the peer's media are, in the order in which they were asked for. */
  get media(): readonly RemoteMedium[] {
    return this.#media ?? [];
  }

  /** Settles when the peer hung up, or the network gave up the session. */
  ended(): Promise<void> {
    return this.#until(() => this.#isOver);
  }

  async close(): Promise<void> {
    if (!this.#isOver) this.#loop.perform((now) => this.#machine.hangUp(this.#call, now));
    const timeout = setTimeout(
      () => this.#handleEvent({ type: 'session-ended', call: this.#call, statusCode: 408 }),
      goodbyeMs,
    );
    await this.ended();
    clearTimeout(timeout);
    this.#loop.close();
  }

  #handleEvent(event: CorrespondentNodeEvent): void {
    if (event.type === 'session-established') this.#media = event.media;
    else if (event.type === 'session-ended') {
      this.#isOver = true;
      this.#statusCode = event.statusCode;
    }
    this.#onChange();
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (holds()) resolve();
      };
      const previous = this.#onChange;
      this.#onChange = () => {
        previous();
        check();
      };
      check();
    });
  }
}

/** What "audio:40000", "video:40002", "udp:5000", "tcp:listen:5201" and "tcp:connect" mean. Throws USAGE. */
export function parseMedium(text: string): TerminalMedium {
  const [kind = '', a = '', b = ''] = text.split(':');
  const port = Number(kind === 'tcp' ? b : a);
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (kind === 'tcp' && a === 'connect' && b === '')
    return { media: 'application', transport: 'tcp', port: 9, setup: 'active' };
  if (kind === 'tcp' && a === 'listen' && isPort)
    return { media: 'application', transport: 'tcp', port, setup: 'passive' };
  if (isPort && kind === 'udp') return { media: 'application', transport: 'udp', port };
  if (isPort && kind === 'audio') return { media: 'audio', transport: 'udp', port, formats: ['0', '8'] };
  if (isPort && kind === 'video') return { media: 'video', transport: 'udp', port, formats: ['96'] };
  throw new TrimaranError('USAGE', `"${text}" is no medium`, {
    remedy:
      'Media are audio:PORT, video:PORT, udp:PORT, tcp:connect (the program connects) or tcp:listen:PORT.',
  });
}

/** A port that nobody uses now on that address. */
async function freePort(address: string): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.bind(0, address);
    await once(socket, 'listening');
    return socket.address().port;
  } catch (cause) {
    throw new TrimaranError('NO_MOBILE_NODE', `this host has no address ${address}`, {
      cause,
      remedy: 'Start "trimaran mobile-node" first, or name its internal address with --proxy.',
    });
  } finally {
    socket.close();
  }
}

function refused({ to }: SessionProgramOptions, statusCode: number | undefined): TrimaranError {
  return new TrimaranError('SESSION_REFUSED', `no session with ${to}: ${statusCode ?? 'no answer'}`, {
    remedy:
      '"trimaran status" shows whether the mobile node is registered; 404 and 480 mean that the peer is not.',
  });
}
