/**
 * P-CSCF (TRIM Fig. 1): the edge of the trust domain (RFC 3325 §5, RFC 7315 §5, TS 24.229 §4.4): header fields that only network
 * functions may set are taken out of what user equipment sends, and those that user equipment may not see out of what it gets.
 */
import type { SipMessage, SipResponse } from '../../protocols/sip/message/sip-message.ts';

const setByNetworkOnly = [
  'P-Asserted-Identity',
  'P-Asserted-Service',
  'P-Associated-URI',
  'P-Called-Party-ID',
  'P-Charging-Function-Addresses',
  'P-Charging-Vector',
  'P-Private-Network-Indication',
  'P-Profile-Key',
  'P-Served-User',
  'P-User-Database',
  'P-Visited-Network-ID',
  'Feature-Caps',
  'Path',
];

/** Where the other end is (RFC 7315 §4.4) concerns its own network only. */
const hiddenFromUsers = [
  'P-Access-Network-Info',
  'P-Charging-Function-Addresses',
  'P-Charging-Vector',
  'P-Private-Network-Indication',
  'P-Profile-Key',
  'P-Served-User',
  'P-User-Database',
  'Feature-Caps',
];

/** `accessNetworkInfo`: what this P-CSCF knows of the user's access; that alone may say that the network has provided it. */
export function enterTrustDomain(message: SipMessage, accessNetworkInfo: string | undefined): void {
  const { headers } = message;
  for (const name of setByNetworkOnly) headers.removeAll(name);
  const told = headers.getAll(accessField);
  const own = told.filter((value) => !/;\s*network-provided\b/i.test(value));
  if (own.length < told.length) {
    headers.removeAll(accessField);
    for (const value of own) headers.append(accessField, value);
  }
  if (accessNetworkInfo !== undefined) headers.append(accessField, accessNetworkInfo);
}

const accessField = 'P-Access-Network-Info';

export function leaveTrustDomain(message: SipMessage): void {
  for (const name of hiddenFromUsers) message.headers.removeAll(name);
  // RFC 3325 §7: who asked for "id" privacy is not named outside.
  if (asksForPrivacy(message)) message.headers.removeAll('P-Asserted-Identity');
}

/** Each with one of the commas round it; some write them first, or without quotes. */
const cipherOrIntegrityKey =
  /,[ \t]*[ci]k[ \t]*=[ \t]*(?:"[^"]*"|[^\s,"]*)|\b[ci]k[ \t]*=[ \t]*(?:"[^"]*"|[^\s,"]*)(?:[ \t]*,[ \t]*)?/gi;

/** The keys of IMS AKA are for the P-CSCF only (TS 24.229 §5.2.2.2). */
export function hideKeys(response: SipResponse): void {
  const challenges = response.headers.getAll('WWW-Authenticate');
  response.headers.removeAll('WWW-Authenticate');
  for (const challenge of challenges)
    response.headers.append('WWW-Authenticate', challenge.replace(cipherOrIntegrityKey, ''));
}

function asksForPrivacy(message: SipMessage): boolean {
  return (message.headers.get('Privacy') ?? '')
    .split(';')
    .some((value) => value.trim().toLowerCase() === 'id');
}
