/** `trimaran p-cscf`: the first contact point of terminals (TRIM fig. 1). */
import { proxyCscfRole } from '../../runtime/roles/p-cscf.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const proxyCscfCommand: Command = roleCommand(proxyCscfRole, {
  summary: 'run a P-CSCF, where terminals of one access enter the IMS',
  description: [
    'Puts itself into the Path of registrations, asserts the identity of who calls, and strips at the edge of the network what only the network may set and what terminals may not see. One for each access, or one for several.',
    'Works beside the I- and S-CSCFs of any maker. With a journal, contacts survive a crash and a restart.',
    'Keys of the configuration file: sip, visited-network, hosts (each home domain with its I-CSCF), dns (true: other names by the DNS), tls (certificate, key, authorities, port; PEM, as { file: PATH }), access-networks (prefix, info: for P-Access-Network-Info with network-provided), unregistered-in-dialog (forward or refuse), journal (a directory), control.',
  ],
  examples: [['trimaran p-cscf -c p-cscf.yaml', 'Run it; needs no rights but those to its port.']],
});
