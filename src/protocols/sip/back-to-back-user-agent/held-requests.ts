/** What one call has laid before its owner and not got back: messages that wait for his decision, requests that he answers step by step. */
import { emptyList, withItem, withoutItem } from '../../../base/short-list.ts';
import type { SipMessage } from '../message/sip-message.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { IncomingRequest } from '../user-agent/incoming-request.ts';
import type { OfferRole } from '../user-agent/leg-host.ts';
import { isSessionDescription } from '../user-agent/message-content.ts';
import type { Call } from './call.ts';
import type { LegName, Token } from './call-event.ts';
import type { CallHost, Held } from './call-host.ts';
import { messageOf, type Passage } from './passage.ts';

export class HeldRequests {
  readonly #call: Call;
  readonly #host: CallHost;
  #requests: readonly Held[] = emptyList;

  constructor(call: Call, host: CallHost) {
    this.#call = call;
    this.#host = host;
  }

  hold({ leg, name, incoming, canContinue, passage }: Omit<Held, 'token' | 'call'>): Held {
    const kept = this.#host.hold({ call: this.#call, leg, name, incoming, canContinue, passage });
    if (incoming !== undefined) {
      this.forget(incoming);
      this.#requests = withItem(this.#requests, kept);
    }
    return kept;
  }

  of(incoming: IncomingRequest): Held | undefined {
    for (const held of this.#requests) if (held.incoming === incoming) return held;
    return undefined;
  }

  /** The INVITE of this leg that the owner answers step by step. */
  beingAnsweredOn(leg: CallLeg): Held | undefined {
    return this.#requests.find(
      (held) =>
        held.leg === leg &&
        held.passage === undefined &&
        held.incoming?.method === 'INVITE' &&
        held.incoming.state === 'open',
    );
  }

  /** The owner has decided, or has nothing to decide any more. */
  drop(held: Held): void {
    this.#host.release(held.token);
    if (held.incoming !== undefined) this.forget(held.incoming);
    if (held.passage !== undefined) held.passage.token = undefined;
  }

  /** The request went another way; its token, if it has one, is void by itself. */
  forget(incoming: IncomingRequest): void {
    const held = this.of(incoming);
    if (held !== undefined) this.#requests = withoutItem(this.#requests, held);
  }

  /** Asks the owner about the session description of a message that passes. */
  ask(passage: Passage): void {
    const message = messageOf(passage);
    if (message === undefined || passage.role === undefined) return;
    const { leg, from: name, role } = passage;
    const incoming = passage.kind === 'request' ? passage.incoming : undefined;
    const dialog = passage.kind === 'response' ? passage.dialog : passage.incoming.dialog;
    const held = this.hold({ leg, name, incoming, canContinue: true, passage });
    passage.token = held.token;
    this.tellBody(held, message, role, dialog?.branch ?? 0, undefined);
  }

  /** The message goes nowhere any more. */
  withdraw(passage: Passage): void {
    if (passage.token !== undefined) this.void(passage.token, passage.from);
    if (passage.kind === 'request') this.forget(passage.incoming);
  }

  /** Lays the session description of the message before the owner, or that there is none because the offer was not taken. */
  tellBody(
    held: Held,
    message: SipMessage,
    role: OfferRole,
    branch: number,
    within: Token | undefined,
  ): void {
    const { token, canContinue, name: leg } = held;
    if (message.kind === 'response' && message.statusCode >= 300) {
      this.#host.emit({ type: 'offer-refused', call: this.#call.handle, leg, token, response: message });
      return;
    }
    const body = isSessionDescription(message) ? message.body : '';
    const { handle: call } = this.#call;
    const event = {
      type: 'body-arrived',
      call,
      leg,
      branch,
      role,
      body,
      token,
      message,
      canContinue,
    } as const;
    this.#host.emit(within === undefined ? event : { ...event, within });
  }

  /** Tells the owner that there is nothing to decide any more. */
  void(token: Token, leg: LegName): void {
    this.#host.release(token);
    this.#host.emit({ type: 'request-cancelled', call: this.#call.handle, leg, token });
  }

  clear(): void {
    for (const held of this.#requests) this.drop(held);
  }
}
