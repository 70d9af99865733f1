/**
 * The Cx application between CSCFs and HSS (3GPP TS 29.229; codes as Wireshark, Kamailio and freeDiameter agree on them).
 * AVPs without the M bit that nobody here reads are left out: a receiver skips them anyway.
 */
import type { AvpDefinition } from '../avp.ts';
import { baseAvps } from './base.ts';
import type { CommandDefinition, DiameterApplication } from './dictionary.ts';

export const vendor3gpp = 10415;
export const cxApplicationId = 16777216;

export const cxAvps = {
  digestRealm: { code: 104, name: 'Digest-Realm', type: 'UTF8String' },
  digestQop: { code: 110, name: 'Digest-QoP', type: 'UTF8String' },
  digestAlgorithm: { code: 111, name: 'Digest-Algorithm', type: 'UTF8String', optional: true },
  digestHa1: { code: 121, name: 'Digest-HA1', type: 'UTF8String' },
  framedIpAddress: { code: 8, name: 'Framed-IP-Address', type: 'Ipv4Address' },
  framedIpv6Prefix: { code: 97, name: 'Framed-IPv6-Prefix', type: 'OctetString' },
  framedInterfaceId: { code: 96, name: 'Framed-Interface-Id', type: 'Unsigned64' },
  visitedNetworkIdentifier: {
    code: 600,
    vendor: 10415,
    name: 'Visited-Network-Identifier',
    type: 'OctetString',
  },
  publicIdentity: { code: 601, vendor: 10415, name: 'Public-Identity', type: 'UTF8String' },
  serverName: { code: 602, vendor: 10415, name: 'Server-Name', type: 'UTF8String' },
  serverCapabilities: { code: 603, vendor: 10415, name: 'Server-Capabilities', type: 'Grouped' },
  mandatoryCapability: { code: 604, vendor: 10415, name: 'Mandatory-Capability', type: 'Unsigned32' },
  optionalCapability: { code: 605, vendor: 10415, name: 'Optional-Capability', type: 'Unsigned32' },
  userData: { code: 606, vendor: 10415, name: 'User-Data', type: 'OctetString' },
  sipNumberAuthItems: { code: 607, vendor: 10415, name: 'SIP-Number-Auth-Items', type: 'Unsigned32' },
  sipAuthenticationScheme: {
    code: 608,
    vendor: 10415,
    name: 'SIP-Authentication-Scheme',
    type: 'UTF8String',
  },
  sipAuthenticate: { code: 609, vendor: 10415, name: 'SIP-Authenticate', type: 'OctetString' },
  sipAuthorization: { code: 610, vendor: 10415, name: 'SIP-Authorization', type: 'OctetString' },
  sipAuthenticationContext: {
    code: 611,
    vendor: 10415,
    name: 'SIP-Authentication-Context',
    type: 'OctetString',
  },
  sipAuthDataItem: { code: 612, vendor: 10415, name: 'SIP-Auth-Data-Item', type: 'Grouped' },
  sipItemNumber: { code: 613, vendor: 10415, name: 'SIP-Item-Number', type: 'Unsigned32' },
  serverAssignmentType: { code: 614, vendor: 10415, name: 'Server-Assignment-Type', type: 'Enumerated' },
  deregistrationReason: { code: 615, vendor: 10415, name: 'Deregistration-Reason', type: 'Grouped' },
  reasonCode: { code: 616, vendor: 10415, name: 'Reason-Code', type: 'Enumerated' },
  reasonInfo: { code: 617, vendor: 10415, name: 'Reason-Info', type: 'UTF8String' },
  chargingInformation: { code: 618, vendor: 10415, name: 'Charging-Information', type: 'Grouped' },
  primaryEventChargingFunctionName: {
    code: 619,
    vendor: 10415,
    name: 'Primary-Event-Charging-Function-Name',
    type: 'DiameterURI',
  },
  secondaryEventChargingFunctionName: {
    code: 620,
    vendor: 10415,
    name: 'Secondary-Event-Charging-Function-Name',
    type: 'DiameterURI',
  },
  primaryChargingCollectionFunctionName: {
    code: 621,
    vendor: 10415,
    name: 'Primary-Charging-Collection-Function-Name',
    type: 'DiameterURI',
  },
  secondaryChargingCollectionFunctionName: {
    code: 622,
    vendor: 10415,
    name: 'Secondary-Charging-Collection-Function-Name',
    type: 'DiameterURI',
  },
  userAuthorizationType: { code: 623, vendor: 10415, name: 'User-Authorization-Type', type: 'Enumerated' },
  userDataAlreadyAvailable: {
    code: 624,
    vendor: 10415,
    name: 'User-Data-Already-Available',
    type: 'Enumerated',
  },
  confidentialityKey: { code: 625, vendor: 10415, name: 'Confidentiality-Key', type: 'OctetString' },
  integrityKey: { code: 626, vendor: 10415, name: 'Integrity-Key', type: 'OctetString' },
  supportedFeatures: {
    code: 628,
    vendor: 10415,
    name: 'Supported-Features',
    type: 'Grouped',
    optional: true,
  },
  featureListId: { code: 629, vendor: 10415, name: 'Feature-List-ID', type: 'Unsigned32', optional: true },
  featureList: { code: 630, vendor: 10415, name: 'Feature-List', type: 'Unsigned32', optional: true },
  associatedIdentities: { code: 632, vendor: 10415, name: 'Associated-Identities', type: 'Grouped' },
  originatingRequest: { code: 633, vendor: 10415, name: 'Originating-Request', type: 'Enumerated' },
  wildcardedPublicIdentity: {
    code: 634,
    vendor: 10415,
    name: 'Wildcarded-Public-Identity',
    type: 'UTF8String',
  },
  sipDigestAuthenticate: { code: 635, vendor: 10415, name: 'SIP-Digest-Authenticate', type: 'Grouped' },
  wildcardedImpu: { code: 636, vendor: 10415, name: 'Wildcarded-IMPU', type: 'UTF8String' },
  lineIdentifier: { code: 500, vendor: 13019, name: 'Line-Identifier', type: 'OctetString' },
} as const;

type CxCommand =
  | 'userAuthorization'
  | 'serverAssignment'
  | 'locationInfo'
  | 'multimediaAuthentication'
  | 'registrationTermination'
  | 'pushProfile';

const b = baseAvps;
const session = [
  b.sessionId,
  b.vendorSpecificApplicationId,
  b.authSessionState,
  b.originHost,
  b.originRealm,
  b.destinationRealm,
];

/** What each request must hold (the {…} of the grammars in TS 29.229 §6.1). */
export const cxCommands: Readonly<Record<CxCommand, CommandDefinition>> = {
  userAuthorization: command(300, 'UAR', b.userName, cxAvps.publicIdentity, cxAvps.visitedNetworkIdentifier),
  serverAssignment: command(
    301,
    'SAR',
    cxAvps.serverName,
    cxAvps.serverAssignmentType,
    cxAvps.userDataAlreadyAvailable,
  ),
  locationInfo: command(302, 'LIR', cxAvps.publicIdentity),
  multimediaAuthentication: command(
    303,
    'MAR',
    b.userName,
    cxAvps.publicIdentity,
    cxAvps.sipAuthDataItem,
    cxAvps.sipNumberAuthItems,
    cxAvps.serverName,
  ),
  registrationTermination: command(304, 'RTR', b.destinationHost, b.userName, cxAvps.deregistrationReason),
  pushProfile: command(305, 'PPR', b.destinationHost, b.userName),
};

export const cxApplication: DiameterApplication = {
  id: cxApplicationId,
  vendor: vendor3gpp,
  avps: cxAvps,
  commands: cxCommands,
};

function command(code: number, name: string, ...required: AvpDefinition[]): CommandDefinition {
  return {
    code,
    applicationId: cxApplicationId,
    name,
    proxiable: true,
    required: [...session, ...required],
  };
}
