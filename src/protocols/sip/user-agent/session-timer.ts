/**
 * The session timer of one call leg (RFC 4028): who refreshes the session how often, and when it is taken for dead.
 *
 *   INVITE, UPDATE with Session-Expires ──2xx──→ running ──half the interval, we refresh──→ UPDATE or re-INVITE
 *                                                   └── the peer refreshes and does not ──→ BYE min(32 s, ⅓) before the end
 *
 * RFC 4028 knows UACs, UASs and proxies. A B2BUA is a UAS on one leg and a UAC on the other (RFC 3261 §6), so each leg has a timer of
 * its own (§7, §9). To pass the fields through as a proxy does (§8) would be wrong here: a re-INVITE that moves the mobile node is
 * answered without the peer, whose timer would then run out in a living call. What one side wishes becomes the wish of the other leg.
 */
import type { Instant } from '../../../base/instant.ts';
import { createResponse } from '../message/create-response.ts';
import { listIncludes } from '../message/header-fields.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/sip-message.ts';
import { LegTimer } from './leg-host.ts';

/** RFC 4028 §4: no shorter interval is allowed, and this one holds where Min-SE is missing. */
const minimumSessionSeconds = 90;

/** What the timer asks of its leg. */
export interface SessionTimerOwner {
  refreshSession(method: 'UPDATE' | 'INVITE', now: Instant): void;
  sessionExpired(now: Instant): void;
  setTimer(timer: LegTimer, at: Instant, reason: string): void;
  clearTimer(timer: LegTimer): void;
}

interface Running {
  readonly seconds: number;
  readonly isRefresher: boolean;
  readonly expiresAt: Instant;
}

export class SessionTimer extends LegTimer {
  readonly #owner: SessionTimerOwner;
  /** What this side asks for when no timer runs yet. */
  #wishedSeconds: number | undefined;
  /** The largest Min-SE that was heard (§7.4). */
  #minimumSeconds = 0;
  #running: Running | undefined;
  #peerHasUpdate = false;

  constructor(owner: SessionTimerOwner, wishedSeconds: number | undefined) {
    super();
    this.#owner = owner;
    this.#wishedSeconds = wishedSeconds;
  }

  /** The INVITE of the other leg asks for a timer: so does this one, end to end as if there were no B2BUA. */
  adoptWish(request: SipRequest): void {
    this.#wishedSeconds = secondsOf(request, 'Session-Expires') ?? this.#wishedSeconds;
    this.#minimumSeconds = secondsOf(request, 'Min-SE') ?? 0;
  }

  /** The leg takes the place of another one. */
  adopt(other: SessionTimer): void {
    this.#wishedSeconds = other.#running?.seconds ?? other.#wishedSeconds;
  }

  /** An INVITE or UPDATE of ours that is about to leave. */
  writeRequest({ headers }: SipRequest): void {
    const wished = this.#running?.seconds ?? this.#wishedSeconds;
    if (wished === undefined) return;
    const refresher = this.#running && `;refresher=${this.#running.isRefresher ? 'uac' : 'uas'}`;
    headers.set('Session-Expires', `${Math.max(wished, this.#minimumSeconds)}${refresher ?? ''}`);
    if (this.#minimumSeconds > 0) headers.set('Min-SE', String(this.#minimumSeconds));
  }

  /** The 2xx to an INVITE or UPDATE of ours (§7.2). Without Session-Expires in it a peer that cannot do it leaves the work to us. */
  takeSuccess(request: SipRequest, response: SipResponse, now: Instant): void {
    this.#note(response);
    const asked = secondsOf(request, 'Session-Expires');
    const granted = secondsOf(response, 'Session-Expires');
    if (granted !== undefined) this.#run(granted, refresherOf(response) !== 'uas', now);
    else if (asked !== undefined && !knowsTimer(response)) this.#run(asked, true, now);
    else this.stop();
  }

  /** 422: whether it is worth another try with the interval that the peer wants (§7.3). */
  takeTooSmall(response: SipResponse): boolean {
    const wanted = secondsOf(response, 'Min-SE');
    if (wanted === undefined || wanted <= this.#minimumSeconds) return false;
    this.#minimumSeconds = wanted;
    return true;
  }

  /** The refresh did not succeed: the interval runs on, and what is left of it is halved for another attempt (§10). */
  takeFailure(now: Instant): void {
    if (this.#running === undefined) return;
    const { expiresAt } = this.#running;
    const half = (expiresAt - now) / 2;
    this.#wake(half > guardMs(this.#running.seconds) ? now + half : expiresAt);
  }

  /** Our 2xx to an INVITE or UPDATE of the peer (§9, table 2): its interval is taken; the caller refreshes if it can. */
  writeSuccess(request: SipRequest, response: SipResponse, now: Instant): void {
    this.#note(request);
    const asked = secondsOf(request, 'Session-Expires');
    const floor = Math.max(minimumSessionSeconds, secondsOf(request, 'Min-SE') ?? 0);
    const wished = this.#running?.seconds ?? this.#wishedSeconds;
    const seconds = asked ?? (wished === undefined ? undefined : Math.max(wished, floor));
    if (seconds === undefined || seconds < minimumSessionSeconds) {
      this.stop();
      return;
    }
    const callerKnows = listIncludes(request, 'Supported', 'timer');
    const refresher = callerKnows ? (refresherOf(request) ?? 'uac') : 'uas';
    response.headers.set('Session-Expires', `${seconds};refresher=${refresher}`);
    if (callerKnows) response.headers.append('Require', 'timer');
    this.#run(seconds, refresher === 'uas', now);
  }

  stop(): void {
    this.#running = undefined;
    this.#owner.clearTimer(this);
  }

  handleTimeout(now: Instant): void {
    if (this.#running === undefined) return;
    const { expiresAt, isRefresher } = this.#running;
    if (!isRefresher || now >= expiresAt) {
      this.stop();
      this.#owner.sessionExpired(now);
      return;
    }
    this.#wake(expiresAt);
    this.#owner.refreshSession(this.#peerHasUpdate ? 'UPDATE' : 'INVITE', now);
  }

  #run(seconds: number, isRefresher: boolean, now: Instant): void {
    const intervalMs = seconds * 1000;
    this.#running = { seconds, isRefresher, expiresAt: now + intervalMs };
    this.#wake(now + (isRefresher ? intervalMs / 2 : intervalMs - guardMs(seconds)));
  }

  #wake(at: Instant): void {
    this.#owner.setTimer(this, at, this.#running?.isRefresher ? 'session refresh' : 'session expires');
  }

  #note(message: SipMessage): void {
    if (message.headers.has('Allow')) this.#peerHasUpdate = listIncludes(message, 'Allow', 'UPDATE');
    const minimum = secondsOf(message, 'Min-SE');
    if (message.kind === 'request' && minimum !== undefined)
      this.#minimumSeconds = Math.max(this.#minimumSeconds, minimum);
  }
}

/** Whether the interval that a request asks for is refused with 422 (§9); who does not know the extension could not ask again. */
export function isSessionTooShort(request: SipRequest): boolean {
  const seconds = secondsOf(request, 'Session-Expires');
  return (
    seconds !== undefined && seconds < minimumSessionSeconds && listIncludes(request, 'Supported', 'timer')
  );
}

/** The 422 to it. */
export function sessionTooShort(request: SipRequest): SipResponse {
  const response = createResponse(request, 422);
  response.headers.append('Min-SE', String(minimumSessionSeconds));
  return response;
}

/** How long before its end a session that was not refreshed is given up (§10). */
function guardMs(seconds: number): number {
  return Math.min(32_000, (seconds * 1000) / 3);
}

function secondsOf({ headers }: SipMessage, name: 'Session-Expires' | 'Min-SE'): number | undefined {
  const value = headers.get(name);
  if (value === undefined) return undefined;
  const [, digits] = /^\s*(\d{1,9})\s*(?:;|$)/.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function knowsTimer(response: SipResponse): boolean {
  return listIncludes(response, 'Supported', 'timer') || listIncludes(response, 'Require', 'timer');
}

function refresherOf({ headers }: SipMessage): 'uac' | 'uas' | undefined {
  const [, value] = /;\s*refresher\s*=\s*(uac|uas)\b/i.exec(headers.get('Session-Expires') ?? '') ?? [];
  return value?.toLowerCase() as 'uac' | 'uas' | undefined;
}
