/** The role `sip-server` (MIP–SIP fig. 3): the machine of home-network/sip-server over real sockets. It needs no rights. */
import { SipServer } from '../../home-network/sip-server/sip-server.ts';
import type { SipServerUser } from '../../home-network/sip-server/sip-server-options.ts';
import {
  type SipServerConfiguration,
  type SipServerUserConfiguration,
  sipServerSchema,
} from '../configuration/sip-server.ts';
import { toSip } from '../configuration/sip-values.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { monotonicNow } from '../monotonic-clock.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const sipServerRole: Role<SipServerConfiguration> = {
  name: 'sip-server',
  schema: sipServerSchema,
  start: startSipServer,
};

function startSipServer(configuration: SipServerConfiguration, host: RoleHost): RunningRole {
  const { domain, users, redirect, control, tls } = configuration;
  const machine = new SipServer({
    ...toSip(configuration),
    domain,
    users: users.map(sipServerUser),
    redirect,
    digestAlgorithms: configuration['digest-algorithms'],
    trustsRegisteredAddresses: configuration['trust-registered-addresses'],
    registration: {
      minimumExpiresSeconds: configuration['shortest-registration'] / 1000,
      maximumExpiresSeconds: configuration['longest-registration'] / 1000,
    },
    random: host.random,
  });
  host.run({
    name: sipServerRole.name,
    machine,
    tls: toTlsCredentials(tls),
    start: (now) => machine.start(now),
  });
  const status = () => ({
    users: users
      .map(({ name }) => ({ name, contacts: machine.contactsOf(name, monotonicNow()) }))
      .filter(({ contacts }) => contacts.length > 0),
  });
  return control === undefined ? {} : { control: { path: control, commands: { status } } };
}

function sipServerUser(configured: SipServerUserConfiguration): SipServerUser {
  const { name, password, redirect } = configured;
  const authenticationName = configured['authentication-name'];
  return {
    name,
    // Digest is computed over octets (RFC 7616 §4: UTF-8).
    password: Buffer.from(password.reveal()).toString('latin1'),
    ...(authenticationName !== undefined && { authenticationName }),
    ...(redirect !== undefined && { redirect }),
  };
}
