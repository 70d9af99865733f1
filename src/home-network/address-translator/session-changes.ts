/**
 * The sessions of the address translator and what one request does to them (RFC 6736 §4.1, §4.2): all of its definitions or none.
 * A request becomes a `SessionChange`: operations for the engine, and what to do when they are in force or refused.
 */
import type { Instant } from '../../base/instant.ts';
import { familyOf } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import {
  componentsOf,
  isAnyAddress,
  type NatComponent,
  type NatDefinition,
  type NatEnd,
  sameEnd,
} from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { AddressPool } from '../../translation/address-pool.ts';
import type { BindingChange, BindingTable } from '../../translation/binding-table.ts';
import type { FlowKey, TranslationOperation } from '../../translation/translation-operation.ts';
import { maximumBindingsPerSession } from './limits.ts';
import {
  atVersionOfMobileNode,
  bindingOf,
  canMove,
  contradictionIn,
  type Ends,
  isNamedBy,
  isPortPair,
  isTransportAddress,
  noAddressOfFamily,
  type Refusal,
  type SessionComponent,
} from './session-component.ts';

export interface NatRequest {
  readonly install: readonly NatDefinition[];
  readonly remove: readonly NatDefinition[];
  /** NAT-External-Port-Style: RTP and RTCP stay neighbours. */
  readonly keepsPairs: boolean;
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
  readonly #joinsVersions: boolean;
  readonly #maximumBindings: number;
  #names = 0;
  #reserved = 0;

  /** `joinsVersions`: the engine translates between IPv4 and IPv6. */
  constructor(pool: AddressPool, table: BindingTable, joinsVersions: boolean, maximumBindings: number) {
    this.#pool = pool;
    this.#table = table;
    this.#joinsVersions = joinsVersions;
    this.#maximumBindings = maximumBindings;
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
  #change(work: Work, request: NatRequest, now: Instant): Refusal | undefined {
    const { install } = request;
    const changed = new Map<string, SessionComponent>();
    const predefined: NatDefinition[] = [];
    for (const definition of install.filter(({ external }) => !isOpen(external))) {
      const found = work.find(definition);
      if (found === undefined) {
        predefined.push(definition);
        continue;
      }
      const component = changed.get(found.id) ?? found;
      const end = definition.direction === 'in' ? 'mobileNode' : 'correspondent';
      changed.set(found.id, { ...component, [end]: definition.internal });
    }
    const legs = this.#addLegs(work, request, changed);
    if ('resultCode' in legs) return legs;
    for (const one of changed.values()) {
      const component = atVersionOfMobileNode(one);
      const refusal = this.#replace(work, component, now);
      if (refusal !== undefined) return refusal;
      const towardsMobileNode = legs.get(component.id) ?? component.towardsMobileNode;
      work.answered.push({ ...component, towardsMobileNode });
    }
    return this.#claim(work, predefined);
  }

  /** OUT definitions that ask for a y:b of some version of IP, beside an IN that names the component; gives the y:b by the component's id. */
  #addLegs(
    work: Work,
    { install, keepsPairs }: NatRequest,
    changed: Map<string, SessionComponent>,
  ): Map<string, TransportAddress> | Refusal {
    const legs = new Map<string, TransportAddress>();
    const asked = legRequestsIn(install, [...changed.values()]);
    for (let index = 0; index < asked.length; ) {
      const [first, second] = asked.slice(index, index + 2) as [LegRequest, LegRequest | undefined];
      const isPair =
        keepsPairs && second?.family === first.family && isPortPair(first.component, second.component);
      const group = isPair ? [first, second] : [first];
      const leg = legOf(first) ?? this.#allocateLeg(work, first, group.length === 2 ? 2 : 1);
      if ('resultCode' in leg) return leg;
      for (const [offset, request] of group.entries()) {
        const { component, correspondent } = request;
        const own = legOf(request) ?? { address: leg.address, port: leg.port + offset };
        const isPresent = sameEnd(own, component.towardsMobileNode);
        const otherTowardsMobileNode = isPresent ? component.otherTowardsMobileNode : own;
        changed.set(component.id, { ...component, correspondent, otherTowardsMobileNode });
        legs.set(component.id, own);
      }
      index += group.length;
    }
    return legs;
  }

  #allocateLeg(work: Work, { component, family }: LegRequest, count: 1 | 2): TransportAddress | Refusal {
    if (!this.#joinsVersions || !this.#pool.has(family)) return noAddressOfFamily;
    const { protocol } = component;
    const suits = (address: string): boolean => this.#isFree(component, { y: address });
    const leg = this.#pool.allocate({ family, protocol, count, suits });
    if (leg === undefined) return poolFull;
    work.onUndo(() => this.#pool.release(protocol, leg, count));
    return leg;
  }

  /** Both addresses are given (a "predefined binding", RFC 6736 §8.7.4): a controller restores what this translator has forgotten. */
  #claim(work: Work, definitions: readonly NatDefinition[]): Refusal | undefined {
    const [definition] = definitions;
    if (definition === undefined) return undefined;
    const components = componentsOf(definitions);
    if (components === undefined) return unknownBinding(definition);
    const full = this.#refusalOfMore(work, components.length);
    if (full !== undefined) return full;
    for (const {
      protocol,
      mobileNode,
      correspondent,
      towardsCorrespondent: x,
      towardsMobileNode: y,
    } of components) {
      if (!isTransportAddress(x) || !isTransportAddress(y)) return unknownBinding(definition);
      if (!this.#pool.claim(protocol, x)) return unknownBinding(definition);
      work.onUndo(() => this.#pool.release(protocol, x, 1));
      if (!this.#pool.claim(protocol, y)) return unknownBinding(definition);
      work.onUndo(() => this.#pool.release(protocol, y, 1));
      const ends = { mobileNode, correspondent, towardsCorrespondent: x, towardsMobileNode: y };
      const refusal = this.#bind(work, { id: this.#newName(), protocol, ...ends });
      if (refusal !== undefined) return refusal;
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
      return work.apply(this.#table.move(component.id, binding.mobileNode, now, binding.towardsMobileNode))
        ? undefined
        : flowTaken;
    }
    if (bound !== undefined) work.apply(this.#table.release(component.id));
    if (binding === undefined) return undefined;
    return work.apply(this.#table.install(binding)) ? undefined : flowTaken;
  }

  /** Definitions whose external address the translator chooses: the n-th IN and the n-th OUT make a component. */
  #add(work: Work, { install, keepsPairs }: NatRequest): Refusal | undefined {
    const wanted = componentsOf(newDefinitionsIn(install));
    if (wanted === undefined)
      return { resultCode: resultCode.contradictingAvps, reason: 'IN and OUT definitions do not pair' };
    const full = this.#refusalOfMore(work, wanted.length);
    if (full !== undefined) return full;
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
    const { x, y } = addresses;
    work.onUndo(() => this.#releaseGroup(group, x, y));
    for (const [offset, { protocol, mobileNode, correspondent }] of group.entries()) {
      const towardsCorrespondent = { address: x.address, port: x.port + offset };
      const towardsMobileNode = { address: y.address, port: y.port + offset };
      const ends = { mobileNode, correspondent, towardsCorrespondent, towardsMobileNode };
      const refusal = this.#bind(work, { id: this.#newName(), protocol, ...ends });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #releaseGroup(group: readonly NatComponent[], x: TransportAddress, y: TransportAddress): void {
    for (const [offset, { protocol }] of group.entries())
      for (const { address, port } of [x, y])
        this.#pool.release(protocol, { address, port: port + offset }, 1);
  }

  /** A component whose addresses are taken from the pool. */
  #bind(work: Work, component: SessionComponent): Refusal | undefined {
    this.#reserved += 1;
    work.onUndo(() => {
      this.#reserved -= 1;
    });
    work.components.set(component.id, component);
    work.answered.push(component);
    const contradiction = contradictionIn(component);
    if (contradiction !== undefined) return contradiction;
    const binding = bindingOf(component);
    return binding === undefined || work.apply(this.#table.install(binding)) ? undefined : flowTaken;
  }

  #newName(): string {
    this.#names += 1;
    return String(this.#names);
  }

  #refusalOfMore(work: Work, count: number): Refusal | undefined {
    if (work.components.size + count > maximumBindingsPerSession)
      return {
        resultCode: resultCode.maximumBindingsReachedForEndpoint,
        reason: 'too many bindings in the session',
      };
    if (this.#reserved + count > this.#maximumBindings)
      return { resultCode: resultCode.resourceFailure, reason: 'the translator has no more bindings' };
    return undefined;
  }

  #allocate(group: readonly NatComponent[]): { x: TransportAddress; y: TransportAddress } | Refusal {
    const [first] = group;
    const families = first && familiesOf(first);
    if (first === undefined || families === undefined)
      return { resultCode: resultCode.invalidAvpValue, reason: 'neither end of the component is known' };
    const { protocol } = first;
    const count = group.length === 2 ? 2 : 1;
    const isPossible = families.x === families.y || this.#joinsVersions;
    if (!isPossible || !this.#pool.has(families.x) || !this.#pool.has(families.y)) return noAddressOfFamily;
    const x = this.#pool.allocate({
      family: families.x,
      protocol,
      count,
      suits: (address) => this.#isFree(first, { x: address }),
    });
    if (x === undefined) return poolFull;
    const y = this.#pool.allocate({
      family: families.y,
      protocol,
      count,
      suits: (address) => this.#isFree(first, { y: address }),
    });
    if (y !== undefined) return { x, y };
    this.#pool.release(protocol, x, count);
    return poolFull;
  }

  /** Where a port is kept and not bound, a second flow between the same ends needs another address of the translator. */
  #isFree(component: Ends, candidate: { x?: string; y?: string }): boolean {
    // In UDP both ports are bound: no two flows have the same.
    if (component.protocol === 'udp') return true;
    // Port 0 is nobody's: the side that is not asked about is free in any case.
    const binding = bindingOf({
      ...component,
      id: '',
      mobileNode: component.mobileNode,
      correspondent: component.correspondent,
      towardsCorrespondent: { address: candidate.x ?? '', port: 0 },
      towardsMobileNode: { address: candidate.y ?? '', port: 0 },
    });
    return binding === undefined || this.#table.isFree(binding);
  }

  #giveBack({
    protocol,
    towardsCorrespondent,
    towardsMobileNode,
    otherTowardsMobileNode,
  }: SessionComponent): void {
    this.#reserved -= 1;
    for (const own of [towardsCorrespondent, towardsMobileNode, otherTowardsMobileNode])
      if (own !== undefined) this.#pool.release(protocol, own, 1);
  }
}

/** An address that the translator chooses. */
function isOpen(external: NatEnd | undefined): boolean {
  return external === undefined || isAnyAddress(external);
}

interface LegRequest {
  readonly component: SessionComponent;
  readonly correspondent: NatEnd | undefined;
  readonly family: 4 | 6;
}

/** The n-th OUT belongs to the n-th IN. */
function legRequestsIn(install: readonly NatDefinition[], named: readonly SessionComponent[]): LegRequest[] {
  const ins = install.filter(({ direction }) => direction === 'in');
  const outs = install.filter(({ direction }) => direction === 'out');
  return outs.flatMap(({ external, internal: correspondent }, index) => {
    const beside = ins[index];
    if (!isAnyAddress(external) || beside === undefined || isOpen(beside.external)) return [];
    const component = named.find((one) => isNamedBy(one, beside));
    const family = familyOf(external.address);
    return component === undefined ? [] : [{ component, correspondent, family }];
  });
}

function legOf({ component, family }: LegRequest): TransportAddress | undefined {
  const { towardsMobileNode, otherTowardsMobileNode } = component;
  return [towardsMobileNode, otherTowardsMobileNode].find(
    (leg) => leg !== undefined && familyOf(leg.address) === family,
  );
}

/** Those of components that are not there yet. */
function newDefinitionsIn(install: readonly NatDefinition[]): NatDefinition[] {
  const ins = install.filter(({ direction }) => direction === 'in');
  const outs = install.filter(({ direction }) => direction === 'out');
  return [
    ...ins.filter(({ external }) => isOpen(external)),
    ...outs.filter(({ external }, index) => isOpen(external) && isOpen(ins[index]?.external)),
  ];
}

/** By what is asked for, then by the end that the address is for, then by the other one. */
function familiesOf(component: NatComponent): { x: 4 | 6; y: 4 | 6 } | undefined {
  const { correspondent, mobileNode, towardsCorrespondent, towardsMobileNode } = component;
  const known = mobileNode ?? correspondent;
  if (known === undefined) return undefined;
  return {
    x: familyOf((towardsCorrespondent ?? correspondent ?? known).address),
    y: familyOf((towardsMobileNode ?? mobileNode ?? known).address),
  };
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
  return {
    resultCode: resultCode.bindingFailure,
    reason: 'no such address in the session, nor free',
    definition,
  };
}
