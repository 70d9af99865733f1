/**
 * An ordinary telephone's side of SIP (RFC 3261 §13–§15, RFC 3262, RFC 3311): places and answers calls, changes them, answers OPTIONS
 * and INFO. The correspondent node and the programs that open sessions are built on it. It is a back-to-back user agent whose owner
 * is the other party of every call. What stands in the session descriptions, preconditions included, is the owner's business.
 * Leaves out Replaces (refused with 403: nobody here can say who may), REFER, and subscriptions.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../../base/network.ts';
import { randomToken } from '../../../base/random-source.ts';
import { BackToBackUserAgent } from '../back-to-back-user-agent/back-to-back-user-agent.ts';
import type {
  CallEvent,
  CallHandle,
  LocalAnswer,
  LocalRequestHandle,
  OutgoingRoute,
  SignallingPath,
  Token,
} from '../back-to-back-user-agent/call-event.ts';
import { createResponse } from '../message/create-response.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, SipTarget } from '../transaction/sip-event.ts';
import type { UserAgentOptions } from './user-agent.ts';

export interface PlainUserAgentOptions extends UserAgentOptions {
  /** How this user agent names itself and where it sends from. */
  readonly path: SignallingPath;
}

export type PlainUserAgentEvent =
  /** `offer` is '' when the caller wants ours. Owner: `progress`, `accept` or `decline`. */
  | {
      readonly type: 'call-offered';
      readonly call: CallHandle;
      readonly offer: string;
      readonly request: SipRequest;
    }
  /** In a call, early or established. Owner: `answerOffer` or `refuseOffer`. `offer` is '' when the peer wants ours. */
  | {
      readonly type: 'offer-arrived';
      readonly call: CallHandle;
      readonly offer: string;
      readonly token: Token;
    }
  /** 101–199 to a call of ours; `answer` is '' when there is none. */
  | {
      readonly type: 'progressed';
      readonly call: CallHandle;
      readonly statusCode: number;
      readonly answer: string;
    }
  /** Answered: by the peer (`answer` as in the 2xx, perhaps '' after an earlier one) or by the owner. */
  | { readonly type: 'established'; readonly call: CallHandle; readonly answer: string }
  /** The end of a `modify`: the peer's answer, or the status that it was refused with; the session then is what it was. */
  | {
      readonly type: 'modified';
      readonly call: CallHandle;
      readonly statusCode: number;
      readonly answer: string;
    }
  /** Hung up by whoever, refused (`statusCode`), or lost. */
  | { readonly type: 'ended'; readonly call: CallHandle; readonly statusCode?: number }
  /** To `sendRequest`; `undefined`: no answer. */
  | {
      readonly type: 'outside-response-arrived';
      readonly transaction: ClientTransactionId;
      readonly response: SipResponse | undefined;
    };

export type PlainUserAgentOutput =
  | NetworkOutput
  | { readonly kind: 'event'; readonly event: PlainUserAgentEvent };

interface PlainCall {
  readonly leg: 'caller' | 'callee';
  /** The INVITE: of the peer until it is answered, or ours until its final response. */
  invite: Token | undefined;
  outgoing: LocalRequestHandle | undefined;
  isEstablished: boolean;
}

const supportedOptions: ReadonlySet<string> = new Set(['100rel', 'precondition']);
const allow = 'INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS, MESSAGE';

export class PlainUserAgent implements Machine<NetworkInput, PlainUserAgentOutput> {
  readonly #agent: BackToBackUserAgent;
  readonly #options: PlainUserAgentOptions;
  readonly #calls = new Map<CallHandle, PlainCall>();
  readonly #events: PlainUserAgentEvent[] = [];
  readonly #outputs: NetworkOutput[] = [];

  constructor(options: PlainUserAgentOptions) {
    this.#options = options;
    this.#agent = new BackToBackUserAgent(options);
  }

  start(now: Instant): void {
    this.#agent.start(now);
    this.#drain(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#agent.handleInput(input, now);
    this.#drain(now);
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    this.#drain(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#agent.pollTimeout();
  }

  pollOutput(): PlainUserAgentOutput | undefined {
    const event = this.#events.shift();
    return event === undefined ? this.#outputs.shift() : { kind: 'event', event };
  }

  /** `body` is the offer. */
  call(
    route: Omit<OutgoingRoute, keyof SignallingPath> & { readonly from: string; readonly body: string },
    now: Instant,
  ): CallHandle {
    const { call, request } = this.#agent.placeCall({ ...this.#options.path, ...route }, now);
    this.#calls.set(call, { leg: 'callee', invite: undefined, outgoing: request, isEstablished: false });
    this.#drain(now);
    return call;
  }

  /** 101–199 to an offered call; with a body reliably if the caller can (RFC 3262). False: the call is no longer waiting. */
  progress(
    call: CallHandle,
    answer: Pick<LocalAnswer, 'statusCode' | 'body' | 'reliable'>,
    now: Instant,
  ): boolean {
    return this.#answerInvite(call, answer, now);
  }

  /** Answers an offered call; without body when an earlier reliable response held it. */
  accept(call: CallHandle, body: string | undefined, now: Instant): boolean {
    return this.#answerInvite(
      call,
      body === undefined ? { statusCode: 200 } : { statusCode: 200, body },
      now,
    );
  }

  decline(call: CallHandle, statusCode: number, now: Instant): boolean {
    return this.#answerInvite(call, { statusCode }, now);
  }

  answerOffer(token: Token, body: string, now: Instant): boolean {
    return this.#answer(token, { statusCode: 200, body }, now);
  }

  refuseOffer(token: Token, statusCode: number, now: Instant): boolean {
    return this.#answer(token, { statusCode }, now);
  }

  /** Offers a change; UPDATE also before the call is established (RFC 3311 §5.1). Waits by itself while something else is under way. */
  modify(call: CallHandle, method: 'INVITE' | 'UPDATE', body: string, now: Instant): boolean {
    const leg = this.#calls.get(call)?.leg;
    const request = leg === undefined ? undefined : this.#agent.sendLocally(call, leg, { method, body }, now);
    this.#drain(now);
    return request !== undefined;
  }

  hangUp(call: CallHandle, now: Instant): void {
    this.#agent.endCall(call, now);
    this.#drain(now);
  }

  /** Outside of calls: REGISTER, OPTIONS. */
  sendRequest(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    const transaction = this.#agent.sendRequest(request, target, now);
    this.#drain(now);
    return transaction;
  }

  #drain(now: Instant): void {
    for (let output = this.#agent.pollOutput(); output !== undefined; output = this.#agent.pollOutput()) {
      if (output.kind === 'event') this.#handleEvent(output.event, now);
      else this.#outputs.push(output);
    }
  }

  #handleEvent(event: CallEvent, now: Instant): void {
    switch (event.type) {
      case 'call-arrived':
        this.#offerCall(event, now);
        break;
      case 'body-arrived':
        this.#handleBody(event, now);
        break;
      case 'response-arrived':
        this.#handleResponse(event);
        break;
      case 'call-confirmed':
        this.#establish(event.call);
        break;
      case 'leg-lost':
        this.#agent.endCall(event.call, now);
        break;
      case 'call-ended':
        this.#endCall(event);
        break;
      case 'replacement-arrived':
        this.#agent.refuse(event.token, 403, undefined, now);
        break;
      case 'request-arrived':
        this.#agent.respond(event.transaction, this.#answerOutside(event.request), now);
        break;
      case 'outside-response-arrived':
        this.#events.push(event);
        break;
      case 'request-cancelled':
      case 'acknowledged':
      case 'leg-replaced':
        break;
    }
  }

  #offerCall(event: Extract<CallEvent, { type: 'call-arrived' }>, now: Instant): void {
    const { call, token, request } = event;
    const unsupported = request.headers
      .getAll('Require')
      .filter((option) => !supportedOptions.has(option.toLowerCase()));
    if (unsupported.length > 0) {
      const headers = [['Unsupported', unsupported.join(', ')]] as const;
      this.#agent.answerLocally(token, { statusCode: 420, headers }, now);
      return;
    }
    this.#calls.set(call, { leg: 'caller', invite: token, outgoing: undefined, isEstablished: false });
    this.#events.push({ type: 'call-offered', call, offer: request.body, request });
  }

  /** An answer in PRACK or ACK needs nothing but the 200 that PRACK wants. */
  #handleBody(event: Extract<CallEvent, { type: 'body-arrived' }>, now: Instant): void {
    const { call, token, body, role } = event;
    if (role === 'answer') this.#agent.answerLocally(token, { statusCode: 200 }, now);
    else this.#events.push({ type: 'offer-arrived', call, offer: body, token });
  }

  #handleResponse({ call, request, response }: Extract<CallEvent, { type: 'response-arrived' }>): void {
    const known = this.#calls.get(call);
    const { statusCode, body: answer } = response;
    if (known === undefined) return;
    if (request !== known.outgoing) {
      if (statusCode >= 200) this.#events.push({ type: 'modified', call, statusCode, answer });
    } else if (statusCode < 200) this.#events.push({ type: 'progressed', call, statusCode, answer });
    else if (statusCode < 300) {
      known.isEstablished = true;
      this.#events.push({ type: 'established', call, answer });
    }
  }

  /** Our own 200 makes the call too; that of the peer was told with its answer. */
  #establish(call: CallHandle): void {
    const known = this.#calls.get(call);
    if (known === undefined || known.isEstablished) return;
    known.isEstablished = true;
    this.#events.push({ type: 'established', call, answer: '' });
  }

  #endCall({ call, statusCode }: Extract<CallEvent, { type: 'call-ended' }>): void {
    if (!this.#calls.delete(call)) return;
    this.#events.push(
      statusCode === undefined ? { type: 'ended', call } : { type: 'ended', call, statusCode },
    );
  }

  #answerInvite(call: CallHandle, answer: LocalAnswer, now: Instant): boolean {
    const token = this.#calls.get(call)?.invite;
    return token !== undefined && this.#answer(token, { ...answer, path: this.#options.path }, now);
  }

  #answer(token: Token, answer: LocalAnswer, now: Instant): boolean {
    const isTaken = this.#agent.answerLocally(token, answer, now);
    this.#drain(now);
    return isTaken;
  }

  #answerOutside(request: SipRequest): SipResponse {
    const toTag = randomToken(this.#options.random, 12);
    const response = createResponse(request, request.method === 'OPTIONS' ? 200 : 405, { toTag });
    response.headers.append('Allow', allow);
    if (request.method !== 'OPTIONS') return response;
    response.headers.append('Accept', 'application/sdp');
    response.headers.append('Supported', [...supportedOptions].join(', '));
    return response;
  }
}
