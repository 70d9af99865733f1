/** The address translator's tests: a translator with its engine in memory, and a controller that it serves. */
import { SeededRandomSource } from '../../base/random-source.ts';
import { natControlApplication } from '../../protocols/diameter/dictionary/nat-control.ts';
import { DiameterEndpoint } from '../../protocols/diameter/endpoint.ts';
import type { NatComponent } from '../../protocols/diameter/nat-control.ts';
import {
  NatControlClient,
  type NatControlEvent,
  type NatSession,
} from '../../protocols/diameter/nat-control-client.ts';
import { TestNetwork } from '../../protocols/diameter/test-network.ts';
import { type SelectedVersion, TranslationTable } from '../../translation/translation-table.ts';
import {
  AddressTranslator,
  type AddressTranslatorEffect,
  type AddressTranslatorEvent,
  type AddressTranslatorOptions,
} from './address-translator.ts';

export const port = 3868;
export const translatorAddress = '192.0.2.20';
export const mobile3g = '10.1.0.2';
export const mobileWlan = '10.2.0.2';
export const correspondent = { address: '203.0.113.7', port: 7000 };
export const audio: NatComponent = {
  protocol: 'udp',
  mobileNode: { address: mobile3g, port: 6000 },
  correspondent,
};

/** One TRIM AS's client, one translator, and the virtual twin of its engine. */
export class Lab {
  readonly network: TestNetwork = new TestNetwork();
  readonly kernel: TranslationTable = new TranslationTable();
  readonly translator: AddressTranslator;
  readonly events: AddressTranslatorEvent[] = [];
  client: NatControlClient;
  transactions = 0;
  engineIsHeld = false;
  engineError: string | undefined;
  counters: readonly { packets: number; octets: number }[] = [];
  #held: AddressTranslatorEffect[] = [];

  constructor({
    controllers = ['as.example'],
    ...options
  }: Partial<AddressTranslatorOptions> & { readonly controllers?: readonly string[] } = {}) {
    this.translator = new AddressTranslator({
      diameter: {
        originHost: 'translator.example',
        originRealm: 'example',
        originStateId: 1,
        listen: [{ address: translatorAddress, port }],
        peers: controllers.map((host) => ({ host })),
        random: new SeededRandomSource(2),
      },
      pool: {
        addresses: ['198.51.100.1', '198.51.100.2', '2001:db8::1'],
        firstPort: 20_000,
        lastPort: 29_999,
      },
      ...options,
    });
    this.network.add(translatorAddress, this.translator, (output) => {
      if (output.kind === 'event') this.events.push(output.event);
      else this.#carryOut(output.effect);
    });
    this.translator.start(0);
    this.network.settle();
    this.client = this.#controller(1);
  }

  get held(): number {
    return this.#held.length;
  }

  session(): NatSession {
    return this.client.createSession('translator.example');
  }

  restartController(): void {
    this.network.remove('192.0.2.1');
    this.client = this.#controller(2);
  }

  releaseEngine(): void {
    this.engineIsHeld = false;
    for (const effect of this.#held.splice(0)) this.#carryOut(effect);
    this.network.settle();
  }

  outcomes(): NatControlEvent[] {
    this.network.settle();
    const list: NatControlEvent[] = [];
    for (let event = this.client.pollEvent(); event !== undefined; event = this.client.pollEvent())
      list.push(event);
    return list;
  }

  completed(request: number): readonly NatComponent[] {
    const outcome = this.outcomes().find((event) => event.request === request);
    check(outcome?.kind === 'request-completed', `completed, not ${JSON.stringify(outcome)}`);
    return outcome.components;
  }

  run(ask: (client: NatControlClient) => number): readonly NatComponent[] {
    return this.completed(ask(this.client));
  }

  refusal(ask: (client: NatControlClient) => number): number {
    const request = ask(this.client);
    const outcome = this.outcomes().find((event) => event.request === request);
    check(outcome?.kind === 'request-refused', `refused, not ${JSON.stringify(outcome)}`);
    return outcome.resultCode;
  }

  uplink(
    component: NatComponent | undefined,
    source: string,
    protocol: 'udp' | 'tcp' = 'udp',
  ): SelectedVersion | undefined {
    const { address = '', port: bound = 0 } = component?.towardsMobileNode ?? {};
    return this.kernel.find({
      family: 4,
      protocol,
      source,
      destination: address,
      port: bound,
      portOf: 'destination',
    });
  }

  downlink(component: NatComponent | undefined): SelectedVersion | undefined {
    const { address = '', port: bound = 0 } = component?.towardsCorrespondent ?? {};
    const source = component?.correspondent?.address ?? '';
    return this.kernel.find({
      family: 4,
      protocol: 'udp',
      source,
      destination: address,
      port: bound,
      portOf: 'destination',
    });
  }

  #carryOut(effect: AddressTranslatorEffect): void {
    if (this.engineIsHeld) {
      this.#held.push(effect);
      return;
    }
    const { now } = this.network;
    if (effect.type === 'read-counters') {
      this.translator.handleInput({ kind: 'counters-read', id: effect.id, counters: this.counters }, now);
      return;
    }
    this.transactions += 1;
    const error = this.engineError;
    if (error === undefined) this.kernel.apply(effect.operations);
    this.translator.handleInput(
      { kind: 'effect-completed', id: effect.id, ...(error !== undefined && { error }) },
      now,
    );
  }

  #controller(originStateId: number): NatControlClient {
    const endpoint = new DiameterEndpoint({
      originHost: 'as.example',
      originRealm: 'example',
      originStateId,
      applications: [natControlApplication],
      peers: [{ host: 'translator.example', address: { address: translatorAddress, port } }],
      random: new SeededRandomSource(1),
    });
    const client = new NatControlClient(endpoint);
    this.network.add('192.0.2.1', {
      handleInput: (input, now) => endpoint.handleInput(input, now),
      handleTimeout: (now) => endpoint.handleTimeout(now),
      pollTimeout: () => endpoint.pollTimeout(),
      pollOutput: () => {
        for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent())
          client.handleEvent(event, this.network.now);
        return endpoint.pollOutput();
      },
    });
    endpoint.start(this.network.now);
    this.network.settle();
    return client;
  }
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`expected: ${what}`);
}
