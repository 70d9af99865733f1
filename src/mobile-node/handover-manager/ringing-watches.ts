/**
 * Calls that ring at the mobile node although it has moved behind another P-CSCF: their CANCEL would go where the INVITE went. The node asks the far end of
 * the dialog over the new access what becomes of it (RFC 4235, dialog event package); where that is not known, the call rings until it is answered.
 */
import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type {
  BackToBackUserAgent,
  LegView,
} from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallHandle } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { EventSubscriber } from '../../protocols/sip/subscription/event-subscriber.ts';
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { userOf } from './call-routing.ts';
import { accessHeadersOf, type NetworkAccess, routesOf, signallingPathOf } from './network-access.ts';

/** A telephone rings for three minutes at most (RFC 3261 §16.6 Timer C), so nothing is refreshed. */
const expiresSeconds = 600;

export interface RingingWatchParts {
  readonly agent: BackToBackUserAgent;
  readonly publicIdentity: string;
  readonly random: RandomSource;
}

export class RingingWatches {
  readonly #parts: RingingWatchParts;
  readonly #watches = new Map<CallHandle, EventSubscriber>();

  constructor(parts: RingingWatchParts) {
    this.#parts = parts;
  }

  watch(
    call: CallHandle,
    { callId, localTag, remoteTag, remoteTarget }: LegView,
    access: NetworkAccess,
    now: Instant,
  ): void {
    const { agent, publicIdentity, random } = this.#parts;
    const { contact, local } = signallingPathOf(access, userOf(publicIdentity));
    const subscriber = new EventSubscriber({
      eventPackage: `dialog;call-id="${callId}";to-tag=${remoteTag};from-tag=${localTag}`,
      contentType: 'application/dialog-info+xml',
      expiresSeconds,
      random,
      send: (request, _nextHop, _terms, at) =>
        agent.sendRequest(request, { ...access.proxyCscf, ...(local && { local }) }, at),
      isWanted: () => this.#watches.get(call) === subscriber,
    });
    this.#watches.set(call, subscriber);
    const headers = accessHeadersOf(access).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    subscriber.subscribe(
      {
        name: callId,
        resource: remoteTarget,
        subscriber: publicIdentity,
        contact: contact.slice(1, -1),
        routes: routesOf(access),
        headers: [...headers, ['P-Preferred-Identity', `<${publicIdentity}>`]],
      },
      now,
    );
  }

  /** The call rings no more, or its CANCEL finds it again. */
  forget(call: CallHandle): void {
    this.#watches.delete(call);
  }

  /** An answer to a SUBSCRIBE. Undefined when it is to something else; `endedCall`: the far end does not know that dialog (any more). */
  conclude(
    transaction: ClientTransactionId,
    response: SipResponse | undefined,
    now: Instant,
  ): { readonly endedCall: CallHandle | undefined } | undefined {
    for (const [call, subscriber] of this.#watches)
      if (subscriber.conclude(transaction, response, now))
        return { endedCall: response?.statusCode === 481 ? call : undefined };
    return undefined;
  }

  /** A NOTIFY. Undefined when it is of another subscription. */
  take(
    request: SipRequest,
    now: Instant,
  ): { readonly statusCode: number; readonly endedCall: CallHandle | undefined } | undefined {
    for (const [call, subscriber] of this.#watches) {
      const news = subscriber.take(request, now);
      if (news === 481) continue;
      if (news === 500) return { statusCode: news, endedCall: undefined };
      return {
        statusCode: 200,
        endedCall: /<state\b[^>]*>\s*terminated\s*</.test(news.body) ? call : undefined,
      };
    }
    return undefined;
  }
}
