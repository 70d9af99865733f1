/**
 * P-CSCF (TRIM Fig. 1): checks that a user's request within a dialog belongs to one that went by here, and takes the route that the dialog
 * was made with (TS 24.229 §5.2.6.3.5, §5.2.6.3.7), without remembering dialogs. The user part of the P-CSCF's own Record-Route vouches for the
 * Call-ID, the other end's tag and the routes beyond: it is written where those are known, to a user who calls with each response, to one
 * who is called with the request. As flow tokens (RFC 5626 §5.2) it needs a key and nothing else, so dialogs outlive the process.
 *
 *   user calls    INVITE: Record-Route mo@P ──▶ core     200: Record-Route core …, mo@P  ──▶  user: Record-Route core …, mo-MAC@P
 *   user is called                                    INVITE: Record-Route core …        ──▶  user: Record-Route mt-MAC@P, core …
 */
import { equalInConstantTime, hmac } from '../../base/digest.ts';
import { isMalformed } from '../../base/malformed.ts';
import {
  callIdOf,
  fromTagOf,
  recordRoutesOf,
  routesOf,
  toTagOf,
} from '../../protocols/sip/message/header-fields.ts';
import { type NameAddress, parseNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { SipRequest, SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri, type SipUri } from '../../protocols/sip/message/sip-uri.ts';
import { isOneOfTwo } from '../../protocols/sip/proxy/record-route.ts';
import type { OwnNames } from '../../protocols/sip/proxy/route-processing.ts';

/** RFC 2104 §5: half of the hash. */
const authenticatorOctets = 16;

export const dialogKeyOctets = 32;

export class DialogRoutes {
  readonly #key: Uint8Array;
  readonly #ownNames: OwnNames;

  /** `key`: 32 octets that nobody else knows. */
  constructor(key: Uint8Array, ownNames: OwnNames) {
    this.#key = key;
    this.#ownNames = ownNames;
  }

  /** User part of the Record-Route of a request that goes to a user. */
  userPartTowardsCallee(request: SipRequest): string {
    return `mt-${this.#authenticator(callIdOf(request), fromTagOf(request), recordRoutesOf(request))}`;
  }

  /** Signs the P-CSCF's own Record-Route in a response that goes back to a user (RFC 3261 §16.7 item 8 lets it change that one). */
  sign(response: SipResponse): void {
    const values = response.headers.getAll('Record-Route');
    const ownCount = this.#countOwn(values);
    if (ownCount === 0) return;
    const beyond = recordRoutesOf(response).slice(0, -ownCount).reverse();
    const user = `mo-${this.#authenticator(callIdOf(response), toTagOf(response), beyond)}`;
    response.headers.removeAll('Record-Route');
    values.forEach((value, index) => {
      const isOwn = index >= values.length - ownCount;
      response.headers.append('Record-Route', isOwn ? value.replace(':mo@', `:${user}@`) : value);
    });
  }

  /** `ownRoute`: the P-CSCF's own, taken off the user's request. */
  areOf(request: SipRequest, ownRoute: SipUri | undefined): boolean {
    const [, told] = /^m[ot]-(.+)$/.exec(ownRoute?.user ?? '') ?? [];
    if (told === undefined) return false;
    return equalInConstantTime(
      told,
      this.#authenticator(callIdOf(request), toTagOf(request), routesOf(request)),
    );
  }

  /** At the end of the list, below which there is only the user: one entry, or two where the P-CSCF's sides differ (RFC 5658). */
  #countOwn(values: readonly string[]): number {
    const [last, above] = values
      .slice(-2)
      .map((value) => this.#ownUri(value))
      .reverse();
    if (last === undefined) return 0;
    return isOneOfTwo(last) && above !== undefined && isOneOfTwo(above) ? 2 : 1;
  }

  #ownUri(value: string): SipUri | undefined {
    const address = parseNameAddress(value, 'Record-Route');
    if (isMalformed(address) || !this.#ownNames.includes(address.uri)) return undefined;
    return address.uri.user === 'mo' ? address.uri : undefined;
  }

  /** `routes`: in the order in which the user's requests take them. */
  #authenticator(callId: string, farTag: string | undefined, routes: readonly NameAddress[]): string {
    const text = JSON.stringify([callId, farTag ?? '', ...routes.map(canonicalRoute)]);
    const octets = hmac('sha256', this.#key, Buffer.from(text, 'latin1'));
    return Buffer.from(octets.subarray(0, authenticatorOctets)).toString('base64url');
  }
}

/** User agents write what they have read in their own way: parameters in another order, names of hosts in lower case. */
function canonicalRoute({ uri }: NameAddress): string {
  if (uri.kind !== 'sip') return formatUri(uri);
  const parameters = new Map([...uri.parameters].sort(([a], [b]) => (a < b ? -1 : 1)));
  return formatUri({ ...uri, host: uri.host.toLowerCase(), parameters });
}
