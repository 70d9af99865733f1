/**
 * The back-to-back user agent (RFC 3261 §6) of the TRIM application server (fig. 2) and of the mobile node's handover manager
 * (fig. 3(b)): own Call-ID, tags, CSeq, Contact and RSeq on each leg; what arrives on one leg is rebuilt on the other.
 */
import type { Instant } from '../../../base/instant.ts';
import type { Machine, Timeout } from '../../../base/machine.ts';
import type { NetworkInput, NetworkOutput, TransportAddress } from '../../../base/network.ts';
import type { RandomSource } from '../../../base/random-source.ts';
import type { SipEndpoint, SipListener } from '../endpoint.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';
import type { ClientTransactionId, ServerTransactionId, SipTarget } from '../transaction/sip-event.ts';
import type {
  CallEvent,
  CallHandle,
  HeaderChange,
  LegName,
  LocalAnswer,
  LocalRequest,
  LocalRequestHandle,
  OutgoingRoute,
  SignallingPath,
  Token,
} from './call-event.ts';

export interface BackToBackUserAgentOptions {
  /** Built by the owner, who chooses its listeners; from then on driven from here alone. */
  readonly endpoint: SipEndpoint;
  readonly random: RandomSource;
  /** Addresses of hosts that appear in URIs by name; IP literals need no entry. */
  readonly hosts?: ReadonlyMap<string, TransportAddress>;
}

/** What a leg looks like at this moment. */
export interface LegView {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** The peer's Contact URI. */
  readonly remoteTarget: string;
  readonly path: SignallingPath;
  readonly state: 'early' | 'confirmed' | 'lost';
}

export type BackToBackUserAgentOutput = NetworkOutput | { readonly kind: 'event'; readonly event: CallEvent };

export class BackToBackUserAgent implements Machine<NetworkInput, BackToBackUserAgentOutput> {
  readonly #endpoint: SipEndpoint;

  constructor(options: BackToBackUserAgentOptions) {
    this.#endpoint = options.endpoint;
  }

  /** Asks the host for the endpoint's listening sockets. */
  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  pollOutput(): BackToBackUserAgentOutput | undefined {
    return this.#endpoint.pollOutput();
  }

  /** Decides on `call-arrived`; the INVITE's offer then comes as `body-arrived`. All decisions: false when the token is void by now. */
  routeCall(token: Token, incoming: SignallingPath, outgoing: OutgoingRoute, now: Instant): boolean {
    void [token, incoming, outgoing, now];
    return false;
  }

  /** Lets the message go on to the other leg with this body in place of its own. */
  continueWith(token: Token, body: string, now: Instant): boolean {
    void [token, body, now];
    return false;
  }

  /** Answers a request in the owner's name; the other leg does not hear of it. */
  answerLocally(token: Token, answer: LocalAnswer, now: Instant): boolean {
    void [token, answer, now];
    return false;
  }

  /**
   * A request is answered with this status and nothing changes. A response that cannot be passed on becomes this status: the call
   * attempt or the modification fails towards both sides.
   */
  refuse(token: Token, statusCode: number, reasonPhrase: string | undefined, now: Instant): boolean {
    void [token, statusCode, reasonPhrase, now];
    return false;
  }

  /** A call whose other party is the owner himself: one leg, named 'callee'. */
  placeCall(
    route: OutgoingRoute & { readonly from: string; readonly body?: string },
    now: Instant,
  ): { readonly call: CallHandle; readonly request: LocalRequestHandle } {
    void [route, now];
    return { call: 0, request: 0 };
  }

  /** Waits by itself while the leg is busy (one INVITE, one offer at a time). `undefined`: no such leg, or it was lost. */
  sendLocally(
    call: CallHandle,
    leg: LegName,
    request: LocalRequest,
    now: Instant,
  ): LocalRequestHandle | undefined {
    void [call, leg, request, now];
    return undefined;
  }

  /** Sends an INVITE with Replaces that names the leg's dialog, lost or not; with its 2xx the new dialog becomes the leg. */
  replaceLeg(
    call: CallHandle,
    leg: LegName,
    route: OutgoingRoute & { readonly body?: string },
    now: Instant,
  ): LocalRequestHandle | undefined {
    void [call, leg, route, now];
    return undefined;
  }

  /** CANCELs an INVITE of the owner's, or takes a waiting request back; its end comes as `response-arrived`. */
  cancelLocally(request: LocalRequestHandle, now: Instant): void {
    void [request, now];
  }

  /** From now on requests and Contacts of this leg use this path. */
  moveLeg(call: CallHandle, leg: LegName, path: SignallingPath): void {
    void [call, leg, path];
  }

  /**
   * BYE, CANCEL or a final response (default 480) on every leg that is left. After a leg was lost by BYE the headers of that BYE
   * (Reason …) go on with it.
   */
  endCall(
    call: CallHandle,
    now: Instant,
    options: { readonly statusCode?: number; readonly headers?: readonly HeaderChange[] } = {},
  ): void {
    void [call, now, options];
  }

  legOf(call: CallHandle, leg: LegName): LegView | undefined {
    void [call, leg];
    return undefined;
  }

  /** Answers a request outside calls. */
  respond(transaction: ServerTransactionId, response: SipResponse, now: Instant): void {
    this.#endpoint.respond(transaction, response, now);
  }

  /** Sends a request outside calls; its end comes as `outside-response-arrived`. */
  sendRequest(request: SipRequest, target: SipTarget, now: Instant): ClientTransactionId {
    return this.#endpoint.sendRequest(request, target, now);
  }

  addListener(listener: SipListener, now: Instant): void {
    this.#endpoint.addListener(listener, now);
  }

  removeListener(listener: SipListener, now: Instant): void {
    this.#endpoint.removeListener(listener, now);
  }
}
