/** Which messages of the agent a mobile node believes (RFC 5944 §3.6.2.1, RFC 3543 §3.3); everything else is dropped without a word. */
import { Malformed } from '../../base/malformed.ts';
import { isAuthentic, type SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import { decodeMessage, type MobileIpMessage } from '../../protocols/mobile-ip/message.ts';

/** The message, if it has exactly one authentication of the home agent and that is right. */
export function authenticMessage(
  payload: Uint8Array,
  association: SecurityAssociation,
): MobileIpMessage | undefined {
  const received = decodeMessage(payload);
  if (received instanceof Malformed || received.malformed !== undefined) return undefined;
  const { message, authentication, furtherAuthentications } = received;
  if (authentication?.of !== 'mobile-home' || furtherAuthentications.includes('mobile-home'))
    return undefined;
  return isAuthentic(payload, authentication, association) ? message : undefined;
}
