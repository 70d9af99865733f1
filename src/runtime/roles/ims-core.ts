/**
 * The role `ims-core` (TRIM fig. 1): P-CSCFs, I-CSCF, S-CSCF and HSS in one process, each on sockets of its own. They reach one another by
 * SIP and Diameter only, as they would on machines of their own.
 */
import { type ImsCoreConfiguration, imsCoreSchema } from '../configuration/ims-core.ts';
import type { Role, RunningRole } from '../role.ts';
import type { RoleHost } from '../role-host.ts';
import { startHomeSubscriberServer } from './hss.ts';
import { startInterrogatingCscf } from './i-cscf.ts';
import { startProxyCscf } from './p-cscf.ts';
import { servingCscfName, startServingCscf } from './s-cscf.ts';

export const imsCoreRole: Role<ImsCoreConfiguration> = {
  name: 'ims-core',
  schema: imsCoreSchema,
  start: startImsCore,
};

function startImsCore(
  configuration: ImsCoreConfiguration,
  host: RoleHost,
): RunningRole<ImsCoreConfiguration> {
  const { functions, control } = configuration;
  const hss = functions.includes('hss') ? startHss(configuration, host) : undefined;
  const others = [
    ...(functions.includes('s-cscf') ? [startServing(configuration, host)] : []),
    ...(functions.includes('i-cscf') ? [startInterrogating(configuration, host)] : []),
    ...(functions.includes('p-cscf') ? startProxies(configuration, host) : []),
  ];
  return {
    close: async () => {
      for (const running of [hss, ...others]) await running?.close?.();
    },
    ...(hss && { reload: (next: ImsCoreConfiguration) => hss.reload?.(hssConfiguration(next)) }),
    ...(hss?.control && control !== undefined && { control: hss.control }),
  };
}

function startHss(configuration: ImsCoreConfiguration, host: RoleHost) {
  return startHomeSubscriberServer(hssConfiguration(configuration), host);
}

function hssConfiguration({ domain, hss, subscribers, journal, control }: ImsCoreConfiguration) {
  return {
    listen: hss,
    identity: `hss.${domain}`,
    realm: domain,
    cscfs: [`icscf.${domain}`, `scscf.${domain}`],
    subscribers,
    journal,
    control,
  };
}

function startServing(configuration: ImsCoreConfiguration, host: RoleHost): RunningRole {
  const { domain, registration, journal } = configuration;
  const algorithms = configuration['digest-algorithms'];
  return startServingCscf(
    {
      sip: configuration['s-cscf'],
      realm: domain,
      diameter: cxOf(configuration, 'scscf'),
      ...namesOf(configuration),
      'authentication-scheme': 'Unknown',
      'digest-algorithms': algorithms,
      registration,
      'application-server-timeout': configuration['application-server-timeout'],
      journal,
    },
    host,
  );
}

function startInterrogating(configuration: ImsCoreConfiguration, host: RoleHost): RunningRole {
  const { domain, 'i-cscf': sip, 's-cscf': server } = configuration;
  const servers = [{ name: servingCscfName(server), capabilities: [] }];
  const diameter = cxOf(configuration, 'icscf');
  const names = namesOf(configuration);
  return startInterrogatingCscf({ sip, domains: [domain], diameter, 's-cscfs': servers, ...names }, host);
}

function startProxies(configuration: ImsCoreConfiguration, host: RoleHost): RunningRole[] {
  const { domain, 'p-cscf': addresses, 'unregistered-in-dialog': inDialog, journal, tls } = configuration;
  const names = namesOf(configuration);
  const common = {
    ...{ 'visited-network': domain, ...names, 'access-networks': [] },
    ...{ 'unregistered-in-dialog': inDialog, journal, tls },
  };
  return addresses.map((place, index) =>
    startProxyCscf({ ...place, ...common }, host, addresses.length === 1 ? 'p-cscf' : `p-cscf-${index + 1}`),
  );
}

function cxOf({ domain, hss }: ImsCoreConfiguration, name: string) {
  return {
    identity: `${name}.${domain}`,
    realm: domain,
    hss: [{ identity: `hss.${domain}`, address: hss }],
    reconnect: 5000,
  };
}

function namesOf({ hosts, dns, domain, 'i-cscf': sip }: ImsCoreConfiguration) {
  return { hosts: new Map([...hosts, [domain, sip]]), dns };
}
