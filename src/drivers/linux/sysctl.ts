/**
 * Kernel parameters of the network namespace that this thread is in (Documentation/networking/ip-sysctl), which an address translator
 * needs otherwise than they are by default, and the way back.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { IpFamily } from './nftables-batch.ts';

/** A parameter below net/, such as "ipv4/ip_forward", and its value. */
export interface Sysctl {
  readonly name: string;
  readonly value: string;
}

export function hasIpFamily(family: IpFamily): boolean {
  return existsSync(`${ROOT}/ipv${family}/conf`);
}

/** Every parameter that a translator needs, in the order of setting: to switch forwarding resets others. */
export function sysctlsOf(
  placement: 'home' | 'mobile-node' | 'correspondent',
  families: readonly IpFamily[],
): Sysctl[] {
  if (placement === 'correspondent') return looseSourceValidation();
  const wanted: Sysctl[] = [];
  const isHome = placement === 'home';
  if (isHome && families.includes(4)) wanted.push(forwarding[4]);
  if (isHome && families.includes(6)) wanted.push(forwarding[6]);
  if (!families.includes(4)) return wanted;
  // Translated ahead of routing, a packet has one of our own addresses as source when the kernel validates that.
  if (isHome) wanted.push({ name: 'ipv4/conf/all/accept_local', value: '1' });
  // The larger of "all" and the interface's own value counts, so each is needed; "default" is for interfaces to come.
  for (const link of readdirSync(`${ROOT}/ipv4/conf`)) {
    wanted.push({ name: `ipv4/conf/${link}/rp_filter`, value: '0' });
    // A translator with one link sends back where it received: to tell hosts of a "better" way would bypass it.
    if (isHome) wanted.push({ name: `ipv4/conf/${link}/send_redirects`, value: '0' });
  }
  return wanted;
}

/**
 * For a device through which packets change from one version of IP to the other, beside what its translator needs. A mobile node has to forward
 * between the device and its accesses, and goes on hearing of routers there (accept_ra 2).
 */
export function gatewaySysctls(placement: 'home' | 'mobile-node', device: string): Sysctl[] {
  const own = ['rp_filter', 'accept_local'].map((name) => ({
    name: `ipv4/conf/${device}/${name}`,
    // What comes from there has one of our own addresses as source.
    value: name === 'accept_local' ? '1' : '0',
  }));
  if (placement === 'home') return own;
  const hearing = readdirSync(`${ROOT}/ipv6/conf`)
    .map((link) => `ipv6/conf/${link}/accept_ra`)
    .filter((name) => readFileSync(`${ROOT}/${name}`, 'utf8').trim() === '1')
    .map((name) => ({ name, value: '2' }));
  return [...own, ...hearing, forwarding[4], forwarding[6]];
}

export const forwarding: Readonly<Record<IpFamily, Sysctl>> = {
  4: { name: 'ipv4/ip_forward', value: '1' },
  6: { name: 'ipv6/conf/all/forwarding', value: '1' },
};

/** What comes from a home address comes directly, or by the home agent: where its source is validated at all, either way must do. */
function looseSourceValidation(): Sysctl[] {
  return readdirSync(`${ROOT}/ipv4/conf`)
    .map((link) => `ipv4/conf/${link}/rp_filter`)
    .filter((name) => readFileSync(`${ROOT}/${name}`, 'utf8').trim() === '1')
    .map((name) => ({ name, value: '2' }));
}

/** Those whose present value differs, with the present value. */
export function presentSysctls(wanted: readonly Sysctl[]): Sysctl[] {
  return wanted.flatMap(({ name, value }) => {
    const present = readFileSync(`${ROOT}/${name}`, 'utf8').trim();
    return present === value ? [] : [{ name, value: present }];
  });
}

/** Throws SYSCTL_REFUSED. */
export function writeSysctl({ name, value }: Sysctl): void {
  try {
    writeFileSync(`${ROOT}/${name}`, value);
  } catch (cause) {
    throw new TrimaranError('SYSCTL_REFUSED', `cannot set net/${name} to ${value}`, {
      cause,
      remedy: `Set it as root: sysctl -w net/${name}=${value}`,
    });
  }
}

/** The parameter as it was, for the way back. */
export function sysctlNote({ name, value }: Sysctl): string {
  return `${name}=${value}`;
}

/** In the order of setting: to switch forwarding resets others. */
export function putBack(notes: readonly string[]): void {
  for (const note of notes) {
    const [name = '', value = ''] = note.split('=');
    try {
      writeSysctl({ name, value });
    } catch {
      // The interface is gone, and its parameter with it.
    }
  }
}

const ROOT = '/proc/sys/net';
