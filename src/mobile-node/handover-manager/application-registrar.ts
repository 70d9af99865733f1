/**
 * Where the applications of this host register: softphones that were told to use the handover manager as their registrar or outbound
 * proxy (TRIM §3.1: it stands between the applications and the SIP UA). RFC 3261 §10.3 for one host: any address-of-record is taken, since
 * only programs on the host itself reach the internal address, and the newest contact is called first.
 */
import type { Instant } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { contactsOf, expiresOf } from '../../protocols/sip/message/header-fields.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri, parseSipUri, type SipUri } from '../../protocols/sip/message/sip-uri.ts';

/** RFC 3261 §10.3 leaves the default to the registrar. */
const defaultExpirySeconds = 3600;
/** More phones than this on one host are a mistake of theirs. */
const maximumContacts = 32;

export class ApplicationRegistrar {
  readonly #contacts = new Map<string, Instant>();

  /** The answer to a REGISTER. */
  register(request: SipRequest, now: Instant): SipResponse {
    this.#expire(now);
    if (request.headers.get('Contact') === '*') this.#contacts.clear();
    for (const contact of contactsOf(request)) {
      const seconds = Number(contact.parameters.get('expires') ?? expiresOf(request) ?? defaultExpirySeconds);
      const uri = formatUri(contact.uri);
      this.#contacts.delete(uri);
      if (seconds > 0 && this.#contacts.size < maximumContacts) this.#contacts.set(uri, now + seconds * 1000);
    }
    const response = createResponse(request, 200);
    for (const [uri, until] of this.#contacts) {
      response.headers.append('Contact', `<${uri}>;expires=${Math.ceil((until - now) / 1000)}`);
    }
    return response;
  }

  /** The phone to call: the newest one registered under the user name, else the newest of all. */
  find(user: string | undefined, now: Instant): SipUri | undefined {
    this.#expire(now);
    const uris = [...this.#contacts.keys()].reverse().flatMap((text) => {
      const uri = parseSipUri(text);
      return isMalformed(uri) ? [] : [uri];
    });
    return uris.find((uri) => uri.user === user) ?? uris[0];
  }

  #expire(now: Instant): void {
    for (const [uri, until] of this.#contacts) if (until <= now) this.#contacts.delete(uri);
  }
}
