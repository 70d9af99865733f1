/**
 * Says in one line what a SIP or Diameter message is, for traces and ladders. Reads messages with the same decoders as the network
 * functions; what they refuse is shown as malformed, not left out. Anything else (media, keep-alives) is no message.
 */

import { isMalformed } from '../base/malformed.ts';
import { formatTransportAddress } from '../base/network.ts';
import type { TraceEntry } from '../base/trace.ts';
import { avpValue } from '../protocols/diameter/avp.ts';
import { baseApplication, baseAvps } from '../protocols/diameter/dictionary/base.ts';
import { cxApplication } from '../protocols/diameter/dictionary/cx.ts';
import { Dictionary } from '../protocols/diameter/dictionary/dictionary.ts';
import { natControlApplication } from '../protocols/diameter/dictionary/nat-control.ts';
import { type DiameterMessage, decodeMessage } from '../protocols/diameter/message.ts';
import { mediaAddressOf } from '../protocols/sdp/media-address.ts';
import { preconditionsOf } from '../protocols/sdp/preconditions.ts';
import { parseSessionDescription } from '../protocols/sdp/session-description.ts';
import { callIdOf, cseqOf, topViaOf } from '../protocols/sip/message/header-fields.ts';
import { parseSipMessage } from '../protocols/sip/message/parse-sip-message.ts';
import type { SipMessage } from '../protocols/sip/message/sip-message.ts';

export type MessageSummary = Pick<TraceEntry, 'protocol' | 'summary' | 'details'>;

const dictionary = new Dictionary([baseApplication, cxApplication, natControlApplication]);

/** Which protocol the first octet of a datagram or stream belongs to: SIP begins with a letter, Diameter with its version, 1. */
export function protocolOf(firstOctet: number | undefined): TraceEntry['protocol'] | undefined {
  if (firstOctet === 1) return 'diameter';
  return firstOctet !== undefined && /[A-Za-z]/.test(String.fromCharCode(firstOctet)) ? 'sip' : undefined;
}

export function summarizeSip(octets: Uint8Array): MessageSummary {
  const message = parseSipMessage(octets);
  const fault = isMalformed(message) ? message.field : missingFieldOf(message);
  if (isMalformed(message) || fault !== undefined)
    return { protocol: 'sip', summary: `malformed: ${fault}`, details: {} };
  return { protocol: 'sip', summary: sipSummary(message), details: sipDetails(message) };
}

export function summarizeDiameter(octets: Uint8Array): MessageSummary {
  const message = decodeMessage(octets, dictionary);
  if (isMalformed(message))
    return { protocol: 'diameter', summary: `malformed: ${message.field}`, details: {} };
  return {
    protocol: 'diameter',
    summary: diameterSummary(message),
    details: {
      hopByHop: String(message.hopByHopId),
      sessionId: avpValue(message.avps, baseAvps.sessionId) ?? '',
    },
  };
}

/** The parser does not ask for them: what a message without them gets depends on who it came to (request-rejection.ts). */
function missingFieldOf({ headers }: SipMessage): string | undefined {
  return ['Via', 'Call-ID', 'CSeq'].find((name) => !headers.has(name));
}

function sipSummary(message: SipMessage): string {
  return message.kind === 'request'
    ? `${message.method} ${message.requestUri}`
    : `${message.statusCode} ${message.reasonPhrase} (${cseqOf(message).method})`;
}

function sipDetails(message: SipMessage): Record<string, string> {
  const cseq = cseqOf(message);
  return {
    callId: callIdOf(message),
    cseq: `${cseq.number} ${cseq.method}`,
    branch: topViaOf(message).parameters.get('branch') ?? '',
    content: message.body === '' ? '' : (message.headers.get('Content-Type') ?? ''),
    ...(message.headers.has('Route') && { route: message.headers.getAll('Route').join(', ') }),
    ...mediaDetails(message),
  };
}

/** Where the media of each stream are to go, and what is reserved there (RFC 3312): the columns of TRIM fig. 4's table. */
function mediaDetails(message: SipMessage): { readonly media?: string } {
  const description = message.body.startsWith('v=') ? parseSessionDescription(message.body) : undefined;
  if (description === undefined || isMalformed(description)) return {};
  const places = description.media.map((media, index) => {
    const place = mediaAddressOf(description, index);
    const reserved = preconditionsOf(media)?.current;
    const status = reserved && ` local ${reserved.get('local')}, remote ${reserved.get('remote')}`;
    return place === undefined ? 'refused' : `${formatTransportAddress(place)}${status ?? ''}`;
  });
  return { media: places.join('; ') };
}

/** "NCR"; the answer with its result, "NCA 2001". */
function diameterSummary(message: DiameterMessage): string {
  const request = dictionary.command(message.applicationId, message.commandCode)?.name;
  if (request === undefined) return `command ${message.commandCode}`;
  if (message.isRequest) return request;
  const experimental = avpValue(message.avps, baseAvps.experimentalResult);
  const code =
    avpValue(message.avps, baseAvps.resultCode) ??
    (experimental && avpValue(experimental, baseAvps.experimentalResultCode));
  return `${request.slice(0, -1)}A ${code ?? ''}`.trimEnd();
}
