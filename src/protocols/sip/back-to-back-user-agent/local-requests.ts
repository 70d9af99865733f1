/** Requests of the owner's on the legs of one call that have no final response yet, with the handles that he knows them by. */
import { emptyList, withItem, withoutItem } from '../../../base/short-list.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { Call } from './call.ts';
import type { LocalRequestHandle } from './call-event.ts';
import type { CallHost } from './call-host.ts';

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
