/**
 * What the home link has to believe about a mobile node that is away (RFC 5944 §4.6): packets for its home address are the home agent's
 * while it has a binding, and its own again when it has come home. ARP has no acknowledgment, so gratuitous ones are repeated.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { HomeAgentEffect } from './home-agent-options.ts';
import { gratuitousArpIntervalMs, gratuitousArpTimes } from './limits.ts';

type Owner = Extract<HomeAgentEffect, { type: 'gratuitous-arp' }>['owner'];

export class HomeLink {
  readonly #exists: boolean;
  readonly #announcements = new Map<string, { readonly owner: Owner; left: number }>();
  readonly #deadlines = new DeadlineQueue<string>();

  /** A correspondent has none: it only sends its own packets. */
  constructor(exists: boolean) {
    this.#exists = exists;
  }

  /** The first binding has come, or the last one has gone. */
  serve(homeAddress: string, enabled: boolean, now: Instant): readonly HomeAgentEffect[] {
    if (!this.#exists) return [];
    if (enabled) this.#announce(homeAddress, 'home-agent', now);
    else {
      this.#announcements.delete(homeAddress);
      this.#deadlines.delete(homeAddress);
    }
    return [{ type: 'proxy-arp', homeAddress, enabled }, ...this.handleTimeout(now)];
  }

  /** The mobile node deregistered from the home link itself: the others there are told its own link-layer address. */
  handOver(homeAddress: string, now: Instant): void {
    if (this.#exists) this.#announce(homeAddress, 'mobile-node', now);
  }

  handleTimeout(now: Instant): readonly HomeAgentEffect[] {
    const effects: HomeAgentEffect[] = [];
    for (
      let homeAddress = this.#deadlines.takeDue(now);
      homeAddress !== undefined;
      homeAddress = this.#deadlines.takeDue(now)
    ) {
      const announcement = this.#announcements.get(homeAddress)!;
      effects.push({ type: 'gratuitous-arp', homeAddress, owner: announcement.owner });
      announcement.left -= 1;
      if (announcement.left > 0)
        this.#deadlines.set(homeAddress, now + gratuitousArpIntervalMs, 'gratuitous-arp');
      else this.#announcements.delete(homeAddress);
    }
    return effects;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #announce(homeAddress: string, owner: Owner, now: Instant): void {
    this.#announcements.set(homeAddress, { owner, left: gratuitousArpTimes });
    this.#deadlines.set(homeAddress, now, 'gratuitous-arp');
  }
}
