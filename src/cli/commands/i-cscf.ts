/** `trimaran i-cscf`: the way into a home network (TRIM fig. 1). */
import { interrogatingCscfRole } from '../../runtime/roles/i-cscf.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const interrogatingCscfCommand: Command = roleCommand(interrogatingCscfRole, {
  summary: 'run an I-CSCF, the way into a home network',
  description: [
    'Asks the HSS over Diameter Cx which S-CSCF serves a user, chooses one by its capabilities when none does, and takes the next when one does not answer. It remembers nothing: run as many as you like.',
    'Keys of the configuration file: sip, domains, diameter (identity, realm, hss: a list of identity and address, reconnect), s-cscfs (name, capabilities), hosts, dns, tls (certificate, key, authorities, port; PEM, as { file: PATH }), control.',
  ],
  examples: [['trimaran i-cscf -c i-cscf.yaml', 'Run it; needs no rights but those to its port.']],
});
