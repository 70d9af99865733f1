/**
 * URIs in SIP messages: sip and sips (RFC 3261 §19.1), tel (RFC 3966), and any other scheme as opaque text.
 * Leaves out global and local tel numbers' finer grammar. Escapes stay as they were written; `sipUrisEqual` looks through them.
 */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { formatParameters, noParameters, type SipParameters } from './parameters.ts';

export interface SipUri {
  readonly kind: 'sip';
  readonly scheme: 'sip' | 'sips';
  /** User part as written (escaped, without the password). */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Name or IP literal; an IPv6 address stands here without its brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly parameters: SipParameters;
  /** The text after "?", as written; '' when there is none. */
  readonly headers: string;
}

export interface TelUri {
  readonly kind: 'tel';
  readonly scheme: 'tel';
  readonly number: string;
  readonly parameters: SipParameters;
}

export interface OpaqueUri {
  readonly kind: 'opaque';
  /** In lower case. */
  readonly scheme: string;
  /** The whole URI. */
  readonly text: string;
}

export type Uri = SipUri | TelUri | OpaqueUri;

const sipUriPattern =
  /^([sS][iI][pP][sS]?):(?:([\w\-.!~*'()%&=+$,;?/#|^`{}\x80-\xff]+)(?::([\w\-.!~*'()%&=+$,]*))?@)?(\[[\dA-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?((?:;[^;?=@\s<>"][^;?@\s<>"]*)*)(?:\?([^\s<>"]*))?$/;

const uriRule =
  'RFC 3261 §19.1.1, §25.1: sip:user@host:port;parameters?headers, or another scheme without spaces';

/** The parts of a SIP URI that one builds; absent parts are left out. */
export function sipUri(parts: Partial<Omit<SipUri, 'kind'>> & { readonly host: string }): SipUri {
  return { kind: 'sip', scheme: 'sip', parameters: noParameters, headers: '', ...parts };
}

/** The last SIP URI and what it is: who reads one from a header field often hands the same text on, to be read again. Never changed. */
let lastText: string | undefined;
let lastUri: SipUri | undefined;

export function parseUri(text: string, offset = 0): Uri | Malformed {
  if (text === lastText && lastUri !== undefined) return lastUri;
  const match = sipUriPattern.exec(text);
  if (match !== null) {
    const uri = assembleSipUri(match, offset);
    if (!isMalformed(uri)) [lastText, lastUri] = [text, uri];
    return uri;
  }
  const scheme = text.slice(0, Math.max(text.indexOf(':'), 0)).toLowerCase();
  if (scheme === 'sip' || scheme === 'sips' || !/^[a-z][a-z0-9+\-.]*$/.test(scheme) || /[\s<>"]/.test(text))
    return new Malformed('URI', offset, uriRule);
  return scheme === 'tel' ? parseTelUri(text, offset) : { kind: 'opaque', scheme, text };
}

export function parseSipUri(text: string, offset = 0): SipUri | Malformed {
  const match = sipUriPattern.exec(text);
  return match === null ? new Malformed('URI', offset, uriRule) : assembleSipUri(match, offset);
}

function assembleSipUri(match: RegExpExecArray, offset: number): SipUri | Malformed {
  const [, scheme, user, password, host = '', port, parameters = '', headers = ''] = match;
  const portNumber = port === undefined ? undefined : Number(port);
  if (portNumber !== undefined && portNumber > 65535)
    return new Malformed('URI', offset, 'RFC 3261 §19.1.1: port is at most 65535');
  return {
    kind: 'sip',
    scheme: scheme!.length === 3 ? 'sip' : 'sips',
    user,
    password,
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port: portNumber,
    parameters: uriParametersOf(parameters),
    headers,
  };
}

function parseTelUri(text: string, offset: number): TelUri | Malformed {
  const [number = '', ...parameters] = text.slice(4).split(';');
  if (!/^[+0-9A-Fa-f*#\-.()]+$/.test(number))
    return new Malformed('URI', offset, 'RFC 3966 §3 telephone-subscriber');
  return {
    kind: 'tel',
    scheme: 'tel',
    number,
    parameters: uriParametersOf(parameters.map((p) => `;${p}`).join('')),
  };
}

/** What nearly every Route has. */
const onlyLooseRouting: SipParameters = new Map([['lr', '']]);

/** `text` is empty or begins with a semicolon. */
function uriParametersOf(text: string): SipParameters {
  if (text === '') return noParameters;
  if (text === ';lr') return onlyLooseRouting;
  const parameters = new Map<string, string>();
  for (let start = 1; start <= text.length; ) {
    const semicolon = text.indexOf(';', start);
    const end = semicolon < 0 ? text.length : semicolon;
    const parameter = text.slice(start, end);
    const equals = parameter.indexOf('=');
    const name = (equals < 0 ? parameter : parameter.slice(0, equals)).toLowerCase();
    if (!parameters.has(name)) parameters.set(name, equals < 0 ? '' : parameter.slice(equals + 1));
    start = end + 1;
  }
  return parameters;
}

/** The user part of a SIP URI given as text; `undefined` when it has none or is no SIP URI. */
export function userPartOf(text: string): string | undefined {
  const uri = parseUri(text);
  return isMalformed(uri) || uri.kind !== 'sip' ? undefined : uri.user;
}

export function formatUri(uri: Uri): string {
  if (uri.kind === 'opaque') return uri.text;
  if (uri.kind === 'tel') return `tel:${uri.number}${formatParameters(uri.parameters)}`;
  const password = uri.password === undefined ? '' : `:${uri.password}`;
  const user = uri.user === undefined ? '' : `${uri.user}${password}@`;
  const headers = uri.headers === '' ? '' : `?${uri.headers}`;
  return `${uri.scheme}:${user}${formatHostPort(uri.host, uri.port)}${formatParameters(uri.parameters)}${headers}`;
}

/** "192.0.2.1:5060", "[2001:db8::1]:5060", "example.com". */
export function formatHostPort(host: string, port: number | undefined): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return port === undefined ? bracketed : `${bracketed}:${port}`;
}
