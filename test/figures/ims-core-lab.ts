/**
 * The IMS core of TRIM Fig. 1 in virtual time, for exact ladder tests: two P-CSCFs, I- and S-CSCF as they are, and around them a scripted HSS,
 * an application server that passes requests on, and user equipment that does what a test tells it.
 */
import assert from 'node:assert/strict';
import type { Instant } from '../../src/base/instant.ts';
import type { JournalCompleted, JournalEffect, TimedJournal } from '../../src/base/journal-writer.ts';
import type { Machine, Timeout } from '../../src/base/machine.ts';
import { isMalformed } from '../../src/base/malformed.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import type { NetworkFunction } from '../../src/base/network-function.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { InterrogatingCscf } from '../../src/ims-core/i-cscf/interrogating-cscf.ts';
import { ProxyCscf, type ProxyCscfOptions } from '../../src/ims-core/p-cscf/proxy-cscf.ts';
import { ServingCscf } from '../../src/ims-core/s-cscf/serving-cscf.ts';
import type { ServingCscfEvent } from '../../src/ims-core/s-cscf/serving-cscf-event.ts';
import type { ServingCscfOptions } from '../../src/ims-core/s-cscf/serving-cscf-options.ts';
import { type Avp, type Avps, avp, avpValue } from '../../src/protocols/diameter/avp.ts';
import { baseAvps } from '../../src/protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from '../../src/protocols/diameter/dictionary/cx.ts';
import { DiameterEndpoint } from '../../src/protocols/diameter/endpoint.ts';
import { cxResultCode, resultCode } from '../../src/protocols/diameter/result-code.ts';
import { DigestClient, type DigestSecret } from '../../src/protocols/sip/authentication/digest-client.ts';
import { digestHa1 } from '../../src/protocols/sip/authentication/digest-response.ts';
import { Dialog, type RoutedRequest, routeRequest } from '../../src/protocols/sip/dialog/dialog.ts';
import { SipEndpoint, type SipListener } from '../../src/protocols/sip/endpoint.ts';
import { createResponse } from '../../src/protocols/sip/message/create-response.ts';
import { cseqOf } from '../../src/protocols/sip/message/header-fields.ts';
import { SipRequest, type SipResponse } from '../../src/protocols/sip/message/sip-message.ts';
import { parseUri } from '../../src/protocols/sip/message/sip-uri.ts';
import { nextHopOf } from '../../src/protocols/sip/proxy/next-hop.ts';
import { SipProxy } from '../../src/protocols/sip/proxy/sip-proxy.ts';
import { SipTestNetwork } from '../../src/protocols/sip/test-support/sip-network.ts';
import type { ClientTransactionId, SipEvent } from '../../src/protocols/sip/transaction/sip-event.ts';

export const names: ReadonlyMap<string, string> = new Map([
  ['10.0.0.10', 'MN'],
  ['10.0.2.10', "MN'"],
  ['10.0.0.20', 'CN'],
  ['10.0.1.1', 'P'],
  ['10.0.1.2', 'I'],
  ['10.0.1.3', 'S'],
  ['10.0.1.4', 'AS'],
  ['10.0.1.5', 'HSS'],
  ['10.0.1.6', "P'"],
  ['10.0.1.7', "S'"],
]);

const hosts = new Map([
  ['home1.net', { address: '10.0.1.2' }],
  ['scscf.home1.net', { address: '10.0.1.3' }],
  ['scscf2.home1.net', { address: '10.0.1.7' }],
  ['as.home1.net', { address: '10.0.1.4' }],
]);

export interface Subscriber {
  readonly publicIdentity: string;
  readonly password: string;
  readonly criteria: string;
}

export function criterion(priority: number, trigger: string, defaultHandling = 0): string {
  return (
    `<InitialFilterCriteria><Priority>${priority}</Priority><TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>${trigger}` +
    `</TriggerPoint><ApplicationServer><ServerName>sip:as.home1.net</ServerName><DefaultHandling>${defaultHandling}</DefaultHandling>` +
    '<Extension><IncludeRegisterRequest/></Extension></ApplicationServer></InitialFilterCriteria>'
  );
}

export function method(name: string, sessionCase?: number): string {
  const spt = (content: string): string => `<SPT><Group>0</Group>${content}</SPT>`;
  return (
    spt(`<Method>${name}</Method>`) +
    (sessionCase === undefined ? '' : spt(`<SessionCase>${sessionCase}</SessionCase>`))
  );
}

/** Answers as an HSS does, from a table of subscribers; a test may make it silent or let it send something else as User-Data. */
export class TestHomeSubscriberServer implements Machine<NetworkInput, NetworkOutput> {
  isSilent = false;
  /** Falls silent once it has answered this command. */
  silentAfter: string | undefined;
  userData: string | undefined;
  readonly log: string[] = [];
  readonly #subscribers: readonly Subscriber[];
  readonly #registered = new Set<string>();
  readonly #endpoint: DiameterEndpoint;

  constructor(subscribers: readonly Subscriber[]) {
    this.#subscribers = subscribers;
    this.#endpoint = new DiameterEndpoint({
      originHost: 'hss.home1.net',
      originRealm: 'home1.net',
      originStateId: 1,
      applications: [cxApplication],
      listen: [{ address: '10.0.1.5', port: 3868 }],
      peers: [{ host: 'icscf.home1.net' }, { host: 'scscf.home1.net' }],
      random: new SeededRandomSource(5),
    });
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  /** RTR (TS 29.228 §6.1.3). */
  terminate(privateIdentity: string, now: Instant, reason = 0): void {
    const avps = [
      avp(baseAvps.authSessionState, 1),
      avp(baseAvps.userName, privateIdentity),
      avp(cxAvps.deregistrationReason, [avp(cxAvps.reasonCode, reason)]),
    ];
    this.#endpoint.request('scscf.home1.net', { command: cxCommands.registrationTermination, avps }, now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#answer();
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#answer();
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#endpoint.pollOutput();
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  #answer(): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'answer-received')
        this.log.push(`answer ${avpValue(event.avps, baseAvps.resultCode)}`);
      if (event.kind !== 'request-received') continue;
      const type = avpValue(event.avps, cxAvps.serverAssignmentType);
      this.log.push(type === undefined ? event.command.name : `${event.command.name} ${type}`);
      if (this.isSilent) continue;
      const state = avp(baseAvps.authSessionState, 1);
      this.#endpoint.answer(event.request, [...this.#result(event.command.name, event.avps), state]);
      if (this.silentAfter === event.command.name) this.isSilent = true;
    }
  }

  #result(command: string, avps: Avps): readonly Avp[] {
    const identity = avpValue(avps, cxAvps.publicIdentity) ?? '';
    const subscriber = this.#subscribers.find(({ publicIdentity }) => publicIdentity === identity);
    if (subscriber === undefined) return [experimental(cxResultCode.userUnknown)];
    const server = avp(cxAvps.serverName, 'sip:scscf.home1.net');
    const isRegistered = this.#registered.has(identity);
    if (command === 'UAR') {
      return isRegistered
        ? [experimental(cxResultCode.subsequentRegistration), server]
        : [experimental(cxResultCode.firstRegistration)];
    }
    const success = avp(baseAvps.resultCode, resultCode.success);
    if (command === 'LIR') {
      return isRegistered ? [success, server] : [experimental(cxResultCode.unregisteredService)];
    }
    if (command === 'MAR') return [success, ...authenticationAvps(avps, subscriber)];
    const type = avpValue(avps, cxAvps.serverAssignmentType) ?? 0;
    if (type >= 4) this.#registered.delete(identity);
    else if (type !== 3) this.#registered.add(identity);
    return [success, avp(cxAvps.userData, Buffer.from(this.userData ?? profileOf(subscriber), 'latin1'))];
  }
}

function experimental(code: number): Avp {
  return avp(baseAvps.experimentalResult, [
    avp(baseAvps.vendorId, 10415),
    avp(baseAvps.experimentalResultCode, code),
  ]);
}

function authenticationAvps(avps: Avps, { publicIdentity, password }: Subscriber): readonly Avp[] {
  const user = avpValue(avps, baseAvps.userName) ?? '';
  const wanted = avpValue(avps, cxAvps.sipAuthDataItem) ?? [];
  const scheme = avpValue(wanted, cxAvps.sipAuthenticationScheme) ?? '';
  const secret = avp(cxAvps.sipAuthorization, Buffer.from(password, 'latin1'));
  const digest = avp(cxAvps.sipDigestAuthenticate, [
    avp(cxAvps.digestRealm, 'home1.net'),
    avp(cxAvps.digestQop, 'auth'),
    avp(cxAvps.digestHa1, digestHa1('MD5', user, 'home1.net', password)),
  ]);
  return [
    avp(baseAvps.userName, user),
    avp(cxAvps.publicIdentity, publicIdentity),
    avp(cxAvps.sipNumberAuthItems, 1),
    avp(cxAvps.sipAuthDataItem, [
      avp(cxAvps.sipAuthenticationScheme, scheme),
      scheme === 'Digest-MD5' ? secret : digest,
    ]),
  ];
}

function profileOf({ publicIdentity, criteria }: Subscriber): string {
  const identity = `<PublicIdentity><Identity>${publicIdentity}</Identity></PublicIdentity>`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?><IMSSubscription><PrivateID>${publicIdentity.slice(4)}</PrivateID>` +
    `<ServiceProfile>${identity}${criteria}</ServiceProfile></IMSSubscription>`
  );
}

/** Passes initial requests back to the S-CSCF, as an application server in proxy mode does (TS 24.229 §5.7.4); answers REGISTER. */
export class TestApplicationServer implements Machine<NetworkInput, NetworkOutput> {
  /** What it says to every INVITE instead of passing it on; 0: nothing at all. */
  refusal: number | undefined;
  readonly registers: SipRequest[] = [];
  readonly invites: SipRequest[] = [];
  readonly #proxy: SipProxy;

  constructor() {
    const random = new SeededRandomSource(4);
    const endpoint = new SipEndpoint({ listen: udpAndTcp('10.0.1.4'), random });
    this.#proxy = new SipProxy({ endpoint, ownNames: ['10.0.1.4', 'as.home1.net'] });
  }

  start(now: Instant): void {
    this.#proxy.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    // A dead server has no transactions that could answer 100.
    if (this.refusal === 0) return;
    this.#proxy.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#proxy.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#proxy.pollOutput();
  }

  pollTimeout(): Timeout | undefined {
    return this.#proxy.pollTimeout();
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#proxy.pollEvent(now); event !== undefined; event = this.#proxy.pollEvent(now)) {
      if (event.kind === 'request') {
        const { request, transaction } = event;
        const isRegister = request.method === 'REGISTER';
        if (isRegister) this.registers.push(request.clone());
        if (request.method === 'INVITE') this.invites.push(request.clone());
        const answer = isRegister ? 200 : this.refusal;
        if (answer !== undefined) {
          this.#proxy.respond(transaction, createResponse(request, answer, { toTag: 'as' }), now);
        } else this.#proxy.forward(transaction, [{ recordRoute: '<sip:10.0.1.4;lr>' }], now);
      } else if (event.kind === 'response-chosen')
        this.#proxy.respond(event.transaction, event.response, now);
      else if (event.kind === 'ack') this.#proxy.forwardAck(event.request, {}, now);
    }
  }
}

export interface TestUserOptions {
  readonly identity: string;
  readonly password: DigestSecret;
  readonly address: string;
  readonly seed: number;
  /** Its P-CSCF; by default the first. */
  readonly proxyCscf?: string;
}

/** User equipment: registers with digest, calls, and answers every call with 180 and 200. */
export class TestUser implements Machine<NetworkInput, NetworkOutput> {
  readonly responses: SipResponse[] = [];
  readonly requests: SipRequest[] = [];
  serviceRoute: readonly string[] = [];
  dialog: Dialog | undefined;
  /** Extra header fields of every request. */
  headers: readonly (readonly [string, string])[] = [];
  readonly address: string;
  readonly #options: TestUserOptions;
  readonly #endpoint: SipEndpoint;
  readonly #digest: DigestClient;
  readonly #random: SeededRandomSource;
  /** Rings and does not answer. */
  isHesitant = false;
  #register: SipRequest | undefined;
  #lastCall: ClientTransactionId | undefined;
  #ringing: Extract<SipEvent, { kind: 'request' }> | undefined;
  #cseq = 0;

  constructor(options: TestUserOptions) {
    this.#options = options;
    this.address = options.address;
    this.#random = new SeededRandomSource(options.seed);
    this.#endpoint = new SipEndpoint({ listen: udpAndTcp(options.address), random: this.#random });
    this.#digest = new DigestClient(options.identity.slice(4), options.password, this.#random);
  }

  get #proxyCscf(): string {
    return this.#options.proxyCscf ?? '10.0.1.1';
  }

  get contact(): string {
    return `<sip:ue@${this.#options.address}:5060>`;
  }

  start(now: Instant): void {
    this.#endpoint.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#endpoint.handleInput(input, now);
    this.#handleEvents(now);
  }

  handleTimeout(now: Instant): void {
    this.#endpoint.handleTimeout(now);
    this.#handleEvents(now);
  }

  pollOutput(): NetworkOutput | undefined {
    return this.#endpoint.pollOutput();
  }

  pollTimeout(): Timeout | undefined {
    return this.#endpoint.pollTimeout();
  }

  register(now: Instant, contact = `${this.contact};expires=3600`): void {
    this.#sendRegister(this.#options.identity, contact, now);
  }

  /** For an identity that may be somebody else's, with this user's credentials. */
  registerAs(now: Instant, identity: string): void {
    this.#sendRegister(identity, `${this.contact};expires=3600`, now);
  }

  #sendRegister(identity: string, contact: string, now: Instant): void {
    const request = this.#request('REGISTER', 'sip:home1.net', identity);
    request.headers.append('Contact', contact);
    request.headers.append('Supported', 'path, outbound');
    this.#digest.authorize(request);
    this.#register = request;
    this.#send({ request, nextHop: `sip:${this.#proxyCscf}` }, now);
  }

  /** An initial request along the Service-Route. */
  call(now: Instant, target: string, name = 'INVITE', body = ''): void {
    const request = this.#request(name, target, target);
    request.headers.append('Contact', this.contact);
    request.body = body;
    this.#lastCall = this.#send(
      routeRequest(request, [`<sip:${this.#proxyCscf};lr>`, ...this.serviceRoute]),
      now,
    );
  }

  /** A SUBSCRIBE within the dialog that this 200 has made. */
  resubscribe(now: Instant, made: SipResponse, expires: number): void {
    const request = new SipRequest('SUBSCRIBE', '');
    request.headers.append('CSeq', `${this.#cseq++} SUBSCRIBE`);
    const routed = Dialog.asCaller(request, made).buildRequest('SUBSCRIBE');
    routed.request.headers.append('Contact', this.contact);
    routed.request.headers.append('Event', 'reg');
    routed.request.headers.append('Expires', String(expires));
    this.#send(routed, now);
  }

  cancel(now: Instant): void {
    assert.ok(this.#lastCall !== undefined);
    this.#endpoint.cancel(this.#lastCall, now);
  }

  /** A request within the dialog, perhaps changed by the test. */
  send(now: Instant, name: string, change: (request: SipRequest) => void = () => {}): void {
    assert.ok(this.dialog !== undefined);
    const routed = this.dialog.buildRequest(name);
    routed.request.headers.append('Contact', this.contact);
    change(routed.request);
    this.#send(routed, now);
  }

  /** As if it were within a dialog, straight from the P-CSCF to that contact. */
  sendPast(now: Instant, name: string, contact: string): void {
    const request = this.#request(name, contact.slice(1, -1), contact.slice(1, -1));
    request.headers.set('To', `${contact};tag=none`);
    this.#send({ request, nextHop: `sip:${this.#proxyCscf}` }, now);
  }

  #request(name: string, requestUri: string, to: string): SipRequest {
    const request = new SipRequest(name, requestUri);
    this.#cseq += 1;
    request.headers.append('From', `<${this.#options.identity}>;tag=${this.#options.seed}`);
    request.headers.append('To', `<${to}>`);
    request.headers.append('Call-ID', `${name}-${this.#options.seed}`);
    request.headers.append('CSeq', `${this.#cseq} ${name}`);
    for (const [field, value] of this.headers) request.headers.append(field, value);
    return request;
  }

  #send({ request, nextHop }: RoutedRequest, now: Instant): ClientTransactionId | undefined {
    const uri = parseUri(nextHop);
    const target = isMalformed(uri) ? undefined : nextHopOf(uri, hosts);
    assert.ok(target !== undefined);
    if (request.method !== 'ACK') return this.#endpoint.sendRequest(request, target, now);
    this.#endpoint.sendWithoutTransaction(request, target, now);
    return undefined;
  }

  #handleEvents(now: Instant): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.kind === 'response') this.#handleResponse(event.response, now);
      else if (event.kind === 'request') this.#handleRequest(event, now);
      else if (event.kind === 'cancelled' && this.#ringing !== undefined) {
        this.#endpoint.respond(event.transaction, createResponse(this.#ringing.request, 487), now);
      }
    }
  }

  #handleResponse(response: SipResponse, now: Instant): void {
    const { method: name, number } = cseqOf(response);
    if (response.statusCode > 100) this.responses.push(response);
    if (name === 'REGISTER' && this.#register !== undefined) {
      if (response.statusCode === 401 && this.#digest.acceptChallenge(this.#register, response)) {
        const contact = this.#register.headers.getAll('Contact').join(', ');
        this.#sendRegister(this.#register.headers.get('To')!.slice(1, -1), contact, now);
      } else if (response.statusCode === 200) this.serviceRoute = response.headers.getAll('Service-Route');
    }
    if (name === 'INVITE' && response.statusCode >= 200 && response.statusCode < 300) {
      if (this.dialog === undefined) {
        const request = new SipRequest('INVITE', '');
        request.headers.append('CSeq', response.headers.get('CSeq')!);
        this.dialog = Dialog.asCaller(request, response);
      }
      this.dialog.confirm(response);
      this.#send(this.dialog.buildAck(number), now);
    }
  }

  #handleRequest(event: Extract<SipEvent, { kind: 'request' }>, now: Instant): void {
    const { request, transaction } = event;
    this.requests.push(request);
    const answer = (statusCode: number): void => {
      const response = createResponse(request, statusCode, { toTag: `callee-${this.#options.seed}` });
      response.headers.append('Contact', this.contact);
      this.#endpoint.respond(transaction, response, now);
    };
    if (request.method === 'INVITE') {
      if (this.dialog === undefined) answer(180);
      this.dialog ??= Dialog.asCallee(request, `callee-${this.#options.seed}`, this.#random);
      this.dialog.refreshTarget(request);
      this.#ringing = event;
      if (this.isHesitant) return;
    }
    answer(200);
  }
}

function udpAndTcp(address: string): SipListener[] {
  return [
    { transport: 'udp', address, port: 5060 },
    { transport: 'tcp', address, port: 5060 },
  ];
}

function byTls(address: string): SipListener {
  return { transport: 'tls', address, port: 5061 };
}

export type Started = Machine<NetworkInput, NetworkOutput> & {
  start(now: Instant): void;
  stop?(now: Instant): void;
};

export interface LabOptions {
  readonly subscribers: readonly Subscriber[];
  /** In the place of the scripted one. */
  readonly homeSubscriberServer?: Started;
  readonly applicationServer?: Started;
  readonly proxy?: Partial<ProxyCscfOptions>;
  /** The P-CSCFs, at port 5061, too. */
  readonly listensByTls?: boolean;
  readonly serving?: Partial<ServingCscfOptions>;
  /** A second S-CSCF, which the I-CSCF may choose. */
  readonly hasSecondServer?: boolean;
  /** Runs P- and S-CSCF so that they may be killed; `create` is called for each life with its number and the journal of those before. */
  readonly runMortal?: (
    address: string,
    create: (life: number, journal?: TimedJournal) => ProxyCscf | ServingCscf,
  ) => Started;
}

/** All of it on one network, Diameter connections up, the ladder still empty. */
export class ImsCoreLab {
  readonly network: SipTestNetwork = new SipTestNetwork();
  readonly hss: TestHomeSubscriberServer;
  readonly applicationServer: TestApplicationServer = new TestApplicationServer();
  readonly events: ServingCscfEvent[] = [];
  readonly machines: Started[] = [];

  constructor(options: LabOptions) {
    const { subscribers, homeSubscriberServer, applicationServer, proxy, serving } = options;
    const servers = [
      { name: 'scscf', address: '10.0.1.3' },
      ...(options.hasSecondServer === true ? [{ name: 'scscf2', address: '10.0.1.7' }] : []),
    ];
    this.hss = new TestHomeSubscriberServer(subscribers);
    this.#add(homeSubscriberServer ?? this.hss);
    const run: NonNullable<LabOptions['runMortal']> =
      options.runMortal ?? ((_, make) => new WithoutEvents(make(0), this.events as object[]));
    for (const address of ['10.0.1.1', '10.0.1.6']) {
      const create = (life: number, journal?: TimedJournal): ProxyCscf =>
        new ProxyCscf({
          listen: options.listensByTls ? [...udpAndTcp(address), byTls(address)] : udpAndTcp(address),
          address: { address, port: 5060 },
          visitedNetwork: 'home1.net',
          hosts,
          unregisteredInDialog: 'forward',
          random: new SeededRandomSource(Number(address.slice(-1)) + 100 * life),
          ...(journal && { journal }),
          ...proxy,
        });
      this.#add(run(address, create));
    }
    this.#add(
      new InterrogatingCscf({
        listen: udpAndTcp('10.0.1.2'),
        address: { address: '10.0.1.2', port: 5060 },
        domains: ['home1.net'],
        servers: servers.map(({ name }) => ({ name: `sip:${name}.home1.net`, capabilities: [] })),
        hosts,
        diameter: diameterOf('icscf.home1.net'),
        random: new SeededRandomSource(2),
      }),
    );
    for (const { name, address } of servers) {
      const create = (life: number, journal?: TimedJournal): ServingCscf =>
        new ServingCscf({
          listen: udpAndTcp(address),
          address: { address, port: 5060 },
          name: `sip:${name}.home1.net`,
          realm: 'home1.net',
          hosts,
          diameter: { ...diameterOf(`${name}.home1.net`), originStateId: 1 + life },
          random: new SeededRandomSource(Number(address.slice(-1)) + 100 * life),
          ...(journal && { journal }),
          ...serving,
        });
      this.#add(run(address, create));
    }
    this.#add(applicationServer ?? this.applicationServer);
    this.run(1_000);
    this.network.ladder.length = 0;
  }

  user(options: TestUserOptions): TestUser {
    const user = new TestUser(options);
    this.#add(user);
    return user;
  }

  get now(): Instant {
    return this.network.now;
  }

  /** Lets time pass. */
  run(durationMs: number): void {
    this.network.run(this.network.now + durationMs);
  }

  /** "MN → P REGISTER", "P → MN 401"; without 100 and without Diameter. Empties the ladder. */
  takeLadder(): string[] {
    const lines = this.network.ladder.flatMap((line) => {
      const match =
        /^\S+ ([\d.]+):\d+ → ([\d.]+):\d+ (?:udp|tcp) (?:SIP\/2\.0 (\d+)|([A-Z]+) .*SIP\/2\.0$)/.exec(line);
      if (match === null || match[3] === '100') return [];
      return [`${names.get(match[1]!)} → ${names.get(match[2]!)} ${match[3] ?? match[4]}`];
    });
    this.network.ladder.length = 0;
    return lines;
  }

  /** A datagram from nowhere to whoever listens on that address. */
  inject(address: string, text: string): void {
    const input: NetworkInput = {
      kind: 'datagram-received',
      local: { address, port: 5060 },
      remote: { address: '10.0.9.9', port: 5060 },
      payload: Buffer.from(text, 'latin1'),
    };
    for (const machine of this.machines) this.network.inject(machine, input);
  }

  /** The functions say goodbye and are driven no longer than that takes. */
  stop(): void {
    for (const machine of this.machines) machine.stop?.(this.now);
    this.run(1_000);
  }

  #add(machine: Started): void {
    this.machines.push(machine);
    machine.start(this.network.now);
    this.network.add(machine, () => {});
  }
}

export type NotedFunction<Event> = NetworkFunction<JournalCompleted, Event, JournalEffect> & {
  start(now: Instant): void;
  stop?(now: Instant): void;
};

/** The network carries messages only; events go to a list. */
export class WithoutEvents<Event> implements Started {
  readonly #inner: NotedFunction<Event>;
  readonly #events: Event[];

  constructor(inner: NotedFunction<Event>, events: Event[] = []) {
    this.#inner = inner;
    this.#events = events;
  }

  start(now: Instant): void {
    this.#inner.start(now);
  }

  stop(now: Instant): void {
    this.#inner.stop?.(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#inner.handleInput(input, now);
  }

  handleTimeout(now: Instant): void {
    this.#inner.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#inner.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    for (let output = this.#inner.pollOutput(); ; output = this.#inner.pollOutput()) {
      if (output?.kind === 'event') this.#events.push(output.event);
      else if (output?.kind !== 'effect') return output;
    }
  }
}

export function diameterOf(originHost: string): ServingCscfOptions['diameter'] {
  return {
    originHost,
    originRealm: 'home1.net',
    originStateId: 1,
    peers: [{ host: 'hss.home1.net', address: { address: '10.0.1.5', port: 3868 } }],
  };
}
