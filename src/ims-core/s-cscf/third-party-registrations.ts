/**
 * S-CSCF (TRIM Fig. 1): tells the application servers whose filter criteria match the REGISTER (TS 24.229 §5.4.1.7), and notices when
 * one that must not be missed (DefaultHandling: terminate) does not answer.
 */
import type { Instant } from '../../base/instant.ts';
import { SipRequest, type SipResponse } from '../../protocols/sip/message/sip-message.ts';
import type { ClientTransactionId } from '../../protocols/sip/transaction/sip-event.ts';
import { filteredRequest } from './filtered-request.ts';
import {
  type ApplicationServer,
  matchingCriteria,
  type RegistrationType,
} from './initial-filter-criteria.ts';
import { filterCriteriaOf, type ServedUser } from './registrar.ts';
import type { ServingCscfContext } from './serving-cscf-options.ts';
import { createThirdPartyRegister } from './third-party-registration.ts';

/** A change of a user's registration; without request and response when it came from the network. */
export interface RegistrationChange {
  readonly user: ServedUser;
  readonly publicIdentity: string;
  readonly registrationType: RegistrationType;
  readonly request?: SipRequest;
  readonly response?: SipResponse;
}

interface Announcement {
  readonly applicationServer: ApplicationServer;
  readonly user: ServedUser;
  readonly publicIdentity: string;
  readonly registrationType: RegistrationType;
}

export class ThirdPartyRegistrations {
  readonly #context: ServingCscfContext;
  readonly #pending = new Map<ClientTransactionId, Announcement>();

  constructor(context: ServingCscfContext) {
    this.#context = context;
  }

  announce(change: RegistrationChange, now: Instant): void {
    const { user, publicIdentity, registrationType, request, response } = change;
    const criteria = filterCriteriaOf(user.profile, publicIdentity) ?? [];
    const filtered = filteredRequest(
      request ?? new SipRequest('REGISTER', publicIdentity),
      'originating',
      registrationType,
    );
    const latest = Math.max(now, ...user.bindings.map(({ expiresAt }) => expiresAt));
    const expiresSeconds = registrationType === 'de-registration' ? 0 : Math.ceil((latest - now) / 1000);
    for (const { applicationServer } of matchingCriteria(criteria, filtered)) {
      const { address, random } = this.#context.options;
      const register = createThirdPartyRegister(
        {
          applicationServer,
          publicIdentity,
          expiresSeconds,
          ...(request === undefined ? {} : { request }),
          ...(response === undefined ? {} : { response }),
        },
        address,
        random,
      );
      const announcement = { applicationServer, user, publicIdentity, registrationType };
      const transaction = this.#context.proxy.sendRequest(register, applicationServer.serverName, now);
      if (transaction === undefined) this.#report(announcement);
      else this.#pending.set(transaction, announcement);
    }
  }

  /** Returns the user whose registration has to end because of the answer, or of its absence. */
  conclude(transaction: ClientTransactionId, response: SipResponse | undefined): ServedUser | undefined {
    const announcement = this.#pending.get(transaction);
    if (announcement === undefined || (response !== undefined && response.statusCode < 200)) return undefined;
    this.#pending.delete(transaction);
    const hasFailed = response === undefined || response.statusCode === 408 || response.statusCode >= 500;
    if (!hasFailed) return undefined;
    this.#report(announcement);
    const mustEnd =
      announcement.applicationServer.defaultHandling === 'terminate' &&
      announcement.registrationType !== 'de-registration';
    return mustEnd ? this.#context.registrar.find(announcement.publicIdentity) : undefined;
  }

  #report({ applicationServer, publicIdentity }: Announcement): void {
    this.#context.events.push({
      kind: 'application-server-failed',
      server: applicationServer.serverName,
      identity: publicIdentity,
      consequence: applicationServer.defaultHandling,
    });
  }
}
