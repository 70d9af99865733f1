/**
 * Capabilities exchange (RFC 6733 §5.3): what CER and CEA say about a node, and whether two nodes have anything in common.
 * No inband security: a peer that insists on it is refused (DIAMETER_NO_COMMON_SECURITY).
 */
import { type Avp, type Avps, avp, avpValue, avpValues, optionalAvp } from './avp.ts';
import { baseAvps, relayApplicationId } from './dictionary/base.ts';
import type { DiameterApplication } from './dictionary/dictionary.ts';
import { resultCode } from './result-code.ts';

/** Who we are, in every message. */
export interface DiameterNode {
  readonly originHost: string;
  readonly originRealm: string;
  /** Grows with every restart that forgot state (RFC 6733 §8.16); seconds since 1970 at start will do. */
  readonly originStateId: number;
  readonly productName: string;
  readonly applications: readonly DiameterApplication[];
}

/** What a peer said about itself. */
export interface PeerCapabilities {
  readonly originHost: string;
  readonly originRealm: string;
  readonly originStateId?: number;
}

const noInbandSecurity = 0;

/** The AVPs of our CER, and of our CEA behind its Result-Code. */
export function capabilitiesAvps(node: DiameterNode, localAddress: string): readonly Avp[] {
  const vendors = new Set(node.applications.flatMap(({ vendor }) => (vendor === undefined ? [] : [vendor])));
  return [
    avp(baseAvps.originHost, node.originHost),
    avp(baseAvps.originRealm, node.originRealm),
    avp(baseAvps.hostIpAddress, localAddress),
    avp(baseAvps.vendorId, 0),
    avp(baseAvps.productName, node.productName),
    avp(baseAvps.originStateId, node.originStateId),
    ...[...vendors].map((vendor) => avp(baseAvps.supportedVendorId, vendor)),
    ...node.applications.map(advertisement),
  ];
}

export function readCapabilities(avps: Avps): PeerCapabilities | undefined {
  const originHost = avpValue(avps, baseAvps.originHost);
  const originRealm = avpValue(avps, baseAvps.originRealm);
  const originStateId = avpValue(avps, baseAvps.originStateId);
  if (originHost === undefined || originRealm === undefined) return undefined;
  return { originHost, originRealm, ...(originStateId !== undefined && { originStateId }) };
}

/** The Result-Code with which a CER (or a CEA) with these AVPs has to be met: 2001, 5010 or 5017. */
export function judgeCapabilities(avps: Avps, applications: readonly DiameterApplication[]): number {
  const security = avpValues(avps, baseAvps.inbandSecurityId);
  if (security.length > 0 && !security.includes(noInbandSecurity)) return resultCode.noCommonSecurity;
  const theirs = applicationIds(avps);
  const isCommon = theirs.has(relayApplicationId) || applications.some(({ id }) => theirs.has(id));
  return isCommon ? resultCode.success : resultCode.noCommonApplication;
}

export function resultAvps(code: number, errorMessage?: string): readonly Avp[] {
  return [avp(baseAvps.resultCode, code), ...optionalAvp(baseAvps.errorMessage, errorMessage)];
}

/** The same AVP announces an application in CER and names it in the requests of vendor-specific applications (RFC 6733 §6.11). */
export function advertisement(application: DiameterApplication): Avp {
  const id = avp(baseAvps.authApplicationId, application.id);
  if (application.vendor === undefined) return id;
  return avp(baseAvps.vendorSpecificApplicationId, [avp(baseAvps.vendorId, application.vendor), id]);
}

function applicationIds(avps: Avps): Set<number> {
  const groups = avpValues(avps, baseAvps.vendorSpecificApplicationId);
  const lists = [avps, ...groups];
  return new Set(
    lists.flatMap((list) => [
      ...avpValues(list, baseAvps.authApplicationId),
      ...avpValues(list, baseAvps.acctApplicationId),
    ]),
  );
}
