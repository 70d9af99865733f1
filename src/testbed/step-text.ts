/** What a run says of a step of its timeline; nothing of the middle of a ramp. */
import type { TimelineStep } from './scenario.ts';

export function stepText(action: TimelineStep['action']): string | undefined {
  const { access } = action;
  switch (action.kind) {
    case 'up':
      return `${access} comes up`;
    case 'down':
      return `${access} goes down`;
    case 'change':
      return action.note === undefined ? undefined : `${access} ${action.note}`;
    case 'handover':
      return undefined;
  }
}
