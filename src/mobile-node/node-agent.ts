/** The mobile node's user agent: towards the applications it listens from the beginning, over an access while that has an address. */
import { BackToBackUserAgent } from '../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import { SipEndpoint } from '../protocols/sip/endpoint.ts';
import { toTagOf } from '../protocols/sip/message/header-fields.ts';
import type { SipRequest } from '../protocols/sip/message/sip-message.ts';
import type { MobileNodeOptions } from './mobile-node-options.ts';

/** Of a node that nobody calls (RFC 3323 §4.1.1.3). */
export const anonymous: string = 'sip:anonymous@anonymous.invalid';

export function newAgent({
  internalAddress,
  applicationPort,
  random,
}: MobileNodeOptions): BackToBackUserAgent {
  const listen = (['udp', 'tcp'] as const).map((transport) => ({
    transport,
    address: internalAddress,
    port: applicationPort,
  }));
  return new BackToBackUserAgent({
    endpoint: new SipEndpoint({ listen, random, refuseMergedRequests: true }),
    random,
    takesNotifications: true,
  });
}

/** Within a dialog: of a subscription, as no call has it. */
export function isNotification(request: SipRequest): boolean {
  return request.method === 'NOTIFY' && toTagOf(request) !== undefined;
}
