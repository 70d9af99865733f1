/**
 * The base protocol's AVPs and commands (RFC 6733 §3.1, §4.5), as far as a node without accounting, redirects and agents needs
 * them, plus those that a lawful peer may send with the M bit set.
 */
import type { AvpDefinition } from '../avp.ts';
import type { CommandDefinition, DiameterApplication } from './dictionary.ts';

export const baseAvps = {
  userName: { code: 1, name: 'User-Name', type: 'UTF8String' },
  class: { code: 25, name: 'Class', type: 'OctetString' },
  sessionTimeout: { code: 27, name: 'Session-Timeout', type: 'Unsigned32' },
  proxyState: { code: 33, name: 'Proxy-State', type: 'OctetString' },
  hostIpAddress: { code: 257, name: 'Host-IP-Address', type: 'Address' },
  authApplicationId: { code: 258, name: 'Auth-Application-Id', type: 'Unsigned32' },
  acctApplicationId: { code: 259, name: 'Acct-Application-Id', type: 'Unsigned32' },
  vendorSpecificApplicationId: { code: 260, name: 'Vendor-Specific-Application-Id', type: 'Grouped' },
  redirectHostUsage: { code: 261, name: 'Redirect-Host-Usage', type: 'Enumerated' },
  redirectMaxCacheTime: { code: 262, name: 'Redirect-Max-Cache-Time', type: 'Unsigned32' },
  sessionId: { code: 263, name: 'Session-Id', type: 'UTF8String' },
  originHost: { code: 264, name: 'Origin-Host', type: 'DiameterIdentity' },
  supportedVendorId: { code: 265, name: 'Supported-Vendor-Id', type: 'Unsigned32' },
  vendorId: { code: 266, name: 'Vendor-Id', type: 'Unsigned32' },
  firmwareRevision: { code: 267, name: 'Firmware-Revision', type: 'Unsigned32', optional: true },
  resultCode: { code: 268, name: 'Result-Code', type: 'Unsigned32' },
  productName: { code: 269, name: 'Product-Name', type: 'UTF8String', optional: true },
  disconnectCause: { code: 273, name: 'Disconnect-Cause', type: 'Enumerated' },
  authSessionState: { code: 277, name: 'Auth-Session-State', type: 'Enumerated' },
  originStateId: { code: 278, name: 'Origin-State-Id', type: 'Unsigned32' },
  failedAvp: { code: 279, name: 'Failed-AVP', type: 'Grouped' },
  proxyHost: { code: 280, name: 'Proxy-Host', type: 'DiameterIdentity' },
  errorMessage: { code: 281, name: 'Error-Message', type: 'UTF8String', optional: true },
  routeRecord: { code: 282, name: 'Route-Record', type: 'DiameterIdentity' },
  destinationRealm: { code: 283, name: 'Destination-Realm', type: 'DiameterIdentity' },
  proxyInfo: { code: 284, name: 'Proxy-Info', type: 'Grouped' },
  redirectHost: { code: 292, name: 'Redirect-Host', type: 'DiameterURI' },
  destinationHost: { code: 293, name: 'Destination-Host', type: 'DiameterIdentity' },
  errorReportingHost: { code: 294, name: 'Error-Reporting-Host', type: 'DiameterIdentity', optional: true },
  originRealm: { code: 296, name: 'Origin-Realm', type: 'DiameterIdentity' },
  experimentalResult: { code: 297, name: 'Experimental-Result', type: 'Grouped' },
  experimentalResultCode: { code: 298, name: 'Experimental-Result-Code', type: 'Unsigned32' },
  inbandSecurityId: { code: 299, name: 'Inband-Security-Id', type: 'Unsigned32' },
  terminationCause: { code: 295, name: 'Termination-Cause', type: 'Enumerated' },
} as const;

/** Application-Id of the messages between direct peers (RFC 6733 §2.4). */
export const baseApplicationId = 0;
/** Application-Id of a relay: it has every application in common with everybody (RFC 6733 §2.4, §5.3). */
export const relayApplicationId = 0xffff_ffff;

const origin: readonly AvpDefinition[] = [baseAvps.originHost, baseAvps.originRealm];

type BaseCommand = 'capabilitiesExchange' | 'deviceWatchdog' | 'disconnectPeer';

export const baseCommands: Readonly<Record<BaseCommand, CommandDefinition>> = {
  // Host-IP-Address is required too (RFC 6733 §5.3.1), but Kamailio leaves it out now and then: nothing here needs it.
  capabilitiesExchange: {
    code: 257,
    applicationId: baseApplicationId,
    name: 'CER',
    proxiable: false,
    required: [...origin, baseAvps.vendorId, baseAvps.productName],
  },
  deviceWatchdog: {
    code: 280,
    applicationId: baseApplicationId,
    name: 'DWR',
    proxiable: false,
    required: origin,
  },
  disconnectPeer: {
    code: 282,
    applicationId: baseApplicationId,
    name: 'DPR',
    proxiable: false,
    required: [...origin, baseAvps.disconnectCause],
  },
};

/** Value of Termination-Cause: the session is over because its user ended it (RFC 6733 §8.15). */
export const diameterLogout = 1;

/** Values of Disconnect-Cause (RFC 6733 §5.4.3). */
export const disconnectCause = { rebooting: 0, busy: 1, doNotWantToTalkToYou: 2 } as const;

export const baseApplication: DiameterApplication = {
  id: baseApplicationId,
  avps: baseAvps,
  commands: baseCommands,
};
