/** The users of an HSS in configuration files, as manual pages tell it. */
export const subscriberKeys: readonly string[] = [
  'Keys of a subscriber: private-identity, public-identities (URIs, or { identity, barred: true }), password or aka, trim-as, filter-criteria, unregistered-services, allowed-networks, mandatory-capabilities, optional-capabilities. A user with a USIM has aka: { k, opc } (or op) in place of the password; keys are secrets of 32 hexadecimal digits.',
  'Filter criteria (priority, server, trigger, default-handling, service-information, include-register-request, include-register-response, profile-part) send initial requests through an application server. A trigger is { any-of: [[CONDITION, …], …] }, an OR of ANDs, or { all-of: … }, an AND of ORs; a condition is { method }, { request-uri }, { session-case }, { header, content } or { sdp-line, content }, turned round by not: true. trim-as writes the two criteria that TRIM needs, with priorities 0 and 1.',
];
