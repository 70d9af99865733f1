/**
 * The Code field of a Registration Reply (RFC 5944 §3.4 and the RFCs that add to it): the values that home agent and mobile node act on.
 */
export const replyCode = {
  accepted: 0,
  /** Accepted, but every other binding is gone: the agent has one binding per mobile node. */
  acceptedWithoutSimultaneousBindings: 1,
  lifetimeTooLong: 69,
  administrativelyProhibited: 129,
  insufficientResources: 130,
  mobileNodeFailedAuthentication: 131,
  identificationMismatch: 133,
  poorlyFormedRequest: 134,
  tooManyBindings: 135,
  unknownHomeAgentAddress: 136,
  reverseTunnelRequired: 138,
  encapsulationUnavailable: 139,
  /** RFC 3519 §3.5. */
  udpEncapsulationUnavailable: 142,
  /** RFC 7629 §4.3. */
  multipathNotAllowed: 152,
  invalidFlowBindingIdentifier: 153,
} as const;

export function isAccepted(code: number): boolean {
  return code === replyCode.accepted || code === replyCode.acceptedWithoutSimultaneousBindings;
}
