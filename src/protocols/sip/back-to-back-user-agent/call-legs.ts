/**
 * The legs of one call: the present two (or one), a dialog that is about to take the place of one of them (RFC 3891), and those that
 * were replaced, which Replaces may still name: the caller who moves may not have seen that his last move succeeded.
 */
import type { Instant } from '../../../base/instant.ts';
import { emptyList, withItem } from '../../../base/short-list.ts';
import type { CallLeg } from '../user-agent/call-leg.ts';
import type { LegDialog } from '../user-agent/leg-dialog.ts';
import type { LegEvent } from '../user-agent/leg-host.ts';
import { emptyContent } from '../user-agent/message-content.ts';
import type { OutgoingRequest } from '../user-agent/outgoing-request.ts';
import type { LegName } from './call-event.ts';
import { maxFormerLegs } from './limits.ts';

export interface Replacement {
  readonly name: LegName;
  readonly leg: CallLeg;
  /** An INVITE of ours; absent when it arrived. */
  readonly outgoing?: OutgoingRequest;
  /** Of an INVITE that still rings (early-takeover.ts). */
  readonly isEarly?: boolean;
  /** BYE came on the leg that is being replaced. */
  loss?: Extract<LegEvent, { kind: 'lost' }>;
}

export class CallLegs {
  /** The present ones. */
  caller: CallLeg | undefined;
  callee: CallLeg | undefined;
  replacement: Replacement | undefined;
  /** With the name of the leg that each stood for. */
  #former: readonly { readonly leg: CallLeg; readonly name: LegName }[] = emptyList;

  get all(): CallLeg[] {
    const former = this.#former.map(({ leg }) => leg);
    return [...this.#present, ...former, ...(this.replacement === undefined ? [] : [this.replacement.leg])];
  }

  get #present(): CallLeg[] {
    return [this.caller, this.callee].filter((leg) => leg !== undefined);
  }

  /** Nothing is left that could go on. */
  get areDead(): boolean {
    const { caller, callee, replacement } = this;
    return replacement === undefined && (caller?.isEnded ?? true) && (callee?.isEnded ?? true);
  }

  presentNameOf(leg: CallLeg): LegName | undefined {
    if (leg === this.caller) return 'caller';
    return leg === this.callee ? 'callee' : undefined;
  }

  nameOf(leg: CallLeg): LegName | undefined {
    return this.presentNameOf(leg) ?? this.#former.find((former) => former.leg === leg)?.name;
  }

  isReplacing(leg: CallLeg): boolean {
    return this.replacement?.leg === leg;
  }

  /** The new dialog becomes the leg. */
  completeReplacement(now: Instant): LegName {
    const { name, leg, outgoing } = this.replacement!;
    const old = this[name];
    this.replacement = undefined;
    this[name] = leg;
    if (old === undefined) return name;
    this.#keep(old, name);
    // RFC 3891 §3: who accepts the new INVITE sends the BYE. What the old leg still owed is settled through its events.
    if (outgoing === undefined) old.hangUp({ statusCode: 487, content: emptyContent }, now, false);
    else old.end(now);
    return name;
  }

  /** Another leg is the present one, and nothing is owed to the old one. */
  takeOver(name: LegName, leg: CallLeg): void {
    const old = this[name];
    this[name] = leg;
    if (old !== undefined) this.#keep(old, name);
  }

  /** Of the present leg or, while that has none, of the one before. */
  lastDialogOf(name: LegName): LegDialog | undefined {
    const former = this.#former.flatMap(({ leg, name: formerName }) => (formerName === name ? [leg] : []));
    return [...former, ...(this[name] ? [this[name]] : [])]
      .reverse()
      .flatMap((leg) => leg.mainDialog ?? leg.allDialogs)[0];
  }

  /** Takes out the oldest former legs, so that endless moving needs no endless memory. */
  takeSurplus(): readonly CallLeg[] {
    if (this.#former.length <= maxFormerLegs) return emptyList;
    const surplus = this.#former.slice(0, this.#former.length - maxFormerLegs);
    this.#former = this.#former.slice(surplus.length);
    return surplus.map(({ leg }) => leg);
  }

  /** The replacement failed; the leg is what it was. */
  dropReplacement(): Replacement {
    const dropped = this.replacement!;
    this.replacement = undefined;
    this.#keep(dropped.leg, dropped.name);
    return dropped;
  }

  #keep(leg: CallLeg, name: LegName): void {
    this.#former = withItem(this.#former, { leg, name });
  }
}
