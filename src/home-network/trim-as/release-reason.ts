/** Who ended a leg by BYE: the user, or the core in the user's name (RFC 3326). */
import type { SipMessage } from '../../protocols/sip/message/sip-message.ts';

/** The core gives a failure as the reason when it releases a dialog; a user who hangs up gives none, or 200. */
export function isReleasedByNetwork(message: SipMessage): boolean {
  const causes = message.headers
    .getAll('Reason')
    .map((value) => /^SIP\s*;.*\bcause\s*=\s*(\d+)/i.exec(value)?.[1]);
  return causes.some((cause) => cause !== undefined && cause !== '200');
}
