/**
 * S-CSCF (TRIM Fig. 1, 4 and 6): the mark that goes with a request to an application server and comes back with what the server makes
 * of it, so that the S-CSCF knows both belong together and goes on behind the criterion that led there (TS 24.229 §5.4.3.2).
 *
 * A URI in the form Kamailio uses (5.6.3): all state is in it, none is kept, so an application server may take
 * its time. It is trusted because only the core can send Route headers that are not the Service-Route past the P-CSCF.
 */

import type { TransportAddress } from '../../base/network.ts';
import { formatHostPort, type SipUri } from '../../protocols/sip/message/sip-uri.ts';
import type { SessionCase } from './initial-filter-criteria.ts';

export interface OriginalDialogIdentifier {
  /** Of the criterion that was served last. */
  readonly priority: number;
  readonly sessionCase: SessionCase;
  /** Canonical public identity. */
  readonly servedUser: string;
}

const user = 'iscmark';
const sessionCases: readonly SessionCase[] = [
  'originating',
  'terminating-registered',
  'terminating-unregistered',
  'originating-unregistered',
];

export function formatOriginalDialogIdentifier(
  { priority, sessionCase, servedUser }: OriginalDialogIdentifier,
  { address, port }: TransportAddress,
): string {
  const identity = Array.from(servedUser, (character) =>
    (character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0'),
  ).join('');
  return `<sip:${user}@${formatHostPort(address, port)};lr;s=${priority};d=${sessionCases.indexOf(sessionCase)};a=${identity}>`;
}

/** Reads the S-CSCF's own Route value; `undefined` when it is something else, such as a Service-Route. */
export function parseOriginalDialogIdentifier(route: SipUri): OriginalDialogIdentifier | undefined {
  const { parameters } = route;
  const priority = parameters.get('s') ?? '';
  const sessionCase = sessionCases[Number(parameters.get('d') ?? Number.NaN)];
  const identity = parameters.get('a') ?? '';
  const isComplete = /^[0-9]{1,9}$/.test(priority) && /^(?:[0-9a-f]{2})+$/i.test(identity);
  if (route.user !== user || sessionCase === undefined || !isComplete) return undefined;
  const servedUser = identity.replace(/../g, (octet) => String.fromCharCode(Number.parseInt(octet, 16)));
  return { priority: Number(priority), sessionCase, servedUser };
}
