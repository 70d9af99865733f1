/** The Warning header field (RFC 3261 §20.43), where it speaks of the version of IP. */
import { formatTransportAddress, type TransportAddress } from '../../../base/network.ts';
import type { SipResponse } from './sip-message.ts';

/** Whether a refusal may be for that, or for another protocol of the network (300): not all who refuse say why. */
export function isAboutVersion({ headers }: SipResponse): boolean {
  const warnings = headers.getAll('Warning');
  return warnings.length === 0 || warnings.some((warning) => /^30[01] /.test(warning));
}

/** 301, incompatible network address formats: what is offered is at addresses of the other version of IP (RFC 6157 §4.1). `agent`: who says so. */
export function addressFormatWarning(agent: TransportAddress, text: string): string {
  return `301 ${formatTransportAddress(agent)} "${text}"`;
}
