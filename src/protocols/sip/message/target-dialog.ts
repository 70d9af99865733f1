/** Target-Dialog (RFC 4538 §7): the dialog, as the recipient knows it, that a request outside of it speaks of. */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { parseParameters } from './parameters.ts';

export interface TargetDialog {
  readonly callId: string;
  /** From the view of who receives the request (RFC 4538 §3.1). RFC 4538 §4 wants both tags; a caller who has heard nothing does not know this one. */
  readonly localTag: string | undefined;
  readonly remoteTag: string;
}

export function parseTargetDialog(text: string): TargetDialog | Malformed {
  const semicolon = text.indexOf(';');
  const parameters = parseParameters(text, semicolon < 0 ? text.length : semicolon, 'Target-Dialog', 0);
  if (isMalformed(parameters)) return parameters;
  const callId = text.slice(0, Math.max(semicolon, 0)).trim();
  const localTag = parameters.get('local-tag');
  const remoteTag = parameters.get('remote-tag') ?? '';
  if (!/^[^\s;,]+$/.test(callId) || localTag === '' || remoteTag === '')
    return new Malformed('Target-Dialog', 0, 'RFC 4538 §7: Call-ID with remote-tag, and local-tag');
  return { callId, localTag, remoteTag };
}

export function formatTargetDialog({ callId, localTag, remoteTag }: TargetDialog): string {
  const local = localTag === undefined ? '' : `;local-tag=${localTag}`;
  return `${callId}${local};remote-tag=${remoteTag}`;
}
