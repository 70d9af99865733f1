/** The role `s-cscf` (TRIM fig. 1): the machine of ims-core/s-cscf over real sockets, its users and dialogs in a journal. It needs no rights. */
import { isMalformed } from '../../base/malformed.ts';
import { ServingCscf } from '../../ims-core/s-cscf/serving-cscf.ts';
import type { ServingCscfEvent } from '../../ims-core/s-cscf/serving-cscf-event.ts';
import { formatHostPort, parseSipUri } from '../../protocols/sip/message/sip-uri.ts';
import type { RegistrationPolicy } from '../../protocols/sip/registration/binding.ts';
import { toCxClient } from '../configuration/core-values.ts';
import {
  type RegistrationConfiguration,
  type ServingCscfConfiguration,
  servingCscfSchema,
} from '../configuration/s-cscf.ts';
import { toSip } from '../configuration/sip-values.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { runJournaled } from '../journaled-function.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const servingCscfRole: Role<ServingCscfConfiguration> = {
  name: 's-cscf',
  schema: servingCscfSchema,
  start: startServingCscf,
};

export function startServingCscf(configuration: ServingCscfConfiguration, host: RoleHost): RunningRole {
  const { sip, control, hosts, journal: directory, tls } = configuration;
  const name = configuration.name ?? servingCscfName(sip);
  const uri = parseSipUri(name);
  const { machine, close } = runJournaled<ServingCscfEvent, ServingCscf>(host, {
    name: servingCscfRole.name,
    directory,
    tls: toTlsCredentials(tls),
    create: (journal) =>
      new ServingCscf({
        ...toSip(configuration),
        name,
        realm: configuration.realm,
        hosts: isMalformed(uri) ? hosts : new Map([[uri.host, sip], ...hosts]),
        diameter: toCxClient(configuration.diameter),
        authenticationScheme: configuration['authentication-scheme'],
        digestAlgorithms: configuration['digest-algorithms'],
        registration: registrationPolicy(configuration.registration),
        applicationServerTimeoutMs: configuration['application-server-timeout'],
        random: host.random,
        ...(journal && { journal }),
      }),
  });
  const status = () => ({ ...machine.counters, isConnectedToHss: machine.isConnected });
  return { close, ...(control !== undefined && { control: { path: control, commands: { status } } }) };
}

/** The name of an S-CSCF that has none. */
export function servingCscfName({ address, port }: ServingCscfConfiguration['sip']): string {
  return `sip:${formatHostPort(address, port)}`;
}

function registrationPolicy(configured: RegistrationConfiguration): RegistrationPolicy {
  return {
    minimumExpiresSeconds: configured.minimum / 1000,
    maximumExpiresSeconds: configured.maximum / 1000,
    defaultExpiresSeconds: configured.default / 1000,
    supportsOutbound: configured.outbound,
    contactWithoutRegId: configured['new-contact'],
  };
}
