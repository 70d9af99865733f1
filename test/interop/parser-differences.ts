/**
 * Where our parser and Kamailio's (5.6.3, module sanity) do not agree whether to take a message, what the RFC says, and how such a case is
 * told: by our fault where Kamailio takes the message, by Kamailio's words where we do. What fits no row has not been looked at yet.
 */
import { isMalformed } from '../../src/base/malformed.ts';
import { parseSipMessage } from '../../src/protocols/sip/message/parse-sip-message.ts';
import { requestRejection } from '../../src/protocols/sip/message/request-rejection.ts';
import { screenMessage } from '../../src/protocols/sip/transport/message-screening.ts';
import type { KamailioVerdict } from './kamailio-parser.ts';

export interface ParserDifference {
  readonly name: string;
  /** Who takes the message. */
  readonly takenBy: 'trimaran' | 'kamailio';
  /** 'both': the RFC leaves it to the receiver. */
  readonly supports: 'trimaran' | 'kamailio' | 'both';
  readonly why: string;
  /** In our fault, or in what Kamailio logged and answered. */
  readonly evidence: RegExp;
}

/** Kamailio reads most fields only when its script asks for them; so it takes what nobody reads. */
const takenByKamailio: readonly Omit<ParserDifference, 'takenBy'>[] = [
  {
    name: 'a tag or branch twice',
    supports: 'trimaran',
    why: 'RFC 3261 §7.3.1: no parameter name more than once. Kamailio sees it in tags only where they stand behind brackets.',
    evidence: /§7\.3\.1: one (?:tag|branch)/,
  },
  {
    name: 'a field twice that may be there once',
    supports: 'trimaran',
    why: 'RFC 3261 §7.3.1: only list fields may be repeated. Kamailio looks at the first From, To, CSeq, Call-ID.',
    evidence: /§7\.3\.1: this field may be present only once/,
  },
  {
    name: 'CSeq too large or no method',
    supports: 'trimaran',
    why: 'RFC 3261 §20.16: a number of 32 bits and a token. RFC 4475 §3.1.2.5 (scalarlg) wants such responses dropped.',
    evidence: /^CSeq: /,
  },
  {
    name: 'Via that is none',
    supports: 'trimaran',
    why: 'RFC 3261 §25.1 via-parm: token, host, port, parameters. Kamailio takes any octet as part of transport, host or parameter name.',
    evidence: /^Via: /,
  },
  {
    name: 'From, To or Route that is no address',
    supports: 'trimaran',
    why: 'RFC 3261 §25.1 name-addr, addr-spec, generic-param; for white space inside the brackets RFC 4475 §3.1.2.14 lets the receiver choose.',
    evidence: /^(?:From|To|Route): /,
  },
  {
    name: 'Call-ID of several words',
    supports: 'trimaran',
    why: 'RFC 3261 §25.1: callid is one word, perhaps with "@" and another.',
    evidence: /^Call-ID: /,
  },
  {
    name: 'Max-Forwards above 255 or no number',
    supports: 'trimaran',
    why: 'RFC 3261 §20.22: a number from 0 to 255. Kamailio reads it in the module maxfwd only.',
    evidence: /^Max-Forwards: /,
  },
  {
    name: 'Content-Length that is no number',
    supports: 'trimaran',
    why: 'RFC 3261 §20.14, §25.1: 1*DIGIT. Kamailio reads the digits and passes over what stands behind them on the line.',
    evidence: /^Content-Length: .*(?:§20\.14|§18\.3)/,
  },
  {
    name: 'lines that are no header field, or that do not end in CRLF',
    supports: 'trimaran',
    why: 'RFC 3261 §7, §25.1: name ":" value CRLF. Kamailio takes a bare LF for an end of line, which may smuggle a field past who does not, and stops at the fields it needs.',
    evidence: /^message-header: /,
  },
  {
    name: 'white space behind the start line, or its end in LF',
    supports: 'both',
    why: 'RFC 4475 §3.1.2.10 (trws): may be taken or refused; RFC 3261 §7.1 allows one CRLF and nothing before.',
    evidence: /^start-line: /,
  },
  {
    name: 'Request-URI with octets that no URI has',
    supports: 'trimaran',
    why: 'RFC 3261 §19.1.1, §25.1: host and user. Kamailio splits at the delimiters and looks no further.',
    evidence: /^Request-URI: /,
  },
  {
    name: 'Request-URI with headers',
    supports: 'trimaran',
    why: 'RFC 3261 §19.1.1 table 1: not allowed there; RFC 4475 §3.1.2.11 wants 400.',
    evidence: /^400 Request-URI with headers/,
  },
];

const takenByTrimaran: readonly Omit<ParserDifference, 'takenBy'>[] = [
  {
    name: 'octets behind the body',
    supports: 'trimaran',
    why: 'RFC 3261 §18.3: of a datagram, octets beyond Content-Length MUST be discarded, as RFC 4475 §3.1.1.8 (dblreq) shows.',
    evidence: /Content-Length mis-match/,
  },
  {
    name: 'field names of all characters of a token',
    supports: 'trimaran',
    why: 'RFC 3261 §25.1 header-name = token; RFC 4475 §3.1.1.2 (intmeth), §3.1.1.5 (esc02).',
    evidence: /parse_sip_header_name\(\): invalid (?:start of )?header name/,
  },
  {
    name: 'CSeq folded between number and method',
    supports: 'trimaran',
    why: 'RFC 3261 §7.3.1: LWS may be folded; RFC 4475 §3.1.1.1 (wsinv).',
    evidence: /parse_cseq\(\): (?:no method found|bad cseq)/,
  },
  {
    name: 'From and To with schemes other than sip, sips and tel',
    supports: 'trimaran',
    why: 'RFC 3261 §20.20, §25.1: addr-spec may be any absoluteURI; RFC 4475 §3.3.4 (unksm2).',
    evidence:
      /parse_(?:from|to)_uri\(\): failed to parse|invalid (?:From|To) header or uri|Invalid From Header|Ivalid To Header/,
  },
  {
    name: 'Contact that cannot be read',
    supports: 'both',
    why: 'RFC 3261 §16.3 item 1: an element that does not use the field should not refuse the message. Who uses it here (registrar, dialog) leaves such contacts out or answers 400.',
    evidence:
      /parse_contacts?\(\)|contact_parser\(\)|failed to parse Contact|Bad Contact URI|Invalid Contact/i,
  },
  {
    name: 'Via of another version or transport',
    supports: 'trimaran',
    why: 'RFC 3261 §25.1: protocol-version = token, other-transport = token; the version of the start line decides (RFC 4475 §3.1.2.16: 505 to badvers).',
    evidence: /parse_via\(\): bad char <.> on state 1[0-2]\d/,
  },
  {
    name: 'an empty item in a list',
    supports: 'both',
    why: 'RFC 3261 §25.1 has none, but §16.3 item 1 asks for no more than can be handled; cores send them, and nothing can be misread.',
    evidence: /parsing via on: <[^\n]*,\n/,
  },
  {
    name: 'equals signs and the like inside a parameter value of Via, From or To',
    supports: 'both',
    why: 'RFC 3261 §25.1 gen-value = token, host or quoted-string; §16.3 item 1 asks for no more than can be handled, and tags in base64 end so.',
    evidence:
      /parse_via_param\(\): (?:invalid char|failure parsing)|parse_to_param\(\): unexpected char|parse_addr_spec\(\)/,
  },
  {
    name: 'a field that only its readers judge',
    supports: 'both',
    why: 'RFC 3261 §16.3 item 1; §20.10 has a registrar read malformed expiry times as an hour. Kamailio reads these in the module sanity or on its way to others.',
    evidence:
      /Expires value is illegal|parse_retry_after\(\)|parse_expires\(\)|bad (?:retry_after|expires|event) header/,
  },
  {
    name: 'a URI in From or To that Kamailio does not understand',
    supports: 'trimaran',
    why: 'RFC 3261 §19.1.1: the user part may hold ; ? & = + $ , and /; §16.3 item 1.',
    evidence: /parse_uri\(\)|failed to parse request uri|Bad Request URI/,
  },
];

export const parserDifferences: readonly ParserDifference[] = [
  ...takenByKamailio.map((row) => ({ ...row, takenBy: 'kamailio' as const })),
  ...takenByTrimaran.map((row) => ({ ...row, takenBy: 'trimaran' as const })),
];

/** `undefined` where both agree; 'unexplained' with the evidence where no row of the table fits. */
export function differenceOf(
  octets: Uint8Array,
  verdict: KamailioVerdict,
): ParserDifference | { readonly name: 'unexplained'; readonly why: string } | undefined {
  const refusal = refusalOf(octets);
  if (verdict.accepts === (refusal === undefined)) return undefined;
  const takenBy = verdict.accepts ? 'kamailio' : 'trimaran';
  const evidence = refusal ?? verdict.reasons.join('\n');
  const row = parserDifferences.find((one) => one.takenBy === takenBy && one.evidence.test(evidence));
  return row ?? { name: 'unexplained', why: `taken by ${takenBy}: ${evidence}` };
}

/** Why no network function of ours gets to see the message. */
function refusalOf(octets: Uint8Array): string | undefined {
  if (screenMessage(octets).kind === 'accepted') return undefined;
  const message = parseSipMessage(octets);
  if (isMalformed(message)) return `${message.field}: ${message.rule}`;
  const rejection = message.kind === 'request' ? requestRejection(message) : undefined;
  return rejection === undefined
    ? 'incomplete response'
    : `${rejection.statusCode} ${rejection.reasonPhrase}`;
}
