/**
 * HSS: what each request of a CSCF is answered and what it changes (TS 29.228 §6, TS 29.229), as functions of the user and his record.
 * Tolerates what Kamailio sends: SAR type 2 without a registration before it, UAR without a type.
 * Leaves out: Sh, shared public identities, wildcards, restoration, emergency registration.
 */
import type { RandomSource } from '../../base/random-source.ts';
import { nextSequenceNumber, sequenceNumberOfAuts } from '../../protocols/aka/authentication-vector.ts';
import { type Avp, type Avps, avp, avpValue, avpValues, optionalAvp } from '../../protocols/diameter/avp.ts';
import { experimentalResult } from '../../protocols/diameter/cx-result.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';
import { cxResultCode, resultCode } from '../../protocols/diameter/result-code.ts';
import { authenticationItems } from './authentication-item.ts';
import type { Subscriber } from './subscriber.ts';
import type { SubscriberRecord } from './subscriber-record.ts';
import { formatUserProfile } from './user-profile.ts';

/** `record`: what is to be written down before the answer goes out; absent when nothing changes. */
export interface Outcome {
  readonly answer: readonly Avp[];
  readonly record?: SubscriberRecord;
}

/** Server-Assignment-Type (TS 29.229 §6.3.15). */
const assignment = {
  none: 0,
  registration: 1,
  reRegistration: 2,
  unregisteredUser: 3,
  timeoutStoringServerName: 6,
  userStoringServerName: 7,
  authenticationFailure: 9,
  authenticationTimeout: 10,
  tooMuchData: 11,
} as const;

/** User-Authorization-Type (§6.3.24). */
const deregistration = 1;
const withCapabilities = 2;

const success = avp(baseAvps.resultCode, resultCode.success);

/** UAR (TS 29.228 §6.1.1). */
export function authorizeUser(
  subscriber: Subscriber,
  { state, serverName }: SubscriberRecord,
  avps: Avps,
): Outcome {
  const type = avpValue(avps, cxAvps.userAuthorizationType);
  if (type === deregistration) {
    if (state === 'not-registered' || serverName === undefined)
      return failed(cxResultCode.identityNotRegistered);
    return { answer: [success, avp(cxAvps.serverName, serverName)] };
  }
  if (subscriber.publicIdentities.every(({ isBarred }) => isBarred === true))
    return { answer: [avp(baseAvps.resultCode, resultCode.authorizationRejected)] };
  if (!mayRoam(subscriber, avpValue(avps, cxAvps.visitedNetworkIdentifier)))
    return failed(cxResultCode.roamingNotAllowed);
  if (type === withCapabilities) return { answer: [success, ...capabilitiesOf(subscriber)] };
  // Also between challenge and registration: the second REGISTER has to meet the S-CSCF that challenged.
  return {
    answer:
      serverName === undefined
        ? [experimentalResult(cxResultCode.firstRegistration), ...capabilitiesOf(subscriber)]
        : [experimentalResult(cxResultCode.subsequentRegistration), avp(cxAvps.serverName, serverName)],
  };
}

/** LIR (TS 29.228 §6.1.4). */
export function locateUser(subscriber: Subscriber, { state, serverName }: SubscriberRecord): Outcome {
  if (state !== 'not-registered' && serverName !== undefined)
    return { answer: [success, avp(cxAvps.serverName, serverName)] };
  if (subscriber.hasUnregisteredServices !== true) return failed(cxResultCode.identityNotRegistered);
  return { answer: [experimentalResult(cxResultCode.unregisteredService), ...capabilitiesOf(subscriber)] };
}

/** MAR (TS 29.228 §6.3.1). The S-CSCF that challenges takes the user over from another one. */
export function authenticateUser(
  subscriber: Subscriber,
  known: SubscriberRecord,
  avps: Avps,
  { realm, random }: { readonly realm: string; readonly random: RandomSource },
): Outcome {
  const wanted = avpValue(avps, cxAvps.sipAuthDataItem) ?? [];
  const sequenceNumber = nextVectorNumber(subscriber, known, avpValue(wanted, cxAvps.sipAuthorization));
  const request = {
    scheme: avpValue(wanted, cxAvps.sipAuthenticationScheme) ?? 'Unknown',
    count: avpValue(avps, cxAvps.sipNumberAuthItems) ?? 1,
    realm,
    sequenceNumber: sequenceNumber ?? 0,
  };
  const items = authenticationItems(subscriber, request, random);
  if (items.length === 0) return failed(cxResultCode.authenticationSchemeNotSupported);
  const serverName = avpValue(avps, cxAvps.serverName) ?? known.serverName;
  const isSame = serverName === known.serverName;
  // Kamailio needs both identities to find its request again (seen with 5.6.3).
  const answer = [
    success,
    avp(baseAvps.userName, subscriber.privateIdentity),
    ...avpValues(avps, cxAvps.publicIdentity).map((identity) => avp(cxAvps.publicIdentity, identity)),
    avp(cxAvps.sipNumberAuthItems, items.length),
    ...items,
  ];
  if (isSame && sequenceNumber === undefined) return { answer };
  const record = {
    ...(isSame ? known : { state: known.state }),
    ...(serverName !== undefined && { serverName }),
    ...(sequenceNumber !== undefined && { sequenceNumber }),
  };
  return { answer, record };
}

/** SAR (TS 29.228 §6.1.2). */
export function assignServer(subscriber: Subscriber, known: SubscriberRecord, avps: Avps): Outcome {
  const type = avpValue(avps, cxAvps.serverAssignmentType) ?? assignment.none;
  const serverName = avpValue(avps, cxAvps.serverName);
  const isOther = known.serverName !== undefined && known.serverName !== serverName;
  if (type < assignment.none || type > assignment.tooMuchData) return failed(cxResultCode.inAssignmentType);
  const answer = [
    success,
    avp(baseAvps.userName, subscriber.privateIdentity),
    ...optionalAvp(cxAvps.userData, type <= assignment.unregisteredUser ? userDataOf(subscriber) : undefined),
  ];
  if (type !== assignment.none) {
    if (isOther) return failed(cxResultCode.identityAlreadyRegistered);
    return { answer, record: recordAfter(type, known, serverName, avps) };
  }
  return isOther || known.serverName === undefined
    ? { answer: [avp(baseAvps.resultCode, resultCode.unableToComply)] }
    : { answer };
}

/** The profile as it goes into SAA and PPR. */
export function userDataOf(subscriber: Subscriber): Uint8Array {
  // Always sent, whatever User-Data-Already-Available says: Kamailio asks with 1 after it has restarted.
  return new TextEncoder().encode(formatUserProfile(subscriber));
}

export function failed(code: number): Outcome {
  return { answer: [experimentalResult(code)] };
}

function recordAfter(
  type: number,
  known: SubscriberRecord,
  serverName: string | undefined,
  avps: Avps,
): SubscriberRecord {
  const serverHost = avpValue(avps, baseAvps.originHost);
  const server = { ...(serverName && { serverName }), ...(serverHost && { serverHost }) };
  const { sequenceNumber } = known;
  const vectors = sequenceNumber === undefined ? {} : { sequenceNumber };
  if (type === assignment.registration || type === assignment.reRegistration)
    return { state: 'registered', ...server, ...vectors };
  const keepsServer =
    type === assignment.unregisteredUser ||
    type === assignment.timeoutStoringServerName ||
    type === assignment.userStoringServerName;
  if (keepsServer) return { state: 'unregistered', ...server, ...vectors };
  const isFailedAttempt =
    type === assignment.authenticationFailure || type === assignment.authenticationTimeout;
  // A wrong password does not end a registration that exists (TS 29.228 §6.1.2.1).
  return isFailedAttempt && known.state !== 'not-registered'
    ? known
    : { state: 'not-registered', ...vectors };
}

/** SQN of the next AKA vector: behind the last one, or behind the USIM's own when it asks for that (RAND ‖ AUTS, TS 33.102 §6.3.5). */
function nextVectorNumber(
  { credentials }: Subscriber,
  { sequenceNumber = 0 }: SubscriberRecord,
  resynchronisation: Uint8Array | undefined,
): number | undefined {
  if (!('k' in credentials)) return undefined;
  const heldByUsim =
    resynchronisation === undefined
      ? undefined
      : sequenceNumberOfAuts(credentials, resynchronisation.subarray(0, 16), resynchronisation.subarray(16));
  return nextSequenceNumber(heldByUsim ?? sequenceNumber);
}

function mayRoam({ allowedNetworks }: Subscriber, visited: Uint8Array | undefined): boolean {
  if (allowedNetworks === undefined || visited === undefined) return true;
  // As it stands in P-Visited-Network-ID, which may be a quoted string.
  const name = Buffer.from(visited)
    .toString('latin1')
    .replace(/^"(.*)"$/, '$1');
  return allowedNetworks.includes(name);
}

/** Without Server-Capabilities the I-CSCF may take any S-CSCF (TS 29.228 §6.7). */
function capabilitiesOf({
  mandatoryCapabilities = [],
  optionalCapabilities = [],
}: Subscriber): readonly Avp[] {
  const capabilities = [
    ...mandatoryCapabilities.map((capability) => avp(cxAvps.mandatoryCapability, capability)),
    ...optionalCapabilities.map((capability) => avp(cxAvps.optionalCapability, capability)),
  ];
  return capabilities.length === 0 ? [] : [avp(cxAvps.serverCapabilities, capabilities)];
}
