/** The response to a request, as RFC 3261 §8.2.6 has every element build it, and the reason phrases of the registered codes. */
import { toTagOf } from './header-fields.ts';
import { headerNameOf } from './header-names.ts';
import { type SipRequest, SipResponse } from './sip-message.ts';

const reasonPhrases: Readonly<Record<number, string>> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  199: 'Early Dialog Terminated',
  200: 'OK',
  202: 'Accepted',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  305: 'Use Proxy',
  380: 'Alternative Service',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  412: 'Conditional Request Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Unsupported URI Scheme',
  420: 'Bad Extension',
  421: 'Extension Required',
  422: 'Session Interval Too Small',
  423: 'Interval Too Brief',
  430: 'Flow Failed',
  439: 'First Hop Lacks Outbound Support',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  484: 'Address Incomplete',
  485: 'Ambiguous',
  486: 'Busy Here',
  487: 'Request Terminated',
  488: 'Not Acceptable Here',
  489: 'Bad Event',
  491: 'Request Pending',
  493: 'Undecipherable',
  494: 'Security Agreement Required',
  500: 'Server Internal Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Server Time-out',
  505: 'Version Not Supported',
  513: 'Message Too Large',
  580: 'Precondition Failure',
  600: 'Busy Everywhere',
  603: 'Decline',
  604: 'Does Not Exist Anywhere',
  606: 'Not Acceptable',
};

const copiedFields = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(headerNameOf);
const dialogFields = [...copiedFields, headerNameOf('Record-Route')];

/**
 * Copies Via, From, To, Call-ID and CSeq of the request, as they were written; for a provisional or successful answer that may establish a dialog also
 * Record-Route (RFC 3261 §12.1.1). `toTag` is added to To unless the request already has one or the code is 100.
 */
export function createResponse(
  request: SipRequest,
  statusCode: number,
  options: { readonly reasonPhrase?: string | undefined; readonly toTag?: string | undefined } = {},
): SipResponse {
  const response = new SipResponse(
    statusCode,
    options.reasonPhrase ?? reasonPhrases[statusCode] ?? 'Unknown',
  );
  const fields = statusCode > 100 && statusCode < 300 ? dialogFields : copiedFields;
  for (const field of fields) response.headers.appendFrom(request.headers, field);
  // To is missing only in a request that is refused for that (request-rejection.ts).
  if (
    options.toTag !== undefined &&
    statusCode !== 100 &&
    request.headers.has('To') &&
    toTagOf(request) === undefined
  )
    response.headers.set('To', `${request.headers.get('To')};tag=${options.toTag}`);
  return response;
}
