/** Replaces (RFC 3891 §6.1): which dialog a new INVITE takes the place of. Exactly one to-tag and one from-tag. */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { parseParameters } from './parameters.ts';

export interface Replaces {
  readonly callId: string;
  /** The tag of the user agent that receives the request: its own, local tag (RFC 3891 §3). */
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
}

export function parseReplaces(text: string, offset = 0): Replaces | Malformed {
  const semicolon = text.indexOf(';');
  const parameters = parseParameters(text, semicolon < 0 ? text.length : semicolon, 'Replaces', offset);
  if (isMalformed(parameters)) return parameters;
  const callId = text.slice(0, Math.max(semicolon, 0)).trim();
  const toTag = parameters.get('to-tag') ?? '';
  const fromTag = parameters.get('from-tag') ?? '';
  const tagCount = text.match(/;[ \t]*(?:to|from)-tag[ \t]*=/gi)?.length;
  if (!/^[^\s;,]+$/.test(callId) || toTag === '' || fromTag === '' || tagCount !== 2)
    return new Malformed('Replaces', offset, 'RFC 3891 §6.1: Call-ID with one to-tag and one from-tag');
  return { callId, toTag, fromTag, earlyOnly: parameters.has('early-only') };
}

export function formatReplaces(replaces: Replaces): string {
  const earlyOnly = replaces.earlyOnly ? ';early-only' : '';
  return `${replaces.callId};to-tag=${replaces.toTag};from-tag=${replaces.fromTag}${earlyOnly}`;
}
