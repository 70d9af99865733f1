/** The role `i-cscf` (TRIM fig. 1): the machine of ims-core/i-cscf over real sockets. It remembers nothing, and needs no rights. */
import { InterrogatingCscf } from '../../ims-core/i-cscf/interrogating-cscf.ts';
import { toCxClient } from '../configuration/core-values.ts';
import { type InterrogatingCscfConfiguration, interrogatingCscfSchema } from '../configuration/i-cscf.ts';
import { toSip } from '../configuration/sip-values.ts';
import { toTlsCredentials } from '../configuration/tls-values.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';

export const interrogatingCscfRole: Role<InterrogatingCscfConfiguration> = {
  name: 'i-cscf',
  schema: interrogatingCscfSchema,
  start: startInterrogatingCscf,
};

export function startInterrogatingCscf(
  configuration: InterrogatingCscfConfiguration,
  host: RoleHost,
): RunningRole {
  const machine = new InterrogatingCscf({
    ...toSip(configuration),
    domains: configuration.domains,
    servers: configuration['s-cscfs'],
    diameter: toCxClient(configuration.diameter),
    random: host.random,
  });
  host.run<never, never, never>({
    name: interrogatingCscfRole.name,
    machine,
    tls: toTlsCredentials(configuration.tls),
    start: (now) => machine.start(now),
    sayGoodbye: (now) => machine.stop(now),
  });
  const { control } = configuration;
  const status = () => ({ isConnectedToHss: machine.isConnected });
  return control === undefined ? {} : { control: { path: control, commands: { status } } };
}
