/** S-CSCF: a SIP request as initial filter criteria see it (TS 29.228 annex B). */
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import type { FilteredRequest, RegistrationType, SessionCase } from './initial-filter-criteria.ts';

export function filteredRequest(
  request: SipRequest,
  sessionCase: SessionCase,
  registrationType?: RegistrationType,
): FilteredRequest {
  const contentType = request.headers.get('Content-Type') ?? '';
  return {
    method: request.method,
    requestUri: request.requestUri,
    headers: request.headers.entries(),
    sessionCase,
    ...(/^application\/sdp\b/i.test(contentType) ? { sessionDescription: request.body } : {}),
    ...(registrationType === undefined ? {} : { registrationType }),
  };
}
