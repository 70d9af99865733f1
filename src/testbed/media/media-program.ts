/**
 * A media program as the lab sees it: started on a node, watched while it runs, told to stop sending, and asked for its report.
 *
 *   start (ready) ─▶ startSending (RTP) ─▶ progress … ─▶ stopSending ─▶ finish (report)
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TransportAddress } from '../../base/network.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type {
  MediaCommand,
  MediaKind,
  MediaMessage,
  MediaProgress,
  MediaReports,
  MediaSettings,
} from './media-protocol.ts';

/** Starts a program where it shall run, such as `(…rest) => topology.spawn('mn', …rest)`. */
export type Spawn = (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

export class MediaProgram<Kind extends MediaKind> {
  /** Where it listens or sends from, port filled in; undefined for programs that do neither. */
  readonly local: TransportAddress | undefined;
  /** The latest news; undefined in the first moments. */
  progress: MediaProgress<Kind> | undefined;
  /** What it has sent, by the latest news, is final. */
  hasStopped = false;
  readonly #child: ChildProcess;
  readonly #report: Promise<MediaReports[Kind]>;

  /** Resolves when the program is ready: bound, listening or connected. Rejects with MEDIA_PROGRAM_FAILED when it ended before. */
  static async start<Kind extends MediaKind>(
    spawn: Spawn,
    kind: Kind,
    settings: MediaSettings[Kind],
  ): Promise<MediaProgram<Kind>> {
    const script = fileURLToPath(new URL('./media-main.js', import.meta.url));
    const child = spawn(process.execPath, [script, kind, JSON.stringify(settings)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const ready = await nextMessage<Kind, 'ready'>(child, kind, 'ready');
    return new MediaProgram(child, kind, ready.local);
  }

  private constructor(child: ChildProcess, kind: Kind, local: TransportAddress | undefined) {
    this.#child = child;
    this.local = local;
    child.on('message', (message: MediaMessage<Kind>) => {
      if (message.kind !== 'progress') return;
      this.progress = message.report;
      this.hasStopped = message.hasStopped;
    });
    this.#report = nextMessage<Kind, 'report'>(child, kind, 'report').then(({ report }) => report);
    // Who never asks for the report must not be ended by its absence.
    this.#report.catch(() => {});
  }

  /** For an RTP program, when the other end is ready too; TCP programs send once they are connected. */
  startSending(): void {
    this.#tell({ kind: 'start-sending' });
  }

  /** For an RTP program whose session has moved. */
  sendTo(remote: TransportAddress): void {
    this.#tell({ kind: 'send-to', remote });
  }

  /** What is under way may still arrive, so that it can be told from what was lost. */
  stopSending(): void {
    this.#tell({ kind: 'stop-sending' });
  }

  /** Ends the program. Rejects with MEDIA_PROGRAM_FAILED when it had ended by itself. */
  finish(): Promise<MediaReports[Kind]> {
    this.#tell({ kind: 'finish' });
    return this.#report;
  }

  #tell(command: MediaCommand): void {
    if (this.#child.connected) this.#child.send(command);
  }
}

/** The first message of one kind; a program that ends instead has failed, and its last words say why. */
function nextMessage<Kind extends MediaKind, Wanted extends MediaMessage['kind']>(
  child: ChildProcess,
  kind: Kind,
  wanted: Wanted,
): Promise<Extract<MediaMessage<Kind>, { readonly kind: Wanted }>> {
  return new Promise((resolve, reject) => {
    let lastWords = '';
    child.stderr?.on('data', (octets) => {
      lastWords = (lastWords + String(octets)).slice(-2000);
    });
    child.on('message', (message: MediaMessage<Kind>) => {
      if (message.kind === wanted) resolve(message as Extract<MediaMessage<Kind>, { readonly kind: Wanted }>);
    });
    child.on('error', reject);
    child.on('close', (code, signal) =>
      reject(
        new TrimaranError(
          'MEDIA_PROGRAM_FAILED',
          `the ${kind} program ended (${signal ?? code}): ${lastWords.trim()}`,
        ),
      ),
    );
  });
}
