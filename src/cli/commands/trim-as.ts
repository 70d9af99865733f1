/** `trimaran trim-as`: the TRIM application server (TRIM fig. 2). */
import { trimAsRole } from '../../runtime/roles/trim-as.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const trimAsCommand: Command = roleCommand(trimAsRole, {
  summary: 'anchor the sessions of mobile users behind an IMS core',
  description: [
    'A SIP back-to-back user agent on ISC. It puts an address translator into the media of every session of its users, and answers their handovers by itself: the other end never hears of them. The IMS core routes to it by the initial filter criteria of the subscriber and is not changed.',
    'It steers its address translators by Diameter NAT control (RFC 6736), takes the least loaded for a new session, and leaves out those that are full or dead. When none is left, a call is refused with 503, and the default handling of the filter criteria decides.',
    'Keys of the configuration file: sip, hosts, dns (true: other names by the DNS), tls (certificate, key, authorities, port; PEM, as { file: PATH }), identity, realm, translators (identity, address, weight), grace-time, maximum-sessions, watchdog, reconnect, request-timeout, control.',
  ],
  examples: [['trimaran trim-as -c trim-as.yaml', 'Run it; needs no rights.']],
});
