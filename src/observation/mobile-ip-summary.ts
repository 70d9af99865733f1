/**
 * Says in one line what a Mobile IP control message is, for traces and ladders: "RRQ 192.0.2.7" (the paper's BU: registration request with
 * its care-of address), "RRP 0" (BAck: reply with its code), both with "lifetime 0" when a binding is taken back; revocation and its
 * acknowledgment. Authenticators are not shown.
 */
import { isMalformed } from '../base/malformed.ts';
import { decodeMessage, type MobileIpMessage } from '../protocols/mobile-ip/message.ts';
import type { MessageSummary } from './message-summary.ts';

export function summarizeMobileIp(octets: Uint8Array): MessageSummary {
  const received = decodeMessage(octets);
  if (isMalformed(received))
    return { protocol: 'mobile-ip', summary: `malformed: ${received.field}`, details: {} };
  const { message } = received;
  return { protocol: 'mobile-ip', summary: summaryOf(message), details: detailsOf(message) };
}

function summaryOf(message: MobileIpMessage): string {
  switch (message.kind) {
    case 'registration-request':
      return `RRQ ${message.careOfAddress}${goodbye(message.lifetimeSeconds)}`;
    case 'registration-reply':
      return `RRP ${message.code}`;
    case 'registration-revocation':
      return `Revocation ${message.foreignDomainAddress}`;
    case 'revocation-acknowledgment':
      return 'Revocation Ack';
  }
}

function goodbye(lifetimeSeconds: number): string {
  return lifetimeSeconds === 0 ? ' lifetime 0' : '';
}

/** The binding and the order of bindings that a request asks for (RFC 7629 §4), in the words of its fields. */
function detailsOf(message: MobileIpMessage): Record<string, string> {
  const { homeAddress } = message;
  if (message.kind === 'revocation-acknowledgment' || message.kind === 'registration-revocation')
    return { homeAddress, revocationIdentifier: String(message.revocationIdentifier) };
  const flows = message.extensions.flatMap((extension) =>
    extension.kind === 'flow-binding' ? [extension.bindingIds.join(' ')] : [],
  );
  const multipath = message.extensions.find((extension) => extension.kind === 'multipath');
  return {
    homeAddress,
    identification: message.identification.toString(16),
    lifetime: String(message.lifetimeSeconds),
    ...(multipath && { bindingId: String(multipath.bindingId) }),
    ...(flows.length > 0 && { flows: flows.join(', ') }),
  };
}
