/**
 * A CSCF that nobody here wrote (TRIM fig. 1): Kamailio of Debian (packages kamailio and kamailio-ims-modules) on the home node, in place
 * of ours. Its configuration is made from the templates in this folder. It lives in a mount namespace of its own, where /etc/hosts holds
 * the lab's Diameter peers and /tmp, where its Diameter module leaves named pipes, is its folder; the system's are not touched.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DurationMs } from '../../base/instant.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { NetworkNamespace } from '../../drivers/linux/network-namespace.ts';
import { labAddresses } from '../lab-addresses.ts';
import { labDomain as domain } from '../lab-users.ts';
import type { Spawn } from '../media/media-program.ts';
import { type ImsSettings, proxyCscfAddresses } from '../role-configurations.ts';
import { cscfs } from '../scenario.ts';

type CscfKind = (typeof cscfs)[number];

interface KamailioOptions {
  readonly kind: CscfKind;
  /** Of its folder and in messages: several P-CSCFs may run. */
  readonly name: string;
  readonly address: string;
  readonly authentication: ImsSettings['authentication'];
  readonly spawn: Spawn;
  /** Where it runs. */
  readonly namespace: NetworkNamespace;
  /** Private; it gets one inside. */
  readonly folder: string;
  /** Shared memory: each request stays in it for seconds. Default 64, enough for single calls. */
  readonly memoryMebibytes?: number;
}

/** Of Debian. */
export const kamailioPackages: string = 'kamailio kamailio-ims-modules kamailio-presence-modules';
const program = '/usr/sbin/kamailio';
/** As it sees its folder. */
const ownFolder = '/tmp';
/** One of each package of modules. */
const modules = ['ims_isc.so', 'presence.so'];
/** Loading its modules takes half a second on an idle machine. */
const patienceMs: DurationMs = 20_000;
const goodbyeMs: DurationMs = 5000;
/** Templates are sources, as scenarios are: the package has them beside what was compiled. */
const templates = fileURLToPath(new URL('../../../../src/testbed/kamailio/', import.meta.url));

const addressOf: Readonly<Record<Exclude<CscfKind, 'p-cscf'>, string>> = {
  'i-cscf': labAddresses.interrogatingCscf,
  's-cscf': labAddresses.servingCscf,
};
/** DiameterIdentities without the domain, as the HSS of the lab knows its peers. */
const diameterHosts: Readonly<Record<Exclude<CscfKind, 'p-cscf'>, string>> = {
  'i-cscf': 'icscf',
  's-cscf': 'scscf',
};

export function isKamailioInstalled(): boolean {
  // The folder is named after the architecture.
  const folders = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/kamailio/modules`);
  const isThere = (module: string) => folders.some((folder) => existsSync(join(folder, module)));
  return existsSync(program) && modules.every(isThere);
}

/** Which CSCFs of a run are Kamailio's, and where. */
export function kamailioCscfs({
  core,
  proxyCscfs,
  authentication,
}: Pick<ImsSettings, 'core' | 'proxyCscfs' | 'authentication'>): Pick<
  KamailioOptions,
  'kind' | 'name' | 'address' | 'authentication'
>[] {
  return cscfs
    .filter((kind) => core[kind] === 'kamailio')
    .flatMap((kind) =>
      (kind === 'p-cscf' ? proxyCscfAddresses(proxyCscfs) : [addressOf[kind]]).map((address, index) => ({
        kind,
        name: index === 0 ? kind : `${kind}-${index + 1}`,
        address,
        authentication,
      })),
    );
}

export class KamailioCscf {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #lastWords = '';
  #hasEnded = false;

  /** Listening when it resolves. Throws KAMAILIO_MISSING or KAMAILIO_FAILED. */
  static async start(options: KamailioOptions): Promise<KamailioCscf> {
    if (!isKamailioInstalled())
      throw new TrimaranError('KAMAILIO_MISSING', 'Kamailio with its IMS modules is not installed', {
        remedy: `sudo apt-get install ${kamailioPackages}`,
      });
    const cscf = new KamailioCscf(options);
    const giveUpAt = Date.now() + patienceMs;
    while (!isListening(options)) {
      if (cscf.failure !== undefined) throw new TrimaranError('KAMAILIO_FAILED', cscf.failure);
      if (Date.now() > giveUpAt)
        throw new TrimaranError('KAMAILIO_FAILED', `${options.name} (Kamailio) does not listen`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return cscf;
  }

  private constructor(options: KamailioOptions) {
    this.#name = options.name;
    const folder = writeConfiguration(options);
    const command = [
      `mount --bind "$1/hosts" /etc/hosts && mount --bind "$1" ${ownFolder} && shift && exec "$@"`,
      'sh',
      folder,
      program,
      // In the foreground. Memory managers: the default one takes nine times the time of these. Private memory must not be tlsf, which writes
      // into what is freed: lookup() of ims_registrar_scscf 5.6.3 reads a name after freeing it and unlocks another slot than it locked.
      ...['-DD', '-X', 'fm', '-x', 'tlsf', '-m', String(options.memoryMebibytes ?? 64), '-M', '8'],
      ...['-f', join(ownFolder, 'kamailio.cfg'), '-Y', ownFolder, '-w', ownFolder],
    ];
    this.#child = options.spawn('unshare', ['--mount', 'sh', '-c', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.on('data', (octets) => {
      this.#lastWords = (this.#lastWords + String(octets)).slice(-4000);
    });
    this.#ended = once(this.#child, 'exit').then(() => {
      this.#hasEnded = true;
    });
  }

  /** Why it is not running any more, in words; undefined while it is. */
  get failure(): string | undefined {
    return this.#hasEnded ? `${this.#name} (Kamailio) ended: ${this.#lastWords.trim()}` : undefined;
  }

  /** Settles when it has ended with all its processes. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), goodbyeMs);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Its names for the schemes of Cx: Digest-MD5, SIP Digest, Digest-AKAv1-MD5. */
const algorithms: Readonly<Record<ImsSettings['authentication'], string>> = {
  md5: 'MD5',
  'sip-digest': '3GPP-Digest',
  aka: 'AKAv1-MD5',
};

/** Of the P-CSCF's subscriptions. */
const puaColumns = [
  'id(int,auto) pres_uri(string) pres_id(string) event(int) expires(int) desired_expires(int) flag(int) etag(string)',
  'tuple_id(string,null) watcher_uri(string) call_id(string) to_tag(string) from_tag(string) cseq(int)',
  'record_route(string,null) contact(string) remote_contact(string) version(int) extra_headers(string)\n',
].join(' ');

/** The templates filled in; the tables of the I-CSCF are for its database driver for text files, where a colon is escaped. */
function writeConfiguration({
  kind,
  name,
  address,
  authentication,
  folder: parent,
}: KamailioOptions): string {
  const folder = join(parent, name);
  mkdirSync(join(folder, 'tables'), { recursive: true });
  const values: Readonly<Record<string, string>> = {
    address,
    domain,
    folder: ownFolder,
    'i-cscf': labAddresses.interrogatingCscf,
    algorithm: algorithms[authentication],
    'diameter-host': kind === 'p-cscf' ? '' : `${diameterHosts[kind]}.${domain}`,
  };
  const fill = (template: string): string =>
    readFileSync(templates + template, 'utf8').replace(/\{\{([a-z-]+)\}\}/g, (_, key) => values[key] ?? '');
  writeFileSync(join(folder, 'kamailio.cfg'), fill(`${kind}.cfg`));
  writeFileSync(join(folder, 'diameter.xml'), fill('diameter.xml'));
  writeFileSync(
    join(folder, 'hosts'),
    `127.0.0.1 localhost\n${labAddresses.homeSubscriberServer} hss.${domain}\n`,
  );
  const server = `sip\\:${labAddresses.servingCscf}\\:5060`;
  const tables: Readonly<Record<string, string>> = {
    version:
      'table_name(string) table_version(int)\ns_cscf:6\ns_cscf_capabilities:6\nnds_trusted_domains:1\npua:7\n',
    nds_trusted_domains: `id(int) trusted_domain(string)\n1:${domain}\n`,
    s_cscf: `id(int) name(string) s_cscf_uri(string)\n1:s-cscf:${server}\n`,
    pua: puaColumns,
    s_cscf_capabilities: 'id(int) id_s_cscf(int) capability(int)\n1:1:0\n',
  };
  for (const [table, text] of Object.entries(tables)) writeFileSync(join(folder, 'tables', table), text);
  return folder;
}

/** Its UDP port is bound: what arrives from now on waits there. */
function isListening({ namespace, address }: KamailioOptions): boolean {
  const sockets = namespace.run(() => readFileSync('/proc/thread-self/net/udp', 'utf8'));
  const octets = address.split('.').reverse();
  const hex = octets.map((octet) => Number(octet).toString(16).padStart(2, '0')).join('');
  return sockets.includes(` ${hex.toUpperCase()}:13C4 `);
}
