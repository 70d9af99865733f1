/** The role `p-cscf` (TRIM fig. 1): the machine of ims-core/p-cscf over real sockets, its contacts in a journal. It needs no rights. */
import { ProxyCscf, type ProxyCscfEvent } from '../../ims-core/p-cscf/proxy-cscf.ts';
import { type ProxyCscfConfiguration, proxyCscfSchema } from '../configuration/p-cscf.ts';
import { toSip } from '../configuration/sip-values.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import { runJournaled } from '../journaled-function.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const proxyCscfRole: Role<ProxyCscfConfiguration> = {
  name: 'p-cscf',
  schema: proxyCscfSchema,
  start: (configuration, host) => startProxyCscf(configuration, host),
};

/** `name`: of the node in reports. */
export function startProxyCscf(
  configuration: ProxyCscfConfiguration,
  host: RoleHost,
  name: string = proxyCscfRole.name,
): RunningRole {
  const { control, journal: directory, tls } = configuration;
  const { machine, close } = runJournaled<ProxyCscfEvent, ProxyCscf>(host, {
    name,
    directory,
    tls: toTlsCredentials(tls),
    create: (journal) =>
      new ProxyCscf({
        ...toSip(configuration, configuration['further-addresses']),
        visitedNetwork: configuration['visited-network'],
        accessNetworks: configuration['access-networks'],
        unregisteredInDialog: configuration['unregistered-in-dialog'],
        random: host.random,
        ...(journal && { journal }),
      }),
  });
  const status = () => ({ contacts: machine.contacts });
  return { close, ...(control !== undefined && { control: { path: control, commands: { status } } }) };
}
