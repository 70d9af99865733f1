/** `trimaran ims-core`: a small IMS core (TRIM fig. 1). */
import { imsCoreRole } from '../../runtime/roles/ims-core.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const imsCoreCommand: Command = roleCommand(imsCoreRole, {
  summary: 'run a small IMS core: P-CSCF, I-CSCF, S-CSCF and HSS',
  description: [
    "Registers the users of one home domain (SIP digest or AKA), routes their sessions, and sends those of users with a TRIM application server through it. Everything is in this process; its parts speak SIP and Diameter Cx over sockets, each at its own address. With functions, only those run here; the others are somebody else's, at the addresses given.",
    'Keys of the configuration file: functions (of p-cscf, i-cscf, s-cscf, hss; all by default), domain, p-cscf (a list of addresses), i-cscf, s-cscf, hss, unregistered-in-dialog (forward or refuse), hosts, subscribers (private-identity, public-identities, password or aka, trim-as, filter-criteria, unregistered-services, allowed-networks, mandatory-capabilities, optional-capabilities). A user with a USIM has aka: { k, opc } (or op) in place of the password; keys are secrets of 32 hexadecimal digits.',
    'Filter criteria (priority, server, trigger, default-handling, service-information, include-register-request, include-register-response, profile-part) send initial requests through an application server. A trigger is { any-of: [[CONDITION, …], …] }, an OR of ANDs, or { all-of: … }, an AND of ORs; a condition is { method }, { request-uri }, { session-case }, { header, content } or { sdp-line, content }, turned round by not: true. trim-as writes the two criteria that TRIM needs, with priorities 0 and 1.',
  ],
  examples: [['trimaran ims-core -c core.yaml', 'Run it; needs no rights but those to its ports.']],
});
