/** The home agent's tests: a home agent, and mobile nodes that register with it. */
import { Malformed } from '../../base/malformed.ts';
import { sameTransportAddress, type TransportAddress } from '../../base/network.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type { Extension } from '../../protocols/mobile-ip/extension.ts';
import {
  decodeMessage,
  encodeMessage,
  type RegistrationReply,
  type RegistrationRequest,
} from '../../protocols/mobile-ip/message.ts';
import { ntpTimestamp } from '../../protocols/mobile-ip/timestamp.ts';
import type { TunnelBinding } from '../../protocols/mobile-ip/tunnel-state.ts';
import { HomeAgent } from './home-agent.ts';
import type { HomeAgentEffect, HomeAgentEvent, HomeAgentOptions } from './home-agent-options.ts';

export const timeOfDayOffsetMs = 1_790_000_000_000;
export const homeAddress = '10.0.0.50';
export const agent: TransportAddress = { address: '10.0.0.1', port: 434 };
export const umts: TransportAddress = { address: '192.0.2.10', port: 434 };
export const wlan: TransportAddress = { address: '198.51.100.7', port: 434 };
export const nat: TransportAddress = { address: '203.0.113.1', port: 61_000 };
export const association: SecurityAssociation = { spi: 256, algorithm: 'hmac-md5', key: Buffer.alloc(16, 7) };
export const options: HomeAgentOptions = {
  address: agent.address,
  mobileNodes: [
    { homeAddress, networkAccessIdentifier: 'mn@home.example', securityAssociations: [association] },
    {
      homeAddress: '10.0.0.51',
      securityAssociations: [{ ...association, spi: 300 }],
      isMultipathAllowed: false,
    },
  ],
  timeOfDayOffsetMs,
};
export const tunnelRequest: Extension = {
  kind: 'udp-tunnel-request',
  forced: true,
  throughForeignAgent: false,
  encapsulation: 4,
};
export const multipath = (
  bindingId: number,
  flags: { bulk?: boolean; overwrite?: boolean } = {},
): Extension => ({
  kind: 'multipath',
  accessTechnology: 4,
  interfaceLabel: bindingId,
  bindingId,
  bulk: flags.bulk ?? false,
  overwrite: flags.overwrite ?? false,
});
export const forwardOver = (...bindingIds: number[]): Extension => ({
  kind: 'flow-binding',
  action: 'forward',
  bindingIds,
  selector: {},
});

/** A home agent with a journal that is written at once (unless it is held) and everything that it said. */
export class Bench {
  readonly agent: HomeAgent;
  now = 0;
  isHeld = false;
  journal: string[] = [];
  readonly held: number[] = [];
  events: HomeAgentEvent[] = [];
  effects: HomeAgentEffect[] = [];
  sent: { readonly remote: string; readonly payload: Uint8Array }[] = [];
  #clock = 0;

  constructor(extra: Partial<HomeAgentOptions> = {}, now = 0) {
    this.now = now;
    this.agent = new HomeAgent({ ...options, ...extra });
    this.agent.start(now);
    this.drain();
  }

  drain(): void {
    for (let output = this.agent.pollOutput(); output !== undefined; output = this.agent.pollOutput()) {
      if (output.kind === 'event') this.events.push(output.event);
      else if (output.kind === 'transmit' && output.transport === 'udp') {
        check(sameTransportAddress(output.local, agent), 'sent from the own address');
        this.sent.push({ remote: `${output.remote.address}:${output.remote.port}`, payload: output.payload });
      } else if (output.kind === 'effect') {
        this.effects.push(output.effect);
        if (output.effect.type !== 'journal') continue;
        if (this.isHeld) this.held.push(output.effect.id);
        else {
          this.journal.push(output.effect.line);
          this.agent.handleInput({ kind: 'effect-completed', id: output.effect.id }, this.now);
        }
      }
    }
  }

  /** Until `at`, waking the agent when it asks for it. */
  advance(at: number): void {
    for (
      let next = this.agent.pollTimeout();
      next !== undefined && next.at <= at;
      next = this.agent.pollTimeout()
    ) {
      this.now = Math.max(this.now, next.at);
      this.agent.handleTimeout(this.now);
      this.drain();
    }
    this.now = at;
  }

  receive(payload: Uint8Array, remote: TransportAddress = umts, local: TransportAddress = agent): void {
    this.agent.handleInput({ kind: 'datagram-received', local, remote, payload }, this.now);
    this.drain();
  }

  request(changes: Partial<RegistrationRequest> = {}): RegistrationRequest {
    // Each a little later than the one before, as a clock is.
    const identification = ntpTimestamp(this.now + timeOfDayOffsetMs + ++this.#clock / 1000);
    return {
      kind: 'registration-request',
      simultaneousBindings: false,
      broadcasts: false,
      decapsulationByMobileNode: true,
      minimalEncapsulation: false,
      genericRoutingEncapsulation: false,
      reverseTunnel: true,
      lifetimeSeconds: 300,
      homeAddress,
      homeAgent: agent.address,
      careOfAddress: umts.address,
      identification,
      extensions: [tunnelRequest],
      ...changes,
    };
  }

  register(changes: Partial<RegistrationRequest> = {}, remote: TransportAddress = umts): RegistrationReply {
    const before = this.sent.length;
    this.receive(encodeMessage(this.request(changes), association), remote);
    check(this.sent.length === before + 1, 'one answer');
    return this.lastReply();
  }

  lastReply(): RegistrationReply {
    const received = decodeMessage(this.sent.at(-1)!.payload);
    check(!(received instanceof Malformed) && received.message.kind === 'registration-reply', 'a reply');
    return received.message;
  }

  tunnel(): TunnelBinding | undefined {
    const change = this.effects.findLast((effect) => effect.type === 'tunnel')?.change;
    return change?.kind === 'bind' ? change.binding : undefined;
  }

  /** Where packets that no narrower rule names go. */
  forwarding(): string[] | undefined {
    return this.tunnel()
      ?.rules.find(({ selector }) => Object.keys(selector).length === 0)
      ?.endpoints.map(({ remote }) => remote.address);
  }

  refused(reason: string): number {
    return this.agent.refusals.get(reason as never) ?? 0;
  }
}

export const ofPath = (
  id: number,
  careOf: TransportAddress,
  ...extensions: Extension[]
): Partial<RegistrationRequest> => ({
  careOfAddress: careOf.address,
  extensions: [tunnelRequest, multipath(id), ...extensions],
});

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`);
}
