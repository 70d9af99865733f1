/** The configuration files of the lab's roles (TRIM fig. 7; MIP–SIP fig. 3): the same files that an operator writes, with the addresses of lab-topology.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { formatTransportAddress } from '../base/network.ts';
import type { TerminalMedium } from '../correspondent-node/terminal-description.ts';
import {
  type AccessPlace,
  accessPlaces,
  applicationPort,
  hasIpv6,
  internalAddress,
  labAddresses,
  type NumberedAccess,
  proxyCscfOf,
} from './lab-addresses.ts';
import {
  correspondentIdentity,
  labDomain,
  mobileIdentity,
  passwordOf,
  privateIdentityOf,
} from './lab-users.ts';
import {
  correspondentAgentConfiguration,
  homeAgentConfiguration,
  mobileIpConfiguration,
  scoresOf,
  sipServerConfiguration,
} from './mip-sip-configurations.ts';
import { cscfs, type Scenario } from './scenario.ts';

export type LabRole =
  | 'ims-core'
  | 'address-translator'
  | 'trim-as'
  | 'home-agent'
  /** The role home-agent as a correspondent: route optimisation. */
  | 'correspondent-agent'
  | 'sip-server'
  | 'correspondent-node'
  | 'mobile-node';

const diameterHosts = { trimAs: `trim-as.${labDomain}`, translator: `translator.${labDomain}` } as const;
const { proxyCscf, secondProxyCscf } = labAddresses;

/** How the home network is used in a run. */
export type ImsSettings = Pick<
  Scenario,
  | 'architecture'
  | 'accesses'
  | 'proxyCscfs'
  | 'core'
  | 'authentication'
  | 'withReservation'
  | 'policy'
  | 'mobileIp'
>;

export type RoleSettings = ImsSettings & { readonly correspondentMedia: readonly TerminalMedium[] };

/** Writes one role's file into the folder and says where; `control` is the mobile node's control socket. */
export function writeRoleConfiguration(
  role: LabRole,
  settings: RoleSettings,
  folder: string,
  control: string,
): string {
  const file = join(folder, `${role}.yaml`);
  const configuration = configurationOf(role, settings, { folder, control });
  writeFileSync(file, stringify(configuration), { mode: 0o600 });
  return file;
}

interface Places {
  readonly folder: string;
  readonly control: string;
}

function configurationOf(role: LabRole, settings: RoleSettings, { folder, control }: Places): unknown {
  const isTrim = settings.architecture === 'trim';
  switch (role) {
    case 'home-agent':
      return homeAgentConfiguration(settings, folder);
    case 'correspondent-agent':
      return correspondentAgentConfiguration(settings, folder);
    case 'sip-server':
      return sipServerConfiguration();
    case 'ims-core':
      return imsCore(settings);
    case 'address-translator':
      return {
        identity: diameterHosts.translator,
        realm: labDomain,
        listen: diameter(labAddresses.translator),
        controllers: [diameterHosts.trimAs],
        pool: { addresses: translatorPool(settings.accesses), 'first-port': 20_000, 'last-port': 29_999 },
      };
    case 'trim-as':
      return {
        sip: sip(labAddresses.trimApplicationServer),
        identity: diameterHosts.trimAs,
        realm: labDomain,
        translators: [{ identity: diameterHosts.translator, address: diameter(labAddresses.translator) }],
        reconnect: '1s',
        control: join(folder, 'trim-as.sock'),
      };
    case 'correspondent-node':
      return {
        sip: sip(labAddresses.correspondentNode),
        identity: identityOf(correspondentIdentity, settings),
        'outbound-proxy': sip(isTrim ? proxyCscf : labAddresses.sipServer),
        media: settings.correspondentMedia,
        reservation: settings.withReservation,
      };
    case 'mobile-node':
      return {
        ...mobileNode(settings, control),
        ...(isTrim ? {} : mobileIpConfiguration(settings)),
      };
  }
}

/** x:a and y:b come from the same addresses; an IPv6 access gets a y:b of its own version. */
export function translatorPool(accesses: readonly NumberedAccess[]): string[] {
  const own = hasIpv6(accesses) ? [labAddresses.ipv6.translatorTowardsMobileNodes] : [];
  return [...labAddresses.translatorTowardsPeers, ...own];
}

function imsCore(settings: ImsSettings): unknown {
  const { proxyCscfs, core, accesses } = settings;
  return {
    functions: [...cscfs.filter((name) => core[name] === 'trimaran'), 'hss'],
    domain: labDomain,
    'p-cscf': proxyCscfAddresses(proxyCscfs).map((address, index) => ({
      sip: sip(address),
      'further-addresses': hasIpv6(accesses) ? [sip(proxyCscfOf(6, index > 0))] : [],
    })),
    'i-cscf': sip(labAddresses.interrogatingCscf),
    's-cscf': sip(labAddresses.servingCscf),
    hss: diameter(labAddresses.homeSubscriberServer),
    subscribers: [mobileIdentity, correspondentIdentity].map((identity) => ({
      'private-identity': privateIdentityOf(identity),
      'public-identities': [identity],
      ...credentialsOf(identity, settings),
      ...(identity === mobileIdentity && { 'trim-as': `sip:${sip(labAddresses.trimApplicationServer)}` }),
    })),
  };
}

/** One for all accesses, or one each. */
export function proxyCscfAddresses(proxyCscfs: ImsSettings['proxyCscfs']): string[] {
  return proxyCscfs === 'shared' ? [proxyCscf] : [proxyCscf, secondProxyCscf];
}

function mobileNode(settings: ImsSettings, control: string): object {
  const places = accessPlaces(settings.accesses);
  const preferred = settings.policy.kind === 'preference' ? settings.policy.order : [];
  const order = [...new Set([...preferred, ...places.map(({ name }) => name)])];
  const accessOf = (name: string): unknown => {
    const index = places.findIndex((place) => place.name === name);
    const access = settings.accesses[index]!;
    const trimProxy = proxyCscfOf(access.family, settings.proxyCscfs === 'per-access' && index > 0);
    return {
      ...placeOf(places[index]!),
      'proxy-cscf': sip(settings.architecture === 'trim' ? trimProxy : labAddresses.sipServer),
      'access-network-info': access.profile.accessType,
      ...(settings.architecture === 'mip-sip' && scoresOf(access)),
    };
  };
  return {
    identity: {
      ...identityOf(mobileIdentity, settings),
      instance: 'urn:uuid:00000000-0000-4000-8000-000000000001',
    },
    'internal-address': internalAddress,
    'application-port': applicationPort,
    accesses: order.map(accessOf),
    reservation: settings.withReservation,
    control,
  };
}

function placeOf({ name, interface: link, gateway }: AccessPlace) {
  return { name, interface: link, gateway };
}

function diameter(address: string): string {
  return formatTransportAddress({ address, port: 3868 });
}

/** What a terminal registers as, in the form of its configuration file. */
export function identityOf(identity: string, settings: Pick<ImsSettings, 'authentication'>): object {
  return {
    public: identity,
    private: privateIdentityOf(identity),
    ...credentialsOf(identity, settings),
    'home-domain': labDomain,
  };
}

/** Of the USIMs: TS 35.208 §4.3, test set 1. */
const usimKey = { k: '465b5ce8b199b49faa5f0a2ee238a6bc', opc: 'cd63cb71954a9f4e48a5994e37a02baf' };

function credentialsOf(identity: string, { authentication }: Pick<ImsSettings, 'authentication'>): object {
  return authentication === 'aka' ? { aka: usimKey } : { password: passwordOf(identity) };
}

function sip(address: string): string {
  return formatTransportAddress({ address, port: 5060 });
}
