/**
 * S-CSCF (TRIM Fig. 1): the REGISTER by which an application server learns that its user has come, stays or goes (TS 24.229 §5.4.1.7).
 * Keeps to what Kamailio 5.6.3 sends, except that Expires is what is really left of the registration.
 */
import type { TransportAddress } from '../../base/network.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { escapeXml } from '../../base/xml-element.ts';
import { formatSipMessage } from '../../protocols/sip/message/serialize-sip-message.ts';
import { SipRequest, type SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatHostPort } from '../../protocols/sip/message/sip-uri.ts';
import type { ApplicationServer } from './initial-filter-criteria.ts';

export interface ThirdPartyRegistration {
  readonly applicationServer: ApplicationServer;
  readonly publicIdentity: string;
  /** 0 tells that the user is gone. */
  readonly expiresSeconds: number;
  /** The user's own REGISTER and the answer to it; absent when the registration ended without one. */
  readonly request?: SipRequest;
  readonly response?: SipResponse;
}

/** Passed on from the user's REGISTER, which the P-CSCF has completed. */
const copiedFields = ['Path', 'P-Access-Network-Info', 'P-Visited-Network-ID', 'P-Charging-Vector'];

export function createThirdPartyRegister(
  registration: ThirdPartyRegistration,
  own: TransportAddress,
  random: RandomSource,
): SipRequest {
  const { applicationServer, publicIdentity, expiresSeconds, request } = registration;
  const authority = formatHostPort(own.address, own.port);
  const register = new SipRequest('REGISTER', applicationServer.serverName);
  const { headers } = register;
  headers.append('From', `<sip:${authority}>;tag=${randomToken(random, 10)}`);
  headers.append('To', `<${publicIdentity}>`);
  headers.append('Call-ID', `${randomToken(random, 20)}@${own.address}`);
  headers.append('CSeq', '10 REGISTER');
  headers.append('Contact', `<sip:${authority}>`);
  headers.append('Expires', String(expiresSeconds));
  headers.append('Event', 'registration');
  for (const name of copiedFields) {
    for (const value of request?.headers.getAll(name) ?? []) headers.append(name, value);
  }
  attach(register, partsOf(registration), random);
  return register;
}

interface Part {
  readonly contentType: string;
  readonly body: string;
}

function partsOf({ applicationServer, request, response }: ThirdPartyRegistration): Part[] {
  const { serviceInformation, includeRegisterRequest, includeRegisterResponse } = applicationServer;
  const parts: Part[] = [];
  if (serviceInformation !== undefined) {
    const escaped = escapeXml(serviceInformation);
    const body = `<?xml version="1.0" encoding="UTF-8"?><ims-3gpp version="1"><service-info>${escaped}</service-info></ims-3gpp>`;
    parts.push({ contentType: 'application/3gpp-ims+xml', body });
  }
  for (const [wanted, message] of [
    [includeRegisterRequest, request],
    [includeRegisterResponse, response],
  ] as const) {
    if (wanted && message !== undefined) {
      parts.push({ contentType: 'message/sip', body: formatSipMessage(message) });
    }
  }
  return parts;
}

/** One part is the body itself; several are joined as multipart/mixed (RFC 2046 §5.1). */
function attach(register: SipRequest, parts: readonly Part[], random: RandomSource): void {
  const [first, ...others] = parts;
  if (first === undefined) return;
  if (others.length === 0) {
    register.headers.append('Content-Type', first.contentType);
    register.body = first.body;
    return;
  }
  const boundary = randomToken(random, 24);
  register.headers.append('Content-Type', `multipart/mixed;boundary=${boundary}`);
  const bodies = parts.map(
    ({ contentType, body }) => `--${boundary}\r\nContent-Type: ${contentType}\r\n\r\n${body}\r\n`,
  );
  register.body = `${bodies.join('')}--${boundary}--\r\n`;
}
