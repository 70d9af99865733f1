/**
 * One Via value (RFC 3261 §20.42, rport of RFC 3581). Brackets round an IPv6 address may be missing, in sent-by as in `received`
 * (RFC 5118 §4.5); then the whole text is the address, and there is no port (§4.3).
 */
import { ipFamilyOf } from '../../../base/ip-address.ts';
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { formatParameters, parseParameters, type SipParameters } from './parameters.ts';
import { formatHostPort } from './sip-uri.ts';

export interface Via {
  /** In upper case: "UDP", "TCP", … */
  readonly transport: string;
  /** Name or IP literal of sent-by; an IPv6 address without brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly parameters: SipParameters;
}

const viaPattern =
  /^SIP[ \t]*\/[ \t]*\d+\.\d+[ \t]*\/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*|[A-Za-z0-9\-_.]+)(?:[ \t]*:[ \t]*(\d{1,5}))?[ \t]*(?=;|$)/i;

export function parseVia(text: string, offset = 0): Via | Malformed {
  const match = viaPattern.exec(text);
  if (match === null)
    return new Malformed('Via', offset, 'RFC 3261 §20.42: SIP/2.0/transport host:port;parameters');
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && port > 65535)
    return new Malformed('Via', offset, 'RFC 3261 §25.1: port is at most 65535');
  const host = match[2]!;
  if (host.includes(':') && !host.startsWith('[') && ipFamilyOf(host) !== 6)
    return new Malformed('Via', offset, 'RFC 3261 §25.1, RFC 5118 §4.5: without brackets an IPv6 address');
  const parameters = parseParameters(text, match[0].length, 'Via', offset);
  if (isMalformed(parameters)) return parameters;
  return {
    // What is in upper case already takes as long to convert as what is not.
    transport: match[1] === 'UDP' ? 'UDP' : match[1]!.toUpperCase(),
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port,
    parameters,
  };
}

export function formatVia(via: Via): string {
  return `SIP/2.0/${via.transport} ${formatHostPort(via.host, via.port)}${formatParameters(via.parameters)}`;
}
