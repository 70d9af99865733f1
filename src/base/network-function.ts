/**
 * The shape of every network function of the project (ims-core, trim-as, address-translator, mobile-node, correspondent-node):
 * a machine that speaks datagrams and byte streams (network.ts), tells its host what happened (events) and which kernel state it
 * wants (effects). Two hosts drive it and cannot be told apart: runtime/event-loop.ts over sockets, sim/virtual-host.ts in virtual time.
 */
import type { Machine } from './machine.ts';
import type { NetworkInput, NetworkOutput } from './network.ts';

/** Something a person or the parent may want to know. */
export interface EventOutput<Event> {
  readonly kind: 'event';
  readonly event: Event;
}

/** Kernel state that the network function wants, as data. */
export interface EffectOutput<Effect> {
  readonly kind: 'effect';
  readonly effect: Effect;
}

/** A network function with its own inputs, events and effects; `never` where it has none. */
export type NetworkFunction<Input, Event, Effect> = Machine<
  NetworkInput | Input,
  NetworkOutput | EventOutput<Event> | EffectOutput<Effect>
>;
