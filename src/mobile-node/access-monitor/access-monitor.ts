/**
 * The access monitor of the mobile node: the "lower layers" of TRIM §3.3 that trigger the handover manager.
 *
 * It turns what the kernel tells about interfaces (link up or down, address added or removed) into what matters for mobility: an access
 * network appears, becomes usable with an address, or is lost. It measures T_attach (TRIM §4.4) from the moment the link is seen until an
 * address can be used. Which access is the best is not decided here.
 */
import type { DurationMs, Instant } from '../../base/instant.ts';

/** An access network as configured: one interface of the host. */
export interface Access {
  readonly name: string;
  /** Name of the network interface, such as "wlan0". */
  readonly interface: string;
  /** 1 … 127, unique per access; names the routing table and the mark of its packets. */
  readonly index: number;
}

/** What the driver reports; the present state is reported as changes when it starts. */
export type AccessInput =
  | { readonly kind: 'link-changed'; readonly interface: string; readonly up: boolean }
  | {
      readonly kind: 'address-changed';
      readonly interface: string;
      readonly address: string;
      readonly present: boolean;
    };

export type AccessEvent =
  | { readonly kind: 'access-appeared'; readonly access: Access }
  | {
      readonly kind: 'access-attached';
      readonly access: Access;
      readonly address: string;
      readonly attachMs: DurationMs;
    }
  | { readonly kind: 'access-lost'; readonly access: Access; readonly address: string };

interface State {
  readonly access: Access;
  up: boolean;
  upSince: Instant;
  /** In the order in which they came. */
  addresses: string[];
  /** The address that was announced last; undefined while the access is not usable. */
  announced: string | undefined;
}

/** More addresses than this on one interface are not looked at; a host has two or three. */
const maximumAddresses = 16;

export class AccessMonitor {
  readonly #states = new Map<string, State>();
  readonly #events: AccessEvent[] = [];

  constructor(accesses: readonly Access[]) {
    for (const access of accesses) {
      this.#states.set(access.interface, {
        access,
        up: false,
        upSince: 0,
        addresses: [],
        announced: undefined,
      });
    }
  }

  /** Reports on interfaces that are no configured access are ignored. */
  handleInput(input: AccessInput, now: Instant): void {
    const state = this.#states.get(input.interface);
    if (state === undefined) return;
    if (input.kind === 'link-changed') this.#changeLink(state, input.up, now);
    else changeAddress(state, input.address, input.present);
    this.#announce(state, now);
  }

  pollEvent(): AccessEvent | undefined {
    return this.#events.shift();
  }

  #changeLink(state: State, up: boolean, now: Instant): void {
    if (up && !state.up) {
      state.upSince = now;
      this.#events.push({ kind: 'access-appeared', access: state.access });
    }
    state.up = up;
  }

  /** An access is usable while its link is up and it has an address; the first address stays in use as long as it exists. */
  #announce(state: State, now: Instant): void {
    const { access, announced } = state;
    const usable = state.up
      ? (state.addresses.find((address) => address === announced) ?? state.addresses[0])
      : undefined;
    if (usable === announced) return;
    if (announced !== undefined) this.#events.push({ kind: 'access-lost', access, address: announced });
    if (usable !== undefined) {
      this.#events.push({ kind: 'access-attached', access, address: usable, attachMs: now - state.upSince });
    }
    state.announced = usable;
  }
}

function changeAddress(state: State, address: string, present: boolean): void {
  // Link-local addresses lead nowhere beyond the first router (RFC 4291 §2.5.6, RFC 3927 §2.6.2).
  if (/^(fe[89ab]|169\.254\.)/i.test(address)) return;
  const others = state.addresses.filter((other) => other !== address);
  state.addresses = present && others.length < maximumAddresses ? insert(state.addresses, address) : others;
}

function insert(addresses: string[], address: string): string[] {
  return addresses.includes(address) ? addresses : [...addresses, address];
}
