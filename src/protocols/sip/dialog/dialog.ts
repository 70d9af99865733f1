/**
 * A SIP dialog (RFC 3261 §12): identifiers, route set, remote target and the two sequence numbers of one peer-to-peer relation, and
 * the requests built inside it, by loose and by strict routing (§12.2.1.1). Transactions, retransmissions and offers are not its
 * business (user-agent/call-leg.ts).
 *
 *   created by 101–199 → early ──2xx──→ confirmed          (a 2xx creates it confirmed at once)
 */
import { ownText, ownTexts } from '../../../base/own-text.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import { emptyList } from '../../../base/short-list.ts';
import { callIdOf, cseqOf, firstAddressOf, fromTagOf, toTagOf } from '../message/header-fields.ts';
import { withoutParameter } from '../message/parameters.ts';
import { type SipMessage, SipRequest, type SipResponse } from '../message/sip-message.ts';
import { formatUri, type Uri } from '../message/sip-uri.ts';
import { sequenceLeap } from './limits.ts';

/** A request ready for its transaction, and the URI of the next hop it must go to. */
export interface RoutedRequest {
  readonly request: SipRequest;
  readonly nextHop: string;
}

/** All that a confirmed dialog is, in a form that can be written down. */
export interface DialogParts {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localParty: string;
  readonly remoteParty: string;
  readonly isCaller: boolean;
  readonly routeSet: readonly string[];
  readonly remoteTarget: string;
  readonly localSequence: number;
  readonly remoteSequence: number | undefined;
}

export class Dialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Whether this side chose the Call-ID: decides the waiting time after a 491 (RFC 3261 §14.1). */
  readonly isCaller: boolean;
  state: 'early' | 'confirmed' = 'early';
  /** From and To values of our requests, tags included. */
  readonly localParty: string;
  readonly remoteParty: string;
  #routeSet: readonly string[];
  #remoteTarget: string;
  #localSequence: number;
  #remoteSequence: number | undefined;

  private constructor(parts: DialogParts) {
    const texts = [parts.callId, parts.localParty, parts.remoteParty, parts.remoteTarget];
    const [callId = '', localParty = '', remoteParty = '', remoteTarget = ''] = ownTexts(texts);
    this.callId = callId;
    this.localTag = ownText(parts.localTag);
    this.remoteTag = ownText(parts.remoteTag);
    this.isCaller = parts.isCaller;
    this.localParty = localParty;
    this.remoteParty = remoteParty;
    this.#routeSet = ownList(parts.routeSet);
    this.#remoteTarget = remoteTarget;
    this.#localSequence = parts.localSequence;
    this.#remoteSequence = parts.remoteSequence;
  }

  /** From a response with To tag to an INVITE of ours (§12.1.2). A response without Contact leaves the Request-URI as remote target. */
  static asCaller(request: SipRequest, response: SipResponse): Dialog {
    return new Dialog({
      callId: callIdOf(response),
      localTag: fromTagOf(response) ?? '',
      remoteTag: toTagOf(response) ?? '',
      localParty: response.headers.get('From')!,
      remoteParty: response.headers.get('To')!,
      isCaller: true,
      routeSet: response.headers.getAll('Record-Route').reverse(),
      remoteTarget: contactUriOf(response) ?? request.requestUri,
      localSequence: cseqOf(request).number,
      remoteSequence: undefined,
    });
  }

  /** From an INVITE that arrived, answered with `localTag` in To (§12.1.1). */
  static asCallee(request: SipRequest, localTag: string, random: RandomSource): Dialog {
    return new Dialog({
      callId: callIdOf(request),
      localTag,
      remoteTag: fromTagOf(request) ?? '',
      localParty: `${request.headers.get('To')};tag=${localTag}`,
      remoteParty: request.headers.get('From')!,
      isCaller: false,
      routeSet: request.headers.getAll('Record-Route'),
      remoteTarget: contactUriOf(request) ?? request.requestUri,
      // §12.1.1 leaves the number empty; any start below 2^31 will do.
      localSequence: randomBelow(random, 0x10000),
      remoteSequence: cseqOf(request).number,
    });
  }

  get parts(): DialogParts {
    const { callId, localTag, remoteTag, localParty, remoteParty, isCaller } = this;
    return {
      ...{ callId, localTag, remoteTag, localParty, remoteParty, isCaller },
      routeSet: this.#routeSet,
      remoteTarget: this.#remoteTarget,
      localSequence: this.#localSequence,
      remoteSequence: this.#remoteSequence,
    };
  }

  /** What `parts` was in a process before this one, which may have sent more requests since. */
  static restored(parts: DialogParts): Dialog {
    const dialog = new Dialog({ ...parts, localSequence: parts.localSequence + sequenceLeap });
    dialog.state = 'confirmed';
    return dialog;
  }

  /** Proxies that wanted to stay on the way (Record-Route); without them requests go to the peer itself. */
  get hasRouteSet(): boolean {
    return this.#routeSet.length > 0;
  }

  get remoteTarget(): string {
    return this.#remoteTarget;
  }

  /** §12.2.2: whether a request that arrived has From and To tags of this dialog. */
  matchesRequest(request: SipRequest): boolean {
    return (
      callIdOf(request) === this.callId &&
      (toTagOf(request) ?? '') === this.localTag &&
      (fromTagOf(request) ?? '') === this.remoteTag
    );
  }

  /** The first 2xx confirms the dialog, and only then is the route set taken anew, as forks may differ (§13.2.2.4). */
  confirm(response: SipResponse): void {
    if (this.state === 'early' && this.isCaller)
      this.#routeSet = ownList(response.headers.getAll('Record-Route').reverse());
    this.state = 'confirmed';
  }

  /** Takes the number of a request that arrived; false when it is out of order, which is answered with 500 (§12.2.2). */
  acceptSequence(request: SipRequest): boolean {
    const { number } = cseqOf(request);
    if (this.#remoteSequence !== undefined && number <= this.#remoteSequence) return false;
    this.#remoteSequence = number;
    return true;
  }

  /** A target refresh request or a response to one carries the peer's present address (§12.2.1.2, §12.2.2, RFC 6141 §4.6). */
  refreshTarget(message: SipMessage): void {
    if (this.isMovedBy(message)) this.#remoteTarget = ownText(contactUriOf(message)!);
  }

  /** Whether the message names another remote target than the present one. */
  isMovedBy(message: SipMessage): boolean {
    // Most often it stands there as it is written here, and need not be read.
    if (message.headers.get('Contact') === `<${this.#remoteTarget}>`) return false;
    return (contactUriOf(message) ?? this.#remoteTarget) !== this.#remoteTarget;
  }

  buildRequest(method: string): RoutedRequest {
    this.#localSequence += 1;
    return this.#build(method, this.#localSequence);
  }

  /** The ACK to a 2xx carries the number of its INVITE and its own branch (§13.2.2.4). */
  buildAck(inviteSequence: number): RoutedRequest {
    return this.#build('ACK', inviteSequence);
  }

  #build(method: string, sequence: number): RoutedRequest {
    const request = new SipRequest(method, this.#remoteTarget);
    request.headers.appendLast('Max-Forwards', '70');
    request.headers.appendLast('From', this.localParty);
    request.headers.appendLast('To', this.remoteParty);
    request.headers.appendLast('Call-ID', this.callId);
    request.headers.appendLast('CSeq', `${sequence} ${method}`);
    return routeRequest(request, this.#routeSet);
  }
}

/** Methods whose requests and 2xx carry the sender's Contact, which is the remote target from then on (RFC 3261 §12.2, RFC 3311 §5, RFC 6665 §4.4.1). */
const targetRefreshMethods: ReadonlySet<string> = new Set([
  'INVITE',
  'UPDATE',
  'REFER',
  'SUBSCRIBE',
  'NOTIFY',
]);

export function isTargetRefresh(method: string): boolean {
  return targetRefreshMethods.has(method);
}

/**
 * Puts a route set (name-addr values, kept as they were written) on a request: a first entry with `lr` stays in place; a strict router
 * gets its own URI as the Request-URI and the remote target at the end of the Route (§12.2.1.1).
 */
export function routeRequest(request: SipRequest, routeSet: readonly string[]): RoutedRequest {
  if (routeSet.length === 0) return { request, nextHop: request.requestUri };
  for (const route of routeSet) request.headers.append('Route', route);
  const first = firstAddressOf(request, 'Route');
  if (first === undefined) return { request, nextHop: request.requestUri };
  const isLoose = first.uri.kind === 'sip' && first.uri.parameters.has('lr');
  if (!isLoose) {
    request.headers.removeFirst('Route');
    request.headers.append('Route', `<${request.requestUri}>`);
    request.requestUri = formatUri(asRequestUri(first.uri));
  }
  return { request, nextHop: formatUri(first.uri) };
}

/** §19.1.1 table 1: no method parameter and no headers in a Request-URI. */
function asRequestUri(uri: Uri): Uri {
  return uri.kind === 'sip'
    ? { ...uri, headers: '', parameters: withoutParameter(uri.parameters, 'method') }
    : uri;
}

function ownList(texts: readonly string[]): readonly string[] {
  return texts.length === 0 ? emptyList : ownTexts(texts);
}

function contactUriOf(message: SipMessage): string | undefined {
  const contact = firstAddressOf(message, 'Contact');
  return contact === undefined ? undefined : formatUri(contact.uri);
}

/** From and To values without their tag, for a dialog of its own. */
export function withoutTag(value: string): string {
  if (!/tag/i.test(value)) return value;
  const end = value.lastIndexOf('>') + 1;
  return value.slice(0, end) + value.slice(end).replace(/;[ \t]*tag[ \t]*=[^;]*/i, '');
}
