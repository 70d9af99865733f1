/** `trimaran correspondent-node`: an ordinary peer (TRIM fig. 1). */
import { correspondentNodeRole } from '../../runtime/roles/correspondent-node.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const correspondentNodeCommand: Command = roleCommand(correspondentNodeRole, {
  summary: 'answer calls as an ordinary peer, for programs',
  description: [
    'Registers with the IMS (unless told not to) and answers every call with the media in its configuration, whose ports programs of this host use.',
    'Keys of the configuration file: sip, media-address, identity (public, private, password or aka, home-domain, expires), register, outbound-proxy, media (media, transport, port, setup, formats), reservation, ring, tls (certificate, key, authorities, port, server-name: all of its SIP goes by TLS), control. With aka: { k, opc } (or op; 32 hexadecimal digits, or { file: PATH }) the terminal answers AKA challenges as a USIM does.',
  ],
  examples: [['trimaran correspondent-node -c correspondent-node.yaml', 'Run it; needs no rights.']],
});
