/** `trimaran s-cscf`: registrar and session control of a home network (TRIM fig. 1). */
import { servingCscfRole } from '../../runtime/roles/s-cscf.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const servingCscfCommand: Command = roleCommand(servingCscfRole, {
  summary: 'run an S-CSCF: registrar and session control',
  description: [
    'Registers users with what their HSS hands out over Diameter Cx (SIP digest, AKA), and sends their initial requests through the application servers that their filter criteria name.',
    'With a journal, registrations and dialogs survive a crash and a restart.',
    'Keys of the configuration file: sip, name, realm, diameter (identity, realm, hss: a list of identity and address, reconnect), hosts (the home domain and each peer domain with its I-CSCF, and application servers), dns (true: other names by the DNS), tls (certificate, key, authorities, port; PEM, as { file: PATH }), authentication-scheme (Unknown, SIP Digest, Digest-AKAv1-MD5 or Digest-MD5), digest-algorithms (SHA-512-256, SHA-256, MD5; the best first), registration (minimum, maximum, default, outbound, new-contact: add or replace), application-server-timeout, journal (a directory), control.',
  ],
  examples: [['trimaran s-cscf -c s-cscf.yaml', 'Run it; needs no rights but those to its port.']],
});
