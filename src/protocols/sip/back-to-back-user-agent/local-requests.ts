/** Requests of the owner's on the legs of one call that have no final response yet, with the handles that he knows them by. */
import type { Instant } from '../../../base/instant.ts';
import { emptyList, withItem, withoutItem } from '../../../base/short-list.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { LegDialog } from '../user-agent/leg-dialog.ts';
import { changeHeaders, contentOf, type MessageContent } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { Call } from './call.ts';
import type { LocalRequest, LocalRequestHandle } from './call-event.ts';
import type { CallHost } from './call-host.ts';
import { localHeaders } from './local-answer.ts';

export class LocalRequests {
  readonly #call: Call;
  readonly #host: CallHost;
  #open: readonly { readonly outgoing: OutgoingRequest; readonly handle: LocalRequestHandle }[] = emptyList;

  constructor(call: Call, host: CallHost) {
    this.#call = call;
    this.#host = host;
  }

  add(leg: CallLeg, outgoing: OutgoingRequest): LocalRequestHandle {
    const handle = this.#host.nameRequest(this.#call, leg, outgoing);
    this.#open = withItem(this.#open, { outgoing, handle });
    return handle;
  }

  /** On a leg that has a dialog. `bye`: what a BYE carries besides the header fields of the request. */
  send(
    leg: CallLeg,
    dialog: LegDialog,
    request: LocalRequest,
    bye: MessageContent,
    now: Instant,
  ): LocalRequestHandle | undefined {
    if (request.abandonPending) leg.sender.abandonInvite(now);
    if (request.method === 'BYE') {
      const sent = leg.sendBye(changeHeaders(bye, request.headers ?? []), now);
      return sent && this.add(leg, sent);
    }
    const { body, path } = request;
    const base = request.method === 'INVITE' || request.method === 'UPDATE' ? localHeaders : [];
    const hasOffer = base.length > 0 && body !== undefined && body !== '';
    const content = contentOf(body, request.headers, base);
    return this.add(leg, leg.request(request.method, content, dialog, { hasOffer, path }, now));
  }

  handleOf(outgoing: OutgoingRequest): LocalRequestHandle | undefined {
    return this.#open.find((one) => one.outgoing === outgoing)?.handle;
  }

  /** It is answered for good. */
  forget(outgoing: OutgoingRequest): void {
    const known = this.#open.find((one) => one.outgoing === outgoing);
    if (known === undefined) return;
    this.#open = withoutItem(this.#open, known);
    this.#host.forgetRequest(known.handle);
  }

  clear(): void {
    for (const { outgoing } of this.#open) this.forget(outgoing);
  }
}
