/** `trimaran mobile-node`: the mobile node (TRIM fig. 3(b)). */
import { mobileNodeRole } from '../../runtime/roles/mobile-node.ts';
import type { Command } from '../command.ts';
import { roleCommand } from './role-command.ts';

export const mobileNodeCommand: Command = roleCommand(mobileNodeRole, {
  summary: "keep this host's sessions alive across access networks",
  description: [
    'Registers with the IMS over the best access that is there, stands between the applications of this host and the network, and hands every session over when a better access appears or the present one is lost. Applications use the internal address (10.64.0.1 unless configured otherwise), which never changes: softphones take 10.64.0.1:5070 (UDP or TCP) as outbound proxy, other programs get a session by "trimaran session" or "trimaran run".',
    'Each access is an interface of this host. Its addresses and routes are the business of the system; the mobile node adds a routing table for each (5944 and following), rules, an nftables table, and takes them away when it ends, or at the next start after a crash.',
    'With "mobile-ip" programs have the home address, on every access, through tunnels to the home agent ("trimaran home-agent"); what they exchange with the peers under "correspondents" takes the direct way as long as those keep bindings, and the one by the home agent otherwise. Then "policy" chooses the access by what is measured ("trimaran why").',
    'Keys of the configuration file: identity (public, private, password or aka, home-domain, instance, expires), accesses (name, interface, gateway, proxy-cscf, access-network-info; the most preferred first), internal-address, application-port, signalling-port, tls (certificate, key, authorities, port, server-name: its SIP goes to the P-CSCFs by TLS), reservation, grace-time, release-after, control; mobile-ip (home-address, home-agent, port, security-association (spi, algorithm, key), identifier, lifetime, encapsulation, probe-interval, missed-probes, device, correspondents (address, security-association, lifetime)); policy (weights, hysteresis, equal-coverage-hysteresis, dwell-time, history-window, jitter-weight, warm-up, penalty, classes (name, protocol, home-ports, correspondent-ports, correspondent, and numbers of their own), module, options), which needs power, cost and coverage of each access. With aka: { k, opc } (or op; 32 hexadecimal digits, or { file: PATH }) the terminal answers AKA challenges as a USIM does.',
  ],
  examples: [
    ['trimaran mobile-node -c mobile-node.yaml', 'Run it; needs root or CAP_NET_ADMIN.'],
    [
      'trimaran status --control /run/trimaran/mobile-node.sock',
      'Show accesses and sessions of the running node.',
    ],
  ],
});
