/** `trimaran home-agent`: the home agent of MIP–SIP fig. 3. */
import { homeAgentRole } from '../../runtime/roles/home-agent.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const homeAgentCommand: Command = roleCommand(homeAgentRole, {
  summary: 'keep mobile nodes reachable at their home (Mobile IP)',
  description: [
    'Stands for mobile nodes on their home link (proxy ARP) and tunnels their packets in UDP to wherever they are, over several accesses at once (RFC 5944, 3519, 3024, 7629, 3543). Mobile nodes authenticate every registration with a key that they share with it.',
    'With "sip-registration" it registers the care-of addresses of mobile nodes with SIP whenever they change, and is their SIP proxy; the passwords for that lie encrypted in a store ("trimaran home-agent-accounts") or, for tests, in the configuration.',
    'With "role: correspondent" it is no home agent, but lets a server send what it has for mobile nodes to where they are, directly and not by way of their home (route optimisation): mobile nodes that have the server under "correspondents" register with it too. It forwards nothing, and what it has no binding for takes its usual route.',
    'Bindings are journalled before they are confirmed: neither a crash nor a restart loses one.',
    'The machine of a home agent needs an interface on the home link, and forwards packets (it sets net.ipv4.ip_forward while it runs).',
    'Keys of the configuration file: role, address, port, home-link (interface, prefix), mobile-nodes (home-address, identifier, security-associations (spi, algorithm, key), multipath, encapsulation), lifetime, lifetime-behind-nat, keepalive, timestamp-tolerance, journal (a directory), device, sip-registration (sip, registrar, accounts (home-address, public, private, password, contact-port), account-store (file, key)), control.',
  ],
  examples: [
    ['trimaran home-agent -c home-agent.yaml', 'Run it; needs root or CAP_NET_ADMIN.'],
    ['trimaran status --control /run/trimaran/home-agent.sock', 'Which mobile node is where.'],
    [
      'trimaran revoke --control /run/trimaran/home-agent.sock 198.51.100.10',
      'Take back the bindings of one.',
    ],
  ],
});
