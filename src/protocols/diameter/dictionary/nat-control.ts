/**
 * The NAT control application between a TRIM AS (NAT controller) and an address translator (NAT device): RFC 6736 §6, §8, with the
 * AVPs it borrows from RFC 4005 and RFC 5777. How TRIM uses it is in ../nat-control.ts.
 * Leaves out accounting (ACR/ACA, RFC 6736 §9), the device's wish to end a session (ASR/ASA) and the classifiers of access networks.
 */
import { baseAvps } from './base.ts';
import type { CommandDefinition, DiameterApplication } from './dictionary.ts';

export const natControlApplicationId = 12;

export const natControlAvps = {
  framedIpAddress: { code: 8, name: 'Framed-IP-Address', type: 'Ipv4Address' },
  framedIpv6Prefix: { code: 97, name: 'Framed-IPv6-Prefix', type: 'OctetString' },
  protocol: { code: 513, name: 'Protocol', type: 'Enumerated' },
  direction: { code: 514, name: 'Direction', type: 'Enumerated' },
  port: { code: 530, name: 'Port', type: 'Integer32' },
  requestType: { code: 595, name: 'NC-Request-Type', type: 'Enumerated' },
  install: { code: 596, name: 'NAT-Control-Install', type: 'Grouped' },
  remove: { code: 597, name: 'NAT-Control-Remove', type: 'Grouped' },
  definition: { code: 598, name: 'NAT-Control-Definition', type: 'Grouped' },
  internalAddress: { code: 599, name: 'NAT-Internal-Address', type: 'Grouped' },
  externalAddress: { code: 600, name: 'NAT-External-Address', type: 'Grouped' },
  maximumBindings: { code: 601, name: 'Max-NAT-Bindings', type: 'Unsigned32' },
  bindingTemplate: { code: 602, name: 'NAT-Control-Binding-Template', type: 'OctetString' },
  duplicateSessionId: { code: 603, name: 'Duplicate-Session-Id', type: 'UTF8String' },
  externalPortStyle: { code: 604, name: 'NAT-External-Port-Style', type: 'Enumerated' },
  record: { code: 605, name: 'NAT-Control-Record', type: 'Grouped' },
  bindingStatus: { code: 606, name: 'NAT-Control-Binding-Status', type: 'Enumerated' },
  currentBindings: { code: 607, name: 'Current-NAT-Bindings', type: 'Unsigned32' },
  // Counters in a QUERY answer, our addition under the "* [AVP]" of NAT-Control-Definition: nobody has to understand them.
  octets: { code: 363, name: 'Accounting-Input-Octets', type: 'Unsigned64', optional: true },
  packets: { code: 365, name: 'Accounting-Input-Packets', type: 'Unsigned64', optional: true },
} as const;

/** Values of NC-Request-Type (RFC 6736 §8.7.1). */
export const natRequestType = { initial: 1, update: 2, query: 3 } as const;
/** Values of Direction (RFC 5777 §4.1.5). */
export const natDirection = { in: 0, out: 1 } as const;
/** Value of NAT-External-Port-Style: keep parity and contiguity, as RTP and RTCP want it (RFC 6736 §8.7.10). */
export const followInternalPortStyle = 1;

const b = baseAvps;
const origin = [b.originHost, b.originRealm, b.destinationRealm];

export const natControlCommands: Readonly<Record<'natControl' | 'sessionTermination', CommandDefinition>> = {
  natControl: {
    code: 330,
    applicationId: natControlApplicationId,
    name: 'NCR',
    proxiable: true,
    required: [b.authApplicationId, ...origin, b.destinationHost, natControlAvps.requestType],
  },
  sessionTermination: {
    code: 275,
    applicationId: natControlApplicationId,
    name: 'STR',
    proxiable: true,
    required: [b.sessionId, ...origin, b.authApplicationId, b.terminationCause],
  },
};

export const natControlApplication: DiameterApplication = {
  id: natControlApplicationId,
  avps: natControlAvps,
  commands: natControlCommands,
};
