/**
 * S-CSCF (TRIM Fig. 1): the dialogs of its users, as far as it must know them to end them itself: when a new contact without reg-id
 * pushes the old one out (TS 24.237 §10.2.0), or the network takes the registration away (TS 24.229 §5.4.5.1).
 *
 * All requests of a dialog pass here because of Record-Route, so the last CSeq of each side is known and a BYE can be sent to both in
 * the name of the other (RFC 3261 §12.2.1). Dialogs and the addresses in them are in the journal, the numbers are not: after a restart
 * they go on from far above. Left out: early dialogs, and dialogs made by SUBSCRIBE or REFER.
 */
import type { Instant } from '../../base/instant.ts';
import type { JournalWriter } from '../../base/journal-writer.ts';
import { ownText } from '../../base/own-text.ts';
import { routeRequest } from '../../protocols/sip/dialog/dialog.ts';
import { sequenceLeap } from '../../protocols/sip/dialog/limits.ts';
import {
  callIdOf,
  contactsOf,
  cseqOf,
  fromTagOf,
  toTagOf,
} from '../../protocols/sip/message/header-fields.ts';
import type { NameAddress } from '../../protocols/sip/message/name-address.ts';
import { SipRequest, type SipResponse } from '../../protocols/sip/message/sip-message.ts';
import { formatUri } from '../../protocols/sip/message/sip-uri.ts';
import type { SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import { maximumDialogs } from './limits.ts';
import { formatDialogLine } from './serving-journal.ts';

/** One of the two ends of a dialog. */
export interface Party {
  /** Value of From or To with the tag. */
  readonly name: string;
  readonly tag: string;
  /** Routes from here to this party. */
  readonly routes: readonly string[];
  target: string;
  cseq: number;
}

export interface ServedDialog {
  readonly callId: string;
  /** The served user, then whom he talks to. */
  readonly parties: readonly [Party, Party];
}

export interface ConfirmedDialog {
  readonly request: SipRequest;
  readonly response: SipResponse;
  readonly recordRoute: string;
  readonly isCaller: boolean;
}

export class ServedDialogs {
  readonly #proxy: SipProxy;
  readonly #journal: JournalWriter;
  /** By role of the served user and dialog, the oldest first: when both ends are served here, each has its own entry. */
  readonly #dialogs = new Map<string, ServedDialog>();

  constructor(proxy: SipProxy, journal: JournalWriter) {
    this.#proxy = proxy;
    this.#journal = journal;
  }

  get size(): number {
    return this.#dialogs.size;
  }

  /** What a journal says (`undefined`: the dialog has ended). */
  restore(key: string, dialog: ServedDialog | undefined): void {
    this.#dialogs.delete(key);
    if (dialog === undefined) return;
    for (const party of dialog.parties) party.cseq += sequenceLeap;
    this.#put(key, dialog);
  }

  journalSnapshot(): readonly string[] {
    return [...this.#dialogs].map(([key, dialog]) => formatDialogLine(key, dialog));
  }

  /**
   * A 2xx has made a dialog. `recordRoute` is what the S-CSCF put into the INVITE; the user is one of the two who made it. `then` is called
   * when the dialog is in the journal, or cannot be: a call is worth more than the power to end it from here.
   */
  confirmed(
    { request, response, recordRoute, isCaller }: ConfirmedDialog,
    now: Instant,
    then: (now: Instant) => void,
  ): void {
    const entry = entryOf(request, response, recordRoute, isCaller);
    if (entry === undefined || this.#dialogs.has(entry.key)) {
      then(now);
      return;
    }
    const { key, dialog } = entry;
    this.#put(key, dialog);
    this.#journal.write(
      () => formatDialogLine(key, dialog),
      now,
      (_, later) => then(later),
    );
  }

  #put(key: string, dialog: ServedDialog): void {
    this.#dialogs.set(key, dialog);
    const oldest = this.#dialogs.keys().next().value;
    if (this.#dialogs.size > maximumDialogs && oldest !== undefined) this.#dialogs.delete(oldest);
  }

  /** A request within a dialog passes: its sender's number, and with INVITE and UPDATE his address (RFC 3261 §12.2). */
  passed(request: SipRequest, now: Instant): void {
    const key = keyOf(callIdOf(request), fromTagOf(request) ?? '', toTagOf(request) ?? '');
    for (const role of ['caller', 'callee']) this.#follow(`${role} ${key}`, request, now);
  }

  #follow(key: string, request: SipRequest, now: Instant): void {
    const dialog = this.#dialogs.get(key);
    if (dialog === undefined) return;
    if (request.method === 'BYE') {
      this.#delete(key, now);
      return;
    }
    const sender = dialog.parties.find(({ tag }) => tag === fromTagOf(request))!;
    sender.cseq = Math.max(sender.cseq, cseqOf(request).number);
    const contact = contactsOf(request)[0];
    const target = contact === undefined ? sender.target : formatUri(contact.uri);
    if (target === sender.target) return;
    sender.target = ownText(target);
    this.#journal.write(() => formatDialogLine(key, dialog), now);
  }

  #delete(key: string, now: Instant): void {
    this.#dialogs.delete(key);
    this.#journal.write(() => formatDialogLine(key, undefined), now);
  }

  /** Ends every dialog of a user who was reached at one of these contacts; nobody waits for the answers. */
  end(contacts: readonly string[], now: Instant): void {
    for (const [key, { callId, parties }] of this.#dialogs) {
      const [user, peer] = parties;
      if (!contacts.includes(user.target)) continue;
      this.#delete(key, now);
      this.#sendBye(callId, user, peer, now);
      this.#sendBye(callId, peer, user, now);
    }
  }

  #sendBye(callId: string, from: Party, to: Party, now: Instant): void {
    const bye = new SipRequest('BYE', to.target);
    bye.headers.append('From', from.name);
    bye.headers.append('To', to.name);
    bye.headers.append('Call-ID', callId);
    bye.headers.append('CSeq', `${from.cseq + 1} BYE`);
    // RFC 3326: why, for those who would rather call again than give up.
    bye.headers.append('Reason', 'SIP;cause=480;text="Registration ended"');
    const { request, nextHop } = routeRequest(bye, to.routes);
    this.#proxy.sendRequest(request, nextHop, now);
  }
}

function entryOf(
  request: SipRequest,
  response: SipResponse,
  recordRoute: string,
  isCaller: boolean,
): { readonly key: string; readonly dialog: ServedDialog } | undefined {
  const [callerTag, calleeTag] = [fromTagOf(response), toTagOf(response)];
  const [callerContact, calleeContact] = [contactsOf(request)[0], contactsOf(response)[0]];
  const routes = response.headers.getAll('Record-Route');
  const own = routes.indexOf(recordRoute);
  if (callerTag === undefined || calleeTag === undefined || own < 0) return undefined;
  if (callerContact === undefined || calleeContact === undefined) return undefined;
  const [towardsCaller, towardsCallee] = [routes.slice(own + 1), routes.slice(0, own).reverse()];
  const caller = partyOf(response.headers.get('From')!, callerTag, towardsCaller, callerContact);
  const callee = partyOf(response.headers.get('To')!, calleeTag, towardsCallee, calleeContact);
  caller.cseq = cseqOf(request).number;
  const callId = ownText(callIdOf(response));
  return {
    key: ownText(`${isCaller ? 'caller' : 'callee'} ${keyOf(callId, callerTag, calleeTag)}`),
    dialog: { callId, parties: isCaller ? [caller, callee] : [callee, caller] },
  };
}

function partyOf(name: string, tag: string, routes: readonly string[], contact: NameAddress): Party {
  const target = ownText(formatUri(contact.uri));
  return { name: ownText(name), tag: ownText(tag), routes: routes.map(ownText), target, cseq: 0 };
}

/** The same from both sides. */
function keyOf(callId: string, oneTag: string, otherTag: string): string {
  return `${callId} ${[oneTag, otherTag].sort().join(' ')}`;
}
