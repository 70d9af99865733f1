/**
 * The requests of one mobile node to one agent, on the terms that the agent sets: some refusals tell what it would accept instead
 * (RFC 5944 §3.6.2.3, RFC 7629 §5.1), and the next request follows.
 */
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { Extension, FlowBinding } from '../../protocols/mobile-ip/extension.ts';
import type { RegistrationReply, RegistrationRequest } from '../../protocols/mobile-ip/message.ts';
import { replyCode } from '../../protocols/mobile-ip/reply-code.ts';
import { upperHalf } from '../../protocols/mobile-ip/timestamp.ts';
import type { TunnelEncapsulation, TunnelEndpoint } from '../../protocols/mobile-ip/tunnel-state.ts';
import type { EchoFlow } from './echo-prober.ts';
import { defaultLifetimeSeconds, mobileIpPort } from './limits.ts';
import type { MobileIpAccess, MobileIpClientOptions } from './mobile-ip-client-options.ts';
import type { RegistrationClock } from './registration-clock.ts';

export class RegistrationTerms {
  readonly #options: MobileIpClientOptions;
  readonly #clock: RegistrationClock;
  #homeAgent: TransportAddress;
  #lifetimeSeconds: number;
  #isMultipath = true;

  constructor(options: MobileIpClientOptions, clock: RegistrationClock) {
    this.#options = options;
    this.#clock = clock;
    this.#homeAgent = options.homeAgent;
    this.#lifetimeSeconds = options.lifetimeSeconds ?? defaultLifetimeSeconds;
  }

  get homeAgent(): TransportAddress {
    return this.#homeAgent;
  }

  get port(): number {
    return this.#options.port ?? mobileIpPort;
  }

  localAt(careOfAddress: string): TransportAddress {
    return { address: careOfAddress, port: this.port };
  }

  endpointAt(careOfAddress: string): TunnelEndpoint {
    return {
      local: this.localAt(careOfAddress),
      remote: this.#homeAgent,
      encapsulation: this.#encapsulation,
    };
  }

  echoFlowOf({ index: identifier }: MobileIpAccess): EchoFlow {
    const { homeAddress } = this.#options;
    return {
      homeAddress,
      agent: this.#homeAgent.address,
      identifier,
      encapsulation: this.#encapsulation,
    };
  }

  /** Several care-of addresses at once. */
  get isMultipath(): boolean {
    return this.#isMultipath;
  }

  /** Whether the refusal told what would be accepted instead of this request, so that it can be tried at once. */
  adaptTo({ code, homeAgent, lifetimeSeconds }: RegistrationReply, wasMultipath: boolean): boolean {
    switch (code) {
      case replyCode.unknownHomeAgentAddress: {
        // A correspondent is the one that we have packets for, or none.
        if (this.#options.agentRole === 'correspondent') return false;
        const isAnother = homeAgent !== this.#homeAgent.address && homeAgent !== '0.0.0.0';
        if (isAnother) this.#homeAgent = { ...this.#homeAgent, address: homeAgent };
        return isAnother;
      }
      case replyCode.lifetimeTooLong: {
        const isShorter = lifetimeSeconds > 0 && lifetimeSeconds < this.#lifetimeSeconds;
        if (isShorter) this.#lifetimeSeconds = lifetimeSeconds;
        return isShorter;
      }
      case replyCode.multipathNotAllowed:
        this.#isMultipath = false;
        return wasMultipath;
      default:
        return false;
    }
  }

  registration(
    access: MobileIpAccess,
    careOfAddress: string,
    flowBindings: readonly FlowBinding[],
    now: Instant,
  ): RegistrationRequest {
    return this.#request(careOfAddress, this.#lifetimeSeconds, now, [
      { kind: 'udp-tunnel-request', forced: true, throughForeignAgent: false, encapsulation: 4 },
      ...this.#multipath(access, false),
      ...(this.#isMultipath ? flowBindings : []),
      { kind: 'revocation-support', informs: true, timestamp: upperHalf(this.#clock.next(now)) },
    ]);
  }

  /** Takes one binding back. */
  deregistration(access: MobileIpAccess, careOfAddress: string, now: Instant): RegistrationRequest {
    return this.#request(careOfAddress, 0, now, this.#multipath(access, false));
  }

  /** Takes all bindings back: by the B flag, or without several by naming the home address (RFC 5944 §3.8.2.2). */
  deregistrationOfAll(access: MobileIpAccess, careOfAddress: string, now: Instant): RegistrationRequest {
    const address = this.#isMultipath ? careOfAddress : this.#options.homeAddress;
    return this.#request(address, 0, now, this.#multipath(access, true));
  }

  #request(
    careOfAddress: string,
    lifetimeSeconds: number,
    now: Instant,
    extensions: readonly Extension[],
  ): RegistrationRequest {
    const { homeAddress, networkAccessIdentifier: identifier } = this.#options;
    const identity: Extension[] =
      identifier === undefined ? [] : [{ kind: 'network-access-identifier', identifier }];
    return {
      kind: 'registration-request',
      simultaneousBindings: false,
      broadcasts: false,
      decapsulationByMobileNode: true,
      minimalEncapsulation: false,
      genericRoutingEncapsulation: false,
      reverseTunnel: true,
      lifetimeSeconds,
      homeAddress,
      homeAgent: this.#homeAgent.address,
      careOfAddress,
      identification: this.#clock.next(now),
      extensions: [...identity, ...extensions],
    };
  }

  get #encapsulation(): TunnelEncapsulation {
    return this.#options.encapsulation ?? 'rfc3519';
  }

  #multipath({ index, accessTechnology = 1 }: MobileIpAccess, bulk: boolean): Extension[] {
    const identifiers = { accessTechnology, interfaceLabel: index, bindingId: index };
    return this.#isMultipath ? [{ kind: 'multipath', ...identifiers, bulk, overwrite: false }] : [];
  }
}
