/**
 * The client side of one registration: one contact of one address-of-record (RFC 3261 §10.2), with Digest, Path (RFC 3327), Service-Route
 * (RFC 3608) and the flow identifiers of RFC 5626 when the contact is one of several of the same instance. It builds the requests and reads
 * the responses; its owner sends them, over whichever access he likes.
 *
 *   register() ──401──▶ again with credentials ──200──▶ registered ──half the time──▶ refresh …      deregister() ──200──▶ gone
 *                 └──423──▶ again with Min-Expires   └──439──▶ again without outbound     └──other──▶ failed, to be tried again later
 */
import type { DurationMs, Instant } from '../../../base/instant.ts';
import type { Timeout } from '../../../base/machine.ts';
import { isMalformed } from '../../../base/malformed.ts';
import { type RandomSource, randomFraction, randomToken } from '../../../base/random-source.ts';
import { DigestClient, type DigestSecret } from '../authentication/digest-client.ts';
import { contactsOf, expiresOf } from '../message/header-fields.ts';
import { quote } from '../message/parameters.ts';
import { SipRequest, type SipResponse } from '../message/sip-message.ts';
import { formatUri, parseUri } from '../message/sip-uri.ts';

/** Who registers, and with what he proves it. */
export interface RegistrationIdentity {
  /** The address-of-record; in IMS the IMPU. A SIP URI. */
  readonly publicIdentity: string;
  /** The user name of Digest; in IMS the IMPI. */
  readonly privateIdentity: string;
  readonly password: DigestSecret;
  /** Request-URI of REGISTER and the realm it starts with, such as "home1.example". */
  readonly homeDomain: string;
}

export interface RegistrationOptions {
  readonly identity: RegistrationIdentity;
  /** The contact URI without brackets. */
  readonly contact: string;
  /** A URN (RFC 5626 §4.1) and which of the instance's flows this is. */
  readonly flow?: { readonly instance: string; readonly regId: number };
  readonly expiresSeconds: number;
  /** Further header fields of each REGISTER. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Shared by several registrations of one identity: a nonce that one was given saves the others the challenge (RFC 7616 §3.4.5, nc). */
  readonly digest?: DigestClient;
  readonly random: RandomSource;
}

export type RegistrationOutcome =
  /** To be sent in place of the one answered. */
  | { readonly kind: 'repeat'; readonly request: SipRequest }
  | {
      readonly kind: 'registered';
      /** Top first, as the route set of requests to come. */
      readonly serviceRoute: readonly string[];
      /** P-Associated-URI (RFC 7315 §4.1); the first is the default identity. */
      readonly associatedIdentities: readonly string[];
    }
  | { readonly kind: 'deregistered' }
  /** 408 when nothing was answered. `pollTimeout` tells when it is tried again. */
  | { readonly kind: 'failed'; readonly statusCode: number };

/** RFC 5626 §4.5: base-time and max-time of the wait after a failure. */
const retryBaseMs: DurationMs = 30_000;
const retryMaximumMs: DurationMs = 1_800_000;
/** 401, 423 and 439 may follow one another; more rounds than this lead nowhere. */
const maximumRounds = 6;

export class RegistrationClient {
  readonly #options: RegistrationOptions;
  readonly #digest: DigestClient;
  readonly #callId: string;
  readonly #tag: string;
  #sequence = 0;
  #rounds = 0;
  #failures = 0;
  #expiresSeconds: number;
  #withFlow: boolean;
  #isLeaving = false;
  #sent: SipRequest | undefined;
  #deadline: Timeout | undefined;
  #isRegistered = false;

  constructor(options: RegistrationOptions) {
    const { identity, random } = options;
    this.#options = options;
    this.#digest = options.digest ?? new DigestClient(identity.privateIdentity, identity.password, random);
    this.#callId = randomToken(random, 24);
    this.#tag = randomToken(random, 10);
    this.#expiresSeconds = options.expiresSeconds;
    this.#withFlow = options.flow !== undefined;
  }

  /** Without brackets. */
  get contact(): string {
    return this.#options.contact;
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  /** The REGISTER that makes or refreshes the registration. */
  register(): SipRequest {
    this.#isLeaving = false;
    this.#rounds = 0;
    return this.#build();
  }

  /** The REGISTER that takes this contact back, and only this one (RFC 3261 §10.2.2). */
  deregister(): SipRequest {
    this.#isLeaving = true;
    this.#rounds = 0;
    return this.#build();
  }

  /** The registrar has ended the registration: tried again after that time, or never. */
  ended(retryAfterMs: DurationMs | undefined, now: Instant): void {
    this.#isRegistered = false;
    this.#deadline =
      retryAfterMs === undefined
        ? undefined
        : { at: now + retryAfterMs, reason: 'registration again as the network has ended it' };
  }

  /** When to call `register` again: before the registration expires, or after a failure. */
  pollTimeout(): Timeout | undefined {
    return this.#deadline;
  }

  /** `undefined`: no answer came. Provisional responses are for nobody. */
  handleResponse(response: SipResponse | undefined, now: Instant): RegistrationOutcome | undefined {
    if (response !== undefined && response.statusCode < 200) return undefined;
    const sent = this.#sent;
    if (response === undefined || sent === undefined) return this.#fail(408, undefined, now);
    if (response.statusCode < 300) return this.#succeed(response, now);
    if (this.#rounds < maximumRounds && this.#canRepeat(sent, response)) {
      return { kind: 'repeat', request: this.#build() };
    }
    return this.#fail(response.statusCode, response, now);
  }

  #canRepeat(sent: SipRequest, response: SipResponse): boolean {
    const { statusCode, headers } = response;
    if (statusCode === 401 || statusCode === 407) return this.#digest.acceptChallenge(sent, response);
    if (statusCode === 423) {
      const minimum = Number(headers.get('Min-Expires'));
      const isLarger = Number.isInteger(minimum) && minimum > this.#expiresSeconds;
      if (isLarger) this.#expiresSeconds = minimum;
      return isLarger;
    }
    const lostFlow = statusCode === 439 && this.#withFlow;
    if (lostFlow) this.#withFlow = false;
    return lostFlow;
  }

  #succeed(response: SipResponse, now: Instant): RegistrationOutcome {
    this.#failures = 0;
    if (this.#isLeaving) {
      this.#isRegistered = false;
      this.#deadline = undefined;
      return { kind: 'deregistered' };
    }
    this.#isRegistered = true;
    const seconds = this.#grantedSeconds(response);
    // TS 24.229 §5.1.1.4: at half the time, or 600 s before the end of a long one.
    const refreshSeconds = seconds > 1200 ? seconds - 600 : seconds / 2;
    this.#deadline = { at: now + refreshSeconds * 1000, reason: 'refresh of the registration' };
    return {
      kind: 'registered',
      serviceRoute: response.headers.getAll('Service-Route'),
      associatedIdentities: response.headers.getAll('P-Associated-URI'),
    };
  }

  /** The 200 lists every contact of the address-of-record; ours is the one with our URI (RFC 3261 §10.2.4). */
  #grantedSeconds(response: SipResponse): number {
    const own = contactsOf(response).find(({ uri }) => formatUri(uri) === this.#contactUri());
    return Number(own?.parameters.get('expires') ?? expiresOf(response) ?? this.#expiresSeconds);
  }

  #fail(statusCode: number, response: SipResponse | undefined, now: Instant): RegistrationOutcome {
    if (this.#isLeaving) {
      this.#isRegistered = false;
      this.#deadline = undefined;
      return { kind: 'deregistered' };
    }
    this.#isRegistered = false;
    const waitMs = Math.min(retryMaximumMs, retryBaseMs * 2 ** this.#failures++);
    const asked = Number(response?.headers.get('Retry-After')?.split(/[ ;(]/)[0]) * 1000;
    const delayMs =
      Number.isFinite(asked) && asked > 0 ? asked : waitMs * (0.5 + randomFraction(this.#options.random) / 2);
    this.#deadline = { at: now + delayMs, reason: 'registration again after a failure' };
    return { kind: 'failed', statusCode };
  }

  #build(): SipRequest {
    const { identity, headers = [] } = this.#options;
    const { publicIdentity, homeDomain } = identity;
    const request = new SipRequest('REGISTER', `sip:${homeDomain}`);
    const expires = this.#isLeaving ? 0 : this.#expiresSeconds;
    request.headers.append('From', `<${publicIdentity}>;tag=${this.#tag}`);
    request.headers.append('To', `<${publicIdentity}>`);
    request.headers.append('Call-ID', this.#callId);
    request.headers.append('CSeq', `${++this.#sequence} REGISTER`);
    request.headers.append(
      'Contact',
      `<${this.#options.contact}>${this.#flowParameters()};expires=${expires}`,
    );
    request.headers.append('Expires', String(expires));
    request.headers.append('Supported', this.#withFlow ? 'path, outbound' : 'path');
    for (const [name, value] of headers) request.headers.append(name, value);
    this.#digest.authorize(request);
    if (!request.headers.has('Authorization'))
      request.headers.append('Authorization', this.#emptyCredentials());
    this.#rounds++;
    this.#sent = request;
    this.#deadline = undefined;
    return request;
  }

  #flowParameters(): string {
    const { flow } = this.#options;
    if (flow === undefined) return '';
    const instance = `;+sip.instance=${quote(`<${flow.instance}>`)}`;
    return this.#withFlow ? `${instance};reg-id=${flow.regId}` : instance;
  }

  /** Before the first challenge the I-CSCF reads the IMPI from here (TS 24.229 §5.1.1.2). */
  #emptyCredentials(): string {
    const { privateIdentity, homeDomain } = this.#options.identity;
    return `Digest username=${quote(privateIdentity)}, realm=${quote(homeDomain)}, nonce="", uri="sip:${homeDomain}", response=""`;
  }

  #contactUri(): string {
    const uri = parseUri(this.#options.contact);
    return isMalformed(uri) ? this.#options.contact : formatUri(uri);
  }
}
