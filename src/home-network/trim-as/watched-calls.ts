/**
 * The TRIM AS tells a mobile node what becomes of a call that rings there (RFC 4235, dialog event package). A node that has moved behind another P-CSCF
 * since hears no CANCEL, which goes where the INVITE went; it subscribes over the new access, and the last notification takes its place.
 * Left out: all that others may want to know of a dialog.
 */
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import { isMalformed } from '../../base/malformed.ts';
import { type RandomSource, randomToken } from '../../base/random-source.ts';
import { escapeXml } from '../../base/xml-element.ts';
import type { BackToBackUserAgent } from '../../protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallEvent, CallHandle } from '../../protocols/sip/back-to-back-user-agent/call-event.ts';
import { createResponse } from '../../protocols/sip/message/create-response.ts';
import { parseParameters, unquote } from '../../protocols/sip/message/parameters.ts';
import type { Replaces } from '../../protocols/sip/message/replaces.ts';
import type { SipRequest } from '../../protocols/sip/message/sip-message.ts';
import { EventNotifier } from '../../protocols/sip/subscription/event-notifier.ts';
import type { AnchoredSession } from './anchored-session.ts';
import { identityOfCaller } from './served-user.ts';

type Event<Type extends CallEvent['type']> = Extract<CallEvent, { readonly type: Type }>;

/** As long as anybody lets a telephone ring (RFC 3261 §16.6 Timer C), and again. */
const expiresSeconds = 600;

interface Parts {
  readonly agent: BackToBackUserAgent;
  /** Of this end, a name-addr. */
  readonly contact: string;
  readonly sessions: Pick<ReadonlyMap<CallHandle, AnchoredSession>, 'get'>;
  readonly random: RandomSource;
}

export class WatchedCalls {
  readonly #parts: Parts;
  /** Resources are call handles. */
  readonly #notifier: EventNotifier;

  constructor(parts: Parts) {
    const { agent, contact, random } = parts;
    this.#parts = parts;
    this.#notifier = new EventNotifier({
      contentType: 'application/dialog-info+xml',
      contact,
      defaultExpiresSeconds: expiresSeconds,
      maximumExpiresSeconds: expiresSeconds,
      random,
      describe: (call, version) => this.#describe(call, version, 'early'),
      send: (request, nextHop, now) => {
        const target = agent.userAgent.resolve({ contact }, nextHop);
        return target && agent.userAgent.sendOutside(request, target, now);
      },
      save: (_key, _record, now, then) => then?.(now),
    });
  }

  /** Answers a SUBSCRIBE to a dialog; false when the request is something else. */
  subscribe({ request, transaction }: Event<'request-arrived'>, now: Instant): boolean {
    const named = dialogIn(request);
    if (named === undefined) return false;
    const { agent, sessions, random } = this.#parts;
    const found = agent.findCall(named, now);
    const session = found && sessions.get(found.call);
    const isOwn = session?.mobileLeg === found?.leg && session?.identity === identityOfCaller(request);
    if (session === undefined || !isOwn) {
      const toTag = randomToken(random, 10);
      const statusCode = session === undefined ? 481 : 403;
      agent.respond(transaction, createResponse(request, statusCode, { toTag }), now);
    } else
      this.#notifier.subscribe(
        request,
        String(session.call),
        (response, at) => agent.respond(transaction, response, at),
        now,
      );
    return true;
  }

  /** The call is over, or will be when its cancelled INVITE is given up. */
  ended(call: CallHandle, now: Instant): void {
    const name = String(call);
    this.#notifier.terminate(name, (version) => this.#describe(name, version, 'terminated'), now);
  }

  /** False when the response is to something else. */
  conclude({ transaction, response }: Event<'outside-response-arrived'>, now: Instant): boolean {
    return this.#notifier.conclude(transaction, response, now);
  }

  handleTimeout(now: Instant): void {
    this.#notifier.handleTimeout(now);
  }

  pollTimeout(): Timeout | undefined {
    return this.#notifier.pollTimeout();
  }

  /** RFC 4235 §4.1, as short as it may be. */
  #describe(call: string, version: number, state: 'early' | 'terminated'): string {
    const entity = escapeXml(this.#parts.contact.replace(/^<|>$/g, ''));
    return [
      '<?xml version="1.0"?>',
      `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${entity}">`,
      `<dialog id="${call}"><state>${state}</state></dialog></dialog-info>`,
    ].join('\r\n');
  }
}

/** RFC 4235 §3.2: the notifier's tag is the to-tag, as in Replaces. */
function dialogIn(request: SipRequest): Replaces | undefined {
  const event = request.headers.get('Event') ?? '';
  const semicolon = event.indexOf(';');
  if (request.method !== 'SUBSCRIBE' || semicolon < 0 || event.slice(0, semicolon).trim() !== 'dialog')
    return undefined;
  const parameters = parseParameters(event, semicolon, 'Event', 0);
  if (isMalformed(parameters)) return undefined;
  const [callId = '', toTag = '', fromTag = ''] = ['call-id', 'to-tag', 'from-tag'].map((name) =>
    unquote(parameters.get(name) ?? ''),
  );
  return { callId, toTag, fromTag, earlyOnly: false };
}
