/** `trimaran ims-core`: a small IMS core (TRIM fig. 1). */
import { imsCoreRole } from '../../runtime/roles/ims-core.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';
import { subscriberKeys } from './subscriber-keys.ts';

export const imsCoreCommand: Command = roleCommand(imsCoreRole, {
  summary: 'run a small IMS core: P-CSCF, I-CSCF, S-CSCF and HSS',
  description: [
    "Registers the users of one home domain (SIP digest or AKA), routes their sessions, and sends those of users with a TRIM application server through it. Everything is in this process; its parts speak SIP and Diameter Cx over sockets, each at its own address. With functions, only those run here; the others are somebody else's, at the addresses given.",
    'SIGHUP makes it read its users again. With a journal, registrations and dialogs survive a crash and a restart.',
    'Keys of the configuration file: functions (of p-cscf, i-cscf, s-cscf, hss; all by default), domain, p-cscf (a list of addresses), i-cscf, s-cscf, hss, unregistered-in-dialog (forward or refuse), hosts, dns, tls (of the P-CSCFs: certificate, key, authorities, port; PEM, as { file: PATH }), subscribers, digest-algorithms, registration (minimum, maximum, default, outbound, new-contact), application-server-timeout, journal (a directory), control.',
    ...subscriberKeys,
  ],
  examples: [['trimaran ims-core -c core.yaml', 'Run it; needs no rights but those to its ports.']],
});
