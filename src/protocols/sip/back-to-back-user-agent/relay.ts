/**
 * What passes between the two legs of a call: each message is rebuilt on the other leg, requests with their responses and CANCEL,
 * INVITE with its ACK, reliable provisional responses with their PRACK. Numbers, tags and reliability stay matters of one leg.
 *
 *   arrives → [waits behind others] → [owner decides on its session description] → rebuilt on the other leg
 */
import type { Instant } from '../../../base/instant.ts';
import { randomBelow } from '../../../base/random-source.ts';
import { emptyList, withItem, withoutItem } from '../../../base/short-list.ts';
import { listIncludes, maxForwardsOf } from '../message/header-fields.ts';
import type { SipRequest } from '../message/sip-message.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { Answer, IncomingRequest } from '../user-agent/incoming-request.ts';
import type { LegDialog } from '../user-agent/leg-dialog.ts';
import {
  changeHeaders,
  emptyContent,
  isSessionDescription,
  type MessageContent,
} from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { UserAgent } from '../user-agent/user-agent.ts';
import type { LegName } from './call-event.ts';
import { maxWaitingMessages } from './limits.ts';
import {
  type AckPassage,
  messageOf,
  type Origin,
  type Passage,
  passedContent,
  type RequestPassage,
  type ResponsePassage,
} from './passage.ts';
import { replacementHeaders, withReferredDialog } from './transferred-dialog.ts';

/**
 * Inside a dialog these speak of one leg, its flow or the way there (RFC 5057 §5.1; RFC 5626 §5.3.1 for 430). Passed on they would end the
 * other leg too; 500 does not.
 */
const endingStatusCodes: ReadonlySet<number> = new Set([
  404, 408, 410, 416, 430, 480, 481, 482, 483, 484, 485, 502, 604,
]);

/** What the relay asks of its call. */
export interface RelayOwner {
  leg(name: LegName): CallLeg | undefined;
  /** Asks the owner of the call about the session description. */
  ask(passage: Passage): void;
  /** The message goes nowhere any more; a question about it is void. */
  withdraw(passage: Passage): void;
  inviteCallee(content: MessageContent, now: Instant): OutgoingRequest;
  confirmed(branch: number): void;
  refused(statusCode: number, now: Instant): void;
}

/** A request that arrived, and what became of it on the other leg. */
interface Relayed extends Origin {
  readonly outgoing: OutgoingRequest;
}

interface DialogPair {
  caller: LegDialog;
  callee: LegDialog | undefined;
}

export class Relay {
  readonly #owner: RelayOwner;
  readonly #agent: UserAgent;
  /** Messages of both directions, in the order of their arrival. */
  #waiting: readonly Passage[] = emptyList;
  /** Requests that went on to the other leg and are not answered for good; INVITE: not acknowledged. */
  #relayed: readonly Relayed[] = emptyList;
  /** Early dialogs of the two legs that stand for each other, until the first INVITE is acknowledged. */
  #pairs: readonly DialogPair[] = emptyList;

  constructor(owner: RelayOwner, agent: UserAgent) {
    this.#owner = owner;
    this.#agent = agent;
  }

  originOf(outgoing: OutgoingRequest): Origin | undefined {
    return this.#relayed.find((one) => one.outgoing === outgoing);
  }

  push(passage: Passage, now: Instant): void {
    if (isFailureOfInvite(passage)) this.#withdrawResponses(passage.outgoing, passage.from);
    if (this.#isFull(passage.from) && passage.kind !== 'ack' && !isFinal(passage)) {
      if (passage.kind === 'request') this.#respondBusy(passage.leg, passage.incoming, now);
      return;
    }
    this.#waiting = withItem(this.#waiting, passage);
    this.#advance(passage.from, now);
  }

  /** The owner decided: the message goes on with this body. */
  decide(passage: Passage, body: string, now: Instant): void {
    passage.decidedBody = body;
    this.#advanceAll(passage.from, now);
  }

  /** Takes a message out, whoever deals with it from now on; those behind it go on. */
  remove(passage: Passage, now: Instant): void {
    this.#waiting = withoutItem(this.#waiting, passage);
    this.#advanceAll(passage.from, now);
  }

  /** The owner does not let this response pass: the request fails towards both sides. */
  refuse(passage: ResponsePassage, answer: Answer, now: Instant): void {
    const { leg, outgoing } = passage;
    const origin = this.#originNow(passage);
    const { incoming } = origin;
    this.giveUp(incoming, now);
    if (outgoing.method === 'INVITE') leg.sender.sendAck(outgoing, emptyContent, now);
    origin.leg.respond(incoming, answer, undefined, now);
    this.remove(passage, now);
    if (incoming.dialog === undefined) this.#owner.refused(answer.statusCode, now);
  }

  /** Whether this INVITE of ours waits for the answer to one that arrived. */
  canTakeOver(first: OutgoingRequest): boolean {
    return this.originOf(first)?.incoming.state === 'open';
  }

  /** Another INVITE of ours is answered in place of the first; the caller's dialogs stay. */
  takeOverOutgoing(first: OutgoingRequest, second: OutgoingRequest): void {
    this.#withdrawResponses(first, undefined);
    this.#relayed = this.#relayed.map((one) => (one.outgoing === first ? { ...one, outgoing: second } : one));
    this.#pairs = this.#pairs.slice(0, 1);
    for (const pair of this.#pairs) pair.callee = undefined;
  }

  /** What comes for the first INVITE that arrived goes to the second. False: it has not gone on. */
  takeOverIncoming(
    first: IncomingRequest,
    { leg, second }: { readonly leg: CallLeg; readonly second: IncomingRequest },
  ): boolean {
    const relayed = this.#relayedOf(first);
    if (relayed === undefined) return false;
    this.#relayed = [
      ...withoutItem(this.#relayed, relayed),
      { leg, name: 'caller', incoming: second, outgoing: relayed.outgoing },
    ];
    for (const pair of this.#pairs) pair.caller = leg.openDialog(second);
    return true;
  }

  waiting(incoming: IncomingRequest): Passage | undefined {
    return this.#waiting.find((passage) => passage.kind === 'request' && passage.incoming === incoming);
  }

  /** CANCEL came for an INVITE that went on to the other leg: so does the CANCEL, and the answer there decides. */
  cancel(incoming: IncomingRequest, now: Instant): boolean {
    const relayed = this.#relayedOf(incoming);
    // Refused already, and the owner is asked what to offer next.
    const isOver = relayed?.outgoing.state === 'finished' && relayed.outgoing.winner === undefined;
    if (relayed === undefined || isOver) return false;
    this.#owner.leg(otherOf(relayed.name))?.sender.cancel(relayed.outgoing, now);
    return true;
  }

  /** The arrived request was answered without waiting for the other leg, which is told if it can be. */
  giveUp(incoming: IncomingRequest, now: Instant): void {
    const relayed = this.#relayedOf(incoming);
    if (relayed === undefined) return;
    const { outgoing, name } = relayed;
    this.#withdrawResponses(outgoing, undefined);
    this.#owner.leg(otherOf(name))?.sender.cancel(outgoing, now);
    // Of another request the end is still wanted: it may show that the leg is lost.
    if (outgoing.method === 'INVITE') outgoing.isAbandoned = true;
    this.#unlink(incoming);
  }

  /** No ACK comes for the 2xx passed on: the other leg is acknowledged all the same, so that it can go on. */
  acknowledgeForLost(leg: CallLeg, now: Instant): void {
    for (const { leg: of, name, incoming, outgoing } of this.#relayed) {
      if (of !== leg || outgoing.winner === undefined) continue;
      this.#owner.leg(otherOf(name))?.sender.sendAck(outgoing, emptyContent, now);
      this.#unlink(incoming);
    }
  }

  clear(): void {
    for (const passage of this.#waiting) this.#owner.withdraw(passage);
    this.#waiting = emptyList;
    this.#relayed = emptyList;
  }

  /** What waited behind the message on its own way, and what waited for its answer on the way back. */
  #advanceAll(from: LegName, now: Instant): void {
    this.#advance(from, now);
    this.#advance(otherOf(from), now);
  }

  #advance(from: LegName, now: Instant): void {
    for (let head = this.#headOf(from); head !== undefined; head = this.#headOf(from)) {
      if (isUndecided(head)) {
        if (head.token === undefined) this.#owner.ask(head);
        return;
      }
      if (isInviteProgress(head) && isUndecidedRequest(this.#headOf(otherOf(from)))) return;
      this.#waiting = withoutItem(this.#waiting, head);
      if (head.kind === 'request') this.#passRequest(head, now);
      else if (head.kind === 'response') this.#passResponse(head, now);
      else this.#passAck(head, now);
    }
  }

  #headOf(from: LegName): Passage | undefined {
    for (const passage of this.#waiting) if (passage.from === from) return passage;
    return undefined;
  }

  #isFull(from: LegName): boolean {
    if (this.#waiting.length < maxWaitingMessages) return false;
    return this.#waiting.filter((passage) => passage.from === from).length >= maxWaitingMessages;
  }

  #passRequest(passage: RequestPassage, now: Instant): void {
    const { incoming, leg, from } = passage;
    if (incoming.state !== 'open') return;
    const hops = maxForwardsOf(incoming.request) ?? 70;
    if (hops === 0) {
      leg.respond(incoming, plainAnswer(483), undefined, now);
      return;
    }
    const passed = passedContent(passage);
    const told = incoming.method === 'REFER' ? withReferredDialog(passed, this.#agent, now) : passed;
    const content = changeHeaders(told, [['Max-Forwards', String(hops - 1)]]);
    if (incoming.dialog === undefined) {
      const replacement = replacementHeaders(incoming.request, this.#agent, now);
      this.#link(passage, this.#owner.inviteCallee(changeHeaders(content, replacement), now));
      return;
    }
    const other = this.#owner.leg(otherOf(from));
    const dialog = this.#counterpart(incoming.dialog, from);
    const acknowledged = incoming.acknowledges?.origin;
    if (
      incoming.method === 'PRACK' &&
      (acknowledged === undefined || !isReliableResponse(acknowledged.response))
    )
      // The other leg's response was not reliable, or is not from there, where nobody may have answered yet.
      leg.respond(incoming, plainAnswer(passage.role === 'offer' ? 488 : 200), undefined, now);
    else if (other === undefined || other.isEnded || dialog === undefined)
      this.#respondBusy(leg, incoming, now);
    else if (acknowledged !== undefined) {
      const { request, response, dialog: of } = acknowledged;
      this.#link(passage, other.sender.sendPrack(request, response, of, content, now));
    }
    // Both peers changed the session at the same time; each would wait for the other's answer (RFC 3261 §14.2).
    else if (incoming.method === 'INVITE' && this.#isRelayingInviteOf(other))
      leg.respond(incoming, plainAnswer(491), undefined, now);
    else
      this.#link(
        passage,
        other.request(incoming.method, content, dialog, { hasOffer: passage.role === 'offer' }, now),
      );
  }

  #passResponse(passage: ResponsePassage, now: Instant): void {
    const { outgoing, response } = passage;
    const origin = this.#originNow(passage);
    const { incoming } = origin;
    if (incoming.state !== 'open') return;
    const isInitial = incoming.dialog === undefined;
    const { statusCode } = response;
    if (incoming.method === 'INVITE' && statusCode < 300) {
      this.#passInviteProgress(passage, now);
      return;
    }
    if (incoming.method === 'INVITE' || statusCode >= 200) this.#unlink(incoming);
    if (!isInitial && endingStatusCodes.has(statusCode)) this.#respondBusy(origin.leg, incoming, now);
    else origin.leg.respond(incoming, this.#answerOf(passage, false), undefined, now);
    if (isInitial && outgoing.method === 'INVITE') this.#owner.refused(statusCode, now);
  }

  #passInviteProgress(passage: ResponsePassage, now: Instant): void {
    const { outgoing, response, dialog } = passage;
    const origin = this.#originNow(passage);
    const { incoming, leg } = origin;
    const isSuccess = response.statusCode >= 200;
    // A telephone that is told again that it rings begins its tone anew; a 183 without media says nothing.
    const isNews = response.statusCode !== incoming.progress && response.statusCode !== 183;
    const isKnown = passage.isReminder && !isNews && !tellsMedia(passage);
    const isReliable = !isSuccess && !isKnown && wantsReliability(incoming.request, passage.isReliable);
    if (passage.isReliable && !isReliable && dialog !== undefined)
      passage.leg.sender.sendPrack(outgoing, response, dialog, emptyContent, now);
    const isInitial = incoming.dialog === undefined;
    const callerDialog = isInitial ? this.#callerDialogFor(dialog, origin) : undefined;
    if (isKnown) return;
    leg.respond(incoming, this.#answerOf(passage, isReliable), callerDialog, now);
    if (isInitial && isSuccess) this.#owner.confirmed(dialog?.branch ?? 0);
  }

  /** While the response waited, another INVITE may have taken the place of the one that it answers. */
  #originNow({ outgoing, origin }: ResponsePassage): Origin {
    return this.originOf(outgoing) ?? origin;
  }

  #passAck(passage: AckPassage, now: Instant): void {
    const relayed = this.#relayedOf(passage.incoming);
    if (relayed === undefined) return;
    this.#unlink(passage.incoming);
    const leg = this.#owner.leg(otherOf(relayed.name));
    leg?.sender.sendAck(relayed.outgoing, passedContent(passage), now);
  }

  #answerOf(passage: ResponsePassage, isReliable: boolean): Answer {
    const { response, outgoing, dialog } = passage;
    const { statusCode, reasonPhrase } = response;
    // Whom a 503 with Retry-After comes from wants no requests for a while (RFC 3261 §21.5.4); that is not this host.
    const carried = passedContent(passage);
    const content = statusCode === 503 ? changeHeaders(carried, [['Retry-After', undefined]]) : carried;
    const hasSessionDescription = content.body !== '' && isSessionDescription(response);
    const origin = dialog && { request: outgoing, response, dialog };
    return { statusCode, reasonPhrase, content, isReliable, hasSessionDescription, origin };
  }

  #link({ leg, from: name, incoming }: RequestPassage, outgoing: OutgoingRequest): void {
    this.#relayed = withItem(this.#relayed, { leg, name, incoming, outgoing });
  }

  #relayedOf(incoming: IncomingRequest): Relayed | undefined {
    return this.#relayed.find((one) => one.incoming === incoming);
  }

  #unlink(incoming: IncomingRequest): void {
    const relayed = this.#relayedOf(incoming);
    if (relayed !== undefined) this.#relayed = withoutItem(this.#relayed, relayed);
    if (incoming.dialog === undefined) this.#pairs = emptyList;
  }

  #isRelayingInviteOf(leg: CallLeg): boolean {
    return this.#relayed.some((one) => one.incoming.method === 'INVITE' && one.leg === leg);
  }

  /** The dialog on the other leg: its confirmed one, or the early one paired with this. */
  #counterpart(dialog: LegDialog, from: LegName): LegDialog | undefined {
    const other = this.#owner.leg(otherOf(from));
    if (other?.confirmed !== undefined) return other.confirmed;
    const pair = this.#pairs.find((candidate) => candidate[from] === dialog);
    return pair?.[otherOf(from)];
  }

  /** One early dialog towards the caller for each that the forked callee makes. */
  #callerDialogFor(callee: LegDialog | undefined, origin: Origin): LegDialog {
    const known =
      this.#pairs.find((pair) => pair.callee === callee || pair.callee === undefined) ??
      (callee === undefined ? this.#pairs[0] : undefined);
    if (known !== undefined) {
      known.callee ??= callee;
      return known.caller;
    }
    const caller = origin.leg.openDialog(origin.incoming);
    this.#pairs = withItem(this.#pairs, { caller, callee });
    return caller;
  }

  #withdrawResponses(outgoing: OutgoingRequest, from: LegName | undefined): void {
    for (const passage of this.#waiting) {
      if (passage.kind !== 'response' || passage.outgoing !== outgoing) continue;
      if (from !== undefined && from !== passage.from) continue;
      this.#waiting = withoutItem(this.#waiting, passage);
      this.#owner.withdraw(passage);
    }
  }

  #respondBusy(leg: CallLeg, incoming: IncomingRequest, now: Instant): void {
    const retryAfter = String(1 + randomBelow(this.#agent.random, 10));
    const content = changeHeaders(emptyContent, [['Retry-After', retryAfter]]);
    leg.respond(incoming, { ...plainAnswer(500), content }, undefined, now);
  }
}

export function otherOf(name: LegName): LegName {
  return name === 'caller' ? 'callee' : 'caller';
}

export function plainAnswer(statusCode: number, reasonPhrase?: string): Answer {
  return { statusCode, reasonPhrase, content: emptyContent, isReliable: false, hasSessionDescription: false };
}

/** RFC 3262 §3: always when the peer requires it, never when he does not support it, else as the response asks for. */
export function wantsReliability(invite: SipRequest, isWanted: boolean): boolean {
  if (listIncludes(invite, 'Require', '100rel')) return true;
  return isWanted && listIncludes(invite, 'Supported', '100rel');
}

function isReliableResponse(response: ResponsePassage['response']): boolean {
  return listIncludes(response, 'Require', '100rel');
}

function isFailureOfInvite(passage: Passage): passage is ResponsePassage {
  return (
    passage.kind === 'response' && passage.outgoing.method === 'INVITE' && passage.response.statusCode >= 300
  );
}

function isUndecided({ role, decidedBody }: Passage): boolean {
  return role !== undefined && decidedBody === undefined;
}

function tellsMedia({ role, decidedBody }: Passage): boolean {
  return role !== undefined && decidedBody !== '';
}

function isInviteProgress(passage: Passage): boolean {
  return (
    passage.kind === 'response' && passage.outgoing.method === 'INVITE' && passage.response.statusCode < 300
  );
}

/**
 * UPDATE or PRACK: the owner may answer it by himself. What the callee says of the INVITE meanwhile stays behind that answer: a 2xx that came
 * first would leave the caller with an open offer in a confirmed session.
 */
function isUndecidedRequest(passage: Passage | undefined): boolean {
  return passage?.kind === 'request' && isUndecided(passage);
}

function isFinal(passage: Passage): boolean {
  const message = messageOf(passage);
  return message?.kind === 'response' && message.statusCode >= 200;
}
