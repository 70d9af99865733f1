/** `trimaran address-translator`: the address translator of the home network (TRIM fig. 2). */
import { addressTranslatorRole } from '../../runtime/roles/address-translator.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const addressTranslatorCommand: Command = roleCommand(addressTranslatorRole, {
  summary: 'translate media in the kernel, as a TRIM AS asks',
  description: [
    'Gives out bindings of its address pool over Diameter (RFC 6736) and puts them into force as nftables map elements, without connection tracking. A handover changes one element: no packet sees half of it. Packets from anybody but the two ends of a binding are dropped.',
    'The addresses of the pool must be routed to this machine and be used for nothing else. Bindings outlive a crash; the next start takes them away.',
    'Keys of the configuration file: identity, realm, listen, controllers, pool (addresses, first-port, last-port), maximum-sessions (50,000 by default, for which the kernel sets aside 37 MB), grace-time, controller-grace-time, instance, control.',
  ],
  examples: [
    ['trimaran address-translator -c translator.yaml', 'Run it; needs root or CAP_NET_ADMIN.'],
    [
      'trimaran address-translator -c translator.yaml --json --trace trace.ndjson',
      'The same for programs, with every message recorded.',
    ],
  ],
});
