/**
 * Users for tests of calls in virtual time: `Party` is a telephone (one-legged calls), `Anchor` stands where the TRIM AS stands and
 * does in small what it does: gives every session description another address and answers moves by itself.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { SeededRandomSource } from '../../../base/random-source.ts';
import { BackToBackUserAgent } from '../back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  LegName,
  SignallingPath,
  Token,
} from '../back-to-back-user-agent/call-event.ts';
import { SipEndpoint } from '../endpoint.ts';
import type { UserAgentOptions } from '../user-agent/user-agent.ts';
import type { SipTestMachine, SipTestNetwork } from './sip-network.ts';

type EventOf<Type extends CallEvent['type']> = Extract<CallEvent, { type: Type }>;

export const mobileNode = '10.0.0.1';
export const mobileNodeMoved = '10.0.0.2';
export const anchorAddress = '10.0.0.5';
export const correspondent = '10.0.0.9';

/** A session description in one line each; `qos` is what the sender has reserved. */
export function sdp(address: string, qos?: 'none' | 'sendrecv', direction = 'sendrecv'): string {
  const lines = [
    'v=0',
    `o=- 1 1 IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    'm=audio 4000 RTP/AVP 0',
  ];
  if (qos !== undefined) lines.push(`a=curr:qos local ${qos}`, 'a=des:qos mandatory local sendrecv');
  return `${[...lines, `a=${direction}`].join('\r\n')}\r\n`;
}

export function addressIn(body: string): string {
  return /c=IN IP4 (\S+)/.exec(body)?.[1] ?? '';
}

abstract class TestHost implements SipTestMachine {
  readonly agent: BackToBackUserAgent;
  readonly events: CallEvent[] = [];
  readonly network: SipTestNetwork;
  readonly #later: { at: Instant; act: () => void }[] = [];

  constructor(
    network: SipTestNetwork,
    addresses: readonly string[],
    seed: number,
    options: Partial<UserAgentOptions> = {},
  ) {
    this.network = network;
    const random = new SeededRandomSource(seed);
    const listen = addresses.map((address) => ({ transport: 'udp' as const, address, port: 5060 }));
    this.agent = new BackToBackUserAgent({
      endpoint: new SipEndpoint({ listen, random }),
      random,
      ...options,
    });
    this.agent.start(network.now);
    network.add(this, () => {});
  }

  abstract handleEvent(event: CallEvent, now: Instant): void;

  handleInput(input: NetworkInput, now: Instant): void {
    this.agent.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    for (const due of this.#later.filter(({ at }) => at <= now)) {
      this.#later.splice(this.#later.indexOf(due), 1);
      due.act();
    }
    this.agent.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    const own = Math.min(...this.#later.map(({ at }) => at));
    const timeout = this.agent.pollTimeout();
    return timeout === undefined || own < timeout.at
      ? own === Infinity
        ? undefined
        : { at: own, reason: 'test' }
      : timeout;
  }

  pollOutput(): NetworkOutput | undefined {
    for (let output = this.agent.pollOutput(); output !== undefined; output = this.agent.pollOutput()) {
      if (output.kind !== 'event') return output;
      this.events.push(output.event);
      this.handleEvent(output.event, this.network.now);
    }
    return undefined;
  }

  after(delayMs: number, act: () => void): void {
    if (delayMs === 0) act();
    else this.#later.push({ at: this.network.now + delayMs, act });
  }

  eventsOf<Type extends CallEvent['type']>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type);
  }
}

/** A telephone. Answers calls after `ringMs`, by the preconditions ladder when the offer has preconditions. */
export class Party extends TestHost {
  address: string;
  ringMs = 100;
  /** What it was told to send media to, and its own side, by call. */
  remote: string | undefined;
  call: CallHandle | undefined;
  leg: LegName = 'caller';
  isUp = false;
  /** Answers an initial INVITE by itself. */
  answers = true;
  /** Leaves the offers of later requests unanswered. */
  slow = false;
  /** Answers the offers of later requests ahead of the final response, which it never gives. */
  holdsBack = false;
  #invite: Token | undefined;

  constructor(
    network: SipTestNetwork,
    addresses: readonly string[],
    seed: number,
    options: Partial<UserAgentOptions> = {},
  ) {
    super(network, addresses, seed, options);
    this.address = addresses[0]!;
  }

  get path(): SignallingPath {
    return { contact: `<sip:user@${this.address}:5060>`, local: { address: this.address, port: 5060 } };
  }

  /** Calls through the anchor. */
  place(to: string, qos?: 'none'): void {
    const route = {
      ...this.path,
      requestUri: to,
      routes: [`<sip:${anchorAddress}:5060;lr>`],
      from: '<sip:mn@home.test>',
    };
    const headers = qos === undefined ? [] : [['Require', 'precondition'] as const];
    const placed = this.agent.placeCall(
      { ...route, headers, body: sdp(this.address, qos) },
      this.network.now,
    );
    this.call = placed.call;
    this.leg = 'callee';
    this.network.flush();
  }

  /** Moves by re-INVITE from the new address. */
  moveByReInvite(address: string, qos?: 'none'): void {
    this.address = address;
    const { path } = this;
    this.agent.sendLocally(
      this.call!,
      this.leg,
      { method: 'INVITE', body: sdp(address, qos), path },
      this.network.now,
    );
    this.network.flush();
  }

  moveByReplaces(address: string, qos?: 'none'): void {
    this.address = address;
    const requestUri = this.agent.legOf(this.call!, this.leg)!.remoteTarget;
    const route = {
      ...this.path,
      requestUri,
      routes: [`<sip:${anchorAddress}:5060;lr>`],
      body: sdp(address, qos),
    };
    this.agent.replaceLeg(this.call!, this.leg, route, this.network.now);
    this.network.flush();
  }

  reInvite(direction: string): void {
    const body = sdp(this.address, undefined, direction);
    this.agent.sendLocally(this.call!, this.leg, { method: 'INVITE', body }, this.network.now);
    this.network.flush();
  }

  hangUp(): void {
    if (this.call !== undefined) this.agent.endCall(this.call, this.network.now);
    this.network.flush();
  }

  handleEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'call-arrived') this.#ring(event);
    else if (event.type === 'body-arrived') this.#answer(event, now);
    else if (event.type === 'response-arrived') this.#handleResponse(event, now);
    else if (event.type === 'call-confirmed') this.isUp = true;
    else if (event.type === 'leg-lost' && event.cause === 'bye') this.agent.endCall(event.call, now);
    else if (event.type === 'call-ended') this.isUp = false;
  }

  #ring(event: EventOf<'call-arrived'>): void {
    this.call = event.call;
    this.leg = 'caller';
    this.#invite = event.token;
    this.remote = addressIn(event.request.body);
    if (!this.answers) return;
    const body = event.request.body.includes('a=curr:qos') ? sdp(this.address, 'none') : undefined;
    if (body !== undefined) this.#reply({ statusCode: 183, body });
    else {
      this.#reply({ statusCode: 180 });
      this.after(this.ringMs, () => this.accept(sdp(this.address)));
    }
  }

  ringNow(): void {
    this.#reply({ statusCode: 180 });
  }

  accept(body?: string): void {
    this.#reply(body === undefined ? { statusCode: 200 } : { statusCode: 200, body });
  }

  #reply(answer: { statusCode: number; body?: string }): void {
    if (this.#invite !== undefined)
      this.agent.answerLocally(this.#invite, { ...answer, path: this.path }, this.network.now);
    this.network.flush();
  }

  #answer(event: EventOf<'body-arrived'>, now: Instant): void {
    if (this.slow) return;
    if (event.role === 'offer') this.remote = addressIn(event.body);
    const body =
      event.role === 'offer'
        ? sdp(this.address, event.body.includes('curr:qos') ? 'sendrecv' : undefined)
        : '';
    this.agent.answerLocally(event.token, { statusCode: this.holdsBack ? 183 : 200, body }, now);
    if (event.within !== undefined && event.body.includes('curr:qos local sendrecv')) {
      this.#reply({ statusCode: 180 });
      this.after(this.ringMs, () => this.accept());
    }
  }

  /** Reservation takes no time here: the UPDATE follows the 200 to PRACK at once. */
  #handleResponse(event: EventOf<'response-arrived'>, now: Instant): void {
    const { response, request } = event;
    if (response.body !== '') this.remote = addressIn(response.body);
    if (response.statusCode !== 183 || !response.body.includes('curr:qos')) return;
    const body = sdp(this.address, 'sendrecv');
    const local = { method: 'UPDATE' as const, body };
    if (this.agent.sendLocally(event.call, event.leg, { ...local, within: request }, now) === undefined)
      this.agent.sendLocally(event.call, event.leg, local, now);
  }
}

/** The anchor in the middle: the mobile node's side is told `y`, the correspondent's `x`. */
export class Anchor extends TestHost {
  /** How long it thinks about each session description, as if it asked a translator. */
  thinkMs = 0;
  /** Where the anchored media go: the mobile node's present address. */
  mobileMedia = '';
  readonly pairs: { readonly x: string; readonly y: string } = { x: '10.9.0.1', y: '10.9.0.2' };
  mobileLeg: LegName = 'caller';
  calleeContact: string = correspondent;
  /** Holds a call whose leg ended, as the TRIM AS does for a grace time. */
  keepsLost = false;
  refusesMoves = false;
  refusesUpdates = false;
  refusesAnswers = false;
  /** Answers UPDATEs from elsewhere too. */
  takesUpdates = false;
  #pendingMove: { token: Token; address: string } | undefined;

  constructor(network: SipTestNetwork, seed: number) {
    super(network, [anchorAddress], seed);
  }

  handleEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'call-arrived') this.#route(event, now);
    else if (event.type === 'body-arrived') this.after(this.thinkMs, () => this.#decide(event));
    else if (event.type === 'replacement-arrived') this.#move(event.token, event.request.body, now);
    else if (
      event.type === 'leg-lost' &&
      !this.keepsLost &&
      (event.cause === 'bye' || event.cause === 'ack-missing')
    )
      this.agent.endCall(event.call, now);
    else if (event.type === 'request-arrived')
      this.agent.forwardRequest(event.transaction, event.request, this.#outgoing(), now);
  }

  #route(event: EventOf<'call-arrived'>, now: Instant): void {
    const incoming = { contact: `<sip:as@${anchorAddress}:5060>` };
    this.agent.routeCall(event.token, incoming, this.#outgoing(), now);
  }

  #outgoing(): SignallingPath & { requestUri: string; routes: string[] } {
    return {
      contact: `<sip:as@${anchorAddress}:5060>`,
      requestUri: `sip:user@${this.calleeContact}:5060`,
      routes: [],
    };
  }

  #decide(event: EventOf<'body-arrived'>): void {
    const { now } = this.network;
    const isMobile = event.leg === this.mobileLeg;
    const address = addressIn(event.body);
    if (event.within !== undefined) this.#updateOfMove(event, now);
    else if (isMobile && event.message.kind === 'request' && this.#isMove(event.message.method, address))
      this.#move(event.token, event.body, now);
    else if (this.refusesAnswers && event.role === 'answer')
      this.agent.refuse(event.token, 503, undefined, now);
    else {
      if (isMobile) this.mobileMedia = address;
      const anchored = isMobile ? this.pairs.x : this.pairs.y;
      this.agent.continueWith(event.token, event.body.replaceAll(address, anchored), now);
    }
    this.network.flush();
  }

  #isMove(method: string, address: string): boolean {
    return (
      (method === 'INVITE' || (method === 'UPDATE' && this.takesUpdates)) &&
      this.mobileMedia !== '' &&
      address !== this.mobileMedia
    );
  }

  #move(token: Token, body: string, now: Instant): void {
    const address = addressIn(body);
    if (this.refusesMoves) this.agent.refuse(token, 503, undefined, now);
    else if (body.includes('a=curr:qos')) {
      this.#pendingMove = { token, address };
      this.agent.answerLocally(token, { statusCode: 183, body: sdp(this.pairs.y, 'sendrecv') }, now);
    } else if (this.agent.answerLocally(token, { statusCode: 200, body: sdp(this.pairs.y) }, now))
      this.mobileMedia = address;
  }

  #updateOfMove(event: EventOf<'body-arrived'>, now: Instant): void {
    this.agent.answerLocally(event.token, { statusCode: 200, body: sdp(this.pairs.y, 'sendrecv') }, now);
    if (this.#pendingMove?.token !== event.within) return;
    if (this.refusesUpdates) {
      this.agent.refuse(this.#pendingMove!.token, 503, undefined, now);
      return;
    }
    if (this.agent.answerLocally(this.#pendingMove!.token, { statusCode: 200 }, now))
      this.mobileMedia = this.#pendingMove!.address;
  }
}

/** The ladder of the network with names for addresses: "MN>AS INVITE", "AS>MN 183". Without 100, which comes when a step is slow. */
export function ladderOf(network: SipTestNetwork): string[] {
  const names: Record<string, string> = {
    [mobileNode]: 'MN',
    [mobileNodeMoved]: 'MN2',
    [anchorAddress]: 'AS',
    [correspondent]: 'CN',
  };
  const lines = network.ladder.map((line) => {
    const [, from = '', , to = '', , first = '', second = ''] = line.split(' ');
    const name = (address: string): string => names[address.split(':')[0]!] ?? address;
    return `${name(from)}>${name(to)} ${first === 'SIP/2.0' ? second : first}`;
  });
  return lines.filter((line) => !line.endsWith(' 100'));
}
