/**
 * Whole messages from the application's AVPs: identities, Session-Id and routing AVPs (RFC 6733 §6.1, §6.2) in the order in which
 * Kamailio 5.6.3 sends them.
 */
import { type Avp, avp, avpValue, avpValues, optionalAvp } from './avp.ts';
import { advertisement, type DiameterNode } from './capabilities.ts';
import { baseAvps } from './dictionary/base.ts';
import type { CommandDefinition } from './dictionary/dictionary.ts';
import { answerHeader, type DiameterMessage } from './message.ts';

/** A request as the application wants it; which peer gets it is not known yet. */
export interface RequestContent {
  readonly command: CommandDefinition;
  readonly sessionId: string;
  readonly endToEndId: number;
  readonly isRetransmitted: boolean;
  readonly avps: readonly Avp[];
}

/** Who gets it, on which hop. */
export interface RequestRoute {
  readonly hopByHopId: number;
  readonly destinationRealm: string;
  readonly destinationHost: string;
}

export function composeRequest(
  node: DiameterNode,
  content: RequestContent,
  route: RequestRoute,
): DiameterMessage {
  const { command, sessionId, endToEndId, isRetransmitted, avps } = content;
  const application = node.applications.find(({ id }) => id === command.applicationId);
  const namesHost = command.required.includes(baseAvps.destinationHost);
  return {
    commandCode: command.code,
    applicationId: command.applicationId,
    isRequest: true,
    isProxiable: command.proxiable,
    isError: false,
    isRetransmitted,
    hopByHopId: route.hopByHopId,
    endToEndId,
    avps: [
      avp(baseAvps.sessionId, sessionId),
      ...originAvps(node),
      ...optionalAvp(baseAvps.destinationHost, namesHost ? route.destinationHost : undefined),
      avp(baseAvps.destinationRealm, route.destinationRealm),
      ...(application === undefined ? [] : [advertisement(application)]),
      ...avps,
    ],
  };
}

/** Session-Id and Proxy-Info come back as they came (RFC 6733 §6.2); the answers of a vendor's application name it too (TS 29.229 §6.1). */
export function composeAnswer(
  node: DiameterNode,
  request: DiameterMessage,
  avps: readonly Avp[],
): DiameterMessage {
  const application = node.applications.find(({ id }) => id === request.applicationId);
  return {
    ...answerHeader(request, avpValue(avps, baseAvps.resultCode)),
    avps: [
      ...optionalAvp(baseAvps.sessionId, avpValue(request.avps, baseAvps.sessionId)),
      ...(application?.vendor === undefined ? [] : [advertisement(application)]),
      ...originAvps(node),
      ...avps,
      ...avpValues(request.avps, baseAvps.proxyInfo).map((info) => avp(baseAvps.proxyInfo, info)),
    ],
  };
}

export function originAvps(node: DiameterNode): readonly Avp[] {
  return [avp(baseAvps.originHost, node.originHost), avp(baseAvps.originRealm, node.originRealm)];
}
