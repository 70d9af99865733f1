/**
 * Users of whom the S-CSCF told this AS by third-party registration (TS 24.229 §5.4.1.7). They are known by To alone: cores send every one
 * with a new Call-ID and a constant CSeq (seen with Kamailio 5.6.3). What the mobile node itself registered comes as message/sip body when the
 * profile asks for it (IncludeRegisterRequest); the handover does not need it.
 */
import type { Instant } from '../../base/instant.ts';
import { expiresOf, toOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { identityOf } from './served-user.ts';

/** A million users at 100 octets each are 100 MB; further ones are served all the same, only not known beforehand. */
const maximumUsers = 1_000_000;
const defaultExpirySeconds = 3600;

export class RegisteredUsers {
  readonly #until = new Map<string, Instant>();

  /** The identity and whether it is registered now. */
  handleRegister(
    request: SipRequest,
    now: Instant,
  ): { readonly identity: string; readonly isRegistered: boolean } {
    const identity = identityOf(toOf(request).uri);
    const seconds = expiresOf(request) ?? defaultExpirySeconds;
    this.#until.delete(identity);
    if (seconds > 0 && this.#until.size < maximumUsers) this.#until.set(identity, now + seconds * 1000);
    return { identity, isRegistered: seconds > 0 };
  }

  isKnown(identity: string, now: Instant): boolean {
    const until = this.#until.get(identity);
    if (until !== undefined && until <= now) this.#until.delete(identity);
    return this.#until.has(identity);
  }
}
