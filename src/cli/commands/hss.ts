/** `trimaran hss`: the subscriber server of a home network (TRIM fig. 1). */
import { homeSubscriberServerRole } from '../../runtime/roles/hss.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';
import { subscriberKeys } from './subscriber-keys.ts';

export const homeSubscriberServerCommand: Command = roleCommand(homeSubscriberServerRole, {
  summary: 'run an HSS: users, secrets and application servers',
  description: [
    'Answers CSCFs of any maker over Diameter Cx: who may register, with what he proves himself (SIP digest, AKA), which S-CSCF serves him, and which application servers see his requests.',
    'SIGHUP makes it read its users again: S-CSCFs get the profiles that changed (PPR), and users who are gone lose their registration (RTR). With a journal, registrations and AKA sequence numbers survive a crash and a restart.',
    `Keys of the configuration file: listen, identity, realm, digest-realm, cscfs (the DiameterIdentities that may ask), subscribers, journal (a directory), control.`,
    ...subscriberKeys,
  ],
  examples: [
    ['trimaran hss -c hss.yaml', 'Run it; needs no rights but those to its port.'],
    [
      'trimaran deregister --control /run/trimaran/hss.sock bob@ims.test',
      'End the registration of one user.',
    ],
  ],
});
