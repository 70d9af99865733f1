/** How a lab run shows on standard output while it is at work: a frame that redraws itself on a terminal, else one line per event. */
import type { LabProgress } from '../testbed/lab-progress.ts';
import type { HandoverResult } from '../testbed/lab-result.ts';
import type { LabTierReport } from '../testbed/lab-tier.ts';
import type { Scenario } from '../testbed/scenario.ts';
import { LabFrame } from './lab-frame.ts';
import { wrap } from './manual-page.ts';

export interface LabView {
  tell(progress: LabProgress): void;
  /** Leaves the terminal as other programs expect it. */
  close(): void;
}

export function newLabView(scenario: Scenario, tier: LabTierReport): LabView {
  return process.stdout.isTTY ? new LiveView(scenario, tier) : new PlainView(scenario, tier);
}

/** What the tier means, and what would unlock more. */
function tierLines({ tier, reason, remedy }: LabTierReport): string[] {
  const meanings = {
    root: 'real kernel, in network namespaces of their own',
    'user-namespace': 'real kernel, inside a user namespace',
    virtual: 'virtual time',
  } as const;
  return [
    ...wrap(`Runs in: ${meanings[tier]} (${reason}).`, ''),
    ...(remedy === '' ? [] : wrap(`For more: ${remedy}`, '')),
  ];
}

class PlainView implements LabView {
  #originAt: number | undefined;

  constructor(scenario: Scenario, tier: LabTierReport) {
    const lines = [...wrap(`Scenario ${scenario.name}: ${scenario.title}`, ''), ...tierLines(tier)];
    for (const line of lines) this.#say(line);
  }

  tell(progress: LabProgress): void {
    switch (progress.kind) {
      case 'stage-began':
        this.#say(`${progress.text} …`);
        break;
      case 'traffic-began':
        this.#originAt = progress.at;
        this.#say('traffic flows');
        break;
      case 'step-taken':
        this.#say(`${this.#clock(progress.at)} ${progress.text}`);
        break;
      case 'handover-completed':
        this.#say(`${this.#clock(progress.at)} ${handoverLine(progress.handover)}`);
        break;
      case 'traffic-ended':
        this.#say(`${this.#clock(progress.at)} traffic ends`);
        break;
      default:
    }
  }

  close(): void {}

  #clock(at: number): string {
    return `${((at - (this.#originAt ?? at)) / 1000).toFixed(1).padStart(6)} s`;
  }

  #say(line: string): void {
    process.stdout.write(`${line}\n`);
  }
}

function handoverLine({ from, to, kind, ...times }: HandoverResult): string {
  const { tAttachMs, tActSigMs, tRegisterMs, tSipMs, totalMs, sessions } = times;
  const terms = [tAttachMs, tActSigMs, tRegisterMs, tSipMs].map((ms) => ms.toFixed(1)).join(' + ');
  return `${from ?? '(none)'} > ${to} (${kind}): ${sessions} sessions in ${totalMs.toFixed(1)} ms (${terms})`;
}

/** At most this often: a person does not see more, and a slow terminal must not hold the lab up. */
const redrawIntervalMs = 200;

class LiveView implements LabView {
  readonly #frame: LabFrame;
  readonly #timer: NodeJS.Timeout;
  #linesDrawn = 0;

  constructor(scenario: Scenario, tier: LabTierReport) {
    this.#frame = new LabFrame(scenario, tierLines(tier));
    process.stdout.write(hideCursor);
    this.#timer = setInterval(() => this.#draw(), redrawIntervalMs);
  }

  tell(progress: LabProgress): void {
    this.#frame.take(progress);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#draw();
    process.stdout.write(showCursor);
  }

  #draw(): void {
    // Node keeps the size that the terminal told last; 24 lines is what a terminal has that tells none.
    const lines = this.#frame.lines(process.stdout.rows || 24);
    const back = this.#linesDrawn === 0 ? '' : `\x1b[${this.#linesDrawn}A`;
    process.stdout.write(`${back}\r\x1b[J${lines.join('\n')}\n`);
    this.#linesDrawn = lines.length;
  }
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
