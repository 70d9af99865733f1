/**
 * Values of Result-Code (RFC 6733 §7.1, RFC 6736 §8.2) and of Experimental-Result-Code of vendor 3GPP (TS 29.229 §6.2).
 * The two number spaces overlap with different meanings: decide by the AVP, never by the number alone.
 */
export const resultCode = {
  success: 2001,
  commandUnsupported: 3001,
  unableToDeliver: 3002,
  tooBusy: 3004,
  applicationUnsupported: 3007,
  invalidHeaderBits: 3008,
  invalidAvpBits: 3009,
  unknownPeer: 3010,
  resourceFailure: 4014,
  avpUnsupported: 5001,
  unknownSessionId: 5002,
  authorizationRejected: 5003,
  invalidAvpValue: 5004,
  missingAvp: 5005,
  resourcesExceeded: 5006,
  contradictingAvps: 5007,
  avpNotAllowed: 5008,
  noCommonApplication: 5010,
  unsupportedVersion: 5011,
  unableToComply: 5012,
  invalidAvpLength: 5014,
  invalidMessageLength: 5015,
  noCommonSecurity: 5017,
  bindingFailure: 5043,
  maximumBindingsReachedForEndpoint: 5045,
  sessionExists: 5046,
} as const;

export const cxResultCode = {
  firstRegistration: 2001,
  subsequentRegistration: 2002,
  unregisteredService: 2003,
  serverNameNotStored: 2004,
  userUnknown: 5001,
  identitiesDontMatch: 5002,
  identityNotRegistered: 5003,
  roamingNotAllowed: 5004,
  identityAlreadyRegistered: 5005,
  authenticationSchemeNotSupported: 5006,
  inAssignmentType: 5007,
  notSupportedUserData: 5009,
} as const;

/** Protocol errors travel with the E bit set (RFC 6733 §7.1.3). */
export function isProtocolError(code: number): boolean {
  return code >= 3000 && code < 4000;
}
