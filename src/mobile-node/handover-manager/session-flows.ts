/** The flows of the sessions' media as the node's translator knows them: for watching an access, and for keeping order during a handover. */
import type { FlowKey } from '../../translation/translation-operation.ts';
import type { LocalAddressTranslator } from '../address-translator/local-address-translator.ts';
import type { MobileSession } from './mobile-session.ts';
import type { NetworkAccess } from './network-access.ts';

export interface MovingFlows {
  readonly flows: readonly FlowKey[];
  /** The same over the accesses that carry them so far. */
  readonly formerFlows: readonly FlowKey[];
}

export class SessionFlows {
  readonly #sessions: () => readonly MobileSession[];
  readonly #translator: LocalAddressTranslator;

  constructor(sessions: () => readonly MobileSession[], translator: LocalAddressTranslator) {
    this.#sessions = sessions;
    this.#translator = translator;
  }

  /** The flows whose first packet shows that a session's data comes in over an access. */
  downlink(access: NetworkAccess): FlowKey[] {
    return this.#sessions()
      .filter((session) => session.access.index === access.index)
      .flatMap((session) => this.#translator.downlinkFlows(session.id, access));
  }

  /** What comes in over the access once the sessions that others carry have moved there, and how it comes in so far. */
  toMove(access: NetworkAccess): MovingFlows {
    const elsewhere = this.#sessions().filter((session) => session.access.index !== access.index);
    return {
      flows: elsewhere.flatMap(({ id }) => this.#translator.downlinkFlows(id, access)),
      formerFlows: elsewhere.flatMap((session) => this.#translator.downlinkFlows(session.id, session.access)),
    };
  }

  /** What the session's applications send, as it is before translation. */
  uplink(session: string): FlowKey[] {
    return this.#translator.uplinkFlows(session);
  }
}
