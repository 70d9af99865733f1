/** The Registration Reply to a request (RFC 5944 §3.8.3), with the extensions that answer its own (RFC 2794, 3519, 3543). */
import type { Extension } from '../../protocols/mobile-ip/extension.ts';
import type { RegistrationReply, RegistrationRequest } from '../../protocols/mobile-ip/message.ts';
import { isAccepted, replyCode } from '../../protocols/mobile-ip/reply-code.ts';
import { identificationOf, lowerHalf, upperHalf } from '../../protocols/mobile-ip/timestamp.ts';
import { tunnelRequestOf } from './registration.ts';

export interface ReplyContent {
  readonly code: number;
  readonly lifetimeSeconds: number;
  /** For people. */
  readonly reason?: string | undefined;
  readonly homeAddress: string;
  readonly homeAgent: string;
  readonly isBehindNat: boolean;
  readonly keepaliveSeconds: number;
  /** The agent's clock. */
  readonly timestamp: bigint;
}

export function createReply(request: RegistrationRequest, content: ReplyContent): RegistrationReply {
  const { code, lifetimeSeconds, homeAgent, timestamp } = content;
  // On a mismatch the upper half is our clock, for the mobile node to set its own by (RFC 5944 §5.7.1).
  const identification =
    code === replyCode.identificationMismatch
      ? identificationOf(upperHalf(timestamp), lowerHalf(request.identification))
      : request.identification;
  return {
    kind: 'registration-reply',
    code,
    lifetimeSeconds,
    homeAddress: request.homeAddress === '0.0.0.0' ? content.homeAddress : request.homeAddress,
    homeAgent,
    identification,
    extensions: extensionsOf(request, content),
  };
}

function extensionsOf(request: RegistrationRequest, content: ReplyContent): Extension[] {
  const extensions: Extension[] = request.extensions.filter(
    ({ kind }) => kind === 'network-access-identifier',
  );
  if (isAccepted(content.code) && content.lifetimeSeconds > 0) {
    const tunnelRequest = tunnelRequestOf(request.extensions);
    if (tunnelRequest !== undefined)
      extensions.push({
        kind: 'udp-tunnel-reply',
        code: 0,
        // Forced means in spite of there being no address translation (RFC 3519 §3.2).
        forced: tunnelRequest.forced && !content.isBehindNat,
        keepaliveSeconds: content.keepaliveSeconds,
      });
    const support = request.extensions.find((extension) => extension.kind === 'revocation-support');
    if (support !== undefined) extensions.push({ ...support, timestamp: upperHalf(content.timestamp) });
  }
  if (content.reason !== undefined) extensions.push({ kind: 'message-string', text: content.reason });
  return extensions;
}
