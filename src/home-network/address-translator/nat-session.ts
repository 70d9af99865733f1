/**
 * The sessions of the address translator and what one request does to them (RFC 6736 §4.1, §4.2): all of its definitions or none.
 * A request becomes a `SessionChange`: operations for the engine, and what to do when they are in force or refused.
 */

import type { Instant } from '../../base/instant.ts';
import { ipFamilyOf } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import {
  componentsOf,
  type NatComponent,
  type NatDefinition,
  type NatEnd,
  sameEnd,
} from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { AddressPool } from '../../translation/address-pool.ts';
import type { Binding, BindingChange, BindingTable } from '../../translation/binding-table.ts';
import type { FlowKey, TranslationOperation } from '../../translation/translation-operation.ts';
import { maximumBindings, maximumBindingsPerSession } from './limits.ts';

/** One media component with its two addresses; its binding is in force once both ends are known. */
export interface SessionComponent {
  readonly id: string;
  readonly family: 4 | 6;
  readonly protocol: 'udp' | 'tcp';
  readonly towardsCorrespondent: TransportAddress;
  readonly towardsMobileNode: TransportAddress;
  readonly mobileNode: NatEnd | undefined;
  readonly correspondent: NatEnd | undefined;
}

export interface NatRequest {
  readonly install: readonly NatDefinition[];
  readonly remove: readonly NatDefinition[];
  /** NAT-External-Port-Style: RTP and RTCP stay neighbours. */
  readonly keepsPairs: boolean;
}

/** Why nothing was done, and the definition that is to blame. */
export interface Refusal {
  readonly resultCode: number;
  readonly reason: string;
  readonly definition?: NatDefinition;
}

export interface SessionChange {
  readonly operations: readonly TranslationOperation[];
  readonly components: readonly SessionComponent[];
  /** The components that the request was about, in its order. */
  readonly answered: readonly SessionComponent[];
  /** When the operations are in force. */
  readonly commit: () => void;
  /** When they were refused. */
  readonly undo: () => void;
}

export class SessionChanges {
  readonly #pool: AddressPool;
  readonly #table: BindingTable;
  #names = 0;
  #reserved = 0;

  constructor(pool: AddressPool, table: BindingTable) {
    this.#pool = pool;
    this.#table = table;
  }

  /** Components with addresses, in force or not. */
  get size(): number {
    return this.#reserved;
  }

  flowsOf(component: SessionComponent): readonly FlowKey[] {
    return this.#table.flowsOf(component.id);
  }

  prepare(
    components: readonly SessionComponent[],
    request: NatRequest,
    now: Instant,
  ): SessionChange | Refusal {
    const work = new Work(components);
    const refusal =
      this.#remove(work, request) ?? this.#change(work, request, now) ?? this.#add(work, request);
    if (refusal === undefined) return this.#finish(work);
    work.undo();
    return refusal;
  }

  /** The end of a session. */
  release(components: readonly SessionComponent[]): SessionChange {
    const work = new Work(components);
    for (const component of components) this.#drop(work, component);
    return this.#finish(work);
  }

  #finish(work: Work): SessionChange {
    return {
      operations: work.operations,
      components: [...work.components.values()],
      answered: work.answered,
      commit: () => {
        for (const component of work.dropped) this.#giveBack(component);
      },
      undo: () => work.undo(),
    };
  }

  #remove(work: Work, { remove }: NatRequest): Refusal | undefined {
    for (const definition of remove) {
      const component = work.find(definition);
      const isGone = work.dropped.some((dropped) => isNamedBy(dropped, definition));
      if (component === undefined && !isGone) return unknownBinding(definition);
      if (component !== undefined) this.#drop(work, component);
    }
    return undefined;
  }

  #drop(work: Work, component: SessionComponent): void {
    work.apply(this.#table.release(component.id));
    work.components.delete(component.id);
    work.dropped.push(component);
  }

  /** Definitions that name a component by its external address. */
  #change(work: Work, { install }: NatRequest, now: Instant): Refusal | undefined {
    const changed = new Map<string, SessionComponent>();
    const named = install.filter(({ external }) => external !== undefined);
    for (const definition of named) {
      const found = work.find(definition);
      if (found === undefined) return unknownBinding(definition);
      const component = changed.get(found.id) ?? found;
      const end = definition.direction === 'in' ? 'mobileNode' : 'correspondent';
      changed.set(found.id, { ...component, [end]: definition.internal });
    }
    for (const component of changed.values()) {
      const refusal = this.#replace(work, component, now);
      if (refusal !== undefined) return { ...refusal, ...(named[0] && { definition: named[0] }) };
      work.answered.push(component);
    }
    return undefined;
  }

  #replace(work: Work, component: SessionComponent, now: Instant): Refusal | undefined {
    const contradiction = contradictionIn(component);
    if (contradiction !== undefined) return contradiction;
    const before = work.components.get(component.id);
    work.components.set(component.id, component);
    const binding = bindingOf(component);
    const bound = this.#table.get(component.id);
    if (bound !== undefined && before !== undefined && canMove(before, component) && binding !== undefined) {
      if (sameEnd(before.mobileNode, component.mobileNode)) return undefined;
      return work.apply(this.#table.move(component.id, binding.mobileNode, now)) ? undefined : flowTaken;
    }
    if (bound !== undefined) work.apply(this.#table.release(component.id));
    if (binding === undefined) return undefined;
    return work.apply(this.#table.install(binding)) ? undefined : flowTaken;
  }

  /** Definitions without an external address: the n-th IN and the n-th OUT make a component. */
  #add(work: Work, { install, keepsPairs }: NatRequest): Refusal | undefined {
    const wanted = componentsOf(install.filter(({ external }) => external === undefined));
    if (wanted === undefined)
      return { resultCode: resultCode.contradictingAvps, reason: 'IN and OUT definitions do not pair' };
    if (work.components.size + wanted.length > maximumBindingsPerSession)
      return {
        resultCode: resultCode.maximumBindingsReachedForEndpoint,
        reason: 'too many bindings in the session',
      };
    if (this.#reserved + wanted.length > maximumBindings)
      return { resultCode: resultCode.resourceFailure, reason: 'the translator has no more bindings' };
    for (let index = 0; index < wanted.length; ) {
      const isPair = keepsPairs && isPortPair(wanted[index], wanted[index + 1]);
      const group = wanted.slice(index, index + (isPair ? 2 : 1));
      const refusal = this.#addGroup(work, group);
      if (refusal !== undefined) return refusal;
      index += group.length;
    }
    return undefined;
  }

  /** One component, or an RTP/RTCP pair on neighbouring ports. */
  #addGroup(work: Work, group: readonly NatComponent[]): Refusal | undefined {
    const addresses = this.#allocate(group);
    if (!('x' in addresses)) return addresses;
    for (const [offset, { protocol, mobileNode, correspondent }] of group.entries()) {
      this.#names += 1;
      this.#reserved += 1;
      const component: SessionComponent = {
        id: String(this.#names),
        family: addresses.family,
        protocol,
        towardsCorrespondent: { address: addresses.x.address, port: addresses.x.port + offset },
        towardsMobileNode: { address: addresses.y.address, port: addresses.y.port + offset },
        mobileNode,
        correspondent,
      };
      work.onUndo(() => this.#giveBack(component));
      work.components.set(component.id, component);
      work.answered.push(component);
      const refusal = contradictionIn(component);
      if (refusal !== undefined) return refusal;
      const binding = bindingOf(component);
      if (binding !== undefined && !work.apply(this.#table.install(binding))) return flowTaken;
    }
    return undefined;
  }

  #allocate(
    group: readonly NatComponent[],
  ): { family: 4 | 6; x: TransportAddress; y: TransportAddress } | Refusal {
    const [first] = group;
    const family = ipFamilyOf((first?.mobileNode ?? first?.correspondent)?.address ?? '');
    if (first === undefined || family === undefined)
      return { resultCode: resultCode.invalidAvpValue, reason: 'neither end of the component is known' };
    const count = group.length === 2 ? 2 : 1;
    const request = { family, protocol: first.protocol, count } as const;
    const x = this.#pool.allocate({
      ...request,
      suits: (address) => this.#isFree(first, family, { x: address }),
    });
    if (x === undefined) return poolFull;
    const y = this.#pool.allocate({
      ...request,
      suits: (address) => this.#isFree(first, family, { y: address }),
    });
    if (y !== undefined) return { family, x, y };
    this.#pool.release(first.protocol, x, count);
    return poolFull;
  }

  /** Where a port is kept and not bound, a second flow between the same ends needs another address of the translator. */
  #isFree(component: NatComponent, family: 4 | 6, candidate: { x?: string; y?: string }): boolean {
    // Port 0 is nobody's: the side that is not asked about is free in any case.
    const binding = bindingOf({
      ...component,
      id: '',
      family,
      mobileNode: component.mobileNode,
      correspondent: component.correspondent,
      towardsCorrespondent: { address: candidate.x ?? '', port: 0 },
      towardsMobileNode: { address: candidate.y ?? '', port: 0 },
    });
    return binding === undefined || this.#table.isFree(binding);
  }

  #giveBack({ protocol, towardsCorrespondent, towardsMobileNode }: SessionComponent): void {
    this.#reserved -= 1;
    this.#pool.release(protocol, towardsCorrespondent, 1);
    this.#pool.release(protocol, towardsMobileNode, 1);
  }
}

/** What has been done so far for one request. */
class Work {
  readonly components: Map<string, SessionComponent>;
  readonly dropped: SessionComponent[] = [];
  readonly answered: SessionComponent[] = [];
  readonly operations: TranslationOperation[] = [];
  readonly #undo: (() => void)[] = [];

  constructor(components: readonly SessionComponent[]) {
    this.components = new Map(components.map((component) => [component.id, component]));
  }

  find(definition: NatDefinition): SessionComponent | undefined {
    return [...this.components.values()].find((component) => isNamedBy(component, definition));
  }

  /** False when the table refused. */
  apply(change: BindingChange | undefined): boolean {
    if (change === undefined) return false;
    this.operations.push(...change.operations);
    this.#undo.push(change.undo);
    return true;
  }

  onUndo(step: () => void): void {
    this.#undo.push(step);
  }

  undo(): void {
    for (const step of this.#undo.splice(0).reverse()) step();
  }
}

const flowTaken: Refusal = { resultCode: resultCode.bindingFailure, reason: 'another session has this flow' };
const poolFull: Refusal = { resultCode: resultCode.resourceFailure, reason: 'no free address and port' };

function unknownBinding(definition: NatDefinition): Refusal {
  return { resultCode: resultCode.bindingFailure, reason: 'the session has no such binding', definition };
}

function isNamedBy(component: SessionComponent, { direction, protocol, external }: NatDefinition): boolean {
  const own = direction === 'in' ? component.towardsCorrespondent : component.towardsMobileNode;
  return component.protocol === protocol && sameEnd(own, external);
}

function contradictionIn({
  family,
  protocol,
  mobileNode,
  correspondent,
}: SessionComponent): Refusal | undefined {
  const ends = [mobileNode, correspondent].filter((end) => end !== undefined);
  if (ends.some(({ address }) => ipFamilyOf(address) !== family))
    return { resultCode: resultCode.bindingFailure, reason: 'no translation between IPv4 and IPv6' };
  const active = ends.filter(({ port }) => port === undefined).length;
  if (active > (protocol === 'tcp' ? 1 : 0))
    return { resultCode: resultCode.invalidAvpValue, reason: 'a port is missing' };
  return undefined;
}

/** Undefined as long as an end is not known. */
function bindingOf(component: SessionComponent): Binding | undefined {
  const { id, family, protocol, mobileNode, correspondent } = component;
  if (mobileNode === undefined || correspondent === undefined) return undefined;
  const activeEnd = activeEndOf(component);
  return {
    id,
    family,
    protocol,
    ...(activeEnd && { activeEnd }),
    correspondent: { address: correspondent.address, port: correspondent.port ?? 0 },
    towardsCorrespondent: component.towardsCorrespondent,
    towardsMobileNode: component.towardsMobileNode,
    mobileNode: { address: mobileNode.address, port: mobileNode.port ?? 0 },
  };
}

function activeEndOf({ mobileNode, correspondent }: SessionComponent): Binding['activeEnd'] {
  if (mobileNode !== undefined && mobileNode.port === undefined) return 'mobile-node';
  return correspondent !== undefined && correspondent.port === undefined ? 'correspondent-node' : undefined;
}

/** Only the mobile node's end differs: a handover, one element change. */
function canMove(before: SessionComponent, after: SessionComponent): boolean {
  return sameEnd(before.correspondent, after.correspondent) && activeEndOf(before) === activeEndOf(after);
}

/** RTP on an even port and RTCP on the next (RFC 3550 §11), by whichever end is known. */
function isPortPair(rtp: NatComponent | undefined, rtcp: NatComponent | undefined): boolean {
  if (rtp?.protocol !== 'udp' || rtcp?.protocol !== 'udp') return false;
  return (['mobileNode', 'correspondent'] as const).some((end) => {
    const [first, second] = [rtp[end], rtcp[end]];
    return (
      first?.port !== undefined &&
      first.port % 2 === 0 &&
      second?.port === first.port + 1 &&
      second.address === first.address
    );
  });
}
