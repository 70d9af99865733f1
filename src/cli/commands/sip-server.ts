/** `trimaran sip-server`: registrar, proxy and redirect server of MIP–SIP §2.2. */
import { sipServerRole } from '../../runtime/roles/sip-server.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const sipServerCommand: Command = roleCommand(sipServerRole, {
  summary: 'run a SIP registrar with proxy or redirect server',
  description: [
    'Registers the users of one domain (digest) and brings calls to where they are; with "redirect" it tells callers where that is instead. It stays out of the dialogs, so that what follows an INVITE, also the re-INVITE of a mobile node, goes from end to end. It passes on nothing from strangers to strangers.',
    'Keys of the configuration file: domain, sip, users (name, authentication-name, password, redirect), redirect, digest-algorithms (MD5, SHA-256, SHA-512-256), hosts (other domains), dns, tls (certificate, key, authorities, port; PEM, as { file: PATH }), shortest-registration, longest-registration, control.',
  ],
  examples: [['trimaran sip-server -c sip-server.yaml', 'Run it; needs no rights but those to its port.']],
});
