/**
 * Entry of the lab's media programs: `node media-main.js KIND SETTINGS-AS-JSON`. It talks with the lab over Node's channel, if it has one
 * (MediaCommand, MediaMessage); started by hand it runs until SIGINT and prints its report.
 */

import type { TransportAddress } from '../../base/network.ts';
import { CaptureProgram } from '../capture/capture-program.ts';
import { BulkProgram } from './bulk-program.ts';
import { InteractiveProgram } from './interactive-program.ts';
import type { MediaCommand, MediaKind, MediaMessage, MediaReports, MediaSettings } from './media-protocol.ts';
import { RtpProgram } from './rtp-program.ts';

interface Program {
  readonly local?: TransportAddress | undefined;
  report(): MediaReports[MediaKind];
  startSending?(): void;
  sendTo?(remote: TransportAddress): void;
  stopSending?(): void;
  close(): void;
}

const progressIntervalMs = 250;

function start(kind: MediaKind, settings: unknown): Program | Promise<Program> {
  switch (kind) {
    case 'rtp':
      return RtpProgram.start(settings as MediaSettings['rtp']);
    case 'bulk':
      return BulkProgram.start(settings as MediaSettings['bulk']);
    case 'interactive':
      return InteractiveProgram.start(settings as MediaSettings['interactive']);
    case 'capture':
      return new CaptureProgram(settings as MediaSettings['capture']);
  }
}

function tell(message: MediaMessage): void {
  if (process.connected) process.send?.(message);
}

function finish(program: Program): void {
  const report = program.report();
  program.close();
  if (process.send === undefined) {
    console.log(JSON.stringify(report));
    process.exit(0);
  }
  process.send({ kind: 'report', report } satisfies MediaMessage, () => process.exit(0));
}

const [kind = '', settings = ''] = process.argv.slice(2);
let hasStopped = false;
const program = await start(kind as MediaKind, JSON.parse(settings));
process.on('message', (command: MediaCommand) => {
  if (command.kind === 'finish') finish(program);
  else if (command.kind === 'start-sending') program.startSending?.();
  else if (command.kind === 'send-to') program.sendTo?.(command.remote);
  else {
    program.stopSending?.();
    hasStopped = true;
    tellProgress();
  }
});
process.on('disconnect', () => process.exit(1));
process.on('SIGINT', () => finish(program));
if (process.send === undefined) program.startSending?.();
tell({ kind: 'ready', local: program.local });
setInterval(tellProgress, progressIntervalMs);

function tellProgress(): void {
  const { series: _series, gaps: _gaps, ...report } = { series: 0, gaps: 0, ...program.report() };
  tell({ kind: 'progress', report, hasStopped });
}
