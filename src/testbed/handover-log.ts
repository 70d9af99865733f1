/** Keeps the mobile node's account of its handovers, from the lines of `trimaran mobile-node --json` or from events in virtual time. */
import type { Instant } from '../base/instant.ts';
import type { MobileNodeEvent } from '../mobile-node/mobile-node-output.ts';
import type { LabProgress } from './lab-progress.ts';
import type { HandoverResult } from './lab-result.ts';

export class HandoverLog {
  /** Since traffic began. */
  readonly handovers: HandoverResult[] = [];
  readonly problems: string[] = [];
  readonly #tell: (progress: LabProgress) => void;
  #current: string | undefined;
  #isUnderWay = false;
  #trafficBeganAt: Instant | undefined;

  constructor(tell: (progress: LabProgress) => void) {
    this.#tell = tell;
  }

  /** The access that carries the sessions. */
  get current(): string | undefined {
    return this.#current;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  trafficBegan(at: Instant): void {
    this.#trafficBeganAt = at;
  }

  take(event: MobileNodeEvent, at: Instant): void {
    if (event.type === 'handover-started') {
      this.#isUnderWay = true;
      this.#tell({ kind: 'handover-began', at, from: event.from, to: event.to });
    } else if (event.type === 'handover-completed') this.#completed(event, at);
    else if (event.type === 'handover-failed') {
      this.#isUnderWay = false;
      this.problems.push(`the handover to ${event.to} failed: ${event.reason}`);
    } else if (event.type === 'access-failed')
      this.problems.push(`the access ${event.access} failed: ${event.reason}`);
    else if (event.type === 'session-ended' && this.#trafficBeganAt !== undefined)
      this.problems.push(`session ${event.session} ended`);
  }

  #completed(event: Extract<MobileNodeEvent, { type: 'handover-completed' }>, at: Instant): void {
    this.#isUnderWay = false;
    this.#current = event.to;
    if (this.#trafficBeganAt === undefined) return;
    const handover = {
      atMs: at - this.#trafficBeganAt,
      from: event.from ?? null,
      to: event.to,
      kind: event.kind,
      tAttachMs: event.attachMs,
      tActSigMs: event.signallingMs,
      tRegisterMs: event.registerMs,
      tSipMs: event.sipMs,
      tBindingMs: event.bindingMs ?? null,
      totalMs: event.totalMs,
      sessions: event.sessions.length,
      failed: event.failed.length,
      methods: [...new Set(event.sessions.map(({ method }) => method))].sort(),
    };
    this.handovers.push(handover);
    this.#tell({ kind: 'handover-completed', at, handover });
  }
}
