/**
 * An ordinary terminal that knows nothing of mobility: the correspondent node of TRIM fig. 1, and the program on the mobile node that opens
 * sessions for others (`trimaran session`). It registers, calls, is called, and tells where the media of a session go.
 *
 *   called, no reservation wanted    INVITE ─▶ 180 ─▶ 200
 *   called with preconditions        INVITE ─▶ 183 (answer) ─PRACK─ UPDATE ─▶ 200 ─▶ 180 ─▶ 200        (TRIM fig. 4)
 *   calls with reservation           INVITE ─▶ … 183 ─PRACK─ UPDATE (resources are there) … 200
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { earlierTimeout, type Timeout } from '../base/machine.ts';
import { isMalformed } from '../base/malformed.ts';
import {
  formatTransportAddress,
  type NetworkInput,
  type NetworkOutput,
  type TransportAddress,
} from '../base/network.ts';
import type { NetworkFunction } from '../base/network-function.ts';
import { type RandomSource, randomToken } from '../base/random-source.ts';
import { isOutOfReach } from '../protocols/sdp/media-address.ts';
import { LegOrigin } from '../protocols/sdp/origin.ts';
import { arePreconditionsMet, preconditionsOf } from '../protocols/sdp/preconditions.ts';
import { parseSessionDescription, type SessionDescription } from '../protocols/sdp/session-description.ts';
import { BackToBackUserAgent } from '../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  HeaderChange,
  LegName,
  LocalRequestHandle,
  SignallingPath,
  StrayRequestRefused,
  Token,
} from '../protocols/sip/back-to-back-user-agent/call-event.ts';
import { SipEndpoint } from '../protocols/sip/endpoint.ts';
import { createResponse } from '../protocols/sip/message/create-response.ts';
import { userPartOf } from '../protocols/sip/message/sip-uri.ts';
import { addressFormatWarning } from '../protocols/sip/message/warning.ts';
import {
  RegistrationClient,
  type RegistrationIdentity,
} from '../protocols/sip/registration/registration-client.ts';
import type { ClientTransactionId, SipTarget } from '../protocols/sip/transaction/sip-event.ts';
import type { UserAgentCapabilities } from '../protocols/sip/user-agent/request-inspection.ts';
import {
  answerOf,
  offerOf,
  type RemoteMedium,
  remoteMediaOf,
  type TerminalMedium,
} from './terminal-description.ts';

type Event<Type extends CallEvent['type']> = Extract<CallEvent, { readonly type: Type }>;

export interface CorrespondentNodeOptions {
  /** Where it listens for SIP, UDP and TCP. */
  readonly sip: TransportAddress;
  /** All of its SIP goes by TLS instead: port to listen on, and name that the outbound proxy's certificate must hold. */
  readonly tls?: { readonly port: number; readonly serverName: string } | undefined;
  /** Where its media are; default the SIP address. */
  readonly mediaAddress?: string;
  readonly identity: RegistrationIdentity;
  readonly expiresSeconds: number;
  /** Whether it registers; without it only calls that are sent to it directly arrive. */
  readonly registers: boolean;
  /** Where all requests go first: the P-CSCF, or the handover manager of this host. */
  readonly outboundProxy: TransportAddress;
  readonly media: readonly TerminalMedium[];
  /** Calls only begin once resources are reserved on both sides (RFC 3312). */
  readonly withReservation: boolean;
  /** How long it rings before it answers. */
  readonly ringMs: DurationMs;
  /** Interval of the session timer that its calls ask for (RFC 4028); absent: only where the peer asks. */
  readonly sessionSeconds?: number | undefined;
  readonly random: RandomSource;
}

export type CorrespondentNodeEvent =
  | { readonly type: 'registered' }
  | { readonly type: 'registration-failed'; readonly statusCode: number }
  | { readonly type: 'call-arrived'; readonly call: number; readonly peer: string }
  /** Told again when the peer moves media or the session changes. */
  | { readonly type: 'session-established'; readonly call: number; readonly media: readonly RemoteMedium[] }
  | { readonly type: 'session-ended'; readonly call: number; readonly statusCode: number | undefined }
  | StrayRequestRefused;

interface Call {
  readonly handle: CallHandle;
  readonly leg: LegName;
  readonly origin: LegOrigin;
  /** The INVITE to answer, or the one sent. */
  invite: Token | undefined;
  request: LocalRequestHandle | undefined;
  isReserving: boolean;
  answerAt: Instant | undefined;
  hasAnswered: boolean;
  isConfirmed: boolean;
  local: SessionDescription | undefined;
  remote: RemoteMedium[];
}

const capabilities: UserAgentCapabilities = {
  methods: ['INVITE', 'ACK', 'CANCEL', 'BYE', 'PRACK', 'UPDATE', 'INFO', 'OPTIONS'],
  extensions: ['100rel', 'precondition', 'replaces', 'timer'],
  contentTypes: ['application/sdp'],
};

/** A terminal has hands for a few calls; further ones are answered 486. */
const maximumCalls = 1000;

export class CorrespondentNode implements NetworkFunction<never, CorrespondentNodeEvent, never> {
  readonly #options: CorrespondentNodeOptions;
  readonly #agent: BackToBackUserAgent;
  readonly #registration: RegistrationClient;
  readonly #calls = new Map<CallHandle, Call>();
  readonly #outputs: (NetworkOutput | { readonly kind: 'event'; readonly event: CorrespondentNodeEvent })[] =
    [];
  #registering: ClientTransactionId | undefined;
  #isStopping = false;
  #serviceRoute: readonly string[] = [];

  constructor(options: CorrespondentNodeOptions) {
    const { sip, identity, expiresSeconds, random, sessionSeconds } = options;
    this.#options = options;
    const listen =
      options.tls === undefined
        ? (['udp', 'tcp'] as const).map((transport) => ({ transport, ...sip }))
        : [{ transport: 'tls' as const, address: sip.address, port: options.tls.port }];
    this.#agent = new BackToBackUserAgent({
      endpoint: new SipEndpoint({ listen, random, refuseMergedRequests: true }),
      random,
      sessionSeconds,
      capabilities,
    });
    this.#registration = new RegistrationClient({
      identity,
      contact: this.#contactUri,
      expiresSeconds,
      random,
    });
  }

  start(now: Instant): void {
    this.#agent.start(now);
    if (this.#options.registers) this.#register(now);
    this.#drain(now);
  }

  /** Hangs up and takes its registration back; `isStopped` tells when that is done. */
  stop(now: Instant): void {
    this.#isStopping = true;
    for (const { handle } of this.#calls.values()) this.#agent.endCall(handle, now);
    if (this.#registration.isRegistered) this.#send(this.#registration.deregister(), now);
    this.#drain(now);
  }

  get isStopped(): boolean {
    return this.#isStopping && this.#calls.size === 0 && !this.#registration.isRegistered;
  }

  /** Calls a SIP URI with all its media. */
  placeCall(to: string, now: Instant): CallHandle {
    const { withReservation, media, identity } = this.#options;
    const local = offerOf(this.#mediaAddress, media, withReservation ? 'none' : undefined);
    const origin = this.#newOrigin();
    const reservation: HeaderChange[] = withReservation
      ? [
          ['Supported', '100rel'],
          ['Require', 'precondition'],
        ]
      : [['Supported', '100rel']];
    const { call, request } = this.#agent.placeCall(
      {
        ...this.#path(),
        requestUri: to,
        routes: this.#routes(),
        nextHop: this.#outboundProxy,
        from: `<${identity.publicIdentity}>`,
        headers: [['P-Preferred-Identity', `<${identity.publicIdentity}>`], ...reservation],
        body: textOf(origin, local),
      },
      now,
    );
    this.#calls.set(call, { ...newCall(call, 'callee', origin), request, local });
    this.#drain(now);
    return call;
  }

  hangUp(call: CallHandle, now: Instant): void {
    this.#agent.endCall(call, now);
    this.#drain(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#agent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    for (const call of this.#calls.values()) {
      if (call.answerAt !== undefined && call.answerAt <= now) this.#accept(call, now);
    }
    const refresh = this.#registration.pollTimeout();
    if (refresh !== undefined && refresh.at <= now && !this.#isStopping) this.#register(now);
    this.#drain(now);
  }

  pollOutput():
    | NetworkOutput
    | { readonly kind: 'event'; readonly event: CorrespondentNodeEvent }
    | undefined {
    return this.#outputs.shift();
  }

  pollTimeout(): Timeout | undefined {
    let earliest = this.#agent.pollTimeout();
    if (!this.#isStopping) earliest = earlierTimeout(earliest, this.#registration.pollTimeout());
    for (const { answerAt } of this.#calls.values())
      if (answerAt !== undefined)
        earliest = earlierTimeout(earliest, { at: answerAt, reason: 'answer the call' });
    return earliest;
  }

  #drain(now: Instant): void {
    for (let output = this.#agent.pollOutput(); output !== undefined; output = this.#agent.pollOutput()) {
      if (output.kind === 'event') this.#handleCallEvent(output.event, now);
      else this.#outputs.push(output);
    }
  }

  #handleCallEvent(event: CallEvent, now: Instant): void {
    if (event.type === 'call-arrived') this.#callArrived(event, now);
    else if (event.type === 'body-arrived') this.#offerArrived(event, now);
    else if (event.type === 'response-arrived') this.#responseArrived(event, now);
    else if (event.type === 'call-confirmed') this.#confirmed(event.call);
    else if (event.type === 'leg-lost') this.#agent.endCall(event.call, now);
    else if (event.type === 'call-ended') this.#ended(event);
    else if (event.type === 'replacement-arrived') this.#agent.refuse(event.token, 403, undefined, now);
    else if (event.type === 'outside-response-arrived') this.#registrationAnswered(event, now);
    else if (event.type === 'stray-request-refused') this.#tell(event);
    else if (event.type === 'request-arrived') {
      // OPTIONS (RFC 3261 §11.2): of the methods that it has, no other one stands outside of calls.
      const response = createResponse(event.request, 200, { toTag: randomToken(this.#options.random, 12) });
      response.headers.append('Allow', capabilities.methods.join(', '));
      response.headers.append('Accept', capabilities.contentTypes.join(', '));
      response.headers.append('Supported', capabilities.extensions.join(', '));
      this.#agent.respond(event.transaction, response, now);
    }
  }

  #callArrived({ call: handle, token, request }: Event<'call-arrived'>, now: Instant): void {
    const offer = parseSessionDescription(request.body);
    const path = this.#path();
    if (this.#calls.size >= maximumCalls || isMalformed(offer)) {
      this.#agent.answerLocally(token, { statusCode: isMalformed(offer) ? 488 : 486, path }, now);
      return;
    }
    if (isOutOfReach(offer, this.#mediaAddress)) {
      const warning = addressFormatWarning(
        this.#options.sip,
        'Media are at addresses of the other version of IP',
      );
      this.#agent.answerLocally(token, { statusCode: 488, headers: [['Warning', warning]], path }, now);
      return;
    }
    const call: Call = { ...newCall(handle, 'caller', this.#newOrigin()), invite: token };
    this.#calls.set(handle, call);
    this.#tell({ type: 'call-arrived', call: handle, peer: request.headers.get('From') ?? '' });
    const answer = this.#answer(call, offer, 'none');
    call.isReserving = answer.media.some((media) => preconditionsOf(media) !== undefined);
    if (call.isReserving) {
      call.hasAnswered = true;
      this.#agent.answerLocally(token, { statusCode: 183, body: textOf(call.origin, answer), path }, now);
    } else this.#ring(call, now);
  }

  #answer(call: Call, offer: SessionDescription, reserved: 'none' | 'sendrecv'): SessionDescription {
    const answer = answerOf(offer, this.#mediaAddress, this.#options.media, reserved);
    call.local = answer;
    call.remote = remoteMediaOf(answer, offer, 'offer');
    return answer;
  }

  #ring(call: Call, now: Instant): void {
    if (call.invite !== undefined)
      this.#agent.answerLocally(call.invite, { statusCode: 180, path: this.#path() }, now);
    call.answerAt = now + this.#options.ringMs;
  }

  #accept(call: Call, now: Instant): void {
    call.answerAt = undefined;
    if (call.invite === undefined || call.local === undefined) return;
    const answer = call.hasAnswered ? {} : { body: textOf(call.origin, call.local) };
    this.#agent.answerLocally(call.invite, { statusCode: 200, ...answer, path: this.#path() }, now);
  }

  /** A re-INVITE, or an UPDATE while the call is set up: the peer's resources are there (TRIM fig. 4). */
  #offerArrived(event: Event<'body-arrived'>, now: Instant): void {
    const call = this.#calls.get(event.call);
    const offer = parseSessionDescription(event.body);
    if (call === undefined || isMalformed(offer)) {
      this.#agent.refuse(event.token, 488, undefined, now);
      return;
    }
    const answer = this.#answer(call, offer, 'sendrecv');
    this.#agent.answerLocally(event.token, { statusCode: 200, body: textOf(call.origin, answer) }, now);
    if (call.isConfirmed) this.#confirmed(event.call);
    if (call.isReserving && answer.media.every(isReady)) {
      call.isReserving = false;
      this.#ring(call, now);
    }
  }

  #responseArrived({ call: handle, leg, request, response }: Event<'response-arrived'>, now: Instant): void {
    const call = this.#calls.get(handle);
    const answer = parseSessionDescription(response.body);
    if (call?.local === undefined || isMalformed(answer) || request !== call.request) return;
    call.remote = remoteMediaOf(call.local, answer, 'answer');
    const isAwaited = answer.media.some((media) => preconditionsOf(media) !== undefined);
    if (response.statusCode >= 200 || !isAwaited || call.isReserving) return;
    call.isReserving = true;
    call.local = offerOf(this.#mediaAddress, this.#options.media, 'sendrecv');
    const update = { method: 'UPDATE', body: textOf(call.origin, call.local) } as const;
    this.#agent.sendLocally(handle, leg, update, now);
  }

  #confirmed(handle: CallHandle): void {
    const call = this.#calls.get(handle);
    if (call === undefined) return;
    call.isConfirmed = true;
    this.#tell({ type: 'session-established', call: handle, media: call.remote });
  }

  #ended({ call, statusCode }: Event<'call-ended'>): void {
    if (this.#calls.delete(call)) this.#tell({ type: 'session-ended', call, statusCode });
  }

  #register(now: Instant): void {
    this.#send(this.#registration.register(), now);
  }

  #send(request: ReturnType<RegistrationClient['register']>, now: Instant): void {
    this.#registering = this.#agent.sendRequest(request, this.#outboundProxy, now);
  }

  #registrationAnswered({ transaction, response }: Event<'outside-response-arrived'>, now: Instant): void {
    if (transaction !== this.#registering) return;
    const outcome = this.#registration.handleResponse(response, now);
    if (outcome?.kind === 'repeat') this.#send(outcome.request, now);
    else if (outcome?.kind === 'registered') {
      this.#serviceRoute = outcome.serviceRoute;
      this.#tell({ type: 'registered' });
    } else if (outcome?.kind === 'failed')
      this.#tell({ type: 'registration-failed', statusCode: outcome.statusCode });
  }

  #routes(): string[] {
    const { tls, outboundProxy } = this.#options;
    const transport = tls === undefined ? '' : ';transport=tls';
    return [`<sip:${formatTransportAddress(outboundProxy)}${transport};lr>`, ...this.#serviceRoute];
  }

  #path(): SignallingPath {
    const { sip, tls } = this.#options;
    const path = {
      contact: `<${this.#contactUri}>`,
      local: { address: sip.address, port: tls?.port ?? sip.port },
    };
    // The routes of the core name its proxy by other transports, too.
    return tls === undefined ? path : { ...path, nextHop: this.#outboundProxy };
  }

  get #contactUri(): string {
    const { sip, tls, identity } = this.#options;
    const host = formatTransportAddress({ address: sip.address, port: tls?.port ?? sip.port });
    const transport = tls === undefined ? '' : ';transport=tls';
    return `sip:${userPartOf(identity.publicIdentity) ?? 'anonymous'}@${host}${transport}`;
  }

  get #outboundProxy(): SipTarget {
    const { outboundProxy, tls } = this.#options;
    return tls === undefined
      ? outboundProxy
      : { ...outboundProxy, transport: 'tls', serverName: tls.serverName };
  }

  get #mediaAddress(): string {
    return this.#options.mediaAddress ?? this.#options.sip.address;
  }

  #newOrigin(): LegOrigin {
    const sessionId = String(this.#options.random.nextUint32());
    return new LegOrigin({ username: '-', sessionId, address: this.#mediaAddress });
  }

  #tell(event: CorrespondentNodeEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}

function newCall(handle: CallHandle, leg: LegName, origin: LegOrigin): Call {
  return {
    handle,
    leg,
    origin,
    invite: undefined,
    request: undefined,
    isReserving: false,
    answerAt: undefined,
    hasAnswered: false,
    isConfirmed: false,
    local: undefined,
    remote: [],
  };
}

function textOf(origin: LegOrigin, description: SessionDescription): string {
  return origin.format(description);
}

function isReady(media: SessionDescription['media'][number]): boolean {
  const preconditions = preconditionsOf(media);
  return media.port === 0 || preconditions === undefined || arePreconditionsMet(preconditions);
}
