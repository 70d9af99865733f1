/** The configuration files of the lab's roles (TRIM fig. 7): the same files that an operator writes, with the addresses of lab-topology.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TerminalMedium } from '../correspondent-node/terminal-description.ts';
import {
  type AccessPlace,
  accessPlaces,
  applicationPort,
  internalAddress,
  labAddresses,
} from './lab-addresses.ts';
import { cscfs, type Scenario } from './scenario.ts';

export type LabRole = 'ims-core' | 'address-translator' | 'trim-as' | 'correspondent-node' | 'mobile-node';

export const domain = 'ims.test';
export const correspondentIdentity: string = `sip:alice@${domain}`;
export const mobileIdentity: string = `sip:bob@${domain}`;
const diameterHosts = { trimAs: `trim-as.${domain}`, translator: `translator.${domain}` } as const;
const { proxyCscf, secondProxyCscf } = labAddresses;

/** How the IMS is used in a run. */
export type ImsSettings = Pick<Scenario, 'accesses' | 'proxyCscfs' | 'core' | 'withReservation' | 'policy'>;

type RoleSettings = ImsSettings & { readonly correspondentMedia: readonly TerminalMedium[] };

/** Writes one role's file into the folder and says where; `control` is the mobile node's control socket. */
export function writeRoleConfiguration(
  role: LabRole,
  settings: RoleSettings,
  folder: string,
  control: string,
): string {
  const file = join(folder, `${role}.yaml`);
  writeFileSync(file, stringify(configurationOf(role, settings, control)), { mode: 0o600 });
  return file;
}

function configurationOf(role: LabRole, settings: RoleSettings, control: string): unknown {
  switch (role) {
    case 'ims-core':
      return imsCore(settings);
    case 'address-translator':
      return {
        identity: diameterHosts.translator,
        realm: domain,
        listen: diameter(labAddresses.translator),
        controllers: [diameterHosts.trimAs],
        pool: { addresses: labAddresses.translatorTowardsPeers, 'first-port': 20_000, 'last-port': 29_999 },
      };
    case 'trim-as':
      return {
        sip: sip(labAddresses.trimApplicationServer),
        identity: diameterHosts.trimAs,
        realm: domain,
        translators: [{ identity: diameterHosts.translator, address: diameter(labAddresses.translator) }],
        reconnect: '1s',
      };
    case 'correspondent-node':
      return {
        sip: sip(labAddresses.correspondentNode),
        identity: identityOf(correspondentIdentity),
        'outbound-proxy': sip(proxyCscf),
        media: settings.correspondentMedia,
        reservation: settings.withReservation,
      };
    case 'mobile-node':
      return mobileNode(settings, control);
  }
}

function imsCore({ proxyCscfs, core }: ImsSettings): unknown {
  return {
    functions: [...cscfs.filter((name) => core[name] === 'trimaran'), 'hss'],
    domain,
    'p-cscf': proxyCscfAddresses(proxyCscfs).map(sip),
    'i-cscf': sip(labAddresses.interrogatingCscf),
    's-cscf': sip(labAddresses.servingCscf),
    hss: diameter(labAddresses.homeSubscriberServer),
    subscribers: [mobileIdentity, correspondentIdentity].map((identity) => ({
      'private-identity': privateIdentity(identity),
      'public-identities': [identity],
      password: passwordOf(identity),
      ...(identity === mobileIdentity && { 'trim-as': `sip:${sip(labAddresses.trimApplicationServer)}` }),
    })),
  };
}

/** One for all accesses, or one each. */
export function proxyCscfAddresses(proxyCscfs: ImsSettings['proxyCscfs']): string[] {
  return proxyCscfs === 'shared' ? [proxyCscf] : [proxyCscf, secondProxyCscf];
}

function mobileNode(settings: ImsSettings, control: string): unknown {
  const places = accessPlaces(settings.accesses.map(({ name }) => name));
  const preferred = settings.policy.kind === 'preference' ? settings.policy.order : [];
  const order = [...new Set([...preferred, ...places.map(({ name }) => name)])];
  const accessOf = (name: string): unknown => {
    const index = places.findIndex((place) => place.name === name);
    const access = settings.accesses[index]!;
    const isShared = settings.proxyCscfs === 'shared' || index === 0;
    return {
      ...placeOf(places[index]!),
      'proxy-cscf': sip(isShared ? proxyCscf : secondProxyCscf),
      'access-network-info': access.profile.accessType,
    };
  };
  return {
    identity: {
      ...identityOf(mobileIdentity),
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

function identityOf(identity: string) {
  return {
    public: identity,
    private: privateIdentity(identity),
    password: passwordOf(identity),
    'home-domain': domain,
  };
}

function privateIdentity(identity: string): string {
  return identity.slice('sip:'.length);
}

/** Nobody outside the lab can reach its core. Softphones write it into files where spaces and semicolons part things. */
export function passwordOf(identity: string): string {
  return `secret-of-${identity.replace(/^sip:|@.*/g, '')}`;
}

function sip(address: string): string {
  return `${address}:5060`;
}

function diameter(address: string): string {
  return `${address}:3868`;
}
