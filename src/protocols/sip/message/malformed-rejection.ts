/**
 * The answer to a request that the parser refused (RFC 3261 §16.3, §8.2: 400; §21.5.7: 513), made from as much of it as can be saved.
 * Read with goodwill and used for nothing but this answer. There is none to responses and ACKs, which are dropped (§18.1.2, §17.1.1.3).
 */
import { isMalformed, type Malformed } from '../../../base/malformed.ts';
import { headerNameOf } from './header-names.ts';
import { parseNameAddress } from './name-address.ts';
import { SipHeaders } from './sip-headers.ts';
import { SipResponse } from './sip-message.ts';
import { splitList } from './split-list.ts';
import { parseVia } from './via.ts';

const copiedFields = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

/**
 * `undefined` when nothing may or can be answered: Via, From, To, Call-ID and CSeq must be there, however wrong all but the first are.
 * The response goes back to where the octets came from.
 */
export function malformedRejection(
  octets: Uint8Array,
  fault: Malformed,
  options: { readonly toTag?: string } = {},
): SipResponse | undefined {
  const text = Buffer.from(octets).toString('latin1').trimStart();
  if (/^(?:SIP\/|ACK\s)/i.test(text)) return undefined;
  const headers = new SipHeaders();
  for (const { name, value } of copiedLinesOf(text)) headers.append(name, value);
  const via = wellFormedPartOfVia(headers.get('Via') ?? '');
  if (via === undefined || copiedFields.some((field) => !headers.has(field))) return undefined;
  // A CR or LF alone would be a line of its own to some, whom the answer must not be used to talk to.
  if (/[\r\n]/.test(copiedFields.map((field) => headers.getAll(field)).join())) return undefined;
  headers.removeFirst('Via');
  headers.prepend('Via', via);
  const to = parseNameAddress(headers.get('To') ?? '');
  if (options.toTag !== undefined && !isMalformed(to) && !to.parameters.has('tag'))
    headers.set('To', `${headers.get('To')};tag=${options.toTag}`);
  return fault.field === 'message'
    ? new SipResponse(513, 'Message Too Large', headers)
    : new SipResponse(400, `Bad Request (${fault.field})`, headers);
}

/** Of fields that may be present only once the first line counts. */
function copiedLinesOf(text: string): { name: string; value: string }[] {
  const lines = text
    .split('\r\n\r\n', 1)[0]!
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .slice(1);
  const seen = new Set<string>();
  return lines.flatMap((line) => {
    const colon = line.indexOf(':');
    const { name } = headerNameOf(line.slice(0, Math.max(colon, 0)).trim());
    if (!copiedFields.includes(name) || (name !== 'Via' && seen.has(name))) return [];
    seen.add(name);
    return { name, value: line.slice(colon + 1).trim() };
  });
}

/** The value up to its first fault, so that the client finds its branch when that stands before. */
function wellFormedPartOfVia(value: string): string | undefined {
  const via = parseVia(value);
  if (!isMalformed(via)) return value;
  const part = splitList(value.slice(0, via.offset))[0] ?? '';
  return isMalformed(parseVia(part)) ? undefined : part;
}
